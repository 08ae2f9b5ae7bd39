"""What is worth telling of references as they are enrolled: strangers among them, and collisions.

Nothing is refused for it. A person decides whose signature it is, and what to erase.
"""

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from encoder.cautions import Caution
from encoder.inference.encoder import Encoder
from encoder.scoring.standing import standings
from encoder.scoring.templates import Signatures, joined
from index.registry.embeddings import Claim
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.sync.gallery_interface import Gallery
from service.writers.copies import copied, held_specimens, new_specimen
from service.writers.template_codec import signatures_of, signatures_of_new

# Of each new reference so many near ones are looked up; most of them may be the writer's own,
NEAR = 32
NEAR_WRITERS = 3  # and so many other writers are compared in full.
NOBODY = -math.inf  # How much a signature resembles a writer without others.


@dataclass(frozen=True)
class Remark:
    """What is told of one reference.

    Attributes:
        number: its place among the new ones, or among those enrolled already.
        held_id: the id of one that is enrolled already; None for a new one.
        caution: the code and the sentence.
    """

    number: int
    held_id: int | None
    caution: Caution


@dataclass(frozen=True)
class _Alike:
    """A new reference that another writer's references have to do with.

    `what` says it in words; None where it only looks like theirs, and more like the writer's own.
    """

    number: int
    writer_id: str
    what: str | None


@dataclass(frozen=True, eq=False)
class Enrolling:
    """References about to be enrolled, beside those that the writer has already."""

    writer_id: str
    new: Sequence[NewReference]
    held: Claim | None
    encoder: Encoder
    registry: Registry
    gallery: Gallery | None

    @property
    def signatures(self) -> Signatures:
        """All of them, those enrolled already first."""
        parts = [signatures_of_new(self.new)] if self.new else []
        if self.held is not None:
            parts = [signatures_of(self.held, self.encoder), *parts]
        return joined(parts)

    def named(self, number: int) -> str:
        """How a new reference is called in a sentence."""
        return repr(self.new[number].filename) if self.new[number].filename else "An image"


def remarks(enrolling: Enrolling) -> list[Remark]:
    """Everything that is worth telling, the references in their order."""
    if not enrolling.new:
        return []
    return [*_outliers(enrolling), *_collisions(enrolling)]


def _outliers(enrolling: Enrolling) -> Iterator[Remark]:
    """References that the writer's others speak against: a stranger's, perhaps."""
    held_ids = [] if enrolling.held is None else enrolling.held.reference_ids.tolist()
    found = standings(enrolling.signatures, enrolling.encoder.rule)
    count = sum(one.place != "copy" for one in found)
    for number, standing in enumerate(found):
        if standing.place != "unlike-others":
            continue
        new = number - len(held_ids)
        held_id = held_ids[number] if new < 0 else None
        name = enrolling.named(new) if held_id is None else f"Reference {held_id}"
        message = (
            f"{name} is unlike the other {count - 1} references of this writer: by them it is "
            "likelier another person's. Check whose signature it is, and erase it if it is not "
            "this writer's."
        )
        place = new if held_id is None else number
        yield Remark(place, held_id, Caution("unlike-others", message))


def _collisions(enrolling: Enrolling) -> Iterator[Remark]:
    """New references that other writers have, or that are as like another writer's as one's own."""
    told: set[tuple[int, str]] = set()
    fitting: Counter[int] = Counter()
    for one in (*_same_file(enrolling), *_resembling(enrolling)):
        if (one.number, one.writer_id) in told:
            continue
        told.add((one.number, one.writer_id))
        if one.what is None:
            fitting[one.number] += 1
        else:
            message = _collision(enrolling, one.number, one.what)
            yield Remark(one.number, None, Caution("collision", message))
    for number, others in fitting.items():
        yield Remark(number, None, _not_distinctive(enrolling, number, others))


def _not_distinctive(enrolling: Enrolling, number: int, others: int) -> Caution:
    writers = "writer" if others == 1 else "writers"
    more = " or more" if others == NEAR_WRITERS else ""
    return Caution(
        "not-distinctive",
        f"{enrolling.named(number)} looks like signatures of {others} other enrolled "
        f"{writers}{more}: it fits this writer better, and would be taken for theirs too. Ask for "
        "a fuller signature if the writer has one.",
    )


def _collision(enrolling: Enrolling, number: int, what: str) -> str:
    return (
        f"{enrolling.named(number)} {what}. One of the two is under the wrong name, or one person "
        "has two; until that is settled, neither tells the two writers apart."
    )


def _same_file(enrolling: Enrolling) -> Iterator[_Alike]:
    numbers = {one.sha256: number for number, one in enumerate(enrolling.new)}
    for holder in enrolling.registry.references.holders(list(numbers)):
        if holder.writer_id != enrolling.writer_id:
            what = f"is the same file as reference {holder.reference_id} of {holder.writer_id}"
            yield _Alike(numbers[holder.sha256], holder.writer_id, what)


def _resembling(enrolling: Enrolling) -> Iterator[_Alike]:
    if enrolling.gallery is None:
        return
    vectors = np.stack([one.vector for one in enrolling.new])
    registry, model_id = enrolling.registry, enrolling.encoder.model_id
    near = [one.reference_ids.tolist() for one in enrolling.gallery.search(vectors, NEAR)]
    owners = registry.references.writers_of({one for ids in near for one in ids})
    others: list[list[str]] = []
    for ids in near:
        writers = dict.fromkeys(owners[one] for one in ids if one in owners)
        writers.pop(enrolling.writer_id, None)
        others.append(list(writers)[:NEAR_WRITERS])
    asked = {one for some in others for one in some}
    claims = registry.embeddings.claims(asked, model_id, with_pieces=True)
    threshold_size = registry.models.gallery_size(model_id).writers
    for number, some in enumerate(others):
        for writer_id in some:
            if writer_id in claims:
                found = _likeness(enrolling, number, claims[writer_id], threshold_size)
                if found is not None:
                    yield found


def _likeness(enrolling: Enrolling, number: int, other: Claim, gallery_size: int) -> _Alike | None:
    """What a new reference has to do with another writer's; None where it is nothing."""
    specimen = new_specimen(enrolling.new[number])
    copy = copied(specimen, held_specimens(other, enrolling.registry))
    if copy is not None:
        what = f"is the same signature as {copy.original.shown_as} of {other.writer_id}"
        return _Alike(number, other.writer_id, what)
    rule = enrolling.encoder.rule
    probe = signatures_of_new(enrolling.new[number : number + 1])
    theirs = rule.claim(probe, signatures_of(other, enrolling.encoder))
    needed = rule.identification_threshold(gallery_size, len(other.reference_ids))
    if theirs.score < needed:
        return None
    if _own_likeness(enrolling, number) > theirs.likeness:
        return _Alike(number, other.writer_id, None)
    what = (
        f"resembles the references of {other.writer_id} as one of theirs would (score "
        f"{theirs.score:.2f}, from {needed:.2f} on)"
    )
    return _Alike(number, other.writer_id, what)


def _own_likeness(enrolling: Enrolling, number: int) -> float:
    """How much a new reference resembles the writer's others; NOBODY where there are none."""
    all_of_them = enrolling.signatures
    own = len(all_of_them) - len(enrolling.new) + number
    others = [place for place in range(len(all_of_them)) if place != own]
    if not others:
        return NOBODY
    return enrolling.encoder.rule.claim(all_of_them[[own]], all_of_them[others]).likeness
