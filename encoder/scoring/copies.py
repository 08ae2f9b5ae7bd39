"""Tells by templates alone which references are copies of one image: they count once.

A scan that is enrolled twice is one observation of its writer. Counted as two, it makes the writer
look as if he always signed the same, and what is taken off every score for that locks him out.
`imaging.overlay` tells copies better, but wants the images; this is for references that are
enrolled already, as a claim is scored.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from encoder.scoring.local_matching import local_similarities
from encoder.scoring.templates import Signatures, Vectors

# Two different signatures of one writer, of 48,000 pairs in five data sets, are at most 0.93 alike
# on the whole and 0.65 piece by piece; one image saved or scanned twice has 0.99 and 0.9.
MAY_BE_COPIES = 0.85  # Only from this cosine on are pieces compared.
LOCALLY_ONE = 0.7  # Local similarity from which two are one image;
WHOLLY_ONE = 0.95  # and a cosine from which
ALMOST_LOCALLY_ONE = 0.5  # so much does: pieces suffer more than the whole where one is turned.
SAME_VECTOR = 0.9995  # From which two are one where the model knows no pieces.
# Signatures of two people, of 12 million pairs, are at most 0.75 alike.
SHARED = 0.88


@dataclass(frozen=True)
class Distinct:
    """Which of r references count.

    Attributes:
        kept: numbers of those that do, ascending: of copies of one image the first.
        copy_of: for each of the r, the number of the one that it is a copy of; None for one kept.
    """

    kept: tuple[int, ...]
    copy_of: tuple[int | None, ...]

    @property
    def all_count(self) -> bool:
        """Whether no two are copies of one image."""
        return len(self.kept) == len(self.copy_of)


def distinct(references: Signatures) -> Distinct:
    """Find the copies among a writer's references, as they are stored."""
    first: dict[int, int] = {}
    for earlier, later in sorted(_copies(references)):
        if earlier not in first:
            first.setdefault(later, earlier)
    numbers = range(len(references))
    return Distinct(
        tuple(number for number in numbers if number not in first),
        tuple(first.get(number) for number in numbers),
    )


def held_by_both(ones: Vectors, others: Vectors) -> tuple[list[int], list[int]]:
    """Numbers of those of two people's references `(n, d)`, `(m, d)` that the other has as well."""
    shared = ones @ others.T >= SHARED
    return np.flatnonzero(shared.any(axis=1)).tolist(), np.flatnonzero(shared.any(axis=0)).tolist()


def _copies(references: Signatures) -> Iterator[tuple[int, int]]:
    """Pairs of numbers, the earlier first, of references that are copies of one image."""
    whole = np.triu(references.vectors @ references.vectors.T, 1)
    for earlier, later in zip(*np.nonzero(whole >= MAY_BE_COPIES), strict=True):
        pair = int(earlier), int(later)
        if _is_one(references, pair, float(whole[pair])):
            yield pair


def _is_one(references: Signatures, pair: tuple[int, int], cosine: float) -> bool:
    if references.pieces is None:
        return cosine >= SAME_VECTOR
    one, other = (references.pieces[number] for number in pair)
    local = float(local_similarities([one], [other])[0, 0])
    return local >= LOCALLY_ONE or (cosine >= WHOLLY_ONE and local >= ALMOST_LOCALLY_ONE)
