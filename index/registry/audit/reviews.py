"""Reviews: what people say of decisions, and which decisions wait for somebody to look at them."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import Connection, Row, Select, func, insert, literal, or_, select, update

from index.errors import ReviewRefused, UnknownDecision
from index.registry.audit import chain
from index.registry.audit.sealing import SALT_BYTES, seal
from index.registry.audit.stored import StoredReview, open_to, reviews_of
from index.registry.database import Database, WriteLock
from index.registry.schema import (
    AuditEntryRow,
    AuditNameRow,
    DecisionRow,
    ReviewRow,
    ReviewTaskRow,
)

HASHED = ("sequence", "reviewer", "outcome", "reason", "comment", "created_at")
LOOKED_AT = 200  # Decisions of writers whom the reviewer enrolled are passed over, so many at most.
ENROLLING = ("writer.enrolled", "reference.added")  # Entries of who enrolled somebody.


@dataclass(frozen=True)
class NewReview:
    """What a person says of a decision: `outcome` is accept, reject, unsure or escalate."""

    reviewer: str
    outcome: str
    reason: str | None = None
    comment: str | None = None


@dataclass(frozen=True)
class QueuedDecision:
    """A decision that waits for a person, why, and until when it is this one's to look at."""

    decision_id: str
    created_at: datetime
    kind: str
    verdict: str
    why: str
    claimed_until: datetime
    earlier_reviews: int


@dataclass(frozen=True)
class Agreement:
    """How often a person said so of decisions with this verdict."""

    kind: str
    verdict: str
    outcome: str
    count: int


class Reviews:
    """What people say of decisions; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def record(self, decision_id: str, review: NewReview, rejecters: int) -> list[StoredReview]:
        """Keep a review, and return all of the decision.

        Whether the decision needs another look is settled with it: `rejecters` people must say
        `reject`, and whoever is unsure or escalates passes it on.

        Raises:
            UnknownDecision: there is none of this id.
            ReviewRefused: the reviewer ran the decision, enrolled the writer, or has reviewed it.
        """
        with self._database.write(WriteLock.DECISIONS) as connection:
            return record(connection, decision_id, review, rejecters)

    def claim(self, reviewer: str, limit: int, minutes: int) -> list[QueuedDecision]:
        """Return decisions for a reviewer to look at, the oldest first, nobody else's meanwhile."""
        with self._database.write(WriteLock.DECISIONS) as connection:
            return claim(connection, reviewer, limit, minutes)

    def is_open(self, decision_id: str) -> bool:
        """Whether a decision waits for somebody to look at it."""
        with self._database.read() as connection:
            return connection.execute(_open(decision_id)).first() is not None

    def is_open_to(self, decision_id: str, reviewer: str) -> bool:
        """Whether a decision waits, and this reviewer has said nothing of it yet."""
        return decision_id in self.open_to([decision_id], reviewer)

    def open_to(self, decision_ids: Sequence[str], reviewer: str) -> frozenset[str]:
        """Return those of some decisions that wait, and of which this one has said nothing yet."""
        query = select(DecisionRow.decision_id).where(
            DecisionRow.decision_id.in_(decision_ids), open_to(reviewer)
        )
        with self._database.read() as connection:
            return frozenset(connection.execute(query).scalars())

    def waiting(self) -> int:
        """Return how many decisions wait for somebody to look at them."""
        with self._database.read() as connection:
            waiting = ReviewTaskRow.done_at.is_(None)
            count = select(func.count()).select_from(ReviewTaskRow).where(waiting)
            return connection.execute(count).scalar_one()

    def agreement(self, since: datetime | None = None) -> list[Agreement]:
        """Return how often people said what of which verdicts, of decisions from a time on."""
        with self._database.read() as connection:
            return agreement(connection, since)


def review_sha256(row: Mapping[Any, Any]) -> str:
    """Return the salted hash of a review's row."""
    return seal({name: row[name] for name in HASHED}, row["salt"])


def record(
    connection: Connection, decision_id: str, review: NewReview, rejecters: int
) -> list[StoredReview]:
    """Keep a review in the caller's transaction, with an entry on the chain.

    Raises:
        UnknownDecision: there is none of this id.
        ReviewRefused: the reviewer ran the decision, enrolled the writer, or has reviewed it.
    """
    decision = connection.execute(
        select(DecisionRow.sequence, DecisionRow.caller, DecisionRow.writer_id).where(
            DecisionRow.decision_id == decision_id
        )
    ).first()
    if decision is None:
        raise UnknownDecision(decision_id)
    before = reviews_of(connection, decision.sequence)
    _require_independent(connection, decision, before, review.reviewer)
    row: dict[str, Any] = {
        "sequence": decision.sequence,
        "reviewer": review.reviewer,
        "outcome": review.outcome,
        "reason": review.reason,
        "comment": review.comment,
        "created_at": datetime.now(UTC),
        "salt": secrets.token_bytes(SALT_BYTES),
    }
    row["sha256"] = review_sha256(row)
    connection.execute(insert(ReviewRow).values(**row))
    after = reviews_of(connection, decision.sequence)
    _settle(connection, decision.sequence, after, rejecters)
    details = {"decision": decision_id}
    entry = chain.AuditEvent(
        "review.recorded", None, review.outcome, details=details, content_sha256=row["sha256"]
    )
    chain.append(connection, entry)
    return list(after)


