"""The audit trail: decisions in a chain of hashes, written and verified.

From version 3 on, each decision has an entry on the audit chain too, so that none can be cut off,
and what was erased or purged is told from what was tampered with.

A decision's hash covers the columns that its chain version lists. A new column of the table needs
a new version here, or a reason in `NOT_HASHED`: decisions that are there already stay intact then.

`AuditLog` gives each question and change a transaction of its own; the functions below it take the
connection of a transaction that somebody else begins and commits.
"""

import secrets
from collections.abc import Container, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, bindparam, insert, select

from index.errors import UnknownDecision
from index.registry.audit import basis, chain, holds, stored
from index.registry.audit.basis import DecisionBasis
from index.registry.audit.holds import Hold
from index.registry.audit.sealing import SALT_BYTES, canonical, seal, text_sha256
from index.registry.audit.stored import DecisionFilter, DecisionPage, StoredDecision
from index.registry.audit.stored_image import StoredImage
from index.registry.database import Database, WriteLock
from index.registry.schema import DecisionRow


@dataclass(frozen=True)
class DecisionRecord:
    """What was decided, from what; numbers are finite, or None where there is none.

    `candidates` are JSON objects, without names: the audit trail outlives an erased writer.
    """

    kind: Literal["verify", "identify"]
    verdict: str
    writer_id: str | None
    operating_point: str | None
    score: float | None
    log_lr: float | None
    threshold: float | None
    non_match_threshold: float | None
    model_id: str
    reference_ids: tuple[int, ...]
    candidates: Sequence[Mapping[str, object]] | None
    probe_sha256: str
    caller: str
    decided_at: datetime | None = None  # None is now.
    basis: DecisionBasis | None = None  # What it rests on, if that is kept.


@dataclass(frozen=True)
class ChainReport:
    """The audit trail re-computed: `broken_at` is the first decision that does not fit.

    `reason` says why: its content, its place, or a chain version that is not known here.

    A chain cannot show that its last rows were cut off: keep `length` and `head_sha256`
    somewhere else and compare.
    """

    length: int
    head_sha256: str
    broken_at: str | None
    reason: str | None = None

    @property
    def intact(self) -> bool:
        """Whether every decision is as it was written."""
        return self.broken_at is None


