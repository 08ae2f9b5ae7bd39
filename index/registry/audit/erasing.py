"""Takes what is about a writer out of the decisions, and what is too old; the chain says so.

What is taken out is replaced by rows with new hashes, or goes: the entry that the caller puts on
the chain names both, so that the trail still verifies, and anything else that is missing or
different was tampered with. A decision under a hold stays whole; its erasure waits for the end.

Decisions of the chain's versions 1 and 2 have no salt and hang on each other: they stay.
"""

import json
import secrets
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, and_, delete, select, union, update

from index.registry.audit.chain import REMOVED, REPLACED, WITHOUT_IMAGE
from index.registry.audit.reviews import review_sha256
from index.registry.audit.sealing import SALT_BYTES, canonical, text_sha256
from index.registry.audit.stored import ERASED
from index.registry.audit_log import SALTED_FROM, row_sha256
from index.registry.schema import (
    DecisionDetailsRow,
    DecisionHoldRow,
    DecisionImageRow,
    DecisionMentionRow,
    DecisionRow,
    ReviewRow,
    ReviewTaskRow,
)

ERASED_TEXT = "(erased)"  # Stands for a writer's id in a sentence.
BATCH = 500  # Decisions that one turn of a purge changes.


@dataclass(frozen=True)
class HeldDecision:
    """A decision that an erasure leaves as it is, why and until when."""

    decision_id: str
    reason: str
    held_until: datetime


@dataclass
class Changed:
    """What was taken out, for the entry on the chain, by the hashes of rows."""

    replaced: dict[str, str] = field(default_factory=dict)
    removed: list[str] = field(default_factory=list)
    without_image: list[str] = field(default_factory=list)
    held: list[HeldDecision] = field(default_factory=list)

    def __bool__(self) -> bool:
        return bool(self.replaced or self.removed or self.without_image)

    def details(self) -> dict[str, object]:
        """What the chain keeps of it."""
        found = {
            REPLACED: self.replaced,
            REMOVED: self.removed,
            WITHOUT_IMAGE: self.without_image,
        }
        return {name: value for name, value in found.items() if value}


def erase_images(connection: Connection, digests: Collection[str]) -> Changed:
    """Remove query images that are the very files of these, but for those held.

    The decisions they came for stay; the caller holds the decisions' lock.
    """
    rows = connection.execute(
        select(DecisionImageRow.sequence, DecisionRow.sha256)
        .join(DecisionRow, DecisionRow.sequence == DecisionImageRow.sequence)
        .where(DecisionRow.probe_sha256.in_(digests), ~_is_held())
    ).all()
    numbers = [row.sequence for row in rows]
    connection.execute(delete(DecisionImageRow).where(DecisionImageRow.sequence.in_(numbers)))
    return Changed(without_image=[row.sha256 for row in rows])


def erase_writer(connection: Connection, writer_id: str, digests: Collection[str] = ()) -> Changed:
    """Take a writer out of the decisions, and the images that are their references, by sha256.

    The caller holds the decisions' lock.
    """
    changed = erase_images(connection, digests)
    now = datetime.now(UTC)
    for row, hold in _speaking_of(connection, writer_id):
        if hold is not None and hold.held_until > now:
            connection.execute(
                update(DecisionHoldRow)
                .where(DecisionHoldRow.sequence == row["sequence"])
                .values(erased_writer=writer_id)
            )
            found = HeldDecision(row["decision_id"], hold.reason, hold.held_until)
            changed.held.append(found)
        else:
            _take_out(connection, row, writer_id, changed)
    return changed


def erase_after_holds(connection: Connection) -> Changed:
    """Go on with erasures that met holds which are over by now."""
    changed = Changed()
    over = select(DecisionHoldRow.__table__).where(
        DecisionHoldRow.erased_writer.is_not(None),
        DecisionHoldRow.held_until <= datetime.now(UTC),
    )
    for hold in connection.execute(over.limit(BATCH)).all():
        row = _decision(connection, hold.sequence)
        _take_out(connection, row, hold.erased_writer, changed)
        connection.execute(delete(DecisionHoldRow).where(DecisionHoldRow.sequence == hold.sequence))
    return changed


def purge_images(connection: Connection, before: datetime) -> Changed:
    """Remove the query images of decisions from before a time, but for those held."""
    rows = connection.execute(
        select(DecisionImageRow.sequence, DecisionRow.sha256)
        .join(DecisionRow, DecisionRow.sequence == DecisionImageRow.sequence)
        .where(DecisionImageRow.sequence <= _last_before(connection, before), ~_is_held())
        .order_by(DecisionImageRow.sequence)
        .limit(BATCH)
    ).all()
    numbers = [row.sequence for row in rows]
    connection.execute(delete(DecisionImageRow).where(DecisionImageRow.sequence.in_(numbers)))
    return Changed(without_image=[row.sha256 for row in rows])


def purge_decisions(connection: Connection, before: datetime) -> Changed:
    """Remove decisions from before a time, with all beside them, but for those held."""
    rows = connection.execute(
        select(DecisionRow.sequence, DecisionRow.sha256)
        .where(DecisionRow.sequence <= _last_before(connection, before), ~_is_held())
        .order_by(DecisionRow.sequence)
        .limit(BATCH)
    ).all()
    numbers = [row.sequence for row in rows]
    reviews = connection.execute(
        select(ReviewRow.sha256).where(ReviewRow.sequence.in_(numbers))
    ).scalars()
    changed = Changed(removed=[*(row.sha256 for row in rows), *reviews])
    beside = (ReviewRow, ReviewTaskRow, DecisionHoldRow, DecisionMentionRow, DecisionImageRow)
    for table in (*beside, DecisionDetailsRow, DecisionRow):
        connection.execute(delete(table).where(table.sequence.in_(numbers)))
    return changed