def claim(connection: Connection, reviewer: str, limit: int, minutes: int) -> list[QueuedDecision]:
    """Give a reviewer the oldest decisions that wait, and keep them from others for a while.

    Those that the reviewer ran, or has reviewed, are passed over.
    """
    now = datetime.now(UTC)
    until = now + timedelta(minutes=minutes)
    said = select(ReviewRow.sequence).where(ReviewRow.reviewer == reviewer)
    query = (
        select(
            DecisionRow.sequence,
            DecisionRow.decision_id,
            DecisionRow.created_at,
            DecisionRow.kind,
            DecisionRow.verdict,
            DecisionRow.caller,
            DecisionRow.writer_id,
            ReviewTaskRow.why,
        )
        .join(ReviewTaskRow, ReviewTaskRow.sequence == DecisionRow.sequence)
        .where(
            ReviewTaskRow.done_at.is_(None),
            or_(DecisionRow.caller != reviewer, literal(reviewer == chain.ANYBODY)),
            DecisionRow.sequence.not_in(said),
            or_(
                ReviewTaskRow.claimed_by.is_(None),
                ReviewTaskRow.claimed_by == reviewer,
                ReviewTaskRow.claimed_until <= now,
            ),
        )
        .order_by(DecisionRow.sequence)
    )
    found: list[QueuedDecision] = []
    for row in connection.execute(query.limit(limit + LOOKED_AT)).all():
        if len(found) == limit:
            break
        own = reviewer != chain.ANYBODY and enrolled_by(connection, row.writer_id, reviewer)
        if not own:
            found.append(_claimed(connection, row, reviewer, until))
    return found


def agreement(connection: Connection, since: datetime | None) -> list[Agreement]:
    """Return how often people said what of which verdicts."""
    rows = connection.execute(
        select(DecisionRow.kind, DecisionRow.verdict, ReviewRow.outcome, DecisionRow.created_at)
        .join(ReviewRow, ReviewRow.sequence == DecisionRow.sequence)
        .where(DecisionRow.created_at >= (since or datetime(1, 1, 1, tzinfo=UTC)))
    ).all()
    counts: dict[tuple[str, str, str], int] = {}
    for row in rows:
        key = (row.kind, row.verdict, row.outcome)
        counts[key] = counts.get(key, 0) + 1
    return [Agreement(*key, count) for key, count in sorted(counts.items())]


def enrolled_by(connection: Connection, writer_id: str | None, who: str) -> bool:
    """Whether somebody enrolled a writer or a reference of theirs, as the chain knows it."""
    actor, subject = AuditNameRow.__table__.alias(), AuditNameRow.__table__.alias()
    query = (
        select(AuditEntryRow.sequence)
        .join(actor, (actor.c.sequence == AuditEntryRow.sequence) & (actor.c.part == "actor"))
        .join(
            subject, (subject.c.sequence == AuditEntryRow.sequence) & (subject.c.part == "subject")
        )
        .where(AuditEntryRow.kind.in_(ENROLLING), actor.c.text == who, subject.c.text == writer_id)
    )
    return writer_id is not None and connection.execute(query).first() is not None


def _open(decision_id: str) -> Select[int]:
    return (
        select(DecisionRow.sequence)
        .join(ReviewTaskRow, ReviewTaskRow.sequence == DecisionRow.sequence)
        .where(DecisionRow.decision_id == decision_id, ReviewTaskRow.done_at.is_(None))
    )


def _claimed(
    connection: Connection, row: Row[*tuple[Any, ...]], reviewer: str, until: datetime
) -> QueuedDecision:
    connection.execute(
        update(ReviewTaskRow)
        .where(ReviewTaskRow.sequence == row.sequence)
        .values(claimed_by=reviewer, claimed_until=until)
    )
    earlier = len(reviews_of(connection, row.sequence))
    return QueuedDecision(
        row.decision_id, row.created_at, row.kind, row.verdict, row.why, until, earlier
    )


def _require_independent(
    connection: Connection,
    decision: Row[*tuple[Any, ...]],
    before: Sequence[StoredReview],
    reviewer: str,
) -> None:
    if any(one.reviewer == reviewer for one in before):
        raise ReviewRefused("You have reviewed this decision already; another person may, too.")
    if reviewer == chain.ANYBODY:
        return  # Where nobody is asked for a name, nobody can be told apart.
    if reviewer == decision.caller:
        raise ReviewRefused(
            "The reviewer is neither who ran the decision nor who enrolled the writer; you ran it. "
            "Leave it to another reviewer."
        )
    if enrolled_by(connection, decision.writer_id, reviewer):
        raise ReviewRefused(
            "The reviewer is neither who ran the decision nor who enrolled the writer; you "
            "enrolled them. Leave it to another reviewer."
        )


def _settle(
    connection: Connection, sequence: int, reviews: Sequence[StoredReview], rejecters: int
) -> None:
    """End the task where people have said enough, or give it back to the others."""
    said = [one.outcome for one in reviews]
    accepted, rejected = said.count("accept"), said.count("reject")
    enough = rejected >= rejecters or accepted > rejected
    done = enough and said[-1] in {"accept", "reject"}
    known = select(ReviewTaskRow.sequence).where(ReviewTaskRow.sequence == sequence)
    if connection.execute(known).first() is None and not done:
        connection.execute(insert(ReviewTaskRow).values(sequence=sequence, why="review"))
    connection.execute(
        update(ReviewTaskRow)
        .where(ReviewTaskRow.sequence == sequence)
        .values(claimed_by=None, claimed_until=None, done_at=datetime.now(UTC) if done else None)
    )
