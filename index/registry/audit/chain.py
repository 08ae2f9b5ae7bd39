"""Appends entries to the audit chain: who, when, what, with which outcome.

The chain holds no personal data. Whom an entry is by and about lies beside it, each with a salt;
the entry holds the HMAC of both. When a person is erased, text and salt go: the chain stays whole,
and nobody can guess back what was committed to.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, delete, func, insert, select

from index.registry.audit.sealing import SALT_BYTES, canonical
from index.registry.database import Database, WriteLock, lock_also
from index.registry.schema import AuditEntryRow, AuditNameRow, DecisionRow

GENESIS_SHA256 = "0" * 64
STARTED = "chain.started"
RESTORED = "restore.done"
ANYBODY = "anonymous"  # Who changes something where nobody is asked for a name.
# What an entry's details say of rows elsewhere that were changed by leave, by their hashes: those
# replaced (old hash to new), those removed, and those whose image alone was removed; and of which
# entries the names are forgotten, by number.
REPLACED, REMOVED, WITHOUT_IMAGE, FORGOTTEN = "replaced", "removed", "without_image", "forgotten"
_BATCH = 5000

# What is hashed by each version of an entry. Versions are only ever added: rows are out there.
HASHED: Mapping[int, tuple[str, ...]] = {
    1: (
        "chain_version",
        "created_at",
        "kind",
        "outcome",
        "actor_hmac",
        "subject_hmac",
        "details",
        "content_sha256",
        "previous_sha256",
    )
}
NOT_HASHED: Mapping[str, str] = {
    "sequence": "the database numbers the row; the chain itself holds the order",
    "sha256": "it is the hash",
}
CHAIN_VERSION = max(HASHED)
Part = Literal["actor", "subject"]


@dataclass(frozen=True)
class AuditEvent:
    """Something that matters: `kind` is dotted, as in `writer.renamed`.

    `actor` and `subject` (an id, an address) lie beside the chain; None where a row elsewhere has
    them. `details` are numbers, codes and hashes, never about a person. `content_sha256` is of a
    row that lies elsewhere, as a decision.
    """

    kind: str
    actor: str | None = None
    outcome: str = "done"
    subject: str | None = None
    details: Mapping[str, object] = field(default_factory=dict)
    content_sha256: str | None = None


@dataclass(frozen=True)
class LatestEntry:
    """The last entry of the chain, or the last of a kind."""

    sequence: int
    sha256: str
    created_at: datetime
    details: Mapping[str, Any]


class AuditChain:
    """The chain of one registry; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def append(self, event: AuditEvent) -> int:
        """Put an entry at the end of the chain, durably; return its number."""
        with self._database.write(WriteLock.AUDIT) as connection:
            return append(connection, event)

    def latest(self, kind: str | None = None) -> LatestEntry | None:
        """Return the last entry, of one kind or of any; None where there is none."""
        query = select(
            AuditEntryRow.sequence,
            AuditEntryRow.sha256,
            AuditEntryRow.created_at,
            AuditEntryRow.details,
        ).order_by(AuditEntryRow.sequence.desc())
        if kind is not None:
            query = query.where(AuditEntryRow.kind == kind)
        with self._database.read() as connection:
            row = connection.execute(query.limit(1)).first()
        return None if row is None else LatestEntry(*row)

    def head(self) -> "Head":
        """Return where the chain ends now; an anchor signs it."""
        with self._database.read() as connection:
            row = connection.execute(_LAST.limit(1)).first()
        return Head(0, GENESIS_SHA256) if row is None else Head(row.sequence, row.sha256)

    def entries(
        self, since: datetime | None = None, until: datetime | None = None
    ) -> Iterator[Row[*tuple[Any, ...]]]:
        """Yield the entries of a time, oldest first, all of one moment; `until` is left out."""
        with self._database.snapshot() as connection:
            for row in read_entries(connection):
                if until is not None and row.created_at >= until:
                    return
                if since is None or row.created_at >= since:
                    yield row

    def following(self, number: int, limit: int) -> list[Row[*tuple[Any, ...]]]:
        """Return up to `limit` entries from a number on, oldest first."""
        query = select(AuditEntryRow.__table__).where(AuditEntryRow.sequence >= number)
        with self._database.read() as connection:
            return list(connection.execute(query.order_by(AuditEntryRow.sequence).limit(limit)))


@dataclass(frozen=True)
class Head:
    """The end of the chain: the last entry's number, 0 for none, and its hash."""

    sequence: int
    sha256: str


