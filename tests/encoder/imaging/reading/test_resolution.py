"""Pixels that a file says are not square are made so, and nonsense is not believed."""

import io
import struct
import zlib
from collections.abc import Callable

import cv2
import numpy as np
import pytest
from PIL import Image

from benchmarks.picture_files import SCAN, aspect_of, ink_of, saved, shows_the_scan
from encoder.imaging.decode import decode

HEIGHT, WIDTH = SCAN.shape
RESOLUTION_UNIT, ACROSS, DOWN = 296, 282, 283
Squeezed = Callable[[Image.Image, float, float], bytes]


def squeezed(across: float, down: float) -> Image.Image:
    """The scan with so many dots across and down where it had 1000 of each."""
    size = (round(WIDTH * across / 1000), round(HEIGHT * down / 1000))
    return Image.fromarray(cv2.resize(SCAN, size, interpolation=cv2.INTER_AREA))


def tiff(unit: int | None) -> Squeezed:
    def write(image: Image.Image, across: float, down: float) -> bytes:
        tags = {ACROSS: across, DOWN: down}
        if unit is not None:
            tags[RESOLUTION_UNIT] = unit
        return saved(image, "TIFF", tiffinfo=tags)

    return write


def png(unit: int) -> Squeezed:
    def write(image: Image.Image, across: float, down: float) -> bytes:
        content = struct.pack(">IIB", round(across), round(down), unit)
        checksum = struct.pack(">I", zlib.crc32(b"pHYs" + content))
        whole = saved(image)
        chunk = struct.pack(">I", 9) + b"pHYs" + content + checksum
        return whole[:33] + chunk + whole[33:]

    return write


def jfif(unit: int) -> Squeezed:
    def write(image: Image.Image, across: float, down: float) -> bytes:
        whole = bytearray(saved(image, "JPEG", quality=95))
        whole[13:18] = struct.pack(">BHH", unit, round(across / 2), round(down / 2))
        return bytes(whole)

    return write


def exif(kind: str) -> Squeezed:
    def write(image: Image.Image, across: float, down: float) -> bytes:
        tags = Image.Exif()
        tags[ACROSS], tags[DOWN], tags[RESOLUTION_UNIT] = across, down, 2
        return saved(image, kind, exif=tags, quality=95)

    return write


def bmp(image: Image.Image, across: float, down: float) -> bytes:
    whole = bytearray(saved(image, "BMP"))
    whole[38:46] = struct.pack("<ii", round(across * 39.37), round(down * 39.37))
    return bytes(whole)


WRITERS = {
    "TIFF per inch": tiff(2),
    "TIFF per centimetre": tiff(3),
    "TIFF without a unit": tiff(1),
    "TIFF that names no unit": tiff(None),
    "PNG per metre": png(1),
    "PNG without a unit": png(0),
    "JFIF without a unit": jfif(0),
    "JFIF per inch": jfif(1),
    "JFIF per centimetre": jfif(2),
    "EXIF in JPEG": exif("JPEG"),
    "EXIF in WebP": exif("WEBP"),
    "BMP": bmp,
}


@pytest.mark.parametrize("dots", [(1000, 480), (500, 1000), (1000, 960), (1000, 300)])
@pytest.mark.parametrize("form", WRITERS)
def test_the_coarser_axis_is_scaled_up(form: str, dots: tuple[int, int]) -> None:
    assert shows_the_scan(WRITERS[form](squeezed(*dots), *dots), 0.8)


@pytest.mark.parametrize("dots", [(1000, 1), (1, 1000), (0, 300), (300, 0), (1000, 200)])
@pytest.mark.parametrize("form", WRITERS)
def test_what_no_device_has_is_not_believed(form: str, dots: tuple[int, int]) -> None:
    try:
        data = WRITERS[form](Image.fromarray(SCAN), *dots)
    except (ZeroDivisionError, struct.error):
        pytest.skip("cannot be written so")
    assert shows_the_scan(data)


@pytest.mark.parametrize("form", ["TIFF per inch", "PNG per metre", "JFIF per inch", "BMP"])
def test_square_pixels_stay_as_they_are(form: str) -> None:
    data = WRITERS[form](Image.fromarray(SCAN), 300, 300)
    assert decode(data).gray.shape == SCAN.shape


def test_one_resolution_without_the_other_says_nothing() -> None:
    assert shows_the_scan(saved(SCAN, "TIFF", tiffinfo={ACROSS: 2.0}))


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["TIFF", "JPEG", "PNG"])
def test_resolution_is_that_of_the_stored_axes(kind: str, orientation: int) -> None:
    upright = np.asarray(squeezed(1000, 480))
    turned = orientation >= 5
    stored = {
        1: upright,
        2: upright[:, ::-1],
        3: upright[::-1, ::-1],
        4: upright[::-1],
        5: upright.T,
        6: np.rot90(upright, 1),
        7: np.rot90(upright, 2).T,
        8: np.rot90(upright, -1),
    }[orientation]
    dots = (480, 1000) if turned else (1000, 480)
    image = Image.fromarray(np.ascontiguousarray(stored))
    tags = Image.Exif()
    tags[274] = orientation
    if kind == "TIFF":
        info = {274: orientation, ACROSS: float(dots[0]), DOWN: float(dots[1]), RESOLUTION_UNIT: 2}
        data = saved(image, "TIFF", tiffinfo=info)
    else:
        data = saved(image, kind, exif=tags, dpi=dots, quality=95)
    assert shows_the_scan(data, 0.8)


def test_a_large_fax_keeps_its_proportions_at_working_resolution() -> None:
    page = np.full((2400, 5000), 255, np.uint8)
    page[1100:1300, 2000:2400] = 0
    options = {"compression": "tiff_lzw", "dpi": (400, 200)}
    gray = decode(saved(Image.fromarray(page), "TIFF", **options)).gray
    assert gray.shape == (2304, 2400)


def fax(scan: np.ndarray, light: int, inverted: bool = False) -> bytes:
    """The coarsest fax of a scan: two levels, 204 x 98 dots an inch."""
    size = (round(WIDTH * 0.68), round(HEIGHT * 0.327))
    bits = cv2.resize(scan, size, interpolation=cv2.INTER_AREA) > light
    buffer = io.BytesIO()
    Image.fromarray(bits != inverted).save(buffer, "TIFF", compression="group4", dpi=(204, 98))
    return buffer.getvalue()


def test_a_coarse_fax_is_in_proportion() -> None:
    found = ink_of(decode(fax(SCAN, 180)).gray)
    assert abs(aspect_of(found) / aspect_of(ink_of(SCAN)) - 1) < 0.06


@pytest.mark.parametrize("inverted", [False, True])
def test_strokes_that_a_coarse_fax_breaks_are_joined(
    inverted: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = fax(SCAN, 150, inverted=inverted)
    joined = pieces(decode(data).gray)
    monkeypatch.setattr("encoder.imaging.reading.resolution.BREAKS_FROM", 99)
    assert joined < 0.8 * pieces(decode(data).gray)


def pieces(gray: np.ndarray) -> int:
    ink = (gray < 128) == (gray.mean() > 128)
    return cv2.connectedComponents(ink.astype(np.uint8))[0] - 1


def test_a_coarse_axis_is_told() -> None:
    assert [one.code for one in decode(fax(SCAN, 180)).warnings] == ["uneven-resolution"]
    assert "2.1 times" in decode(fax(SCAN, 180)).warnings[0].message
    fine = WRITERS["TIFF per inch"](squeezed(1000, 960), 1000, 960)
    assert decode(fine).warnings == ()
