"""The audit trail: decisions in a chain of hashes, written and verified.

Each function takes the connection of a transaction that somebody else begins and commits.
"""

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

from sqlalchemy import Connection, insert, select

from index.schema import DecisionRow
from index.values import ChainReport, DecisionRecord

GENESIS_SHA256 = "0" * 64
_BATCH = 1000

_LAST_SHA256 = select(DecisionRow.sha256).order_by(DecisionRow.sequence.desc()).limit(1)
_INSERT = insert(DecisionRow)


def record(connection: Connection, decision: DecisionRecord) -> str:
    """Append a decision to the chain and return its id; the caller holds the decisions' lock.

    Raises ValueError for a number that is not finite: SQL and JSON would keep something else.
    """
    previous = connection.execute(_LAST_SHA256).scalar_one_or_none()
    row: dict[str, Any] = {
        "decision_id": uuid4().hex,
        "created_at": datetime.now(UTC),
        "kind": decision.kind,
        "verdict": decision.verdict,
        "writer_id": decision.writer_id,
        "operating_point": decision.operating_point,
        "score": decision.score,
        "log_lr": decision.log_lr,
        "threshold": decision.threshold,
        "non_match_threshold": decision.non_match_threshold,
        "model_id": decision.model_id,
        "reference_ids": list(decision.reference_ids),
        "candidates": None if decision.candidates is None else [*map(dict, decision.candidates)],
        "probe_sha256": decision.probe_sha256,
        "caller": decision.caller,
        "previous_sha256": GENESIS_SHA256 if previous is None else previous,
    }
    connection.execute(_INSERT, {**row, "sha256": _sha256(row)})
    return str(row["decision_id"])


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
        content = {key: value for key, value in row.items() if key not in {"sequence", "sha256"}}
        if row["previous_sha256"] != report.head_sha256 or row["sha256"] != _sha256(content):
            broken = ChainReport(report.length, report.head_sha256, row["decision_id"])
            return row["sequence"], broken
        sequence = row["sequence"]
        report = ChainReport(report.length + 1, row["sha256"], None)
    return sequence, report


def _sha256(content: Mapping[str, Any]) -> str:
    # One form for one content: sorted keys, shortest floats, UTC to the microsecond.
    canonical = json.dumps(
        {**content, "created_at": content["created_at"].isoformat(timespec="microseconds")},
        sort_keys=True,
        separators=(",", ":"),
        allow_nan=False,
    )
    return hashlib.sha256(canonical.encode()).hexdigest()
