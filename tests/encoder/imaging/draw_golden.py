"""Draws the golden inputs that are missing: signatures of invented writers, an image of every kind.

The images are committed, because what draws them may change: one that is there stays as it is.
Each is of a writer whose signature a change of single grey levels leaves nearly as it is, so that
another platform's rounding does not look like another preparation. To add a kind, write a function
for it, then run, at the root of the checkout:

    .venv/bin/python tests/encoder/imaging/draw_golden.py
"""

import io
import sys
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from benchmarks.scenes import (
    SCENES,
    bent,
    coloured,
    drawn,
    jpeg,
    line,
    page,
    photographed,
    png,
    printed,
    shaded,
    stamped,
)

FOLDER = Path(__file__).parent / "golden"
ORIENTATION = ExifTags.Base.Orientation


def levels(gray: NDArray[np.float64], seed: int, noise: float) -> NDArray[np.uint8]:
    grain = np.random.default_rng(seed).normal(0, noise, gray.shape)
    return np.clip(gray + grain, 0, 255).astype(np.uint8)


def recoded(scene: tuple[bytes, object], quality: int) -> bytes:
    return jpeg(np.asarray(Image.open(io.BytesIO(scene[0]))), quality)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def clean_grey() -> bytes:
    return png(page(drawn(4), paper=235.5), noise=0.2)


def fax_group_4() -> bytes:
    return saved(Image.open(io.BytesIO(SCENES["fax"][0](1)[0])), "TIFF", compression="group4")


def light_on_dark() -> bytes:
    return png(255 - page(drawn(10), pen=30, paper=215), noise=0)


def bent_ruled_line() -> bytes:
    return recoded(bent(22), 80)


def form_box() -> bytes:
    """A form field whose sides are far from the page's edge, where they would count as scanned."""
    ink = np.pad(drawn(16), 30)
    height, width = ink.shape
    lines = np.zeros_like(ink)
    cv2.rectangle(lines, (36, 40), (width - 37, height - 41), 255, 2)
    return jpeg(levels(printed(page(ink), lines), 16, 1), 80)


def slanting_lines() -> bytes:
    """Lines all over a page that lay askew, as wide as any that are taken out, with a gap."""
    ink = drawn(3)
    lines = np.zeros_like(ink)
    for share in (0.18, 0.4, 0.62, 0.84):
        lines |= line(ink, share, drop=0.025, width=4)
    lines[:, 300:325] = 0
    return saved(Image.fromarray(levels(printed(page(ink), lines, 110), 3, 0)), "PNG")


def pencil() -> bytes:
    return recoded(SCENES["pencil"][0](61), 85)


def faint_ballpoint() -> bytes:
    return png(page(drawn(24), pen=202), noise=0)


def phone_photo() -> bytes:
    return photographed(18)[0]


def shadow() -> bytes:
    return recoded(shaded(11), 80)


def jpeg_mush() -> bytes:
    return jpeg(levels(page(drawn(24)), 24, 3), 9)


def pale_stamp() -> bytes:
    return recoded(stamped(3), 75)


def specks_and_scanned_edge() -> bytes:
    ink = drawn(1)
    gray = page(ink)
    rng = np.random.default_rng(1)
    for row, column in rng.integers(2, np.array(ink.shape) - 2, (60, 2)):
        down, across = rng.integers(1, 6, 2)
        gray[row : row + down, column : column + across] = 70
    gray[:, :3] = 20
    gray[-2:, :] = 40
    return saved(Image.fromarray(levels(gray, 1, 0)), "PNG")


def blue_on_yellow() -> bytes:
    return coloured((60, 80, 160), (248, 235, 150))(24)[0]


def red_ink_webp() -> bytes:
    scene = Image.open(io.BytesIO(coloured((215, 60, 60), (240, 240, 240))(8)[0]))
    return saved(scene, "WEBP", quality=70)


def cmyk_tiff() -> bytes:
    gray = Image.fromarray(levels(page(drawn(24)), 24, 0))
    return saved(gray.convert("RGB").convert("CMYK"), "TIFF", compression="tiff_adobe_deflate")


