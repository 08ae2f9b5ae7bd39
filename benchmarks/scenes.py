"""Signatures of invented writers as forms, phones and fax show them, with the ink that is in them.

Each scene gives an image file and the true ink mask; how much of it cleaning must find is beside
it. The tests hold cleaning to that, and `cleaning_sheet` shows it.
"""

import io
from collections.abc import Callable

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.synthesis import encode_png, synthetic_writer

Mask = NDArray[np.uint8]  # (h, w), 0 or 255
Levels = NDArray[np.float64]  # (h, w) or (h, w, 3)
Scene = tuple[bytes, Mask]  # An image file and the ink that is truly in it.
MARGIN_PX = 24
STAMP = 185.0  # Grey level of a stamp: paper is 235, a pen 60.
WHITE = (240.0, 240.0, 240.0)


def drawn(seed: int) -> Mask:
    """The ink of an invented writer, alone on a page with some room around it."""
    scan = synthetic_writer(seed).genuine(0)
    split = (int(scan.max()) + int(scan.min())) / 2
    ink = (scan < split).astype(np.uint8) * 255
    left, top, width, height = cv2.boundingRect(ink)
    tight = ink[top : top + height, left : left + width]
    return np.pad(tight, MARGIN_PX)


def page(ink: Mask, pen: float = 60, paper: float = 235) -> Levels:
    """Grey levels of ink on paper, its edges soft as a scanner sees them."""
    soft = cv2.GaussianBlur(ink, (3, 3), 0).astype(np.float64) / 255
    return paper - (paper - pen) * soft


def printed(levels: Levels, lines: Mask, shade: float = 80) -> Levels:
    """Thin lines printed over a page, soft at their edges."""
    soft = cv2.GaussianBlur(lines, (3, 3), 0).astype(np.float64) / 255
    return np.minimum(levels, 235 - (235 - shade) * soft)


def png(levels: Levels, seed: int = 0, noise: float = 2.0) -> bytes:
    """A grey PNG of levels, with the noise of a scanner."""
    rng = np.random.default_rng(seed)
    return encode_png(np.clip(levels + rng.normal(0, noise, levels.shape), 0, 255).astype(np.uint8))


def line(ink: Mask, height: float, drop: float = 0.0, width: int = 2) -> Mask:
    """One line across the whole page at a share of its height, falling `drop` of its width."""
    lines = np.zeros_like(ink)
    row, fall = height * ink.shape[0], drop * ink.shape[1]
    ends = [(0, round(row - fall / 2)), (ink.shape[1], round(row + fall / 2))]
    cv2.line(lines, ends[0], ends[1], 255, width)
    return lines


def baseline(seed: int) -> Scene:
    """The line to sign on."""
    ink = drawn(seed)
    return png(printed(page(ink), line(ink, 0.62))), ink


def slanting(seed: int) -> Scene:
    """The line of a page that lay askew."""
    ink = drawn(seed)
    return png(printed(page(ink), line(ink, 0.5, drop=0.025, width=3))), ink


def bent(seed: int) -> Scene:
    """A rule on paper that does not lie flat."""
    ink = drawn(seed)
    x = np.arange(ink.shape[1])
    y = 0.55 * ink.shape[0] + 3 * np.sin(np.pi * x / ink.shape[1])
    lines = np.zeros_like(ink)
    cv2.polylines(lines, [np.stack([x, y], axis=1).round().astype(np.int32)], False, 255, 2)
    return png(printed(page(ink), lines)), ink


def notebook(seed: int) -> Scene:
    """Lines all over the page."""
    ink = drawn(seed)
    levels = page(ink)
    for height in np.arange(0.15, 1.0, 0.2):
        levels = printed(levels, line(ink, height), 120)
    return png(levels), ink


def pale_notebook(seed: int) -> Scene:
    """Lines all over the page, in pale print."""
    ink = drawn(seed)
    levels = page(ink)
    for height in np.arange(0.15, 1.0, 0.2):
        levels = printed(levels, line(ink, height), 195)
    return png(levels), ink


def boxed(seed: int) -> Scene:
    """A form field's frame around the signature, with descenders over its lower side."""
    ink = drawn(seed)
    lines = np.zeros_like(ink)
    height, width = ink.shape
    cv2.rectangle(lines, (8, 12), (width - 9, round(0.8 * height)), 255, 2)
    return png(printed(page(ink), lines)), ink


