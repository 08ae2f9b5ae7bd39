"""How many other hands make a mark as like: measured against a cohort that comes with the model.

Anyone can make a cross, a circle or three letters in print. How many can is counted: invented
hands wrote such marks, and a signature is compared with all of them. A mark of another hand is as
like as one's own if it is as near as one person's signatures are to each other, and, since crosses
and circles are nearer than that whoever makes them, as near as other hands' marks of its own kind.
"""

import io
import math
import zipfile
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.cautions import Caution
from encoder.errors import UnusableCohort
from encoder.scoring.blas_threads import limit_blas_to_one_thread
from encoder.scoring.templates import Vectors

# One person's signatures are nearer than so much of how near they are on the mean, 19 pairs in 20
# (docs/notes/distinctiveness.md).
LEAST_OF_OWN = 0.65
NEAREST_OF_KIND = 75  # Percentile of a mark's similarities to other hands' marks of its kind.
SHARED = 0.05  # Made by more than this share of other hands, a mark tells too few people apart.
LEVELS = 127  # Of either sign, in which the elements of a vector are kept.


@dataclass(frozen=True)
class Distinctiveness:
    """Of how many other hands (`hands`, 1 or more) so many (`alike`) make a mark as like."""

    alike: int
    hands: int

    @property
    def is_shared(self) -> bool:
        """Whether so many hands make such a mark that it tells too few people apart."""
        return self.alike > SHARED * self.hands

    @property
    def ceiling(self) -> float | None:
        """What log10 of a likelihood ratio may claim at most; None where the mark is not shared.

        Where fewer make one, the count is too small to speak against the calibrated ratio.
        """
        return math.log10((self.hands + 1) / (self.alike + 1)) if self.is_shared else None

    @property
    def caution(self) -> Caution | None:
        """What to tell where a mark is shared."""
        if not self.is_shared:
            return None
        return Caution(
            "too-simple",
            "The mark is too simple to tell people apart: it is as like to the marks of "
            f"{self.alike} of {self.hands} other hands as one person's signatures are to each "
            "other. Ask for a full signature, or for other proof.",
        )


@dataclass(frozen=True, eq=False)
class Cohort:
    """Marks that anyone can make, by invented hands.

    Attributes:
        marks: their `(m, d)` unit vectors, float32.
        bars: `(m,)` float32, the cosine from which on a signature counts as alike to each.
        hands: `(m,)` numbers of the hands that made them, from 0 on.
    """

    marks: Vectors
    bars: Vectors
    hands: NDArray[np.uint8]

    @classmethod
    def of(
        cls, vectors: Vectors, kinds: Sequence[str], hands: Sequence[int], own: float
    ) -> "Cohort":
        """A cohort of marks `(m, d)`, each of a kind and by a hand.

        Args:
            vectors: what the network sees of them; kept as coarsely as a file does.
            kinds: of each mark.
            hands: of each mark, from 0 on.
            own: how alike the signatures of one person are on the mean, a cosine.
        """
        marks = _restored(*_coarse(vectors))
        kind, hand = np.asarray(kinds), np.asarray(hands, np.uint8)
        similar = marks @ marks.T
        bars = np.full(len(marks), LEAST_OF_OWN * own, np.float32)
        for number in range(len(marks)):
            others = similar[number, (kind == kind[number]) & (hand != hand[number])]
            if others.size:
                bars[number] = max(bars[number], np.percentile(others, NEAREST_OF_KIND))
        return cls(marks, bars, hand)

    @property
    def hand_count(self) -> int:
        """How many hands made the marks."""
        return int(self.hands.max()) + 1

    def distinctiveness(self, vector: Vectors) -> Distinctiveness:
        """Of how many hands a mark is as like as one's own, by its unit vector `(d,)`."""
        limit_blas_to_one_thread()
        alike = self.hands[self.marks @ vector >= self.bars]
        return Distinctiveness(np.unique(alike).size, self.hand_count)

    def as_bytes(self) -> bytes:
        """The cohort as the content of a file, one byte for an element; `from_bytes` reads it."""
        content = io.BytesIO()
        levels, scales = _coarse(self.marks)
        np.savez_compressed(content, marks=levels, scales=scales, bars=self.bars, hands=self.hands)
        return content.getvalue()

    @classmethod
    def from_bytes(cls, content: bytes, dimension: int) -> "Cohort":
        """Read a cohort for embeddings of `dimension` elements.

        Raises:
            UnusableCohort: it is not one, or is made for other embeddings.
        """
        try:
            with np.load(io.BytesIO(content), allow_pickle=False) as parts:
                levels, scales = parts["marks"], parts["scales"]
                bars, hands = parts["bars"], parts["hands"]
        except (EOFError, KeyError, OSError, ValueError, zipfile.BadZipFile) as error:
            raise UnusableCohort(f"The cohort is damaged: {error}.") from error
        expected = [((len(levels), dimension), np.int8), *[((len(levels),), np.float32)] * 2]
        found = [(part.shape, part.dtype) for part in (levels, scales, bars, hands)]
        if not len(levels) or found != [*expected, ((len(levels),), np.uint8)]:
            raise UnusableCohort(
                "The cohort is for other embeddings: expected marks (m, "
                f"{dimension}) as int8, with scales, bars and hands (m,); found "
                f"{', '.join(f'{shape} {dtype}' for shape, dtype in found)}."
            )
        return cls(_restored(levels, scales), bars, hands)


def _coarse(vectors: Vectors) -> tuple[NDArray[np.int8], Vectors]:
    """Vectors in levels `(m, d)` and what a level of each is `(m,)`."""
    scales = (np.abs(vectors).max(axis=1) / LEVELS).astype(np.float32)
    return np.round(vectors / scales[:, None]).astype(np.int8), scales


def _restored(levels: NDArray[np.int8], scales: Vectors) -> Vectors:
    return levels.astype(np.float32) * scales[:, None]
