"""How much there is to a mark: by how many full turns the outlines of its pieces wind.

A stroke's outline turns about once, by half at either end; a tick's one and a half times, a
circle's twice, inside and outside, that of an X three times, and a printed letter's at most so
often too. Signatures' wind 5 to 60 times. Every end, corner, loop and crossing counts, as it does
where examiners judge how hard a signature is to imitate (Found and Rogers, J. Forensic Sciences
43(3), 1998).
"""

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.imaging.pixels import Mask

# The outline is followed in straight lines as long as it strays so little from them, as a share of
# four standard deviations of the ink: what is less is the pen's and the scanner's, not the hand's.
TOLERANCE = 0.015
MOST_OUTLINES = 500  # Of more, the longest: a signature has a few dozen.
CORNERS_OF_A_LINE = 2  # What is left of a thin straight stroke.
# Anyone can make a mark of no more turns in all,
FEW_TURNS = 4.0
# or of so few pieces that are as simple as a printed letter each. Of the real signatures of six
# data sets that is 0.9 % at most (docs/robustness.md).
FEW_PIECES, TURNS_OF_A_LETTER = 3, 3.5


@dataclass(frozen=True)
class Complexity:
    """How much there is to a mark.

    Attributes:
        turns: by how many full turns the outlines of all its pieces wind.
        pieces: how many pieces there are, dots too.
        most: how many turns the outline of the piece with the most has.
    """

    turns: float
    pieces: int
    most: float

    @property
    def is_simple(self) -> bool:
        """Whether anyone can make such a mark: a cross, a circle, a tick, two or three letters."""
        letters = self.pieces <= FEW_PIECES and self.most <= TURNS_OF_A_LETTER
        return letters or self.turns <= FEW_TURNS


def complexity(ink: Mask) -> Complexity:
    """Measure ink `(h, w)`, 0 or 255."""
    room = np.pad(ink, 1)
    outlines, nesting = cv2.findContours(room, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_SIMPLE)
    tolerance = TOLERANCE * _spread(ink)
    turns: dict[int, float] = {}  # By the number of each piece's outer outline.
    for number in sorted(range(len(outlines)), key=lambda n: -len(outlines[n]))[:MOST_OUTLINES]:
        around = int(nesting[0, number, 3])  # A hole's is the outline of its piece.
        piece = number if around < 0 else around
        corners = cv2.approxPolyDP(outlines[number], tolerance, True)[:, 0]
        turns[piece] = turns.get(piece, 0.0) + _turns(corners)
    return Complexity(
        turns=round(sum(turns.values()), 1),
        pieces=len(turns),
        most=round(max(turns.values(), default=0.0), 1),
    )


def _spread(ink: Mask) -> float:
    """Four standard deviations of the ink's places: its size, whatever one long stroke does."""
    squares = 0.0
    for along in (0, 1):
        sums = cv2.reduce(ink, along, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel().astype(np.float64)
        share, places = sums / max(sums.sum(), 1.0), np.arange(sums.size)
        squares += float(share @ (places - share @ places) ** 2)
    return float(4 * squares**0.5)


def _turns(corners: NDArray[Any]) -> float:
    """Full turns of a closed polygon's way around its corners `(n, 2)`, either way; 0 of a dot."""
    if len(corners) < CORNERS_OF_A_LINE:
        return 0.0
    steps = np.roll(corners, -1, axis=0) - corners
    ways = np.arctan2(steps[:, 1], steps[:, 0])
    bends = np.roll(ways, -1) - ways
    return float(np.abs((bends + np.pi) % (2 * np.pi) - np.pi).sum() / (2 * np.pi))
