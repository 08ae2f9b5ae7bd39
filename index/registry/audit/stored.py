"""Decisions read back: a page of them, one with what it rests on, and its query image."""

import base64
import binascii
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Row, Select, bindparam, exists, false, or_, select

from index.errors import InvalidCursor, QueryNotKept, UnknownDecision
from index.registry.audit import chain
from index.registry.audit.basis import RULE
from index.registry.audit.stored_image import StoredImage
from index.registry.schema import (
    AuditEntryRow,
    DecisionDetailsRow,
    DecisionHoldRow,
    DecisionImageRow,
    DecisionMentionRow,
    DecisionRow,
    DecisionRuleRow,
    ReviewRow,
    ReviewTaskRow,
)

MAX_SEQUENCE = 2**63 - 1
State = Literal["whole", "image-purged", "erased", "without-details"]


@dataclass(frozen=True)
class DecisionFilter:
    """Which decisions to list; None lets all through. `until` itself is left out.

    A filter must not tell what a reader does not see: to `unseen_by`, a decision that they still
    have to review counts as reviewed by nobody. With `blind` it has no verdict for them, and is of
    the writer that it names alone.
    """

    writer_id: str | None = None
    kind: str | None = None
    verdict: str | None = None
    caller: str | None = None
    since: datetime | None = None
    until: datetime | None = None
    reviewed: bool | None = None
    unseen_by: str | None = None
    blind: bool = False


@dataclass(frozen=True)
class StoredHold:
    """A hold on a decision; `erasure_waits` says that a writer in it was erased meanwhile."""

    reason: str
    held_by: str
    held_since: datetime
    held_until: datetime
    erasure_waits: bool

    @property
    def in_force(self) -> bool:
        """Whether its day is still to come."""
        return self.held_until > datetime.now(UTC)


@dataclass(frozen=True)
class StoredReview:
    """What a person said of a decision."""

    review_id: int
    reviewer: str
    outcome: str
    reason: str | None
    comment: str | None
    created_at: datetime


@dataclass(frozen=True)
class StoredDecision:
    """A decision as it was recorded.

    `details` and `rule` are what it rests on, and None from before that was kept, or once erased.
    `entry` is its number on the audit chain, None from before there was one.
    """

    sequence: int
    decision_id: str
    created_at: datetime
    kind: str
    verdict: str
    writer_id: str | None
    operating_point: str | None
    score: float | None
    log_lr: float | None
    threshold: float | None
    non_match_threshold: float | None
    model_id: str
    reference_ids: list[int]
    candidates: list[dict[str, Any]] | None
    probe_sha256: str | None
    caller: str
    sha256: str
    state: State
    details: Mapping[str, Any] | None = None
    rule: Mapping[str, Any] | None = None
    hold: StoredHold | None = None
    reviews: tuple[StoredReview, ...] = ()
    entry: int | None = None


@dataclass(frozen=True)
class DecisionPage:
    """Some decisions, the newest first; `next_cursor` is None on the last page."""

    decisions: tuple[StoredDecision, ...]
    next_cursor: str | None


_COLUMNS = (
    DecisionRow.sequence,
    DecisionRow.decision_id,
    DecisionRow.created_at,
    DecisionRow.kind,
    DecisionRow.verdict,
    DecisionRow.writer_id,
    DecisionRow.operating_point,
    DecisionRow.score,
    DecisionRow.log_lr,
    DecisionRow.threshold,
    DecisionRow.non_match_threshold,
    DecisionRow.model_id,
    DecisionRow.reference_ids,
    DecisionRow.candidates,
    DecisionRow.probe_sha256,
    DecisionRow.caller,
    DecisionRow.sha256,
)
ERASED = "0" * 64  # Stands for a probe's hash that was erased.


def _listed() -> Select[*tuple[Any, ...]]:
    return select(
        *_COLUMNS,
        DecisionRow.details_sha256,
        DecisionImageRow.sequence.label("has_image"),
    ).outerjoin(DecisionImageRow, DecisionImageRow.sequence == DecisionRow.sequence)


def page(
    connection: Connection, wanted: DecisionFilter, cursor: str | None, limit: int
) -> DecisionPage:
    """Return up to `limit` decisions before the cursor, the newest first, without their details.

    Raises:
        InvalidCursor: the cursor is not an earlier page's.
    """
    query = _filtered(_listed(), wanted).order_by(DecisionRow.sequence.desc()).limit(limit + 1)
    if cursor is not None:
        query = query.where(DecisionRow.sequence < _before(cursor))
    rows = connection.execute(query).all()
    shown = tuple(StoredDecision(**_fields(row)) for row in rows[:limit])
    return DecisionPage(shown, _cursor(shown[-1].sequence) if len(rows) > limit else None)


def get(connection: Connection, decision_id: str) -> StoredDecision:
    """Return one decision, with all that is kept beside it.

    Raises:
        UnknownDecision: there is none of this id.
    """
    row = connection.execute(_listed().where(DecisionRow.decision_id == decision_id)).first()
    if row is None:
        raise UnknownDecision(decision_id)
    found = connection.execute(
        select(DecisionDetailsRow.details).where(DecisionDetailsRow.sequence == row.sequence)
    ).scalar_one_or_none()
    details = None if found is None else json.loads(found)
    return StoredDecision(
        **_fields(row),
        details=details,
        rule=None if details is None else _rule(connection, details[RULE]),
        hold=_hold(connection, row.sequence),
        reviews=reviews_of(connection, row.sequence),
        entry=_entry_of(connection, row.sha256),
    )


