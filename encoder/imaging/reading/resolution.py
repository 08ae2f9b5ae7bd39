"""Pixels that are not square, and pages larger than work is done on: both are resized here.

A fax has twice as many dots across as down; its file says so, and a writer's slant depends on it.
"""

import math

import cv2
from PIL import ExifTags, Image

from encoder.imaging.ink import MAX_SIDE_PX
from encoder.imaging.pixels import Gray, as_uint8

SQUARE = 0.01  # Off by less, resolutions are equal but for rounding.
# More than any device's: a 240 x 72 dpi printer, a 204 x 391 dpi fax. Beyond, the file is wrong.
MAX_ASPECT = 4.0
# In two levels, a stroke thinner than the coarser dots breaks where it covers less than half a dot.
BREAKS_FROM = 1.5  # How many times as coarse that axis is from which such gaps are closed.
TURNED_OVER = range(5, 9)  # EXIF orientations whose rows were columns.


def pixel_aspect(image: Image.Image) -> float:
    """How many times as many dots an inch has across as down; 1 where the file says nothing sane.

    Args:
        image: opened, not loaded yet; across and down as stored, but in a TIFF as upright.
    """
    for across, down in _resolutions(image):
        aspect = across / down if across > 0 and down > 0 else math.nan
        if 1 / MAX_ASPECT <= aspect <= MAX_ASPECT and abs(aspect - 1) > SQUARE:
            turned = image.format == "TIFF" and _orientation(image) in TURNED_OVER
            return 1 / aspect if turned else aspect  # Pillow turns TIFFs by itself.
    return 1.0


def _resolutions(image: Image.Image) -> list[tuple[float, float]]:
    """Pairs across and down, of any unit, as the format has them; the first is to be believed."""
    info = image.info
    if image.format == "TIFF":
        tags = getattr(image, "tag_v2", {})
        return [_pair(tags.get(282), tags.get(283))]
    if image.format in {"JPEG", "MPO"} and _says_more(info.get("jfif_density")):
        return [_pair(*info["jfif_density"])]
    if "aspect" in info:  # A PNG that gives no unit.
        return [_pair(*info["aspect"])]
    if image.format in {"PNG", "BMP"}:  # A PNG's EXIF can stand behind its pixels: not asked.
        return [_pair(*info.get("dpi", (0, 0)))]
    exif = image.getexif()
    return [_pair(exif.get(ExifTags.Base.XResolution), exif.get(ExifTags.Base.YResolution))]


def _says_more(density: object) -> bool:
    """Whether a JPEG's header says more than 1 : 1, which writers put where they know nothing."""
    return density not in {None, (1, 1), (0, 0)}


def _pair(across: object, down: object) -> tuple[float, float]:
    try:
        return float(across), float(down)  # type: ignore[arg-type]
    except (TypeError, ValueError, ZeroDivisionError):
        return 0.0, 0.0


def _orientation(image: Image.Image) -> object:
    return image.getexif().get(ExifTags.Base.Orientation)


def at_working_resolution(gray: Gray, aspect: float = 1.0) -> Gray:
    """Grey levels `(h, w)` with square pixels, and no side longer than `MAX_SIDE_PX`.

    The coarser axis is scaled up: nothing that was scanned is lost.
    """
    height, width = gray.shape
    wide, tall = (width / aspect, height) if aspect < 1 else (width, height * aspect)
    scale = min(1.0, MAX_SIDE_PX / max(wide, tall))
    size = (max(1, round(wide * scale)), max(1, round(tall * scale)))
    if size[0] < width or size[1] < height:  # Reduce by area first, each axis that shrinks.
        reduced = (min(size[0], width), min(size[1], height))
        gray = as_uint8(cv2.resize(gray, reduced, interpolation=cv2.INTER_AREA))
    if size == gray.shape[::-1]:
        return gray
    breaks = max(aspect, 1 / aspect) >= BREAKS_FROM and _has_two_levels(gray)
    gray = as_uint8(cv2.resize(gray, size, interpolation=cv2.INTER_LINEAR))
    return _with_gaps_closed(gray, max(aspect, 1 / aspect)) if breaks else gray


def _has_two_levels(gray: Gray) -> bool:
    counts = cv2.calcHist([gray], [0], None, [256], [0, 256]).ravel()
    return int(counts[0] + counts[-1]) == gray.size


def _with_gaps_closed(gray: Gray, coarseness: float) -> Gray:
    """Grey levels whose ink, the rarer of light and dark, has no gap of half a coarse dot."""
    side = 2 * round(coarseness / 2) + 1
    dot = cv2.getStructuringElement(cv2.MORPH_CROSS, (side, side))
    is_dark_ink = cv2.mean(gray)[0] > 127  # noqa: PLR2004 - The middle of grey.
    close = cv2.MORPH_OPEN if is_dark_ink else cv2.MORPH_CLOSE
    return as_uint8(cv2.morphologyEx(gray, close, dot))
