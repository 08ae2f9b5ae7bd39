"""Tells how each reference of a writer stands: typical, unlike the others, a copy, the oldest."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from encoder.inference.encoder import Encoder
from encoder.scoring.standing import standings
from index.registry.references import Reference
from index.registry.registry import Registry
from service.writers.template_codec import signatures_of

Place = Literal["typical", "unlike-others", "copy", "oldest", "not-compared"]


@dataclass(frozen=True)
class ReferenceStanding:
    """How a reference stands among the writer's others.

    `copy` and `unlike-others` go before `oldest`: it was enrolled before all others were.
    `copy_of` is the id of the reference that it copies. `not-compared` is one that the model has
    not seen yet.
    """

    reference_id: int
    filename: str | None
    created_at: datetime
    standing: Place
    copy_of: int | None


def reference_standings(
    writer_id: str, *, encoder: Encoder, registry: Registry
) -> list[ReferenceStanding]:
    """How each of a writer's references stands, in the order in which they were enrolled.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
    """
    listed = registry.references.of_writer(writer_id)
    filenames = registry.references.filenames(writer_id)
    claims = registry.embeddings.claims([writer_id], encoder.model_id, with_pieces=True)
    places: dict[int, tuple[Place, int | None]] = {}
    for claim in claims.values():
        ids = claim.reference_ids.tolist()
        found = standings(signatures_of(claim, encoder), encoder.rule)
        for one, stands in zip(ids, found, strict=True):
            original = None if stands.copy_of is None else ids[stands.copy_of]
            places[one] = stands.place, original
    oldest = _oldest(listed)
    if oldest is not None and places.get(oldest) == ("typical", None):
        places[oldest] = "oldest", None
    return [
        ReferenceStanding(
            one.reference_id,
            filenames.get(one.reference_id),
            one.created_at,
            *places.get(one.reference_id, ("not-compared", None)),
        )
        for one in listed
    ]


def _oldest(listed: Sequence[Reference]) -> int | None:
    """The id of the one reference that was enrolled before all others, if there is one."""
    if len(listed) > 1 and all(listed[0].created_at < one.created_at for one in listed[1:]):
        return listed[0].reference_id
    return None
