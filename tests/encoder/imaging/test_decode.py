"""Every format is read the same way, upright, on white; bad files are refused before they weigh."""

import io
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from encoder.errors import ImageError, OversizeImage, UndecodableImage
from encoder.imaging.decode import ImageLimits, decode

CODES = {"unsupported-format", "damaged-image", "too-many-pixels", "too-complex", "no-ink"}
RNG = np.random.default_rng(0)
SMOOTH = np.add.outer(np.arange(60), np.arange(100)).astype(np.uint8)


def saved(image: Image.Image, kind: str, **options: object) -> bytes:
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


@pytest.mark.parametrize(
    ("kind", "media_type", "tolerance"),
    [
        ("PNG", "image/png", 0),
        ("BMP", "image/bmp", 0),
        ("TIFF", "image/tiff", 0),
        ("WEBP", "image/webp", 6),
        ("JPEG", "image/jpeg", 6),
    ],
)
def test_reads_every_format(kind: str, media_type: str, tolerance: int) -> None:
    decoded = decode(saved(Image.fromarray(SMOOTH), kind))
    assert decoded.media_type == media_type
    assert decoded.gray.dtype == np.uint8
    assert np.abs(decoded.gray.astype(int) - SMOOTH).max() <= tolerance
    assert decoded.warnings == ()


@pytest.mark.parametrize("orientation", range(1, 9))
def test_turns_upright_after_exif(orientation: int) -> None:
    turned = {
        1: SMOOTH,
        2: SMOOTH[:, ::-1],
        3: SMOOTH[::-1, ::-1],
        4: SMOOTH[::-1],
        5: SMOOTH.T,
        6: np.rot90(SMOOTH, 1),
        7: np.rot90(SMOOTH, 2).T,
        8: np.rot90(SMOOTH, -1),
    }[orientation]
    image = Image.fromarray(np.ascontiguousarray(turned))
    exif = Image.Exif()
    exif[0x0112] = orientation
    decoded = decode(saved(image, "PNG", exif=exif))
    assert np.array_equal(decoded.gray, SMOOTH)


def test_flattens_transparency_on_white() -> None:
    rgba = np.zeros((4, 4, 4), np.uint8)
    rgba[0, 0] = (0, 0, 0, 255)
    rgba[1, 1] = (0, 0, 0, 128)
    gray = decode(saved(Image.fromarray(rgba), "PNG")).gray
    assert gray[0, 0] == 0
    assert 120 <= gray[1, 1] <= 135
    assert gray[3, 3] == 255


def test_reads_16_bit_and_1_bit() -> None:
    deep = SMOOTH.astype(np.uint16) * 257
    assert np.abs(decode(saved(Image.fromarray(deep), "PNG")).gray.astype(int) - SMOOTH).max() <= 1
    bits = Image.fromarray(SMOOTH > 80)
    assert set(np.unique(decode(saved(bits, "TIFF")).gray)) == {0, 255}


def test_reads_cmyk_jpeg_and_palette() -> None:
    color = Image.fromarray(SMOOTH).convert("RGB")
    for image, kind in ((color.convert("CMYK"), "JPEG"), (color.quantize(256), "PNG")):
        assert np.abs(decode(saved(image, kind)).gray.astype(int) - SMOOTH).max() <= 12


def test_reads_a_phones_picture_of_two_parts() -> None:
    pages = [Image.fromarray(SMOOTH), Image.fromarray(255 - SMOOTH)]
    decoded = decode(saved(pages[0], "MPO", save_all=True, append_images=pages[1:]))
    assert decoded.media_type == "image/jpeg"
    assert decoded.warnings == ()
    assert np.abs(decoded.gray.astype(int) - SMOOTH).max() <= 6


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP", "WEBP", "JPEG"])
def test_damage_anywhere_is_an_image_error(kind: str) -> None:
    options = {"compression": "tiff_lzw"} if kind == "TIFF" else {}
    whole = saved(Image.fromarray(SMOOTH), kind, **options)
    rng = np.random.default_rng(9)
    for _ in range(300):
        damaged = bytearray(whole)
        for place in rng.integers(0, min(len(whole), 400), 4):
            damaged[place] = rng.integers(256)
        try:
            decode(bytes(damaged))
        except ImageError as error:
            assert error.code in CODES  # noqa: PT017 - damage may also be harmless.


def test_a_palette_image_without_its_palette_is_damaged() -> None:
    header = png_chunk(b"IHDR", struct.pack(">IIBBBBB", 4, 4, 8, 3, 0, 0, 0))
    pixels = png_chunk(b"IDAT", zlib.compress(bytes(20)))
    with pytest.raises(UndecodableImage) as caught:
        decode(b"\x89PNG\r\n\x1a\n" + header + pixels + png_chunk(b"IEND", b""))
    assert caught.value.code == "damaged-image"


def test_refuses_a_jpeg_that_is_painted_over_and_over() -> None:
    whole = saved(Image.fromarray(SMOOTH), "JPEG", progressive=True)
    assert decode(whole).gray.shape == SMOOTH.shape
    last = whole.rindex(b"\xff\xda")
    with pytest.raises(OversizeImage) as caught:
        decode(whole[:last] + whole[last:-2] * 200 + whole[-2:])
    assert caught.value.code == "too-many-scans"


def png_header(width: int, height: int) -> bytes:
    size = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + png_chunk(b"IHDR", size) + png_chunk(b"IDAT", b"")


def png_chunk(kind: bytes, content: bytes) -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def test_refuses_too_many_pixels_from_the_header_alone() -> None:
    # No pixel data follows: were it decompressed, it would be "damaged" instead.
    for side in (30_000, 2**31 - 1):
        with pytest.raises(OversizeImage) as caught:
            decode(png_header(side, side))
        assert caught.value.code == "too-many-pixels"


def test_refuses_too_many_bytes() -> None:
    with pytest.raises(OversizeImage, match="at most 100 are read") as caught:
        decode(b"x" * 101, ImageLimits(max_image_bytes=100))
    assert caught.value.code == "too-many-bytes"


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b"", "empty-file"),
        (b"Dear Sir or Madam", "unsupported-format"),
        (b"<svg xmlns='http://www.w3.org/2000/svg'/>", "unsupported-format"),
        (saved(Image.fromarray(SMOOTH), "GIF"), "unsupported-format"),
        (
            saved(Image.fromarray(RNG.integers(0, 255, (60, 100), np.uint8)), "PNG")[:900],
            "damaged-image",
        ),
        (
            saved(Image.fromarray(RNG.integers(0, 255, (60, 100), np.uint8)), "JPEG")[:700],
            "damaged-image",
        ),
    ],
)
def test_refuses_what_is_no_whole_image(data: bytes, code: str) -> None:
    with pytest.raises(UndecodableImage) as caught:
        decode(data)
    assert caught.value.code == code
