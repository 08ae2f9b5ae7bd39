"""Takes printed straight lines out of an ink mask; strokes that cross them, and underlines, stay.

A printed line spans the ink, is thin, as straight as a ruler and of one width; a writer's own
long stroke slants, bends or tapers. Pages without such a line cost a few operations on packed bits.
"""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.imaging.pixels import Mask

BLOCK_PX = 32  # A line is looked for as a chain of such runs: few pens draw one, no page of text.
MIN_BLOCKS = 3
MIN_SPAN = 0.9  # Of the ink's extent: what a line has to cover.
MIN_CHAIN = 0.75  # Of the blocks along it: some lie askew.
MAX_SLANT = 0.035  # Rise over run: two degrees.
MAX_WIDTH_PX = 7
MAX_LINES = 40
SAME_LINE_PX = 5  # How near in the middle two chains are one line.
MIN_LEFT_OVER = 0.05  # Share of the ink that must remain: else it is no signature on lines.
REACH_PX = 7  # How far a line may stray from straight, with half its width: paper bends.
MIN_PLAIN = 0.3  # Share of the line where no stroke touches it.
STRAY_PX = 0.9  # How close to the fitted curve it runs, and how evenly; no hand rules so straight.
MIN_EVEN = 0.65  # Share of those places where it does: touching strokes thicken the rest.


@dataclass(frozen=True)
class Line:
    """One ruled line in a mask that it crosses from left to right.

    Attributes:
        columns: `(n,)` from its first to its last.
        middle: `(n,)` its row at each, px.
        width_px: its thickness.
    """

    columns: NDArray[np.int64]
    middle: NDArray[np.float64]
    width_px: float


def remove_ruled_lines(mask: Mask) -> Mask:
    """The mask `(h, w)` without its level and upright ruled lines; itself where it has none.

    Where there is next to nothing but lines, they stay, and `quality` refuses the image.
    """
    left, top, width, height = cv2.boundingRect(mask)
    level = _blocks(np.packbits(mask, axis=1))
    if not _may_cross(level, (left, left + width)):
        return mask
    bare, lines = _without_level(mask, level, (left, left + width))
    if lines > 1:  # Sides without top and bottom would be letters: many hold a straight upright.
        turned = np.ascontiguousarray(bare.T)
        upright = _blocks(np.packbits(turned, axis=1))
        if _may_cross(upright, (top, top + height)):
            turned, _ = _without_level(turned, upright, (top, top + height))
            bare = np.ascontiguousarray(turned.T)
    left_over = cv2.countNonZero(bare)
    return bare if left_over > MIN_LEFT_OVER * cv2.countNonZero(mask) else mask


def _without_level(
    mask: Mask, runs: NDArray[np.bool_], extent: tuple[int, int]
) -> tuple[Mask, int]:
    """A copy of the mask without ruled lines from left to right; and how many they were."""
    mask = mask.copy()
    first, last = extent[0] // BLOCK_PX, extent[1] // BLOCK_PX
    lines = 0
    for row, slant in _chains(runs[:, first:last]):
        line = _trace(mask, row - slant * first * BLOCK_PX, slant, extent)
        if line is not None:
            _erase(mask, line)
            lines += 1
    return mask, lines


