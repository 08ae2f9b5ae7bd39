"""What is worth telling of references as they are enrolled: strangers among them, and collisions.

Nothing is refused for it. A person decides whose signature it is, and what to erase.
"""

from collections import Counter, defaultdict
from collections.abc import Iterator, Mapping, Sequence
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
from index.vectors.unit_vectors import leading
from service.writers.copies import MAY_BE_A_COPY, Specimen, copied, held_specimens, new_specimen
from service.writers.template_codec import signatures_of, signatures_of_new

# Of each new reference so many near ones are looked up; most of them may be the writer's own,
NEAR = 32
NEAR_WRITERS = 3  # and so many other writers are compared in full,
# unless they are no copies, and one of the writer's own is nearer by more than this cosine: of 123
# that collide in three data sets, none has one nearer by more than 0.02.
NEARER = 0.1
AS_LIKE = 0.05  # In likeness: what is so little more like the writer's own tells the two not apart.


@dataclass(frozen=True)
class Remark:
    """What is told of a writer's reference; `place` is its number among all of the writer's."""

    place: int
    caution: Caution


@dataclass(frozen=True, eq=False)
class Subject:
    """A writer's references, one or more, and which of them are new.

    Attributes:
        signatures: all of them, in their order.
        names: how each is called in a sentence.
        new: those that are held against other writers', by their place among all.
    """

    writer_id: str
    signatures: Signatures
    names: Sequence[str]
    new: Mapping[int, Specimen]

    def others(self, place: int) -> Signatures:
        """All of them but one."""
        return self.signatures[[one for one in range(len(self.signatures)) if one != place]]


@dataclass(frozen=True, eq=False)
class Enrolled:
    """Who is enrolled, as a model sees them, and the index if there is one to search.

    Without it, only equal files are recognised as other writers'.
    """

    encoder: Encoder
    registry: Registry
    gallery: Gallery | None


@dataclass(frozen=True)
class _Near:
    """A new reference, and another writer to whom it is near; numbers of the subject and place."""

    subject: int
    place: int
    writer_id: str


@dataclass(frozen=True)
class _Alike:
    """A new reference that another writer's references have to do with.

    `what` says it in words; None where it fits its own writer better, and would be taken for theirs
    too.
    """

    near: _Near
    what: str | None


def enrolling(
    writer_id: str, new: Sequence[NewReference], held: Claim | None, encoder: Encoder
) -> Subject:
    """References that are about to be enrolled, one or more, behind those that are already."""
    parts = [signatures_of_new(new)]
    names = [repr(one.filename) if one.filename else "An image" for one in new]
    before = 0 if held is None else len(held.reference_ids)
    if held is not None:
        parts = [signatures_of(held, encoder), *parts]
        names = [*(f"Reference {one}" for one in held.reference_ids.tolist()), *names]
    specimens = {before + number: new_specimen(one) for number, one in enumerate(new)}
    return Subject(writer_id, joined(parts), names, specimens)


def remarks(subjects: Sequence[Subject], enrolled: Enrolled) -> list[list[Remark]]:
    """Everything that is worth telling of each writer's references, strangers first."""
    told = [list(_outliers(one, enrolled.encoder)) for one in subjects]
    for number, found in enumerate(_collisions(subjects, enrolled)):
        told[number] += found
    return told


def _outliers(subject: Subject, encoder: Encoder) -> Iterator[Remark]:
    """References that the writer's others speak against: a stranger's, perhaps."""
    found = standings(subject.signatures, encoder.rule)
    count = sum(one.place != "copy" for one in found)
    for place, standing in enumerate(found):
        if standing.place == "unlike-others":
            message = (
                f"{subject.names[place]} is unlike the other {count - 1} references of this "
                "writer: by them it is likelier another person's. Check whose signature it is, "
                "and erase it if it is not this writer's."
            )
            yield Remark(place, Caution("unlike-others", message))


def _collisions(subjects: Sequence[Subject], enrolled: Enrolled) -> list[list[Remark]]:
    """New references that other writers have, or that would be taken for theirs."""
    told: list[dict[tuple[int, str], str | None]] = [{} for _ in subjects]
    for one in (*_same_file(subjects, enrolled), *_resembling(subjects, enrolled)):
        told[one.near.subject].setdefault((one.near.place, one.near.writer_id), one.what)
    return [list(_of_one(subject, own)) for subject, own in zip(subjects, told, strict=True)]


def _of_one(subject: Subject, told: Mapping[tuple[int, str], str | None]) -> Iterator[Remark]:
    """What is worth telling of one writer's references; `told` is `_Alike.what` of each.

    The keys of `told` are places and other writers.
    """
    fitting: Counter[int] = Counter()
    for (place, _), what in told.items():
        if what is None:
            fitting[place] += 1
        else:
            yield Remark(place, _collision(subject.names[place], what))
    alike = Counter(place for place, _ in told)
    for place, others in fitting.items():
        or_more = alike[place] >= NEAR_WRITERS  # Nobody further was compared.
        yield Remark(place, _not_distinctive(subject.names[place], others, or_more=or_more))


