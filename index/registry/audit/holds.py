"""Legal holds: a decision that must stay whole until a day, whatever retention and erasures say."""

from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, delete, insert, select

from index.errors import UnknownDecision
from index.registry.audit import chain
from index.registry.schema import DecisionHoldRow, DecisionRow


@dataclass(frozen=True)
class Hold:
    """Who keeps a decision whole, why, and until when; a time that is past ends the hold."""

    reason: str
    held_by: str
    held_until: datetime


def put(connection: Connection, decision_id: str, hold: Hold) -> None:
    """Hold a decision, or change its hold; an erasure that it met still waits for its end.

    Raises:
        UnknownDecision: there is none of this id.
    """
    row = connection.execute(
        select(DecisionRow.sequence, DecisionRow.sha256, DecisionHoldRow.erased_writer)
        .outerjoin(DecisionHoldRow, DecisionHoldRow.sequence == DecisionRow.sequence)
        .where(DecisionRow.decision_id == decision_id)
    ).first()
    if row is None:
        raise UnknownDecision(decision_id)
    connection.execute(delete(DecisionHoldRow).where(DecisionHoldRow.sequence == row.sequence))
    connection.execute(
        insert(DecisionHoldRow).values(
            sequence=row.sequence,
            reason=hold.reason,
            held_by=hold.held_by,
            held_since=datetime.now(UTC),
            held_until=hold.held_until,
            erased_writer=row.erased_writer,
        )
    )
    details = {"decision": decision_id, "until": hold.held_until.isoformat(timespec="seconds")}
    chain.append(connection, chain.AuditEvent("decision.held", hold.held_by, details=details))