def _blocks(packed: NDArray[np.uint8]) -> NDArray[np.bool_]:
    """`(h, w / 32)`: whether three rows together hold ink all along these 32 pixels."""
    whole = np.ascontiguousarray(packed[:, : packed.shape[1] // 4 * 4]).view(np.uint32)
    three = whole.copy()
    three[1:] |= whole[:-1]
    three[:-1] |= whole[1:]
    return np.asarray(three == np.uint32(0xFFFFFFFF))


def _may_cross(blocks: NDArray[np.bool_], extent: tuple[int, int]) -> bool:
    """Whether enough blocks along the ink have a run anywhere: the cheap look before the search."""
    first, last = extent[0] // BLOCK_PX, extent[1] // BLOCK_PX
    if last - first < MIN_BLOCKS:
        return False
    runs = blocks[:, first:last].any(axis=0)
    return bool(np.count_nonzero(runs) >= MIN_CHAIN * (last - first))


def _chains(blocks: NDArray[np.bool_]) -> list[tuple[int, float]]:
    """Row (at the first column) and slant of straight chains of enough blocks, longest first."""
    height, count = blocks.shape
    drift = int(MAX_SLANT * count * BLOCK_PX)
    padded = np.pad(blocks.T.astype(np.uint8), ((0, 0), (drift, drift)))
    falls = np.array(sorted(range(-drift, drift + 1), key=abs))
    hits = np.zeros((len(falls), height), np.uint8)  # At most 75 blocks on the widest page.
    for number, fall in enumerate(falls):
        for block in range(count):
            start = drift + round(fall * (block + 0.5) / count)
            hits[number] += padded[block, start : start + height]
    middles = np.arange(height) + falls[:, None] / 2
    chains: list[tuple[int, float]] = []
    while len(chains) < MAX_LINES and hits.max() >= MIN_CHAIN * count:
        number, row = divmod(int(hits.argmax()), height)
        if row + 1 < height and hits[number, row + 1] == hits[number, row]:
            row += 1  # Three rows see the same line: take one within.
        chains.append((row, float(falls[number]) / (count * BLOCK_PX)))
        hits[np.abs(middles - middles[number, row]) <= SAME_LINE_PX] = 0
    return chains


def _trace(mask: Mask, row: float, slant: float, extent: tuple[int, int]) -> Line | None:
    """Follow a line from `row` at column 0, or find that it is none."""
    columns = np.arange(*extent)
    middle = row + slant * columns
    width = 0.0
    for tolerance in (REACH_PX / 2, 2 * STRAY_PX, STRAY_PX):  # Each look follows its bend closer.
        rows = np.round(middle).astype(int) + np.arange(-REACH_PX, REACH_PX + 1)[:, None]
        inside = (rows >= 0) & (rows < mask.shape[0])
        strip = (mask[np.clip(rows, 0, mask.shape[0] - 1), columns] > 0) & inside
        widths = strip.sum(axis=0)
        starts = strip[0].astype(int) + (strip[1:] & ~strip[:-1]).sum(axis=0)
        plain = (starts == 1) & (widths <= MAX_WIDTH_PX)
        if np.count_nonzero(plain) < MIN_PLAIN * len(columns):
            return None
        centres = (rows * strip).sum(axis=0) / np.maximum(widths, 1)
        width = float(np.median(widths[plain]))
        stray = np.abs(centres - middle)
        even = plain & (np.abs(widths - width) <= 1) & (stray <= tolerance)
        if np.count_nonzero(even) < MIN_PLAIN * len(columns):
            return None
        middle = np.polynomial.Polynomial.fit(columns[even], centres[even], 2)(columns)
    if np.count_nonzero(even) < MIN_EVEN * np.count_nonzero(plain):
        return None
    core = mask[np.clip(np.round(middle).astype(int), 0, mask.shape[0] - 1), columns] > 0
    if np.count_nonzero(core) < MIN_SPAN * len(columns):
        return None
    return Line(columns, np.asarray(middle, dtype=np.float64), width)


def _erase(mask: Mask, line: Line) -> None:
    """Blank the line, but for what lies between ink above it and ink below: a stroke across."""
    half = int(line.width_px / 2 + 1)
    rows = np.round(line.middle).astype(int) + np.arange(-half - 1, half + 2)[:, None]
    inside = (rows >= 0) & (rows < mask.shape[0])
    rows = np.clip(rows, 0, mask.shape[0] - 1)
    strip = ((mask[rows, line.columns] > 0) & inside).astype(np.uint8)
    reach = np.ones((1, 2 * half + 1), np.uint8)
    across = cv2.bitwise_and(cv2.dilate(strip[:1], reach), cv2.dilate(strip[-1:], reach))
    band = np.asarray(strip[1:-1] & across, dtype=np.uint8)
    mask[rows[1:-1], line.columns] = band * 255
