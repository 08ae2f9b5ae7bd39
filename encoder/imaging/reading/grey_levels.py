"""Any kind of picture that Pillow has loaded as 8-bit grey, dark ink telling from light paper.

Works in strips of rows: a page of 40 megapixels in wide numbers would weigh several times itself.
"""

import math
from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoder.imaging.pixels import Gray

STRIP_PIXELS = 2_000_000
SAMPLE_PIXELS = 1_000_000  # So many levels of a large picture tell its range.
BRIGHT = 0.999  # Quantile that counts as the brightest level: a hot pixel decides nothing.
MIN_BITS = 8  # Whole numbers of fewer bits are not expected in wider ones.
HALF_RANGE = 128  # Below it, the brightest of 8-bit levels leaves half of the range unused.
DIMMEST = 31  # Below it, the brightest level of an 8-bit picture is black with noise in it.
DIMMEST_OF_16 = 7  # The same where 16 bits were cut to 8: 11 bits at the right look like that.
SEEN = 16  # Opacity, of 255, from which a pixel counts as visible.
OWN_CONTRAST = 18  # Grey levels within what is visible: less, and the ink is the visible itself.
WIDE_UNSIGNED = 1  # TIFF's SampleFormat (tag 339) of numbers without a sign.
SAMPLE_FORMAT = 339


def grey_levels(image: Image.Image, *, cut_from_16: bool = False) -> Gray:
    """Grey levels `(h, w)` uint8 of a loaded picture in any mode, transparency flattened.

    Args:
        image: with its pixels loaded.
        cut_from_16: whether Pillow kept the upper 8 of 16 bits.

    Raises:
        ValueError: it holds numbers that are infinite or none.
    """
    if image.mode.startswith("I") or image.mode == "F":
        return _deep(image)
    luma = np.empty((image.height, image.width), np.uint8)
    alpha = np.empty_like(luma) if image.has_transparency_data else None
    for rows, strip in _strips(image):
        if alpha is None:
            luma[rows] = _luma(strip)
        else:
            with_alpha = strip if strip.mode == "LA" else strip.convert("RGBA")
            alpha[rows] = np.asarray(with_alpha.getchannel("A"))
            luma[rows] = _luma(with_alpha)
    return flattened(luma, alpha, DIMMEST_OF_16 if cut_from_16 else DIMMEST)


def flattened(luma: Gray, alpha: NDArray[np.uint8] | None, dimmest: int = DIMMEST) -> Gray:
    """The same array `(h, w)`, spread over the whole range and without transparency.

    Args:
        luma: grey levels, changed in place.
        alpha: opacity of each, 0 to 255, or None where all are opaque.
        dimmest: the brightest level below which nothing is spread.
    """
    step = _step(luma.size)
    sample = luma[::step, ::step]
    if alpha is None:
        _lift(luma, sample, dimmest)
    else:
        opacity = alpha[::step, ::step]
        _lift(luma, sample[opacity > SEEN], dimmest)
        _flatten(luma, alpha, _backdrop(luma[::step, ::step], opacity))
    return luma


