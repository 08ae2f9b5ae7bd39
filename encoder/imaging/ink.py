"""Finds the ink of one signature in grey levels; judging it is left to `quality`.

Ink is decided per pixel at full resolution and only then reduced by area: grey levels tell
scanners and pens apart, not writers, so none of them reaches the network.
"""

from dataclasses import dataclass, replace

import cv2
import numpy as np

from encoder.documents.find import Found, find_signature
from encoder.errors import FailureToAcquire
from encoder.imaging.pixels import Colour, Gray, Mask, as_uint8
from encoder.imaging.ruled_lines import remove_ruled_lines

MAX_SIDE_PX = 2400  # Larger scans are reduced first: pens are then still over 8 px wide.
DARK_PAGE = 110  # A page whose middle grey level is below is light ink on dark, and inverted.
MEDIAN_ROW_STEP = 4  # Grey levels are counted in every fourth row: that tells the middle as well.

# The light on the paper changes slowly, so it is looked at on a page reduced to a side of about:
LIGHT_SIDE_PX = 80
# Closing lifts strokes up to the paper around them; reduced, no stroke of a scan is so wide.
CLOSING_PX = 13
LIGHT_BLUR_PX = 3.0  # Standard deviation of what smooths the steps that closing leaves.
DARKEST, BRIGHTEST = 0.02, 0.98  # Quantiles of the light: a speck at either end decides nothing.
UNEVEN_LIGHT = 0.30  # Share of brightness lost across the page from which it counts as uneven.

SMOOTHING_PX = 3  # Side of the blur before thresholds: single pixels of noise are no ink.
MIN_CONTRAST = 18.0  # Grey levels between paper and ink below which there is no ink.
# Sauvola's window: a sixth of the page's shorter side, so that it holds paper beside any stroke.
WINDOW_SHARE, MIN_WINDOW_PX = 6, 15
SAUVOLA_K = 0.2  # How much a flat surrounding lowers the threshold, and
SAUVOLA_RANGE = 128.0  # the standard deviation, grey levels, at which it does so no more.

# A scanned edge lies within this fraction of the page's side from its border, 2 px at least,
EDGE_ZONE, MIN_EDGE_ZONE_PX = 25, 2
EDGE_LINE = 0.6  # and is dark along so much of it: no stroke runs along an edge so far.
# A dot of a pen is about as wide as its strokes; half that square, and 4 px, is a speck.
SPECK_STROKES, SPECK_PX = 0.5, 4.0
# Pieces of ink and holes in them, beyond specks: a page of handwriting has hundreds.
MAX_PIECES = 4_000
MARK_PX = 20  # Pixels of one mark: fewer are noise.
RING_PX = 4  # Fewer pixels enclose none.


@dataclass(frozen=True)
class BlankPage:
    """What is on a page without ink.

    Attributes:
        brightest: its brightest grey level, 0 to 255.
        contrast: grey levels by which its darkest marks, of a few pixels at least, differ from it.
    """

    brightest: int
    contrast: float


@dataclass(frozen=True)
class CleanedSignature:
    """The ink found in a scan.

    Attributes:
        ink: `(h, w)` uint8, 0 or 255, cropped to the ink, at the scan's resolution; `(0, 0)`
            where there is none.
        box: left, top, width, height of `ink` in the scan, px.
        page_size: height and width of the scan, px, as far as it was looked at.
        contrast: grey levels between paper and ink, 0 to 255.
        stroke_width_px: mean width of the strokes.
        border_runs: for left, top, right, bottom, the share of that side covered by ink.
        found: what else is on the page, in its pixels, and which of its ink was kept and left
            out, ruled lines too.
        blank: what was there instead, where there is no ink.
    """

    ink: Mask
    box: tuple[int, int, int, int]
    page_size: tuple[int, int]
    contrast: float
    stroke_width_px: float
    border_runs: tuple[float, float, float, float]
    found: Found
    blank: BlankPage | None = None


