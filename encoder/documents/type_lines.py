"""Tells lines of type among marks: set, not written.

Type stands on one straight baseline, its letters reach one of a few heights, and its strokes have
one width, each to a pixel or so. A hand that prints letters misses all three by a tenth of its
height. So a line is taken for type only where most of five marks or more keep to all of them.
"""

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from encoder.documents.marks import Chosen, Marks, Numbers

MIN_GLYPHS = 5  # Marks of letters' height from which a line can be judged;
MIN_ALONE = 3  # fewer where all of them keep to it and there is other type, or no signature.
MANY_GLYPHS = 8  # From so many on, other marks may stand at the ends of a line.
MAX_SPACE = 1.1  # Space between two letters or words, over the higher one's height.
MAX_OVERHANG = 0.3  # How far a slanting letter may reach over the next.
MIN_SIDE_BY_SIDE = 0.45  # Of the lower one's height: beside, not above, each other.
MAX_HEIGHT_RATIO = 2.4  # A capital with a descender over a small letter.
MAX_SLANT = 0.09  # Of a line, rise over run: five degrees.
TOLERANCE = 0.045  # Of the capitals' height: how far letters keep to a line; round ones pass it.
MIN_TOLERANCE_PX = 1.0
MIN_KEPT = 0.7  # Share of the marks that keep to baseline and heights.
MAX_STROKE_STRAY, MAX_STROKE_STRAY_PX = 0.11, 0.5  # Of the stroke widths from their middle.
BAND = 0.45  # Of the capitals' height: how far above and below the line its accents reach.
NEXT_WORD = 1.6  # Of that height: how far on the next word of a line stands.
LEVELS = 2  # Heights of letters: small ones, and capitals or those with ascenders.


def lines_of_type(marks: Marks, candidates: Chosen, *, alone: bool = False) -> list[Chosen]:
    """Find the marks of each line of type among candidates `(n,)`.

    Args:
        marks: of the page, or of one of its inks.
        candidates: which of them to look at.
        alone: whether no signature is in this ink, most likely, so that short lines count.
    """
    lines: list[Chosen] = []
    short = []
    for chain in _chains(marks, np.flatnonzero(candidates)):
        kept, slant, base, high = fit(marks.boxes[chain])
        places = np.flatnonzero(kept[np.argsort(marks.boxes[chain, 0])])
        count = len(places)
        if count < MIN_ALONE or not _even_strokes(marks.stroke_widths[chain[kept]]):
            continue
        share = count / len(kept)
        if count >= MANY_GLYPHS:  # Of its span alone: what stands before or behind is no type.
            share = count / (places[-1] - places[0] + 1)
        line = _with_accents(marks, candidates, chain[kept], slant, base, high)
        if count >= MIN_GLYPHS and share >= MIN_KEPT:
            lines.append(line)
        elif count == len(kept):
            short.append(line)
    # A word of three or four letters is type where other type is, or where no signature is.
    return [*lines, *short] if lines or alone else []


def _even_strokes(strokes: Numbers) -> bool:
    middle = float(np.median(strokes))
    reach = max(MAX_STROKE_STRAY_PX, MAX_STROKE_STRAY * middle)
    return bool(np.median(np.abs(strokes - middle)) <= reach)