def view_image(connection: Connection, decision_id: str, actor: str) -> StoredImage:
    """Return a decision's query image, and put on the chain that it was looked at.

    Raises:
        UnknownDecision: there is none of this id.
        QueryNotKept: its image was purged or erased, or never kept.
    """
    found = kept_image(connection, decision_id)
    details = {"decision": decision_id}
    chain.append(connection, chain.AuditEvent("image.viewed", actor, details=details))
    return found


def kept_image(connection: Connection, decision_id: str) -> StoredImage:
    """Return a decision's query image, for what shows it to nobody.

    Raises:
        UnknownDecision: there is none of this id.
        QueryNotKept: its image was purged or erased, or never kept.
    """
    row = connection.execute(
        select(DecisionRow.sequence, DecisionImageRow.media_type, DecisionImageRow.image)
        .outerjoin(DecisionImageRow, DecisionImageRow.sequence == DecisionRow.sequence)
        .where(DecisionRow.decision_id == decision_id)
    ).first()
    if row is None:
        raise UnknownDecision(decision_id)
    if row.image is None:
        raise QueryNotKept(decision_id)
    return StoredImage(row.image, row.media_type)


def reviews_of(connection: Connection, sequence: int) -> tuple[StoredReview, ...]:
    """Return what people said of a decision, oldest first."""
    rows = connection.execute(
        select(
            ReviewRow.review_id,
            ReviewRow.reviewer,
            ReviewRow.outcome,
            ReviewRow.reason,
            ReviewRow.comment,
            ReviewRow.created_at,
        )
        .where(ReviewRow.sequence == sequence)
        .order_by(ReviewRow.review_id)
    ).all()
    return tuple(StoredReview(*row) for row in rows)


def _filtered(query: Select[*tuple[Any, ...]], wanted: DecisionFilter) -> Select[*tuple[Any, ...]]:
    unseen = false() if wanted.unseen_by is None else open_to(wanted.unseen_by)
    hidden = unseen if wanted.blind else false()
    equal = {DecisionRow.kind: wanted.kind, DecisionRow.caller: wanted.caller}
    for column, value in equal.items():
        query = query if value is None else query.where(column == value)
    if wanted.verdict is not None:
        query = query.where(DecisionRow.verdict == wanted.verdict, ~hidden)
    if wanted.writer_id is not None:
        named = select(DecisionMentionRow.sequence).where(
            DecisionMentionRow.writer_id == wanted.writer_id
        )
        own = DecisionRow.writer_id == wanted.writer_id
        query = query.where(or_(own, DecisionRow.sequence.in_(named) & ~hidden))
    if wanted.since is not None:
        query = query.where(DecisionRow.created_at >= wanted.since)
    if wanted.until is not None:
        query = query.where(DecisionRow.created_at < wanted.until)
    if wanted.reviewed is not None:
        reviewed = exists().where(ReviewRow.sequence == DecisionRow.sequence) & ~unseen
        query = query.where(reviewed if wanted.reviewed else ~reviewed)
    return query


def open_to(reviewer: str) -> ColumnElement[bool]:
    """Whether a decision waits for people, and this one has said nothing of it yet."""
    waits = exists().where(
        ReviewTaskRow.sequence == DecisionRow.sequence, ReviewTaskRow.done_at.is_(None)
    )
    said = exists().where(
        ReviewRow.sequence == DecisionRow.sequence, ReviewRow.reviewer == reviewer
    )
    return waits & ~said


def _fields(row: Row[*tuple[Any, ...]]) -> dict[str, Any]:
    found = {column.key: getattr(row, column.key) for column in _COLUMNS}
    erased = row.probe_sha256 == ERASED
    return {
        **found,
        "probe_sha256": None if erased else row.probe_sha256,
        "state": _state(row, erased),
    }


def _state(row: Row[*tuple[Any, ...]], erased: bool) -> State:
    if erased:
        return "erased"
    if row.details_sha256 is None:
        return "without-details"
    return "image-purged" if row.has_image is None else "whole"


def _rule(connection: Connection, rule_sha256: str) -> Mapping[str, Any] | None:
    found = connection.execute(
        select(DecisionRuleRow.rule).where(DecisionRuleRow.rule_sha256 == rule_sha256)
    ).scalar_one_or_none()
    return None if found is None else dict(json.loads(found))


def _hold(connection: Connection, sequence: int) -> StoredHold | None:
    row = connection.execute(
        select(DecisionHoldRow.__table__).where(DecisionHoldRow.sequence == sequence)
    ).first()
    if row is None:
        return None
    waits = row.erased_writer is not None
    return StoredHold(row.reason, row.held_by, row.held_since, row.held_until, waits)


def _entry_of(connection: Connection, sha256: str) -> int | None:
    """The number of a decision's entry, also where an erasure has given it another hash since."""
    query = select(AuditEntryRow.sequence).where(AuditEntryRow.content_sha256 == bindparam("sha"))
    number = connection.execute(query, {"sha": sha256}).scalars().first()
    if number is not None:
        return number
    changing = (
        select(AuditEntryRow.details)
        .where(AuditEntryRow.kind.in_(chain.CHANGING))
        .order_by(AuditEntryRow.sequence.desc())
    )
    for details in connection.execute(changing).scalars():
        before = {new: old for old, new in details.get(chain.REPLACED, {}).items()}
        sha256 = before.get(sha256, sha256)
    return connection.execute(query, {"sha": sha256}).scalars().first()


def _cursor(sequence: int) -> str:
    return base64.urlsafe_b64encode(str(sequence).encode()).decode().rstrip("=")


def _before(cursor: str) -> int:
    try:
        text = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if not (text.isdigit() and text == str(int(text)) and 0 < int(text) <= MAX_SEQUENCE):
        raise InvalidCursor
    return int(text)