def _strips(image: Image.Image) -> Iterator[tuple[slice, Image.Image]]:
    height = max(1, STRIP_PIXELS // max(image.width, 1))
    if height >= image.height:
        yield slice(None), image
        return
    for top in range(0, image.height, height):
        rows = slice(top, min(top + height, image.height))
        yield rows, image.crop((0, rows.start, image.width, rows.stop))


def _luma(strip: Image.Image) -> Gray:
    if strip.mode == "LAB":
        return np.asarray(strip.getchannel("L"))  # Its lightness is all that is wanted.
    if strip.mode == "LA":
        return np.asarray(strip.getchannel("L"))
    if strip.mode not in {"1", "L", "RGBA"}:
        strip = strip.convert("RGB")  # CMYK, palette, YCbCr: Pillow knows the way.
    return np.asarray(strip.convert("L"))


def _step(pixels: int) -> int:
    """Every which row and column is looked at, of so many pixels."""
    return max(1, math.isqrt(pixels // SAMPLE_PIXELS))


def _brightest(sample: NDArray[np.generic]) -> float:
    """The level that all but the last thousandth stay below: one that is there."""
    place = min(int(BRIGHT * sample.size), sample.size - 1)
    return float(np.partition(sample, place, axis=None)[place])


def _lift(luma: Gray, seen: NDArray[np.uint8], dimmest: int) -> None:
    """Spread, in place, levels that use less than half of the range: a dim page is no dark one."""
    if not seen.size:
        return
    brightest = int(_brightest(seen))
    if dimmest <= brightest < HALF_RANGE:
        white = (1 << brightest.bit_length()) - 1
        table = np.minimum(np.arange(256) * 255 // white, 255).astype(np.uint8)
        np.take(table, luma, out=luma)


def _flatten(luma: Gray, alpha: NDArray[np.uint8], level: int) -> None:
    """Set, in place, what is visible on a page of one level."""
    backdrop = np.uint16(level)
    height = max(1, STRIP_PIXELS // luma.shape[1])
    for top in range(0, len(luma), height):
        rows = slice(top, top + height)
        opacity = alpha[rows].astype(np.uint16)
        mixed = luma[rows] * opacity + backdrop * (255 - opacity)
        luma[rows] = (mixed + 127) // 255


def _backdrop(luma: Gray, alpha: NDArray[np.uint8]) -> int:
    """The grey level of the page beneath: that of visible paper, or what contrasts with ink."""
    visible = luma[alpha > SEEN]
    if not visible.size:
        return 255
    if 2 * visible.size > luma.size:
        darkest, middle, lightest = np.quantile(
            visible, (1 - BRIGHT, 0.5, BRIGHT), method="nearest"
        )
        if lightest - darkest >= OWN_CONTRAST:
            return int(middle)
    weights = np.bincount(luma.ravel(), alpha.ravel(), minlength=256)
    middle = int(np.searchsorted(np.cumsum(weights), weights.sum() / 2))
    return 255 if middle < HALF_RANGE else 0


def _deep(image: Image.Image) -> Gray:
    """Reduce whole numbers of up to 32 bits, and fractions, to 8 bits by the range they use.

    White is the least power of two, less one, that holds all levels: 12 bits at the right of 16
    are as bright as at the left. Fractions up to 1 are taken as they are.
    """
    unsigned = image.mode == "I" and _is_unsigned(image)
    step = _step(image.width * image.height)
    parts = [
        _numbers(strip, unsigned=unsigned)[::step, ::step].ravel() for _, strip in _strips(image)
    ]
    sample = np.concatenate(parts)
    if not np.isfinite(sample).all():
        raise ValueError("the picture holds values that are not numbers")
    darkest, brightest = float(sample.min()), _brightest(sample)
    least = 1.0 if image.mode == "F" else float(2**MIN_BITS - 1)
    reach = max(brightest, -darkest)
    white = least if reach <= least else 2.0 ** np.ceil(np.log2(reach + 1)) - 1
    black = -white if darkest < 0 else 0.0  # Numbers with a sign have their middle at 0.
    gray = np.empty((image.height, image.width), np.uint8)
    for rows, strip in _strips(image):
        levels = _numbers(strip, unsigned=unsigned).astype(np.float64)
        if not np.isfinite(levels).all():
            raise ValueError("the picture holds values that are not numbers")
        gray[rows] = np.clip((levels - black) * (255.0 / (white - black)), 0, 255)
    return gray


def _numbers(strip: Image.Image, *, unsigned: bool) -> NDArray[np.generic]:
    numbers = np.asarray(strip)
    return numbers.view(np.uint32) if unsigned else numbers


def _is_unsigned(image: Image.Image) -> bool:
    """Whether 32-bit numbers of a TIFF have no sign; Pillow reads all as if they had one."""
    tags = getattr(image, "tag_v2", {})
    return tags.get(258) == (32,) and tags.get(SAMPLE_FORMAT, (1,))[0] == WIDE_UNSIGNED
