"""Ink thinned to lines one pixel wide, and what is drawn or counted along them.

Only the evaluation uses it: the network sees strokes as wide as they were written.
"""

import cv2
import numpy as np

from encoder.imaging.canvas import canvas_scale, to_canvas
from encoder.imaging.pixels import HALF_INK, Mask, as_uint8

# What each neighbour adds to a pixel's code, clockwise from the one above: 1, 2, 4, ...
NEIGHBOURS = np.array([[128, 1, 2], [64, 0, 4], [32, 16, 8]], np.float32)
FINENESS = 3  # Lines are drawn on so many times the canvas's resolution and reduced by area.
LINE_PX = 2  # Width on the canvas of strokes drawn anew.


def thin(ink: Mask) -> Mask:
    """The skeleton of ink `(h, w)`, 0 or 255 (Zhang and Suen, CACM 27(3), 1984)."""
    lines = (ink > 0).astype(np.uint8)
    while True:
        before = cv2.countNonZero(lines)
        for table in REMOVALS:
            lines &= as_uint8(cv2.LUT(_codes(lines), table))
        if cv2.countNonZero(lines) == before:
            return as_uint8(lines * 255)


def length_px(skeleton: Mask) -> int:
    """Pixels of a skeleton `(h, w)`."""
    return cv2.countNonZero(skeleton)


def ends_and_junctions(skeleton: Mask) -> int:
    """How often its lines end or meet: runs of neighbours around a pixel, one or more than two."""
    lines = (skeleton > 0).astype(np.uint8)
    runs = cv2.LUT(_codes(lines), RUNS)[lines > 0]
    return int(np.count_nonzero((runs == 1) | (runs > 2)))


def even_strokes(ink: Mask, canvas_size: tuple[int, int]) -> Mask:
    """Set ink `(h, w)` on a canvas with all strokes drawn anew in one width: no pen is left."""
    height, width = ink.shape
    if not ink.size:
        return to_canvas(ink, canvas_size)
    scale = FINENESS * canvas_scale(ink, canvas_size)[0]
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    sized = cv2.threshold(
        cv2.resize(ink, size, interpolation=method), HALF_INK, 255, cv2.THRESH_BINARY
    )
    side = FINENESS * LINE_PX | 1
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    room = cv2.copyMakeBorder(
        thin(as_uint8(sized[1])), side, side, side, side, cv2.BORDER_CONSTANT, value=(0,)
    )
    return to_canvas(as_uint8(cv2.dilate(room, pen)), canvas_size)


def _codes(lines: Mask) -> Mask:
    """For each pixel of 0 or 1, which of its neighbours are 1."""
    return as_uint8(cv2.filter2D(lines, cv2.CV_8U, NEIGHBOURS, borderType=cv2.BORDER_CONSTANT))


def _tables() -> tuple[tuple[Mask, Mask], Mask]:
    """By code: 0 where Zhang and Suen's two passes remove the pixel; runs of neighbours around."""
    bits = (np.arange(256)[:, None] >> np.arange(8)) & 1
    up, right, down, left = (bits[:, place] for place in (0, 2, 4, 6))
    runs = np.count_nonzero((bits == 0) & (np.roll(bits, -1, axis=1) == 1), axis=1)
    count = bits.sum(axis=1)
    outer = (count >= 2) & (count <= 6) & (runs == 1)
    first = outer & (up * right * down == 0) & (right * down * left == 0)
    second = outer & (up * right * left == 0) & (up * down * left == 0)
    removals = ((~first).astype(np.uint8), (~second).astype(np.uint8))
    return removals, runs.astype(np.uint8)


REMOVALS, RUNS = _tables()
