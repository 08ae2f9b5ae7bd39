"""Tells whether the handwriting on a page is one signature, or has other writing beside it.

First and last name of one signature stand apart, by up to about the height of the higher one; two
signatures stand apart by more, or one below the other, or differ in size and place as well.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.documents.marks import Chosen, Marks, Numbers

CORE_PX = 5  # Side of the square whose darkest level stands for a stroke: edges are paler.
MIN_SHARE = 0.12  # Of all strokes' length that either side of a gap has: less is a dot, an accent.
# Side by side, space over the higher one's height,
SURELY_APART, MAYBE_APART = 2.2, 1.1
# over the lower one's, where they differ in height and share neither line,
UNLIKE_APART = 1.2
# over the lower one's, where that is small figures or letters, one by one, as of a date.
FIGURES_APART = 1.3
FIGURES_HEIGHT = 0.5  # Over the higher one's.
MIN_FIGURES = 4
UNLIKE_HEIGHT = 1.5
UNLIKE_LINE = 0.3  # How far apart their upper and lower ends are, over the lower one's height.
# and over the lower one's, where another pen wrote them.
SURELY_OTHER_PEN, MAYBE_OTHER_PEN = 0.6, 0.2
OTHER_PEN = 25.0  # Grey levels between two pens,
OTHER_PEN_SPREADS = 3.0  # and over how far each one's strokes stray.
# One below the other, space over the lower one's height and over the higher one's.
SURELY_BELOW, MAYBE_BELOW = 0.25, 0.1
SURELY_BELOW_HIGHER = 0.15
MIN_NEXT = 1.7  # The widest gap over the next: letters that stand apart do so evenly.
MIN_STACKED = 0.5  # Share of the narrower one's width that the other stands above or below.
MIN_WIDE = 0.5  # Width over height of what stands below: a stroke or dot is no signature.
WRITTEN_LENGTH = 1.7  # Length of its strokes over its diagonal: a plain stroke has 1.
# The same of what stands below: an underline that goes to and fro, as under many a signature, has
# little more than 2, and most names have 3 and more.
SURELY_WRITTEN_BELOW, MAYBE_WRITTEN_BELOW = 2.8, 2.4
MIN_LOWER = 0.3  # Height of the lower one over the higher one's: an underline's is less.


@dataclass(frozen=True)
class Split:
    """Two sides of the widest gap; `sure` where no one signature has it."""

    first: Chosen
    second: Chosen
    sure: bool


def other_hands(marks: Marks, gray: NDArray[np.uint8]) -> Split | None:
    """How handwriting comes apart, or None where it is one signature.

    Args:
        marks: of the handwriting.
        gray: `(h, w)` uint8 levels that they were found in.
    """
    lengths = marks.areas / np.maximum(marks.stroke_widths, 1.0)
    maybe = None
    for axis in (1, 0):
        split = _widest_gap(marks, lengths, axis)
        if split is None:
            continue
        sides = [_Side.of(marks, lengths, side, gray) for side in split]
        gap = _gap(sides, axis)
        if _below(sides, gap, sure=True) if axis else _beside(sides, gap, sure=True):
            return Split(*split, sure=True)
        if _below(sides, gap, sure=False) if axis else _beside(sides, gap, sure=False):
            maybe = Split(*split, sure=False)
    return maybe


@dataclass(frozen=True)
class _Side:
    box: Numbers
    length: float
    count: int  # Of its marks.
    tone: float  # Grey level of its strokes,
    tone_spread: float  # and its standard deviation from mark to mark.

    @classmethod
    def of(cls, marks: Marks, lengths: Numbers, chosen: Chosen, gray: NDArray[np.uint8]) -> "_Side":
        boxes = marks.boxes[chosen]
        box = np.concatenate([boxes[:, :2].min(axis=0), boxes[:, 2:].max(axis=0)])
        left, top, right, bottom = box.astype(int)
        cut = (slice(top, bottom), slice(left, right))
        core = cv2.erode(gray[cut], np.ones((CORE_PX, CORE_PX), np.uint8))
        levels = core[marks.mask[cut] > 0]
        return cls(
            box, float(lengths[chosen].sum()), len(boxes), float(levels.mean()), float(levels.std())
        )

    @property
    def height(self) -> float:
        return float(self.box[3] - self.box[1])

    @property
    def width(self) -> float:
        return float(self.box[2] - self.box[0])

    @property
    def is_written(self) -> bool:
        return self.windings >= WRITTEN_LENGTH

    @property
    def windings(self) -> float:
        """Length of its strokes over its diagonal."""
        return self.length / max(float(np.hypot(self.width, self.height)), 1.0)


def _are_figures(small: _Side, large: _Side) -> bool:
    return small.count >= MIN_FIGURES and small.height <= FIGURES_HEIGHT * large.height


def _other_pen(sides: list[_Side]) -> bool:
    apart = abs(sides[0].tone - sides[1].tone)
    spread = max(side.tone_spread for side in sides)
    return apart >= max(OTHER_PEN, OTHER_PEN_SPREADS * spread)


def _widest_gap(marks: Marks, lengths: Numbers, axis: int) -> tuple[Chosen, Chosen] | None:
    """The marks before and behind the widest gap across (0) or down (1) that parts enough ink."""
    order = np.argsort(marks.boxes[:, axis])
    reached = np.maximum.accumulate(marks.boxes[order, axis + 2])
    gaps = marks.boxes[order[1:], axis] - reached[:-1]
    before = np.cumsum(lengths[order])[:-1] / max(float(lengths.sum()), 1.0)
    widest = np.sort(gaps)[::-1]
    gaps[(before < MIN_SHARE) | (before > 1 - MIN_SHARE)] = 0
    if not len(gaps) or gaps.max() <= 0 or np.any(MIN_NEXT * widest[1:2] > gaps.max()):
        return None
    cut = int(gaps.argmax()) + 1
    first, second = np.zeros(len(marks), bool), np.zeros(len(marks), bool)
    first[order[:cut]] = True
    second[order[cut:]] = True
    return first, second


def _gap(sides: list[_Side], axis: int) -> float:
    return float(sides[1].box[axis] - sides[0].box[axis + 2])


def _beside(sides: list[_Side], gap: float, *, sure: bool) -> bool:
    small, large = sorted(sides, key=lambda side: side.height)
    lower, higher = small.height, large.height
    if not sure and _are_figures(small, large) and gap >= FIGURES_APART * lower:
        return True
    if not all(side.is_written for side in sides):
        return False
    if gap >= (SURELY_APART if sure else MAYBE_APART) * higher:
        return True
    if _other_pen(sides) and gap >= (SURELY_OTHER_PEN if sure else MAYBE_OTHER_PEN) * lower:
        return True
    if sure:
        return False
    off_line = np.abs(sides[0].box[1::2] - sides[1].box[1::2]).min() >= UNLIKE_LINE * lower
    unlike = higher >= UNLIKE_HEIGHT * lower and off_line
    return bool(unlike and gap >= UNLIKE_APART * lower)


def _below(sides: list[_Side], gap: float, *, sure: bool) -> bool:
    lower, higher = sorted(side.height for side in sides)
    written = all(side.is_written and side.width >= MIN_WIDE * side.height for side in sides)
    written &= sides[1].windings >= (SURELY_WRITTEN_BELOW if sure else MAYBE_WRITTEN_BELOW)
    shared = min(side.box[2] for side in sides) - max(side.box[0] for side in sides)
    written &= bool(shared >= MIN_STACKED * min(side.width for side in sides))
    written &= lower >= MIN_LOWER * higher
    if not sure:
        return written and gap >= MAYBE_BELOW * lower
    return written and gap >= SURELY_BELOW * lower and gap >= SURELY_BELOW_HIGHER * higher