def transparent() -> bytes:
    """Ink on nothing; what shows through is black where nobody sees it."""
    soft = cv2.GaussianBlur(drawn(3), (3, 3), 0)
    rgba = np.zeros((*soft.shape, 4), np.uint8)
    rgba[..., 2] = 90 * (soft > 0)
    rgba[..., 3] = soft
    return saved(Image.fromarray(rgba), "PNG")


def transparent_palette() -> bytes:
    """Two colours, one of them transparent, as drawing programs save a signature."""
    image = Image.fromarray((drawn(12) > 0).astype(np.uint8), "P")
    image.putpalette([0, 0, 0, 20, 20, 60])
    return saved(image, "PNG", transparency=0)


def sixteen_bit() -> bytes:
    deep = (page(drawn(1), pen=40, paper=250) * 257).astype(np.uint16)
    return saved(Image.fromarray(deep), "PNG")


def turned_jpeg() -> bytes:
    upright = Image.fromarray(levels(page(drawn(4)), 4, 1))
    exif = Image.Exif()
    exif[ORIENTATION] = 6
    return saved(upright.transpose(Image.Transpose.ROTATE_90), "JPEG", quality=75, exif=exif)


def turned_tiff() -> bytes:
    """Seen upside down: Pillow turns a TIFF upright, and `decode` turns it once more."""
    upright = Image.fromarray(levels(page(drawn(11)), 11, 0))
    exif = Image.Exif()
    exif[ORIENTATION] = 3
    turned = upright.transpose(Image.Transpose.ROTATE_180)
    return saved(turned, "TIFF", compression="tiff_adobe_deflate", exif=exif)


def large() -> bytes:
    """Over the longest side that is looked at: it is reduced first."""
    ink = cv2.resize(drawn(6), None, fx=7, fy=7, interpolation=cv2.INTER_LINEAR)
    return saved(Image.fromarray(ink < 128), "PNG")


def marker() -> bytes:
    thick = cv2.dilate(drawn(2), cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (9, 9)))
    return saved(Image.fromarray(levels(page(thick), 2, 0)), "PNG")


def fineliner() -> bytes:
    thin = cv2.erode(drawn(2), np.ones((2, 2), np.uint8))
    return png(page(thin, pen=30), noise=0)


def small() -> bytes:
    """Less than the canvas: it is enlarged."""
    ink = cv2.resize(drawn(14), None, fx=0.35, fy=0.35, interpolation=cv2.INTER_AREA)
    return saved(Image.fromarray(levels(235 - 0.8 * ink.astype(np.float64), 14, 0)), "BMP")


KINDS: dict[str, Callable[[], bytes]] = {
    "clean_grey.png": clean_grey,
    "fax_group_4.tiff": fax_group_4,
    "light_on_dark.png": light_on_dark,
    "bent_ruled_line.jpg": bent_ruled_line,
    "form_box.jpg": form_box,
    "slanting_lines.png": slanting_lines,
    "pencil.jpg": pencil,
    "faint_ballpoint.png": faint_ballpoint,
    "phone_photo.jpg": phone_photo,
    "shadow.jpg": shadow,
    "jpeg_mush.jpg": jpeg_mush,
    "pale_stamp.jpg": pale_stamp,
    "specks_and_scanned_edge.png": specks_and_scanned_edge,
    "blue_on_yellow.jpg": blue_on_yellow,
    "red_ink.webp": red_ink_webp,
    "cmyk.tiff": cmyk_tiff,
    "transparent.png": transparent,
    "transparent_palette.png": transparent_palette,
    "sixteen_bit.png": sixteen_bit,
    "turned.jpg": turned_jpeg,
    "turned.tiff": turned_tiff,
    "large.png": large,
    "marker.png": marker,
    "fineliner.png": fineliner,
    "small.bmp": small,
}

if __name__ == "__main__":
    for name, draw in KINDS.items():
        if not (FOLDER / name).exists():
            (FOLDER / name).write_bytes(draw())
            sys.stdout.write(f"{name}\n")
