"""The audit trail: decisions in a chain of hashes, written and verified.

A decision's hash covers the columns that its chain version lists. A new column of the table needs
a new version here, or a reason in `NOT_HASHED`: decisions that are there already stay intact then.

`AuditLog` gives each question and change a transaction of its own; the functions below it take the
connection of a transaction that somebody else begins and commits.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal
from uuid import uuid4

from sqlalchemy import Connection, bindparam, delete, func, insert, select

from index.registry.audit.chain import AuditEvent, append
from index.registry.database import Database, WriteLock
from index.registry.schema import AuditEntryRow, DecisionRow


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


@dataclass(frozen=True)
class ChainReport:
    """The audit trail re-computed: `broken_at` is the first decision that does not fit.

    `reason` says why: its content, its place, or a chain version that is not known here. `cut`
    decisions before the first were deleted for their age, which is on record.

    A chain cannot show that its last rows were cut off: keep `length` and `head_sha256`
    somewhere else and compare.
    """

    length: int
    head_sha256: str
    broken_at: str | None
    reason: str | None = None
    cut: int = 0

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
        with self._database.read() as connection:
            report = cut_off(connection)
        sequence, previous = 0, -1
        while report.intact and sequence != previous:
            previous = sequence
            with self._database.read() as connection:
                sequence, report = verify_batch(connection, sequence, report)
        return report

    def cut(self, before: datetime) -> int:
        """Delete the decisions made before a moment, some thousands at most; return how many.

        The newest stays, to go on from. An entry of the audit chain says where the rest begins.
        """
        with self._database.write(WriteLock.DECISIONS) as connection:
            return cut(connection, before)


GENESIS_SHA256 = "0" * 64
CUT = "decisions.cut"
CUT_AT_ONCE = 5000
CUTTER = "retention"
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
HASHED: Mapping[int, tuple[str, ...]] = {1: _VERSION_1, 2: (*_VERSION_1, "chain_version")}
NOT_HASHED: Mapping[str, str] = {
    "sequence": "the database numbers the row; the chain itself holds the order",
    "sha256": "it is the hash",
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
_LAST_CUT = (
    select(AuditEntryRow.details)
    .where(AuditEntryRow.kind == CUT)
    .order_by(AuditEntryRow.sequence.desc())
    .limit(1)
)
_LAST_SHA256 = select(DecisionRow.sha256).order_by(DecisionRow.sequence.desc()).limit(1)
_INSERT = insert(DecisionRow)


def record(connection: Connection, decision: DecisionRecord) -> str:
    """Append a decision to the chain and return its id; the caller holds the decisions' lock.

    Raises:
        ValueError: a number is not finite: SQL and JSON would keep something else.
    """
    previous = connection.execute(_LAST_SHA256).scalar_one_or_none()
    row: dict[str, Any] = {
        "decision_id": uuid4().hex,
        "created_at": datetime.now(UTC),
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
    }
    connection.execute(_INSERT, {**row, "sha256": _sha256(row)})
    return str(row["decision_id"])


def matched_others(connection: Connection, probe_sha256: str, writer_id: str | None) -> list[str]:
    """Return the writers, besides this one, whom this very image matched before; three at most."""
    asked = {"probe_sha256": probe_sha256, "writer_id": writer_id}
    return [one for one in connection.execute(_MATCHED, asked).scalars() if one is not None]


def cut_off(connection: Connection) -> ChainReport:
    """Return where the chain begins: at its very start, or where the last cut was put on record."""
    details = connection.execute(_LAST_CUT).scalar_one_or_none()
    if details is None:
        return ChainReport(0, GENESIS_SHA256, None)
    return ChainReport(0, str(details["last_sha256"]), None, cut=int(details["total"]))


def cut(connection: Connection, before: datetime) -> int:
    """Delete the oldest decisions up to the first that is not older; the caller holds the lock.

    Nothing is deleted from the middle: what is left is a chain.
    """
    kept = connection.execute(
        select(func.min(DecisionRow.sequence)).where(DecisionRow.created_at >= before)
    ).scalar_one_or_none()
    newest = connection.execute(select(func.max(DecisionRow.sequence))).scalar_one_or_none()
    old = (
        select(DecisionRow.sequence, DecisionRow.sha256)
        .where(DecisionRow.sequence < (newest or 0))
        .order_by(DecisionRow.sequence)
        .limit(CUT_AT_ONCE)
    )
    if kept is not None:
        old = old.where(DecisionRow.sequence < kept)
    rows = connection.execute(old).all()
    if not rows:
        return 0
    connection.execute(delete(DecisionRow).where(DecisionRow.sequence <= rows[-1].sequence))
    details = {
        "decisions": len(rows),
        "total": cut_off(connection).cut + len(rows),
        "last_sha256": rows[-1].sha256,
    }
    append(connection, AuditEvent(CUT, CUTTER, details=details))
    return len(rows)


def verify_batch(
    connection: Connection, sequence: int, report: ChainReport
) -> tuple[int, ChainReport]:
    """Check the decisions after `sequence` against the report so far; one batch.

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
        reason = _broken(row, report.head_sha256)
        if reason is not None:
            return row["sequence"], replace(report, broken_at=row["decision_id"], reason=reason)
        sequence = row["sequence"]
        report = replace(report, length=report.length + 1, head_sha256=row["sha256"])
    return sequence, report


def _broken(row: Mapping[Any, Any], previous_sha256: str) -> str | None:
    """Say why a decision does not fit after the one before it; None where it does."""
    if row["chain_version"] not in HASHED:
        return (
            f"its chain version is {row['chain_version']}, expected one of "
            f"{', '.join(map(str, HASHED))}: it was changed, or a newer version wrote it"
        )
    if row["previous_sha256"] != previous_sha256:
        return "it does not follow the decision before it"
    if row["sha256"] != _sha256(row):
        return "its content is not what its hash says"
    return None


def _stored(number: float | None) -> float | None:
    # As SQLite gives it back: a real number always, and zero without a sign.
    return None if number is None else float(number) + 0.0


def _sha256(row: Mapping[Any, Any]) -> str:
    # One form for one content: sorted keys, shortest floats, UTC to the microsecond.
    content = {name: row[name] for name in HASHED[row["chain_version"]]}
    canonical = json.dumps(
        {**content, "created_at": content["created_at"].isoformat(timespec="microseconds")},
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
