"""What a scan or a file did to the ink: strokes left hollow, and the blocks of a strong JPEG."""

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.cautions import Caution
from encoder.imaging.ink import CleanedSignature
from encoder.imaging.pixels import HALF_INK, Gray, Mask, as_uint8

# A hole in the ink is the dark inside of a wide stroke where it is nearer the ink's grey than the
# paper's. Of real signatures' ink, 0.7 % at most is such (1.8 % of phone photos); from so much on
# strokes count as hollow.
WARN_HOLLOW_SHARE = 0.05
NEARER_INK = 0.5  # Of the grey levels between paper and ink.
SURROUNDINGS = 3  # The ink's own grey is looked at in windows of this part of its shorter side,
MIN_WINDOW_PX = 15  # or so wide: the light may change across the page.
FLOAT_NOISE = np.float32(1e-5)  # Sums that run along a page are so far from 0 where nothing is.
# Where the scan has two levels only, hollow strokes are known by their holes, as long as the
# strokes and as narrow: (outline)^2 / 4 area is pi for a circle, 4 for a square, 15 for a slit 13
# times as long as wide. So much of all outlines they are in up to 4 % of real signatures.
SLIT, WARN_SLIT_SHARE = 15.0, 0.22
MOST_OUTLINES = 500  # Of more, the longest.
LOOK_SIDE_PX = 400  # The widest place is looked for in ink reduced to this side.

Levels = NDArray[np.float32]  # (h, w) grey levels

BLOCK_PX = 8  # Side of a JPEG's blocks.
# The steps at the blocks' edges beyond those inside, grey levels, times the canvas's pixels to a
# pixel of ink. Error rates double at quality 5 and half the resolution, where most images pass
# this; clean scans do not, and at full resolution such a file harms little (docs/robustness.md).
WARN_BLOCKS = 4.0
# So much higher than inside must the steps be as well: noise makes some of any height.
LEAST_BLOCK_RATIO = 1.25


def solid(gray: Gray, cleaned: CleanedSignature) -> Mask:
    """The ink `(h, w)`, 0 or 255, with the dark insides of wide strokes filled in.

    Args:
        gray: the scan, dark on light or light on dark, as `cleaned` was found in.
        cleaned: its ink.
    """
    ink, levels = cleaned.ink, _levels_of(gray, cleaned)
    outside = cv2.copyMakeBorder(255 - ink, 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(255,))
    cv2.floodFill(outside, None, (0, 0), (0,))
    holes, square = outside[1:-1, 1:-1], np.ones((3, 3), np.uint8)
    within = cv2.erode(holes, square)  # At their edges the paper is dark too.
    if not cv2.countNonZero(within):
        return ink
    side = max(MIN_WINDOW_PX, min(ink.shape) // SURROUNDINGS) | 1
    inked = (ink > 0).astype(np.float32)
    around = cv2.boxFilter(levels * inked, -1, (side, side))
    share = cv2.boxFilter(inked, -1, (side, side))
    # In the middle of a blot the window holds no ink at all: there all of it is asked.
    near = share > FLOAT_NOISE
    pen = np.where(near, around / np.maximum(share, FLOAT_NOISE), levels[ink > 0].mean())
    dark = (within > 0) & (levels - pen < NEARER_INK * cleaned.contrast)
    dark_holes = cv2.bitwise_and(cv2.dilate(as_uint8(dark) * 255, square), holes)
    return as_uint8(cv2.bitwise_or(ink, dark_holes))


def widest_px(filled: Mask) -> float:
    """Width of the widest place in filled ink `(h, w)`, px."""
    scale = min(1.0, LOOK_SIDE_PX / max(filled.shape))
    size = (max(1, round(filled.shape[1] * scale)), max(1, round(filled.shape[0] * scale)))
    small = np.pad(as_uint8(cv2.resize(filled, size, interpolation=cv2.INTER_AREA)), 1)
    mask = cv2.threshold(small, HALF_INK, 255, cv2.THRESH_BINARY)[1]
    return float(2 * cv2.distanceTransform(mask, cv2.DIST_L2, 3).max() / scale)


def hollow(cleaned: CleanedSignature, filled: Mask) -> Caution | None:
    """Say that strokes are only outlines; `filled` is what `solid` made of the ink."""
    area = max(cv2.countNonZero(filled), 1)
    share = 1 - cv2.countNonZero(cleaned.ink) / area
    if share <= WARN_HOLLOW_SHARE and _slit_share(cleaned.ink) <= WARN_SLIT_SHARE:
        return None
    return Caution(
        "hollow",
        "Wide strokes came out hollow, as outlines only"
        + (f": {100 * share:.0f}% of the ink is missing. " if share > WARN_HOLLOW_SHARE else ". ")
        + "Scan in grey levels rather than black and white, or sign with a finer pen.",
    )


def blocks(gray: Gray, cleaned: CleanedSignature, scale: float) -> Caution | None:
    """Say that the blocks of a strong JPEG blur the strokes.

    Args:
        gray: the scan.
        cleaned: its ink.
        scale: the canvas's pixels to a pixel of ink.
    """
    if gray.shape != cleaned.page_size:
        return None  # It was reduced: no block is left.
    left, top, width, height = cleaned.box
    page = gray[top : top + height, left : left + width].astype(np.float32)
    steps = [_steps(page, left, 1), _steps(page, top, 0)]
    at_edges, inside = np.mean(steps, axis=0)
    strength = float(at_edges - inside) * scale
    if strength <= WARN_BLOCKS or at_edges <= LEAST_BLOCK_RATIO * inside:
        return None
    return Caution(
        "jpeg-blocks",
        f"The image was compressed too strongly: its 8 x 8 blocks stand out by {strength:.1f} grey "
        f"levels at the size compared, {WARN_BLOCKS} or less are harmless. Save it as PNG, or as "
        "JPEG of quality 50 or more.",
    )


def _levels_of(gray: Gray, cleaned: CleanedSignature) -> Levels:
    """Grey levels `(h, w)` float32 of the ink's box, dark where ink is."""
    height, width = cleaned.page_size
    if gray.shape != (height, width):
        gray = as_uint8(cv2.resize(gray, (width, height), interpolation=cv2.INTER_AREA))
    left, top, width, height = cleaned.box
    levels = gray[top : top + height, left : left + width].astype(np.float32)
    ink = cleaned.ink > 0
    if ink.any() and not ink.all() and levels[ink].mean() > levels[~ink].mean():
        levels = 255 - levels  # Light ink on dark.
    return levels


def _slit_share(ink: Mask) -> float:
    """Share of all outlines that runs around long narrow holes."""
    room = np.pad(ink, 1)
    outlines, nesting = cv2.findContours(room, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    whole = slits = 0
    for number in sorted(range(len(outlines)), key=lambda n: -len(outlines[n]))[:MOST_OUTLINES]:
        length = len(outlines[number])
        whole += length
        if nesting[0, number, 3] >= 0 and length > BLOCK_PX:
            area = cv2.contourArea(outlines[number])
            slits += length * (0 < 4 * SLIT * area < length**2)
    return slits / max(whole, 1)


def _steps(page: Levels, start: int, axis: int) -> tuple[float, float]:
    """Mean step between neighbours along an axis, grey levels: at blocks' edges, and inside."""
    steps = np.abs(np.diff(page, axis=axis)).mean(axis=1 - axis)
    at_edge = (np.arange(len(steps)) + start) % BLOCK_PX == BLOCK_PX - 1
    if at_edge.all() or not at_edge.any():
        return 0.0, 0.0
    return float(steps[at_edge].mean()), float(steps[~at_edge].mean())