def clean(gray: Gray, colour: Colour | None = None) -> CleanedSignature:
    """Separate the ink of a signature from paper, light, specks, scanned edges and print.

    Args:
        gray: `(h, w)` uint8 grey levels of a scan, dark on light or light on dark.
        colour: `(h, w, 3)` uint8 RGB of the same scan, where it has colours.

    Raises:
        FailureToAcquire: `too-many-pieces`: a pattern, print or noise.
    """
    page = gray = _bounded(gray)
    if _median(gray) < DARK_PAGE:
        gray = 255 - gray
    flat, unevenness = _flatten(gray)
    mask, contrast = _binarise(flat, uneven=unevenness > UNEVEN_LIGHT)
    _remove_edge_lines(mask)
    mask, ruled = _without_lines(mask)
    stroke_width = _stroke_width(mask)
    _remove_specks(mask, stroke_width)
    found = find_signature(mask, flat, None if colour is None else _bounded(colour))
    if found.left_out:
        # A line that was short of the print may span now.
        mask, more = _without_lines(found.kept)
        ruled = as_uint8(cv2.bitwise_or(ruled, more))
        stroke_width = _stroke_width(mask)
        _remove_specks(mask, stroke_width)  # Of a stamp's or print's edges.
    found = replace(found, kept=mask, gone=as_uint8(cv2.bitwise_or(found.gone, ruled)))
    left, top, width, height = cv2.boundingRect(mask)
    return CleanedSignature(
        ink=mask[top : top + height, left : left + width],
        box=(left, top, width, height),
        page_size=(gray.shape[0], gray.shape[1]),
        contrast=contrast,
        stroke_width_px=stroke_width,
        border_runs=_border_runs(mask),
        found=found,
        blank=None if width else _blank_page(page, flat),
    )


def _without_lines(mask: Mask) -> tuple[Mask, Mask]:
    """The mask without its ruled lines, and the lines."""
    bare = remove_ruled_lines(mask)
    return bare, as_uint8(cv2.subtract(mask, bare))


def _blank_page(gray: Gray, flat: Gray) -> BlankPage:
    smooth = as_uint8(cv2.GaussianBlur(flat, (SMOOTHING_PX, SMOOTHING_PX), 0))
    marks = min(MARK_PX, smooth.size - 1)
    darkest = int(np.partition(smooth, marks, axis=None)[marks])
    return BlankPage(int(gray.max()), float(max(0, _median(flat) - darkest)))


def _bounded(gray: Gray) -> Gray:
    longest = max(gray.shape[:2])
    if longest <= MAX_SIDE_PX:
        return gray
    scale = MAX_SIDE_PX / longest
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return as_uint8(cv2.resize(gray, size, interpolation=cv2.INTER_AREA))


def _median(gray: Gray) -> int:
    """The middle grey level, by counting those of some rows."""
    counts = cv2.calcHist([gray[::MEDIAN_ROW_STEP]], [0], None, [256], [0, 256])
    return int(np.searchsorted(np.cumsum(counts), counts.sum() / 2))


