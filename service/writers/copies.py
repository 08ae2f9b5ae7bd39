"""Leaves out images that are copies of one signature, saved, scanned or cropped anew.

A copy is no second observation of its writer. The models' vectors say cheaply which signatures are
so alike that they may be one; the ink itself decides (`encoder.imaging.overlay`).
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np
from numpy.typing import NDArray

from encoder.imaging.overlay import COPY_SHARE, Lines, ink_of_preview, lines_of, shared_lines
from index.registry.embeddings import Claim
from index.registry.references import NewReference
from index.registry.registry import Registry
from service.errors import Refusal

# From this cosine on the ink is looked at: that is so for 1 in 10 pairs of one writer's signatures,
# and for 9 in 10 copies of all but the worst kinds.
MAY_BE_A_COPY = 0.75
LOOKED_AT = 5  # The ink of so many, the most alike, at most.


@dataclass(frozen=True, eq=False)
class Specimen:
    """A signature that may be a copy, or be copied.

    Attributes:
        shown_as: what people know it by, such as "reference 17".
        vector: `(d,)`, of one model.
        preview: returns its cleaned preview, PNG, or b"" where none is held; called when needed.
        sha256: of the file, where it is at hand: equal files need no look at the ink.
    """

    shown_as: str
    vector: NDArray[np.float32]
    preview: Callable[[], bytes]
    sha256: str | None = None

    @cached_property
    def lines(self) -> Lines:
        """The middle lines of its strokes."""
        return lines_of(ink_of_preview(self.preview()))


@dataclass(frozen=True)
class Copied:
    """What a signature is a copy of; `share` of the lines of either lie on the other's, 0 to 1."""

    original: Specimen
    share: float


def held_specimens(claim: Claim | None, registry: Registry) -> list[Specimen]:
    """A writer's references, to be compared with new images; read only where they are alike."""
    if claim is None:
        return []
    return [
        Specimen(f"reference {one}", vector, partial(_preview, registry, int(one)))
        for one, vector in zip(claim.reference_ids, claim.vectors, strict=True)
    ]


def _preview(registry: Registry, reference_id: int) -> bytes:
    return registry.references.previews([reference_id]).get(reference_id, b"")


def new_specimen(reference: NewReference) -> Specimen:
    """A signature that comes with the request."""
    shown_as = repr(reference.filename) if reference.filename else "an image of this request"
    return Specimen(shown_as, reference.vector, lambda: reference.cleaned_png, reference.sha256)


def may_be_copies(one: Specimen, others: Sequence[Specimen]) -> list[Specimen]:
    """Those of others so alike that their ink is worth a look, the most alike first."""
    if not others:
        return []
    alike = np.stack([other.vector for other in others]) @ one.vector
    order = np.argsort(-alike, kind="stable").tolist()
    return [others[place] for place in order if alike[place] >= MAY_BE_A_COPY]


def copied(one: Specimen, others: Sequence[Specimen], looked_at: int = LOOKED_AT) -> Copied | None:
    """What of these a signature is a copy of; None where it is a signature of its own."""
    for other in may_be_copies(one, others)[:looked_at]:
        same_file = one.sha256 is not None and one.sha256 == other.sha256
        share = 1.0 if same_file else shared_lines(one.lines, other.lines)
        if share >= COPY_SHARE:
            return Copied(other, share)
    return None


def without_copies(
    new: Iterable[NewReference], held: Sequence[Specimen]
) -> tuple[list[NewReference], list[Refusal]]:
    """Part new references of one writer into those that count and copies, each with the reason.

    Of several copies the first is kept, and what is enrolled already before what is new.
    """
    kept: list[NewReference] = []
    refused: list[Refusal] = []
    known = list(held)
    for reference in new:
        specimen = new_specimen(reference)
        found = copied(specimen, known)
        if found is None:
            kept.append(reference)
            known.append(specimen)
        else:
            refused.append(Refusal(reference.filename, "near-duplicate", reason(found)))
    return kept, refused


def reason(found: Copied) -> str:
    """Why a copy is not used, and what to do."""
    return (
        f"This is {found.original.shown_as} again, saved, scanned or cropped anew: "
        f"{100 * found.share:.0f}% of the strokes lie on each other, and nobody signs twice so "
        "alike. One signature counts once; send another one."
    )