def append(connection: Connection, event: AuditEvent) -> int:
    """Put an entry at the end of the chain in the caller's transaction; return its number.

    Take no other lock after it: this one is the last in every transaction.
    """
    lock_also(connection, WriteLock.AUDIT)
    previous = connection.execute(_LAST_SHA256).scalar_one_or_none()
    if previous is None:
        previous = _start(connection)
    names: dict[Part, str | None] = {"actor": event.actor, "subject": event.subject}
    salted = {
        part: (text, secrets.token_bytes(SALT_BYTES))
        for part, text in names.items()
        if text is not None
    }
    sequence = _insert(
        connection,
        {
            "kind": event.kind,
            "outcome": event.outcome,
            "actor_hmac": _committed(salted.get("actor")),
            "subject_hmac": _committed(salted.get("subject")),
            "details": dict(event.details),
            "content_sha256": event.content_sha256,
            "previous_sha256": previous,
        },
    )
    rows = [
        {"sequence": sequence, "part": part, "text": text, "salt": salt}
        for part, (text, salt) in salted.items()
    ]
    if rows:
        connection.execute(insert(AuditNameRow), rows)
    return sequence


def forget(connection: Connection, text: str) -> list[int]:
    """Erase a name from beside the chain, with its salts; return the numbers of its entries.

    Put them under FORGOTTEN into the entry that says why: a name missing otherwise is tampering.
    """
    known = AuditNameRow.text == text
    numbers = connection.execute(select(AuditNameRow.sequence).where(known)).scalars().all()
    connection.execute(delete(AuditNameRow).where(known))
    return sorted(set(numbers))


def read_entries(connection: Connection, after: int = 0) -> Iterator[Row[*tuple[Any, ...]]]:
    """Yield the entries after a number, oldest first, a batch at a time."""
    while True:
        query = select(AuditEntryRow.__table__).where(AuditEntryRow.sequence > after)
        rows = connection.execute(query.order_by(AuditEntryRow.sequence).limit(_BATCH)).all()
        if not rows:
            return
        yield from rows
        after = rows[-1].sequence


def changed_by_leave(connection: Connection) -> set[str]:
    """Return the hashes of rows that an entry says were replaced or removed."""
    query = select(AuditEntryRow.details).where(AuditEntryRow.kind.in_(CHANGING))
    found: set[str] = set()
    for details in connection.execute(query).scalars():
        found |= {*details.get(REPLACED, {}), *details.get(REMOVED, ())}
    return found


def commitment(text: str, salt: bytes) -> str:
    """Return what stands in the chain for a name: an HMAC-SHA-256, 64 hexadecimal digits."""
    return hmac.new(salt, text.encode(), hashlib.sha256).hexdigest()


def sha256(row: Mapping[Any, Any]) -> str:
    """Return the hash of an entry's row, over the columns that its version lists."""
    content = {name: row[name] for name in HASHED[row["chain_version"]]}
    return hashlib.sha256(canonical(content).encode()).hexdigest()


def _committed(salted: tuple[str, bytes] | None) -> str | None:
    return None if salted is None else commitment(*salted)


# The kinds of entries that say what was changed by leave.
CHANGING = ("writer.erased", "reference.erased", "purge.done")
_LAST = select(AuditEntryRow.sequence, AuditEntryRow.sha256).order_by(AuditEntryRow.sequence.desc())
_LAST_SHA256 = select(AuditEntryRow.sha256).order_by(AuditEntryRow.sequence.desc()).limit(1)
_LAST_DECISION = select(DecisionRow.sha256).order_by(DecisionRow.sequence.desc()).limit(1)


def _start(connection: Connection) -> str:
    """Begin the chain: its first entry holds the head of the decisions that were there before."""
    head = connection.execute(_LAST_DECISION).scalar_one_or_none() or GENESIS_SHA256
    decisions = connection.execute(select(func.count()).select_from(DecisionRow)).scalar_one()
    _insert(
        connection,
        {
            "kind": STARTED,
            "outcome": "done",
            "actor_hmac": None,
            "subject_hmac": None,
            "details": {"decisions": decisions},
            "content_sha256": head,
            "previous_sha256": GENESIS_SHA256,
        },
    )
    return str(connection.execute(_LAST_SHA256).scalar_one())


def _insert(connection: Connection, values: Mapping[str, object]) -> int:
    row = {**values, "created_at": datetime.now(UTC), "chain_version": CHAIN_VERSION}
    inserted = connection.execute(insert(AuditEntryRow).values(**row, sha256=sha256(row)))
    return int(inserted.inserted_primary_key[0])  # type: ignore[index]  # A row was inserted.
