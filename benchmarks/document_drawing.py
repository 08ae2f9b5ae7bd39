"""Takes a scan's signature apart from its paper, makes room around it, and prints beside it."""

from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from encoder.imaging.ink import clean
from encoder.synthesis import synthetic_writer

Gray = NDArray[np.uint8]  # (h, w)
Picture = NDArray[np.uint8]  # (h, w) or (h, w, 3) red, green, blue
Scene = tuple[Picture, tuple[int, int]]  # A picture, and where the scan's corner lies: x, y.

FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
FONTS_TRIED = 24
MARGIN_PX = 12


def scan_of(seed: int, number: int = 5) -> Gray:
    """A genuine signature of an invented writer, as a scanner sees it."""
    return synthetic_writer(seed).genuine(number)


def ink_of(scan: Gray) -> Gray:
    """The ink `(h, w)`, 0 or 255, that is found in a clean scan of nothing else."""
    cleaned = clean(scan)
    left, top, width, height = cleaned.box
    ink = np.zeros(scan.shape, np.uint8)
    ink[top : top + height, left : left + width] = cleaned.ink
    return ink


def with_room(
    scan: Gray, rng: np.random.Generator, sides: tuple[int, int, int, int]
) -> tuple[Gray, tuple[int, int, int, int]]:
    """The ink with room at its left, top, right, bottom; and the ink's box in that."""
    left, top, width, height = cv2.boundingRect(ink_of(scan))
    cut = scan[top : top + height, left : left + width]
    paper = float(np.median(scan))
    before, above, behind, below = (side + MARGIN_PX for side in sides)
    shape = (height + above + below, width + before + behind)
    page = np.clip(rng.normal(paper, 2.0, shape), 0, 255).astype(np.uint8)
    page[above : above + height, before : before + width] = cut
    return page, (before, above, width, height)


def placed(picture: Picture, scan: Gray, box: tuple[int, int, int, int]) -> Scene:
    """The scene of a picture in which the ink of a scan has this box."""
    left, top, _, _ = cv2.boundingRect(ink_of(scan))
    return picture, (box[0] - left, box[1] - top)


@cache
def _font_files() -> tuple[Path, ...]:
    files = sorted(path for folder in FONT_FOLDERS for path in folder.rglob("*.ttf"))
    step = max(1, len(files) // FONTS_TRIED)
    return tuple(files[::step])


def _font(rng: np.random.Generator, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    files = _font_files()
    number = int(rng.integers(len(files) + 1))
    if number == len(files):
        return ImageFont.load_default(size)
    return ImageFont.truetype(files[number], size)


def typed(text: str, rng: np.random.Generator, size: int) -> Gray:
    """A line of print `(h, w)`, 0 to 255 ink, cropped: TrueType, or OpenCV's Hershey fonts."""
    if rng.random() < 0.15 and text.isascii():
        face = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
        drawn = np.zeros((3 * size, 2 * size * len(text)), np.uint8)
        scale, thick = size / 30, max(1, size // 14)
        cv2.putText(drawn, text, (5, 2 * size), face, scale, 255, thick, cv2.LINE_AA)
    else:
        image = Image.new("L", (2 * size * len(text), 3 * size))
        ImageDraw.Draw(image).text((5, size // 2), text, 255, font=_font(rng, size))
        drawn = np.asarray(image, np.uint8)
    left, top, width, height = cv2.boundingRect(drawn)
    return drawn[top : top + height, left : left + width]


def print_on(
    page: Picture, ink: Gray, x: int, y: int, tone: tuple[int, ...] | int, strength: float = 1.0
) -> None:
    """Print ink (0 to 255) onto a page in place; it darkens what lies under it."""
    top, left = max(0, y), max(0, x)
    seen = ink[top - y : page.shape[0] - y, left - x : page.shape[1] - x]
    if not seen.size:
        return
    part = page[top : top + seen.shape[0], left : left + seen.shape[1]].astype(np.float64)
    share = strength * cv2.GaussianBlur(seen, (3, 3), 0).astype(np.float64) / 255
    colour = np.asarray(tone, np.float64)
    if part.ndim == 3:
        share = share[..., None]
    printed = np.minimum(part, part * (1 - share) + colour * share)
    page[top : top + seen.shape[0], left : left + seen.shape[1]] = printed.astype(np.uint8)


def any_tone(rng: np.random.Generator) -> int:
    """The grey level of some print."""
    return int(rng.choice([20, 50, 90]))