def tight_box(seed: int) -> Scene:
    """A frame whose upright side runs through the last strokes as well."""
    ink = drawn(seed)
    lines = np.zeros_like(ink)
    height, width = ink.shape
    cv2.rectangle(lines, (4, 16), (width - 5, height - 17), 255, 3)
    cv2.line(lines, (width * 2 // 3, 16), (width * 2 // 3, height - 17), 255, 2)
    return png(printed(page(ink), lines)), ink


def stamped(seed: int) -> Scene:
    """A stamp of pale ink over a corner of the signature."""
    ink = drawn(seed)
    height, width = ink.shape
    stamp = np.zeros_like(ink)
    centre, radius = (round(0.8 * width), round(0.6 * height)), round(0.35 * height)
    cv2.circle(stamp, centre, radius, 255, 5)
    cv2.circle(stamp, centre, round(0.7 * radius), 255, 3)
    return png(printed(page(ink), stamp, STAMP)), ink


def shaded(seed: int) -> Scene:
    """The soft edge of a phone's shadow across the page."""
    ink = drawn(seed)
    x = np.linspace(0, 1, ink.shape[1])[None, :]
    return png(page(ink) * (1.0 - 0.5 / (1.0 + np.exp(-18 * (x - 0.5)))), noise=4), ink


def photographed(seed: int) -> Scene:
    """Seen askew, in shadow, blurred, with noise, as JPEG."""
    ink = drawn(seed)
    height, width = ink.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    moved = corners + np.array([[14, 8], [-10, 4], [-3, -9], [6, -5]], np.float32)
    askew = cv2.getPerspectiveTransform(corners, moved)
    seen = cv2.warpPerspective(page(ink), askew, (width, height), borderMode=cv2.BORDER_REPLICATE)
    truth = cv2.warpPerspective(ink, askew, (width, height))
    light = np.linspace(1.0, 0.55, height)[:, None]
    noise = np.random.default_rng(seed).normal(0, 5, ink.shape)
    levels = np.clip(cv2.GaussianBlur(seen * light, (0, 0), 0.9) + noise, 0, 255).astype(np.uint8)
    return jpeg(levels, 80), (truth > 127).astype(np.uint8) * 255


def jpeg(levels: NDArray[np.uint8], quality: int) -> bytes:
    """A JPEG of levels."""
    buffer = io.BytesIO()
    Image.fromarray(levels).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def coloured(pen: tuple[float, ...], paper: tuple[float, ...]) -> Callable[[int], Scene]:
    """Ink and paper of a colour, as a JPEG with its usual blurred colours."""

    def scene(seed: int) -> Scene:
        ink = drawn(seed)
        soft = cv2.GaussianBlur(ink, (3, 3), 0).astype(np.float64)[..., None] / 255
        levels = np.array(paper) - (np.array(paper) - np.array(pen)) * soft
        levels = levels + np.random.default_rng(seed).normal(0, 4, levels.shape)
        return jpeg(np.clip(levels, 0, 255).astype(np.uint8), 85), ink

    return scene


def pencil(seed: int) -> Scene:
    """Grey, grainy, uneven in pressure."""
    ink = drawn(seed)
    rng = np.random.default_rng(seed)
    grain = cv2.GaussianBlur(rng.normal(0, 1, ink.shape), (0, 0), 0.8)
    soft = cv2.GaussianBlur(ink, (3, 3), 0).astype(np.float64) / 255
    return png(235 - soft * np.clip(65 + 30 * grain, 10, 120), noise=3), ink


def faint(seed: int) -> Scene:
    """A ballpoint that hardly writes."""
    ink = drawn(seed)
    return png(page(ink, pen=200), noise=3), ink


def fax(seed: int) -> Scene:
    """Two levels, half the resolution, with flipped pixels."""
    ink = drawn(seed)
    half = cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ink = (half > 110).astype(np.uint8) * 255
    flipped = np.random.default_rng(seed).random(ink.shape) < 0.003
    buffer = io.BytesIO()
    Image.fromarray((ink == 0) ^ flipped).save(buffer, "PNG")
    return buffer.getvalue(), ink


def faxed_form(seed: int) -> Scene:
    """A form with two lines, by fax."""
    ink = drawn(seed)
    lines = line(ink, 0.6, width=3) | line(ink, 0.95, width=3)
    half = cv2.resize(ink, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    page_half = cv2.resize(ink | lines, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    flipped = np.random.default_rng(seed).random(half.shape) < 0.003
    buffer = io.BytesIO()
    Image.fromarray((page_half <= 110) ^ flipped).save(buffer, "PNG")
    return buffer.getvalue(), (half > 110).astype(np.uint8) * 255


SCENES: dict[str, tuple[Callable[[int], Scene], float]] = {
    "cheque line": (baseline, 0.85),
    "slanting line": (slanting, 0.82),
    "line on bent paper": (bent, 0.85),
    "notebook": (notebook, 0.75),
    "pale notebook": (pale_notebook, 0.85),
    "form field": (boxed, 0.75),
    "tight form field": (tight_box, 0.85),
    "pale stamp": (stamped, 0.8),
    "shadow": (shaded, 0.7),
    "phone photo": (photographed, 0.67),
    "blue on white": (coloured((40, 60, 170), WHITE), 0.85),
    "light blue on white": (coloured((150, 180, 235), WHITE), 0.85),
    "red on white": (coloured((215, 60, 60), WHITE), 0.85),
    "pink on white": (coloured((250, 165, 185), WHITE), 0.85),
    "blue on yellow": (coloured((60, 80, 160), (248, 235, 150)), 0.8),
    "red on yellow": (coloured((225, 120, 80), (248, 235, 150)), 0.8),
    "blue on blue paper": (coloured((90, 130, 200), (185, 215, 245)), 0.8),
    "black on pink paper": (coloured((50, 50, 50), (245, 190, 200)), 0.8),
    "pencil": (pencil, 0.85),
    "faint ballpoint": (faint, 0.85),
    "fax": (fax, 0.9),
    "faxed form": (faxed_form, 0.8),
}


def found_in(data: bytes, size: tuple[int, int]) -> Mask:
    """The ink `size` that cleaning finds in a file, at its place on the page."""
    cleaned = clean(decode(data).gray)
    found = np.zeros(size, np.uint8)
    left, top, width, height = cleaned.box
    found[top : top + height, left : left + width] = cleaned.ink
    return found


def overlap(found: Mask, ink: Mask) -> float:
    """Intersection over union of the ink found and the ink that is there."""
    return cv2.countNonZero(found & ink) / max(cv2.countNonZero(found | ink), 1)