def _flatten(gray: Gray) -> tuple[Gray, float]:
    """Divide by the light on the paper; also return how much of it is lost across the page."""
    height, width = gray.shape
    step = max(1, max(height, width) // LIGHT_SIDE_PX)
    down, across = max(1, height // step), max(1, width // step)
    # Whole blocks of pixels are averaged seven times as fast; the few left over change no light.
    whole = gray[: down * step, : across * step]
    small = cv2.resize(whole, (across, down), interpolation=cv2.INTER_AREA)
    kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (CLOSING_PX, CLOSING_PX))
    paper = cv2.morphologyEx(small, cv2.MORPH_CLOSE, kernel, borderType=cv2.BORDER_REPLICATE)
    paper = np.maximum(cv2.GaussianBlur(paper, (0, 0), LIGHT_BLUR_PX), 1)
    levels = np.sort(paper, axis=None)
    last = levels.size - 1
    dark, bright = (float(levels[round(share * last)]) for share in (DARKEST, BRIGHTEST))
    light = cv2.resize(paper, (width, height), interpolation=cv2.INTER_LINEAR)
    return as_uint8(cv2.divide(gray, light, scale=255.0)), (bright - dark) / bright


def _binarise(flat: Gray, *, uneven: bool) -> tuple[Mask, float]:
    """Decide ink per pixel: Otsu (1979), or after Sauvola (2000) in uneven light."""
    smooth = as_uint8(cv2.GaussianBlur(flat, (SMOOTHING_PX, SMOOTHING_PX), 0))
    paper = _median(flat)
    if uneven:
        mask = _sauvola(smooth)
    else:
        threshold, split = cv2.threshold(smooth, 0, 255, cv2.THRESH_BINARY_INV | cv2.THRESH_OTSU)
        if threshold > paper - MIN_CONTRAST / 2:
            # Otsu splits the paper's own noise when ink is rare; stay clear of the paper.
            split = cv2.threshold(smooth, paper - MIN_CONTRAST, 255, cv2.THRESH_BINARY_INV)[1]
        mask = as_uint8(split)
    area = cv2.countNonZero(mask)
    if not area:
        return mask, 0.0
    contrast = paper - float(cv2.sumElems(cv2.bitwise_and(smooth, mask))[0]) / area
    if contrast < MIN_CONTRAST:
        mask[:] = 0
    return mask, contrast


def _sauvola(flat: Gray) -> Mask:
    """Threshold by each pixel's surroundings: mean * (1 + k (deviation / range - 1))."""
    side = max(MIN_WINDOW_PX, (min(flat.shape) // WINDOW_SHARE) | 1)  # Odd: it has a middle.
    levels = flat.astype(np.float32)
    mean = cv2.boxFilter(levels, -1, (side, side), borderType=cv2.BORDER_REPLICATE)
    square = cv2.sqrBoxFilter(levels, -1, (side, side), borderType=cv2.BORDER_REPLICATE)
    deviation = np.sqrt(np.maximum(square - mean * mean, 0.0))
    threshold = mean * (1.0 + SAUVOLA_K * (deviation / SAUVOLA_RANGE - 1.0))
    return ((levels < threshold) * np.uint8(255)).astype(np.uint8)


def _remove_edge_lines(mask: Mask) -> None:
    """Blank, in place, lines that run along the page's edge: a scanned edge, not a stroke."""
    for view, along in (
        (mask, cv2.reduce(mask, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[0]),
        (mask.T, cv2.reduce(mask, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S)[:, 0]),
    ):
        length, across = view.shape
        zone = max(MIN_EDGE_ZONE_PX, across // EDGE_ZONE)
        filled = along > EDGE_LINE * 255 * length
        filled[zone : across - zone] = False
        if filled.any():
            beside = filled.copy()
            beside[1:] |= filled[:-1]
            beside[:-1] |= filled[1:]
            view[:, beside] = 0


def _stroke_width(mask: Mask) -> float:
    """Mean width of the strokes, px: twice their area over the length of their outline."""
    area = cv2.countNonZero(mask)
    edge = area - cv2.countNonZero(cv2.erode(mask, np.ones((3, 3), np.uint8)))
    return 2.0 * area / edge if edge else 0.0


def _remove_specks(mask: Mask, stroke_width: float) -> None:
    """Blank, in place, pieces too small for a dot of this pen.

    Raises:
        FailureToAcquire: `too-many-pieces`: what is left falls into more than any writing does.
    """
    smallest = max(SPECK_PX, SPECK_STROKES * stroke_width**2)
    if _most_outlines(mask) > MAX_PIECES:
        _bound_pieces(mask, smallest)
    outlines, nesting = cv2.findContours(mask, cv2.RETR_CCOMP, cv2.CHAIN_APPROX_NONE)
    for number, outline in enumerate(outlines):
        is_hole = nesting[0, number, 3] >= 0  # The white inside of a loop, with a parent.
        if is_hole or len(outline) >= 4 * smallest:
            continue
        # An outline of n steps through pixel centres around area a holds a + n/2 + 1 pixels (Pick).
        if cv2.contourArea(outline) + len(outline) / 2 + 1 < smallest:
            cv2.drawContours(mask, [outline], -1, 0, cv2.FILLED)


def _most_outlines(mask: Mask) -> int:
    """How many outlines of pieces and holes there are at most: corners that each one has."""
    ink = np.pad(mask, 1) > 0
    here, left, above = ink[1:-1, 1:-1], ink[1:-1, :-2], ink[:-2, 1:-1]
    pieces = here & ~(left | above | ink[:-2, :-2] | ink[:-2, 2:])
    holes = left & above & ~here
    return int(np.count_nonzero(pieces)) + int(np.count_nonzero(holes))


def _bound_pieces(mask: Mask, smallest: float) -> None:
    """Blank, in place, all that is certainly a speck; refuse the rest where it is too much.

    One pass over the pixels, however many specks there are: outlines cost time each.

    Raises:
        FailureToAcquire: `too-many-pieces`.
    """
    pieces, labels, boxes, _ = cv2.connectedComponentsWithStats(mask, connectivity=8)
    area = boxes[:, cv2.CC_STAT_AREA]
    arm = area / RING_PX  # A slanting square of so many pixels to a side encloses most.
    filled = area + np.where(area < RING_PX, 0, 2 * arm**2 - 2 * arm + 1)
    box = boxes[:, cv2.CC_STAT_WIDTH] * boxes[:, cv2.CC_STAT_HEIGHT]
    is_speck = np.minimum(box, filled) < smallest
    is_speck[0] = False  # The paper.
    np.putmask(mask, is_speck[labels], 0)
    left = pieces - 1 - int(np.count_nonzero(is_speck))
    if left <= MAX_PIECES:
        left += cv2.connectedComponents(255 - mask, connectivity=4)[0] - 1
    if left > MAX_PIECES:
        raise FailureToAcquire(
            "too-many-pieces",
            f"The ink falls into more than {MAX_PIECES} pieces and holes: a pattern, print or "
            "noise. Crop the image to the signature alone, or scan it in grey.",
        )


def _border_runs(mask: Mask) -> tuple[float, float, float, float]:
    sides = (mask[:, 0], mask[0, :], mask[:, -1], mask[-1, :])
    left, top, right, bottom = (np.count_nonzero(side) / max(side.size, 1) for side in sides)
    return (left, top, right, bottom)
