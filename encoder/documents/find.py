"""Finds the signature among all marks of a page: what is print is left out, other hands are told.

Only what is surely print is left out, and only where a signature remains without it.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Literal

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.documents.hands import other_hands
from encoder.documents.ink_layers import ink_layers
from encoder.documents.mark_rows import along_row, rows_of_marks
from encoder.documents.marks import Chosen, Marks, Mask
from encoder.documents.ruled_marks import edges, free_lines, holes, stamps
from encoder.documents.type_lines import lines_of_type

What = Literal["print", "line", "stamp", "hole", "edge", "signature", "writing"]
Several = Literal["several-signatures", "writing-beside"]
Box = tuple[int, int, int, int]  # Left, top, width, height, px.

ROUNDS = 3
MAX_MARKS = 1500  # Pages of more are no signature with some print; pairs of marks are compared.
MIN_LEFT = 0.2  # Share of the strokes' length that a signature has of a page with print.
MIN_LENGTH = 1.0  # And its length over the diagonal of its box.
ALIKE_LONG = 0.35  # Strokes' length of a second signature over the first's; a date's is shorter.
MUCH_HIGHER = 1.5  # A signature over print that stands in its rows.
MAX_SHARED_ROWS = 0.5  # Of the print's rows that ink of its own height may share.
CROSSING = frozenset({"print", "stamp"})  # A line is taken out of strokes that cross it.
CROSSED_PX = 2  # How near print and strokes are one over the other.


@dataclass(frozen=True)
class Part:
    """A part of the page: what it is, and its box."""

    what: What
    box: Box


@dataclass(frozen=True)
class Found:
    """What the marks of a page are.

    Attributes:
        kept: `(h, w)` uint8, 0 or 255, the signature's ink; the mask itself where all is.
        gone: `(h, w)` uint8, 0 or 255, the ink left out.
        left_out: print, lines and stamps, whose ink is not kept.
        crossed: whether print or a stamp lay over the signature's strokes.
        others: where not one signature alone was found: the parts of the handwriting.
        sure: whether `others` are surely not one signature.
    """

    kept: Mask
    gone: Mask
    left_out: tuple[Part, ...] = ()
    crossed: bool = False
    others: tuple[Part, ...] = ()
    sure: bool = False


def find_signature(
    mask: Mask, gray: NDArray[np.uint8], colour: NDArray[np.uint8] | None = None
) -> Found:
    """Tell the signature's ink from print, lines, stamps and other handwriting.

    Args:
        mask: `(h, w)` uint8, 0 or 255, all ink.
        gray: `(h, w)` uint8 levels that it was found in.
        colour: `(h, w, 3)` uint8 RGB, where the image has colours.
    """
    found = Found(mask, np.zeros_like(mask))
    for _ in range(ROUNDS):  # Without its caption, a frame's sides are seen to be a frame's.
        marks = Marks.of(found.kept)
        if not 1 < len(marks) <= MAX_MARKS:
            return found
        parts, gone = _left_out(marks, gray, colour)
        rest = np.asarray(found.kept & ~gone, np.uint8)
        if not parts or not _is_signature(mask, rest):
            break
        crossed = found.crossed or _crosses(rest, gone, parts)
        found = Found(rest, found.gone | gone, (*found.left_out, *parts), crossed)
    return _with_others(found, marks, gray)


def _left_out(
    marks: Marks, gray: NDArray[np.uint8], colour: NDArray[np.uint8] | None
) -> tuple[list[Part], Mask]:
    """What is print, line or stamp among marks, and its ink `(h, w)`."""
    parts: list[Part] = []
    chosen = np.zeros(len(marks), bool)
    rows = rows_of_marks(marks)
    for what, one in chain(_drawn(marks, rows), _printed(marks, chosen, alone=False)):
        parts.append(Part(what, marks.box_of(one)))
        chosen |= one
    gone = marks.mask_of(chosen)
    for row in rows:
        gone |= along_row(marks, row)
    layers = ink_layers(marks.mask & ~gone, gray, colour)
    for layer, other in zip(map(Marks.of, layers), reversed(layers), strict=True):
        out = np.zeros(len(layer), bool)
        for what, one in _printed(layer, layer.touching(other), alone=True):
            parts.append(Part(what, layer.box_of(one)))
            out |= one
        gone |= layer.mask_of(out)
    return parts, gone


def _drawn(marks: Marks, rows: Sequence[Chosen]) -> Iterator[tuple[What, Chosen]]:
    """Holes, edges and lines among marks, the rows of dots and dashes among them."""
    yield from (("hole", one) for one in holes(marks))
    yield from (("edge", one) for one in edges(marks))
    yield from (("line", one) for one in (*rows, *free_lines(marks)))


def _printed(marks: Marks, gone: Chosen, *, alone: bool) -> Iterator[tuple[What, Chosen]]:
    """Stamps and lines of print among marks that are not gone, in one ink or `alone` in theirs."""
    if not 0 < len(marks) <= MAX_MARKS:
        return
    for stamp in stamps(marks, alone=alone):
        yield "stamp", stamp
    for line in lines_of_type(marks, ~gone, alone=alone):
        if alone or _stands_off(marks, line, gone):
            yield "print", line


def _stands_off(marks: Marks, line: Chosen, gone: Chosen) -> bool:
    """Whether what remains beside a line of print is much higher, or stands on other rows."""
    rest = ~line & ~gone
    if not rest.any():
        return False
    _, top, _, height = marks.box_of(rest)
    _, line_top, _, line_height = marks.box_of(line)
    shared = min(top + height, line_top + line_height) - max(top, line_top)
    return height >= MUCH_HIGHER * line_height or shared <= MAX_SHARED_ROWS * line_height


def _length(ink: Mask) -> float:
    """Length of all strokes, px: half their outline."""
    inner = cv2.countNonZero(cv2.erode(ink, np.ones((3, 3), np.uint8)))
    return (cv2.countNonZero(ink) - inner) / 2


def _is_signature(mask: Mask, rest: Mask) -> bool:
    """Whether what remains of a page is a signature by itself."""
    _, _, width, height = cv2.boundingRect(rest)
    length = _length(rest)
    return length >= MIN_LEFT * _length(mask) and length >= MIN_LENGTH * float(
        np.hypot(width, height)
    )


def _crosses(rest: Mask, gone: Mask, parts: Iterable[Part]) -> bool:
    """Whether what remains reaches into the rows of print, or touches a stamp."""
    reach = np.ones((2 * CROSSED_PX + 1,) * 2, np.uint8)
    near = np.asarray(cv2.dilate(gone, reach), np.uint8) & rest
    for part in parts:
        left, top, width, height = part.box
        where = rest if part.what == "print" else near
        if part.what in CROSSING and where[top : top + height, left : left + width].any():
            return True
    return False


def _with_others(found: Found, marks: Marks, gray: NDArray[np.uint8]) -> Found:
    split = other_hands(marks, gray) if len(marks) > 1 else None
    if split is None:
        return found
    sides = (split.first, split.second)
    lengths = [float((marks.areas / marks.stroke_widths)[side].sum()) for side in sides]
    alike = min(lengths) >= ALIKE_LONG * max(lengths)
    whats: list[What] = ["signature" if alike or x == max(lengths) else "writing" for x in lengths]
    others = [Part(what, marks.box_of(side)) for what, side in zip(whats, sides, strict=True)]
    # What a stamp took of the strokes leaves gaps that mean nothing.
    return replace(found, others=tuple(others), sure=split.sure and not found.crossed)