def fit(boxes: Numbers) -> tuple[Chosen, float, float, float]:
    """Which of a chain's boxes keep to type, and the slant, row at column 0 and height of it."""
    middles = (boxes[:, 0] + boxes[:, 2]) / 2
    best: tuple[Chosen, float, float, float] = (np.zeros(len(boxes), bool), 0.0, 0.0, 1.0)
    for slant in _slants(middles, boxes[:, 3]):
        bottoms = boxes[:, 3] - slant * middles
        tops = boxes[:, 1] - slant * middles
        high = float(np.percentile(bottoms - tops, 75))
        reach = max(MIN_TOLERANCE_PX, TOLERANCE * high)
        base = _fullest(bottoms, reach)
        on_base = np.abs(bottoms - base) <= reach
        rest = tops.copy()
        kept = np.zeros(len(boxes), bool)
        for _ in range(LEVELS):
            if not np.any(on_base & ~kept):
                break
            level = _fullest(rest[on_base & ~kept], reach)
            kept |= np.abs(tops - level) <= reach
        # Descenders hang below the baseline from letters of a height that others have.
        hangs = (bottoms > base) & (bottoms - base < high)
        kept &= on_base | hangs
        if (on_base & kept).sum() < MIN_ALONE:
            kept &= on_base
        if kept.sum() > best[0].sum():
            best = (kept, slant, base, high)
    return best


def _slants(middles: Numbers, bottoms: Numbers) -> list[float]:
    """Level, and the middle slant between all pairs (Theil and Sen)."""
    first, second = np.triu_indices(len(middles), 1)
    run = middles[second] - middles[first]
    far = np.abs(run) > np.ptp(middles) / 4
    if not far.any():
        return [0.0]
    middle = float(np.median((bottoms[second] - bottoms[first])[far] / run[far]))
    return [0.0, middle] if 0 < abs(middle) <= MAX_SLANT else [0.0]


def _fullest(values: Numbers, reach: float) -> float:
    """The value that most others lie within `reach` of."""
    near = np.abs(values[:, None] - values) <= reach
    fullest = near[int(near.sum(axis=1).argmax())]
    return float(np.median(values[fullest]))


def _chains(marks: Marks, chosen: NDArray[np.int64]) -> Iterator[NDArray[np.int64]]:
    """Marks that stand side by side as letters do, in lines of `MIN_ALONE` or more."""
    if len(chosen) < MIN_ALONE:
        return
    left, top, right, bottom = marks.boxes[chosen].T
    height = bottom - top
    higher = np.maximum(height[:, None], height)
    lower = np.minimum(height[:, None], height)
    space = left - right[:, None]
    shared = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    beside = (
        (left > left[:, None])
        & (space <= MAX_SPACE * higher)
        & (space >= -MAX_OVERHANG * higher)
        & (shared >= MIN_SIDE_BY_SIDE * lower)
        & (higher <= MAX_HEIGHT_RATIO * lower)
    )
    groups = np.arange(len(chosen))
    while True:  # Each mark takes the lowest number of those beside it, until none changes.
        before = groups
        reached = np.where(beside, groups[:, None], len(groups)).min(axis=0)
        groups = np.minimum(groups, reached)
        back = np.where(beside, groups, len(groups)).min(axis=1)
        groups = np.minimum(groups, back)
        groups = groups[groups]
        if np.array_equal(groups, before):
            break
    for group in np.unique(groups):
        members = chosen[groups == group]
        if len(members) >= MIN_ALONE:
            yield members


def _with_accents(
    marks: Marks,
    candidates: Chosen,
    chain: NDArray[np.int64],
    slant: float,
    base: float,
    high: float,
) -> Chosen:
    """The marks of a chain, and what lies within its band: dots, accents, commas."""
    left, right = float(marks.boxes[chain, 0].min()), float(marks.boxes[chain, 2].max())
    middles = marks.centres[:, 0]
    bottoms = marks.boxes[:, 3] - slant * middles
    tops = marks.boxes[:, 1] - slant * middles
    inside = candidates & (tops >= base - (1 + BAND) * high) & (bottoms <= base + BAND * high)
    line = np.zeros(len(marks), bool)
    while True:  # The next word joins, then what stands beside that one.
        reach = NEXT_WORD * high
        joined = inside & (marks.boxes[:, 2] >= left - reach) & (marks.boxes[:, 0] <= right + reach)
        if np.array_equal(joined, line):
            return line
        line = joined
        left, right = float(marks.boxes[line, 0].min()), float(marks.boxes[line, 2].max())