class AuditLog:
    """The decisions that were made, in their chain."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, decision: DecisionRecord) -> str:
        """Append a decision to the audit trail; return its id, 32 hexadecimal digits."""
        with self._database.write(WriteLock.DECISIONS) as connection:
            return record(connection, decision)

    def matched_others(self, probe_sha256: str, writer_id: str | None) -> list[str]:
        """Return the writers, besides this one, whom this very image matched before; a few."""
        with self._database.read() as connection:
            return matched_others(connection, probe_sha256, writer_id)

    def newest_at(self) -> datetime | None:
        """Return when the last decision was made; None before the first."""
        query = select(DecisionRow.created_at).order_by(DecisionRow.sequence.desc()).limit(1)
        with self._database.read() as connection:
            return connection.execute(query).scalar_one_or_none()

    def verify(self) -> ChainReport:
        """Compute the audit trail's hashes again, oldest first, up to the first that differs."""
        report = ChainReport(0, GENESIS_SHA256, None)
        sequence, previous = 0, -1
        with self._database.snapshot() as connection:
            gone = chain.changed_by_leave(connection)
            while report.intact and sequence != previous:
                previous = sequence
                sequence, report = verify_batch(connection, sequence, report, gone)
        return report

    def page(self, wanted: DecisionFilter, cursor: str | None, limit: int) -> DecisionPage:
        """Return a page of the decisions that a filter lets through, the newest first.

        Raises:
            InvalidCursor: the cursor is not an earlier page's.
        """
        with self._database.read() as connection:
            return stored.page(connection, wanted, cursor, limit)

    def get(self, decision_id: str) -> StoredDecision:
        """Return one decision with what it rests on, as far as that is still kept.

        Raises:
            UnknownDecision: there is none of this id.
        """
        with self._database.read() as connection:
            return stored.get(connection, decision_id)

    def image(self, decision_id: str, actor: str) -> StoredImage:
        """Return a decision's query image; who looked at it is put on the audit chain.

        Raises:
            UnknownDecision: there is none of this id.
            QueryNotKept: its image was purged or erased.
        """
        with self._database.write(WriteLock.AUDIT) as connection:
            return stored.view_image(connection, decision_id, actor)

    def kept_image(self, decision_id: str) -> StoredImage:
        """Return a decision's query image as `image` does, for what shows it to nobody."""
        with self._database.read() as connection:
            return stored.kept_image(connection, decision_id)

    def proof(self, decision_id: str) -> dict[str, Any]:
        """Return what a decision's hash is of, its salt (hexadecimal) and the hash.

        Raises:
            UnknownDecision: there is none of this id.
        """
        query = select(DecisionRow.__table__).where(DecisionRow.decision_id == decision_id)
        with self._database.read() as connection:
            row = connection.execute(query).mappings().first()
        if row is None:
            raise UnknownDecision(decision_id)
        content = {name: row[name] for name in HASHED[row["chain_version"]]}
        salt = None if row["salt"] is None else row["salt"].hex()
        return {"content": content, "salt": salt, "sha256": row["sha256"]}

    def hold(self, decision_id: str, hold: Hold) -> StoredDecision:
        """Keep a decision whole until a day, whatever retention and erasures say.

        Raises:
            UnknownDecision: there is none of this id.
        """
        with self._database.write(WriteLock.DECISIONS) as connection:
            holds.put(connection, decision_id, hold)
            return stored.get(connection, decision_id)


GENESIS_SHA256 = "0" * 64
_BATCH = 1000

_VERSION_1 = (
    "decision_id",
    "created_at",
    "kind",
    "verdict",
    "writer_id",
    "operating_point",
    "score",
    "log_lr",
    "threshold",
    "non_match_threshold",
    "model_id",
    "reference_ids",
    "candidates",
    "probe_sha256",
    "caller",
    "previous_sha256",
)
# What is hashed by each chain version. Versions are only ever added: their rows are out there.
_VERSION_2 = (*_VERSION_1, "chain_version")
HASHED: Mapping[int, tuple[str, ...]] = {
    1: _VERSION_1,
    2: _VERSION_2,
    3: (*_VERSION_2, "details_sha256"),
}
SALTED_FROM = 3
NOT_HASHED: Mapping[str, str] = {
    "sequence": "the database numbers the row; the chain itself holds the order",
    "sha256": "it is the hash",
    "salt": "it is the key of the hash",
}
CHAIN_VERSION = max(HASHED)

MATCHED = ("match", "identified")
MATCHED_SHOWN = 3  # Writers, of those whom an image matched before.

_MATCHED = (
    select(DecisionRow.writer_id)
    .where(
        DecisionRow.probe_sha256 == bindparam("probe_sha256"),
        DecisionRow.verdict.in_(MATCHED),
        DecisionRow.writer_id.is_distinct_from(bindparam("writer_id")),
    )
    .distinct()
    .order_by(DecisionRow.writer_id)
    .limit(MATCHED_SHOWN)
)
_LAST_SHA256 = select(DecisionRow.sha256).order_by(DecisionRow.sequence.desc()).limit(1)
_INSERT = insert(DecisionRow)


