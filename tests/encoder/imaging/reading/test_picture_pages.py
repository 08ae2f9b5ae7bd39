"""A picture is upright, whatever its format says of its orientation, and no larger than needed."""

import io
import struct

import numpy as np
import pytest
from PIL import Image, ImageFile

from benchmarks.picture_files import SCAN, STORED, ink_of, likeness, refusal, saved, shows_the_scan
from encoder.imaging.decode import ImageLimits, decode
from encoder.imaging.ink import MAX_SIDE_PX

ORIENTATION = 274
TIFFS = {
    "raw": {},
    "lzw": {"compression": "tiff_lzw"},
    "deflate": {"compression": "tiff_deflate"},
    "strips": {"compression": "packbits", "strip_size": 8192},
    "jpeg": {"compression": "jpeg"},
}


def stored(orientation: int) -> Image.Image:
    return Image.fromarray(np.ascontiguousarray(STORED[orientation]))


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("form", TIFFS)
def test_a_tiff_is_turned_once(form: str, orientation: int) -> None:
    data = saved(stored(orientation), "TIFF", tiffinfo={ORIENTATION: orientation}, **TIFFS[form])
    assert shows_the_scan(data)


@pytest.mark.parametrize("orientation", STORED)
def test_a_fax_is_turned_once(orientation: int) -> None:
    bits = stored(orientation).point(lambda level: 255 * (level > 180)).convert("1")
    data = saved(bits, "TIFF", compression="group4", tiffinfo={ORIENTATION: orientation})
    assert shows_the_scan(data, 0.7)


@pytest.mark.parametrize("orientation", STORED)
def test_a_tiled_tiff_is_turned_once(orientation: int) -> None:
    assert shows_the_scan(tiled(np.ascontiguousarray(STORED[orientation]), orientation))


def tiled(levels: np.ndarray, orientation: int, side: int = 64) -> bytes:
    """A TIFF in tiles; Pillow writes none."""
    height, width = levels.shape
    down, across = -(-height // side), -(-width // side)
    padded = np.full((down * side, across * side), 255, np.uint8)
    padded[:height, :width] = levels
    tiles = [
        padded[y * side : (y + 1) * side, x * side : (x + 1) * side].tobytes()
        for y in range(down)
        for x in range(across)
    ]
    starts = [8 + number * side * side for number in range(len(tiles))]
    lists = 8 + len(tiles) * side * side
    fields = [
        *[(256, width), (257, height), (258, 8), (259, 1), (262, 1), (274, orientation)],
        *[(277, 1), (322, side), (323, side)],
    ]
    directory = lists + 8 * len(tiles)
    entries = b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in fields)
    entries += struct.pack("<HHII", 324, 4, len(tiles), lists)
    entries += struct.pack("<HHII", 325, 4, len(tiles), lists + 4 * len(tiles))
    counts = [side * side] * len(tiles)
    return (
        b"II*\0"
        + struct.pack("<I", directory)
        + b"".join(tiles)
        + struct.pack(f"<{2 * len(tiles)}I", *starts, *counts)
        + struct.pack("<H", len(fields) + 2)
        + entries
        + bytes(4)
    )


@pytest.mark.parametrize("orientation", STORED)
@pytest.mark.parametrize("kind", ["PNG", "JPEG", "WEBP"])
def test_other_formats_are_turned_once(kind: str, orientation: int) -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = orientation
    assert shows_the_scan(saved(stored(orientation), kind, exif=exif))


def test_an_orientation_that_there_is_none_of_turns_nothing() -> None:
    exif = Image.Exif()
    exif[ORIENTATION] = 77
    assert shows_the_scan(saved(SCAN, "JPEG", exif=exif))


class Decoded:
    """The largest picture that Pillow was asked to decode."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.pixels = 0
        load = ImageFile.ImageFile.load_prepare

        def note(image: ImageFile.ImageFile) -> None:
            load(image)
            self.pixels = max(self.pixels, image.im.size[0] * image.im.size[1])

        monkeypatch.setattr(ImageFile.ImageFile, "load_prepare", note)


def test_a_phones_jpeg_is_reduced_while_it_is_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    decoded = Decoded(monkeypatch)
    large = Image.fromarray(SCAN).resize((9600, 9600 * SCAN.shape[0] // SCAN.shape[1]))
    found = decode(saved(large, "JPEG"), ImageLimits(max_image_pixels=5_000_000)).gray
    assert max(found.shape) == MAX_SIDE_PX
    assert decoded.pixels <= 4 * MAX_SIDE_PX**2
    assert likeness(ink_of(found), ink_of(SCAN)) > 0.85


def test_a_progressive_jpeg_is_held_whole_and_so_may_not_be_as_large() -> None:
    large = Image.new("L", (3000, 2000), 255)
    limits = ImageLimits(max_image_pixels=5_000_000)
    assert decode(saved(large, "JPEG"), limits).gray.shape == (1600, 2400)
    with pytest.raises(Exception, match="at most 5000000") as caught:
        decode(saved(large, "JPEG", progressive=True), limits)
    assert caught.value.code == "too-many-pixels"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "BMP"])
def test_a_large_page_is_reduced_to_working_resolution(kind: str) -> None:
    page = np.full((2000, 3600), 240, np.uint8)
    page[1000 : 1000 + SCAN.shape[0], 1000 : 1000 + SCAN.shape[1]] = SCAN
    gray = decode(saved(page, kind)).gray
    assert gray.shape == (1333, 2400)


def test_a_damaged_picture_is_told_with_what_it_is() -> None:
    error = refusal(saved(SCAN, "PNG")[:2000])
    assert error.code == "damaged-image"
    assert f"The PNG of {SCAN.shape[1]} x {SCAN.shape[0]} pixels" in str(error)


def test_a_page_behind_the_first_is_held_to_the_limits_too() -> None:
    blank = Image.new("L", (300, 200), 255)
    large = Image.new("L", (3000, 2000), 255)
    buffer = io.BytesIO()
    blank.save(buffer, "TIFF", save_all=True, append_images=[large])
    with pytest.raises(Exception, match="TIFF page") as caught:
        decode(buffer.getvalue(), ImageLimits(max_image_pixels=1_000_000))
    assert caught.value.code == "too-many-pixels"