def _not_distinctive(name: str, others: int, *, or_more: bool) -> Caution:
    writers = "writer" if others == 1 else "writers"
    more = " or more" if or_more else ""
    return Caution(
        "not-distinctive",
        f"{name} looks like signatures of {others} other enrolled {writers}{more}: it fits this "
        "writer better, and would be taken for theirs too. Ask for a fuller signature if the "
        "writer has one.",
    )


def _collision(name: str, what: str) -> Caution:
    return Caution(
        "collision",
        f"{name} {what}. One of the two is under the wrong name, or one person has two; until "
        "that is settled, neither tells the two writers apart.",
    )


def _same_file(subjects: Sequence[Subject], enrolled: Enrolled) -> Iterator[_Alike]:
    new: dict[str, list[tuple[int, int]]] = defaultdict(list)
    for number, subject in enumerate(subjects):
        for place, specimen in subject.new.items():
            new[str(specimen.sha256)].append((number, place))
    for holder in enrolled.registry.references.holders(list(new)):
        what = f"is the same file as reference {holder.reference_id} of {holder.writer_id}"
        for number, place in new[holder.sha256]:
            if holder.writer_id != subjects[number].writer_id:
                yield _Alike(_Near(number, place, holder.writer_id), what)


def _resembling(subjects: Sequence[Subject], enrolled: Enrolled) -> Iterator[_Alike]:
    if enrolled.gallery is None:
        return
    near_ones = _near(subjects, enrolled.encoder, enrolled.registry, enrolled.gallery)
    registry, model_id = enrolled.registry, enrolled.encoder.model_id
    asked = {one.writer_id for one in near_ones}
    claims = registry.embeddings.claims(asked, model_id, with_pieces=True) if asked else {}
    size = registry.models.gallery_size(model_id).writers
    for near in near_ones:
        if near.writer_id in claims:
            found = _likeness(near, subjects[near.subject], claims[near.writer_id], size, enrolled)
            if found is not None:
                yield found


def _near(
    subjects: Sequence[Subject], encoder: Encoder, registry: Registry, gallery: Gallery
) -> list[_Near]:
    """The other writers that new references may be taken for, by what the index holds of them."""
    new = [(number, place) for number, one in enumerate(subjects) for place in one.new]
    if not new:
        return []
    vectors = [leading(subject.signatures.vectors, encoder.index_dimension) for subject in subjects]
    own = [_nearest_own(one) for one in vectors]
    neighbours = gallery.search(np.stack([vectors[number][place] for number, place in new]), NEAR)
    owners = registry.references.writers_of(
        {reference for one in neighbours for reference in one.reference_ids.tolist()}
    )
    found = []
    for (number, place), one in zip(new, neighbours, strict=True):
        cosines: dict[str, float] = {}  # Of each writer the nearest, which comes first.
        for reference, cosine in zip(one.reference_ids.tolist(), one.similarities, strict=True):
            if reference in owners:
                cosines.setdefault(owners[reference], float(cosine))
        cosines.pop(subjects[number].writer_id, None)
        for writer_id, cosine in list(cosines.items())[:NEAR_WRITERS]:
            if cosine >= min(own[number][place] - NEARER, MAY_BE_A_COPY):
                found.append(_Near(number, place, writer_id))
    return found


def _nearest_own(vectors: np.ndarray) -> np.ndarray:
    """The cosine of each of r vectors to the nearest of the others; below -1 where it is alone."""
    return np.asarray((vectors @ vectors.T - 3 * np.eye(len(vectors))).max(axis=1))


def _likeness(
    near: _Near, subject: Subject, other: Claim, gallery_size: int, enrolled: Enrolled
) -> _Alike | None:
    """What a new reference has to do with another writer's; None where it is nothing."""
    copy = copied(subject.new[near.place], held_specimens(other, enrolled.registry))
    if copy is not None:
        what = f"is the same signature as {copy.original.shown_as} of {other.writer_id}"
        return _Alike(near, what)
    rule = enrolled.encoder.rule
    probe, own = subject.signatures[[near.place]], subject.others(near.place)
    theirs = rule.claim(probe, signatures_of(other, enrolled.encoder))
    needed = rule.identification_threshold(gallery_size, len(other.reference_ids))
    if theirs.score < needed:
        return None
    if len(own) and rule.likeness(probe, own) > theirs.likeness + AS_LIKE:
        return _Alike(near, None)
    what = (
        f"resembles the references of {other.writer_id} as one of theirs would (score "
        f"{theirs.score:.2f}, from {needed:.2f} on)"
    )
    return _Alike(near, what)