def record(connection: Connection, decision: DecisionRecord) -> str:
    """Append a decision to the chain and return its id; the caller holds the decisions' lock.

    Raises:
        ValueError: a number is not finite: SQL and JSON would keep something else.
    """
    previous = connection.execute(_LAST_SHA256).scalar_one_or_none()
    details = None if decision.basis is None else canonical(decision.basis.complete())
    row: dict[str, Any] = {
        "decision_id": uuid4().hex,
        "created_at": decision.decided_at or datetime.now(UTC),
        "kind": decision.kind,
        "verdict": decision.verdict,
        "writer_id": decision.writer_id,
        "operating_point": decision.operating_point,
        "score": _stored(decision.score),
        "log_lr": _stored(decision.log_lr),
        "threshold": _stored(decision.threshold),
        "non_match_threshold": _stored(decision.non_match_threshold),
        "model_id": decision.model_id,
        "reference_ids": list(decision.reference_ids),
        "candidates": None if decision.candidates is None else [*map(dict, decision.candidates)],
        "probe_sha256": decision.probe_sha256,
        "caller": decision.caller,
        "previous_sha256": GENESIS_SHA256 if previous is None else previous,
        "chain_version": CHAIN_VERSION,
        "details_sha256": None if details is None else text_sha256(details),
        "salt": secrets.token_bytes(SALT_BYTES),
    }
    sha256 = row_sha256(row)
    # Before the row: the chain's first entry holds the head of the decisions before it.
    entry = chain.AuditEvent(
        f"decision.{decision.kind}", outcome=decision.verdict, content_sha256=sha256
    )
    chain.append(connection, entry)
    inserted = connection.execute(_INSERT.values(**row, sha256=sha256))
    if decision.basis is not None and details is not None:
        sequence = int(inserted.inserted_primary_key[0])  # type: ignore[index]  # It was inserted.
        basis.keep(connection, sequence, decision.basis, details)
    return str(row["decision_id"])


def matched_others(connection: Connection, probe_sha256: str, writer_id: str | None) -> list[str]:
    """Return the writers, besides this one, whom this very image matched before; three at most."""
    asked = {"probe_sha256": probe_sha256, "writer_id": writer_id}
    return [one for one in connection.execute(_MATCHED, asked).scalars() if one is not None]


def verify_batch(
    connection: Connection, sequence: int, report: ChainReport, gone: Container[str] = ()
) -> tuple[int, ChainReport]:
    """Check the decisions after `sequence` against the report so far; one batch.

    Of those that are `gone`, by their hashes, the audit chain says that they were erased or purged.

    Returns the last sequence read and the report carried on; the same sequence at the end.
    """
    rows = (
        connection.execute(
            select(DecisionRow.__table__)
            .where(DecisionRow.sequence > sequence)
            .order_by(DecisionRow.sequence)
            .limit(_BATCH)
        )
        .mappings()
        .all()
    )
    for row in rows:
        reason = broken(row, report.head_sha256, gone)
        if reason is not None:
            found = ChainReport(report.length, report.head_sha256, row["decision_id"], reason)
            return row["sequence"], found
        sequence = row["sequence"]
        report = ChainReport(report.length + 1, row["sha256"], None)
    return sequence, report


def broken(row: Mapping[Any, Any], previous_sha256: str, gone: Container[str] = ()) -> str | None:
    """Say why a decision does not fit after the one before it; None where it does."""
    if row["chain_version"] not in HASHED:
        return (
            f"its chain version is {row['chain_version']}, expected one of "
            f"{', '.join(map(str, HASHED))}: it was changed, or a newer version wrote it"
        )
    if row["previous_sha256"] != previous_sha256 and row["previous_sha256"] not in gone:
        return "it does not follow the decision before it"
    if row["sha256"] != row_sha256(row):
        return "its content is not what its hash says"
    return None


def row_sha256(row: Mapping[Any, Any]) -> str:
    """Return the hash of a decision's row, over the columns that its version lists."""
    content = {name: row[name] for name in HASHED[row["chain_version"]]}
    if row["chain_version"] >= SALTED_FROM:
        return seal(content, row["salt"] or b"")
    return text_sha256(canonical(content))


def _stored(number: float | None) -> float | None:
    # As SQLite gives it back: a real number always, and zero without a sign.
    return None if number is None else float(number) + 0.0