def image_traces(connection: Connection, writer_id: str) -> list[bytes]:
    """Return the query images that an erasure of a writer removes, to look for on disk."""
    held = _is_held()
    query = (
        select(DecisionImageRow.image)
        .join(DecisionRow, DecisionRow.sequence == DecisionImageRow.sequence)
        .where(DecisionRow.writer_id == writer_id, ~held)
    )
    return list(connection.execute(query).scalars())


def _last_before(connection: Connection, moment: datetime) -> int:
    """The number of the last decision before a time, 0 for none; of millions, one is read."""
    last = (
        select(DecisionRow.sequence)
        .where(DecisionRow.created_at < moment)
        .order_by(DecisionRow.created_at.desc())
        .limit(1)
    )
    return connection.execute(last).scalar_one_or_none() or 0


def _is_held() -> Any:
    return (
        select(DecisionHoldRow.sequence)
        .where(
            DecisionHoldRow.sequence == DecisionRow.sequence,
            DecisionHoldRow.held_until > datetime.now(UTC),
        )
        .exists()
    )


def _speaking_of(
    connection: Connection, writer_id: str
) -> list[tuple[Mapping[Any, Any], Row[*tuple[Any, ...]] | None]]:
    """The decisions that speak of a writer, each with the hold on it."""
    own = select(DecisionRow.sequence).where(DecisionRow.writer_id == writer_id)
    named = select(DecisionMentionRow.sequence).where(DecisionMentionRow.writer_id == writer_id)
    numbers = connection.execute(union(own, named)).scalars().all()
    found = []
    for number in sorted(numbers):
        row = _decision(connection, number)
        if row["chain_version"] >= SALTED_FROM:
            hold = select(DecisionHoldRow.__table__).where(DecisionHoldRow.sequence == number)
            found.append((row, connection.execute(hold).first()))
    return found


def _decision(connection: Connection, sequence: int) -> Mapping[Any, Any]:
    query = select(DecisionRow.__table__).where(DecisionRow.sequence == sequence)
    return connection.execute(query).mappings().one()


def _take_out(
    connection: Connection, row: Mapping[Any, Any], writer_id: str, changed: Changed
) -> None:
    """Take a writer out of one decision: all that it rests on, if it is about them."""
    sequence = row["sequence"]
    if row["writer_id"] == writer_id:
        new = {
            **row,
            "writer_id": None,
            "reference_ids": [],
            "candidates": None if row["candidates"] is None else [],
            "probe_sha256": ERASED,
            "details_sha256": None,
        }
        for table in (DecisionDetailsRow, DecisionImageRow, DecisionMentionRow):
            connection.execute(delete(table).where(table.sequence == sequence))
        _take_words_out(connection, sequence, changed)
    else:
        new = _without_candidate(connection, row, writer_id)
        connection.execute(
            delete(DecisionMentionRow).where(
                and_(
                    DecisionMentionRow.sequence == sequence,
                    DecisionMentionRow.writer_id == writer_id,
                )
            )
        )
    new["salt"] = secrets.token_bytes(SALT_BYTES)
    new["sha256"] = row_sha256(new)
    connection.execute(update(DecisionRow).where(DecisionRow.sequence == sequence).values(**new))
    changed.replaced[row["sha256"]] = new["sha256"]


def _take_words_out(connection: Connection, sequence: int, changed: Changed) -> None:
    """Take what people wrote out of the reviews of a decision; how they decided stays."""
    query = select(ReviewRow.__table__).where(ReviewRow.sequence == sequence)
    for row in connection.execute(query).mappings().all():
        new = {**row, "reason": None, "comment": None, "salt": secrets.token_bytes(SALT_BYTES)}
        new["sha256"] = review_sha256(new)
        connection.execute(
            update(ReviewRow).where(ReviewRow.review_id == row["review_id"]).values(**new)
        )
        changed.replaced[row["sha256"]] = str(new["sha256"])


def _without_candidate(
    connection: Connection, row: Mapping[Any, Any], writer_id: str
) -> dict[str, Any]:
    """The decision without one of the writers in it, whom it is not about; its details too."""
    candidates = row["candidates"] or []
    kept = [one for one in candidates if one["writer_id"] != writer_id]
    gone = {one["reference_id"] for one in candidates if one["writer_id"] == writer_id}
    new = {
        **row,
        "candidates": None if row["candidates"] is None else kept,
        "reference_ids": [one for one in row["reference_ids"] if one not in gone],
    }
    stored = DecisionDetailsRow.sequence == row["sequence"]
    text = connection.execute(select(DecisionDetailsRow.details).where(stored)).scalar()
    if text is not None:
        details = canonical(_without(json.loads(text), writer_id))
        connection.execute(update(DecisionDetailsRow).where(stored).values(details=details))
        new["details_sha256"] = text_sha256(details)
    return new


def _without(part: Any, writer_id: str) -> Any:
    """A JSON value without the objects about a writer, and without the id anywhere else."""
    if isinstance(part, dict):
        return {name: _without(value, writer_id) for name, value in part.items()}
    if isinstance(part, list):
        kept = [
            one
            for one in part
            if one != writer_id
            and not (isinstance(one, dict) and one.get("writer_id") == writer_id)
        ]
        return [_without(one, writer_id) for one in kept]
    return part.replace(writer_id, ERASED_TEXT) if isinstance(part, str) else part
