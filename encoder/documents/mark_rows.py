"""Finds dotted and dashed lines among marks: small marks of one height, in a row, evenly spaced."""

import numpy as np
from numpy.typing import NDArray

from encoder.documents.marks import Chosen, Marks, Mask, Numbers

MIN_DOTS = 6  # Marks of a row.
MIN_DASHES = 5  # Enough where each is longer than it is high.
DASH = 2.0  # How much longer.
MAX_HEIGHT = 0.12  # Of the height of all ink: what is higher is a letter.
MIN_HEIGHT_PX = 6.0  # On small ink, whatever the share.
MAX_LENGTH = 0.25  # Of the row's: what is longer is a line by itself.
MAX_SLANT = 0.09  # Rise over run: five degrees.
SLANTS = 61  # Tried in that range, both ways.
EVEN_PX, EVEN_SHARE = 1.5, 0.25  # How far heights, and spaces between marks, stray from the middle.
MIN_EVEN = 0.6  # Share of the spaces that do not: strokes hide a few marks.
STEP_SHARE = 0.15  # How far a step between two marks strays from a multiple of the least one,
MIN_STEPS = 0.75  # and the share of the steps that do not.
MAX_ROWS = 20
MIN_SPAN = 0.6  # Of the width of all other ink: a pen that skips leaves shorter rows.


def rows_of_marks(marks: Marks) -> list[Chosen]:
    """The marks `(n,)` of each dotted or dashed line."""
    inked = float(marks.boxes[:, 3].max() - marks.boxes[:, 1].min())
    rows: list[Chosen] = []
    left = marks.heights <= max(MIN_HEIGHT_PX, MAX_HEIGHT * inked)
    while left.sum() >= MIN_DASHES and len(rows) < MAX_ROWS:
        members = _fullest_row(marks, np.flatnonzero(left))
        if len(members) < MIN_DASHES:
            break
        left[members] = False
        members = _one_height(marks, members)
        if _is_even(marks.boxes[members]) and _spans(marks, members):
            row = np.zeros(len(marks), bool)
            row[members] = True
            rows.append(row)
    return rows


def _fullest_row(marks: Marks, small: NDArray[np.int64]) -> NDArray[np.int64]:
    """The most of these marks that lie on one straight line, from left to right."""
    across, down = marks.centres[small].T
    reach = np.maximum(1.0, np.median(marks.heights[small]) / 3)
    best = np.zeros(len(small), bool)
    for slant in np.linspace(-MAX_SLANT, MAX_SLANT, SLANTS):
        level = down - slant * across
        ordered = np.sort(level)
        counts = np.searchsorted(ordered, ordered + 2 * reach, "right") - np.arange(len(ordered))
        first = int(counts.argmax())
        if counts[first] > best.sum():
            best = (level >= ordered[first]) & (level <= ordered[first] + 2 * reach)
    members = small[best]
    return np.asarray(members[np.argsort(marks.boxes[members, 0])])


def _spans(marks: Marks, members: NDArray[np.int64]) -> bool:
    """Whether a row is about as wide as what is written beside it."""
    others = np.ones(len(marks), bool)
    others[members] = False
    if not others.any():
        return True
    _, _, width, _ = marks.box_of(others)
    row = marks.boxes[members[-1], 2] - marks.boxes[members[0], 0]
    return bool(row >= MIN_SPAN * width)


def _one_height(marks: Marks, members: NDArray[np.int64]) -> NDArray[np.int64]:
    heights = marks.heights[members]
    middle = float(np.median(heights))
    reach = max(EVEN_PX, EVEN_SHARE * middle)
    return np.asarray(members[np.abs(heights - middle) <= reach])


def _is_even(boxes: Numbers) -> bool:
    """Whether marks, from left to right, have even spaces between them, and are enough."""
    if len(boxes) < min(MIN_DASHES, MIN_DOTS):
        return False
    lengths, height = boxes[:, 2] - boxes[:, 0], np.median(boxes[:, 3] - boxes[:, 1])
    enough = MIN_DASHES if np.median(lengths) >= DASH * height else MIN_DOTS
    if len(boxes) < enough or lengths.max() > MAX_LENGTH * (boxes[-1, 2] - boxes[0, 0]):
        return False
    spaces = boxes[1:, 0] - boxes[:-1, 2]
    middle = float(np.median(spaces))
    reach = max(EVEN_PX, EVEN_SHARE * abs(middle))
    if middle > 0 and float((np.abs(spaces - middle) <= reach).mean()) >= MIN_EVEN:
        return True
    # Where strokes hide marks, the rest still stand at multiples of one step.
    steps = np.diff((boxes[:, 0] + boxes[:, 2]) / 2)
    step = float(np.percentile(steps, 25))
    off = np.abs(steps - step * np.round(steps / max(step, 1.0)))
    one_length = np.abs(lengths - np.median(lengths)) <= max(
        EVEN_PX, EVEN_SHARE * np.median(lengths)
    )
    return bool(
        middle > 0
        and one_length.mean() >= MIN_EVEN
        and (off <= max(EVEN_PX, STEP_SHARE * step)).mean() >= MIN_STEPS
    )


def along_row(marks: Marks, row: Chosen) -> Mask:
    """Ink `(h, w)` of marks along a row that strokes touch: with none above or below it."""
    across, down = marks.centres[row].T
    slope, start = np.polyfit(across, down, 1)
    half = int(np.median(marks.heights[row]) / 2) + 2
    left, _, width, _ = marks.box_of(row)
    columns = np.arange(left, left + width)
    rows = np.round(slope * columns + start).astype(int) + np.arange(-half - 1, half + 2)[:, None]
    inside = (rows >= 0) & (rows < marks.mask.shape[0])
    rows = np.clip(rows, 0, marks.mask.shape[0] - 1)
    strip = (marks.mask[rows, columns] > 0) & inside
    plain = ~(strip[0] | strip[-1])
    ink = np.zeros_like(marks.mask)
    ink[rows[1:-1], columns] = (strip[1:-1] & plain) * np.uint8(255)
    return ink
