"""Ink is told from paper in every kind of number, colour and transparency."""

import struct
import zlib

import numpy as np
import pytest
from PIL import Image, ImageCms

from benchmarks.picture_files import SCAN, saved, shows_the_scan
from encoder.imaging.decode import decode

INK = 255 - SCAN  # Opacity of the ink, where it is all that is there.


@pytest.mark.parametrize("bits", [9, 10, 11, 12, 13, 14, 15, 16])
@pytest.mark.parametrize("side", ["left", "right"])
@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_grey_of_any_depth_in_16_bits(kind: str, side: str, bits: int) -> None:
    levels = SCAN.astype(np.uint16) << (bits - 8)
    if side == "left":
        levels <<= 16 - bits
    assert shows_the_scan(saved(levels, kind))


@pytest.mark.parametrize("order", ["<", ">"])
@pytest.mark.parametrize("bits", [12, 16])
def test_either_order_of_bytes(bits: int, order: str) -> None:
    levels = (SCAN.astype(np.uint16) << (bits - 8)).astype(f"{order}u2")
    assert shows_the_scan(tiff_of(levels))


def tiff_of(levels: np.ndarray, signed: bool = False, white_is_zero: bool = False) -> bytes:
    """A TIFF of whole numbers as they lie in memory; Pillow writes not all of them."""
    order = ">" if levels.dtype.byteorder == ">" else "<"
    height, width = levels.shape
    pixels = levels.tobytes()
    fields = [
        *[(256, width), (257, height), (258, 8 * levels.itemsize), (259, 1)],
        *[(262, 0 if white_is_zero else 1), (273, 8), (277, 1), (278, height)],
        *[(279, len(pixels)), (339, 2 if signed else 1)],
    ]
    entries = b"".join(struct.pack(order + "HHII", tag, 4, 1, value) for tag, value in fields)
    head = b"II*\0" if order == "<" else b"MM\0*"
    directory = struct.pack(order + "H", len(fields)) + entries + bytes(4)
    return head + struct.pack(order + "I", 8 + len(pixels)) + pixels + directory


@pytest.mark.parametrize(
    "levels",
    [
        (SCAN.astype(np.int32) - 128 << 8).astype(np.int16),
        (SCAN.astype(np.int16) << 4),
        (SCAN.astype(np.int16) - 128 << 3),
        (SCAN.astype(np.int16) - 256 << 4),
    ],
    ids=["the whole range", "positive, 12 bits", "11 bits about the middle", "negative"],
)
def test_grey_with_a_sign(levels: np.ndarray) -> None:
    assert shows_the_scan(tiff_of(levels, signed=True))


@pytest.mark.parametrize("shift", [0, 4, 8, 16, 24])
def test_32_bits_without_a_sign(shift: int) -> None:
    assert shows_the_scan(tiff_of(SCAN.astype(np.uint32) << shift))


@pytest.mark.parametrize("shift", [0, 8, 16, 23])
def test_32_bits_with_a_sign(shift: int) -> None:
    assert shows_the_scan(tiff_of(SCAN.astype(np.int32) << shift, signed=True))


@pytest.mark.parametrize(
    "levels",
    [SCAN / 255, SCAN / 300, SCAN / 2.55, SCAN * 1.0, SCAN * 257.0, SCAN / 127.5 - 1],
    ids=["to 1", "to 0.85", "to 100", "to 255", "to 65535", "about 0"],
)
def test_fractions(levels: np.ndarray) -> None:
    assert shows_the_scan(saved(levels.astype(np.float32), "TIFF"))


def test_numbers_that_are_none_are_damage() -> None:
    levels = (SCAN / 255).astype(np.float32)
    levels[3, 4] = np.nan
    with pytest.raises(Exception, match="TIFF of") as caught:
        decode(saved(levels, "TIFF"))
    assert caught.value.code == "damaged-image"


def test_one_bright_pixel_decides_nothing() -> None:
    levels = SCAN.astype(np.uint16) << 4
    levels[5, 5] = 65535
    assert shows_the_scan(saved(levels, "PNG"))


def test_a_blank_page_in_12_bits_gains_no_ink() -> None:
    noise = np.random.default_rng(1).normal(3800, 12, SCAN.shape).astype(np.uint16)
    assert np.ptp(decode(saved(noise)).gray) < 10


@pytest.mark.parametrize("bits", [11, 12, 14, 16])
@pytest.mark.parametrize("channels", [2, 3, 4])
def test_colour_and_opacity_of_16_bits(channels: int, bits: int) -> None:
    levels = SCAN.astype(np.uint16) << (bits - 8)
    opaque = np.full_like(levels, (1 << bits) - 1 if bits == 16 else 65535)
    planes = [levels] * (channels if channels == 3 else channels - 1)
    if channels != 3:
        planes.append(opaque)
    assert shows_the_scan(png16(np.stack(planes, axis=-1)), 0.85)


def png16(planes: np.ndarray) -> bytes:
    """A PNG of 16 bits in several channels; Pillow writes none."""
    height, width, channels = planes.shape
    colour = {2: 4, 3: 2, 4: 6}[channels]
    rows = planes.astype(">u2").reshape(height, -1)
    lines = b"".join(b"\0" + row.tobytes() for row in rows)

    def chunk(kind: bytes, content: bytes) -> bytes:
        checksum = struct.pack(">I", zlib.crc32(kind + content))
        return struct.pack(">I", len(content)) + kind + content + checksum

    head = struct.pack(">IIBBBBB", width, height, 16, colour, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", head)
        + chunk(b"IDAT", zlib.compress(lines))
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("tone", [0, 40, 100, 160, 215, 255])
@pytest.mark.parametrize("kind", ["PNG", "WEBP", "TIFF"])
@pytest.mark.parametrize("mode", ["RGBA", "LA"])
def test_ink_of_any_tone_on_transparency(mode: str, kind: str, tone: int) -> None:
    if kind == "WEBP" and mode == "LA":
        pytest.skip("WebP has no grey")
    opacity = np.where(INK > 60, 255, 0).astype(np.uint8)
    planes = [np.full_like(INK, tone)] * (1 if mode == "LA" else 3) + [opacity]
    options = {"lossless": True} if kind == "WEBP" else {}
    assert shows_the_scan(saved(Image.fromarray(np.dstack(planes), mode), kind, **options), 0.85)


@pytest.mark.parametrize("ink", [0, 255])
def test_edges_that_were_multiplied_with_their_opacity(ink: int) -> None:
    soft = np.clip((INK.astype(int) - 40) * 6, 0, 255).astype(np.uint8)
    colour = (soft.astype(int) * ink // 255).astype(np.uint8)  # Darker towards the edges.
    assert shows_the_scan(saved(Image.fromarray(np.dstack([colour] * 3 + [soft]), "RGBA")), 0.8)


@pytest.mark.parametrize("ink", [0, 255])
def test_a_palette_with_a_transparent_entry(ink: int) -> None:
    picture = Image.fromarray((INK > 60).astype(np.uint8), "P")
    picture.putpalette([128, 128, 128, ink, ink, ink])
    assert shows_the_scan(saved(picture, "PNG", transparency=0), 0.85)


@pytest.mark.parametrize("page", ["light", "dark"])
def test_an_opaque_picture_with_transparent_corners_is_a_picture(page: str) -> None:
    levels = SCAN if page == "light" else 255 - SCAN
    opacity = np.full_like(SCAN, 255)
    for rows in (slice(0, 12), slice(-12, None)):
        for columns in (slice(0, 12), slice(-12, None)):
            opacity[rows, columns] = 0
    assert shows_the_scan(saved(Image.fromarray(np.dstack([levels, opacity]), "LA")))


def test_a_page_that_is_half_transparent_is_a_page() -> None:
    opacity = np.full_like(SCAN, 128)
    assert shows_the_scan(saved(Image.fromarray(np.dstack([SCAN, opacity]), "LA")))


def test_ink_that_was_cut_out_of_a_page_is_ink() -> None:
    opacity = np.where(INK > 60, 0, 255).astype(np.uint8)
    white = np.full_like(SCAN, 255)
    assert shows_the_scan(saved(Image.fromarray(np.dstack([white, opacity]), "LA")), 0.85)


def test_one_level_may_stand_for_transparency() -> None:
    white_ink = np.where(INK > 60, 255, 0).astype(np.uint8)
    assert shows_the_scan(saved(Image.fromarray(white_ink), "PNG", transparency=0), 0.85)


def test_a_dim_photo_is_no_dark_page() -> None:
    assert shows_the_scan(saved((SCAN * 0.4).astype(np.uint8)))


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "BMP"])
def test_one_bit_of_either_meaning(kind: str) -> None:
    for bits in (SCAN > 180, SCAN <= 180):
        assert shows_the_scan(saved(Image.fromarray(bits), kind), 0.7)


def test_a_tiff_may_count_from_white() -> None:
    assert shows_the_scan(tiff_of(255 - SCAN, white_is_zero=True))
    assert shows_the_scan(tiff_of(65535 - SCAN.astype(np.uint16) * 257, white_is_zero=True))


@pytest.mark.parametrize("mode", ["CMYK", "LAB", "YCbCr", "P"])
def test_other_colours(mode: str) -> None:
    colour = Image.fromarray(SCAN).convert("RGB")
    if mode == "LAB":
        planes = np.dstack([SCAN, np.zeros_like(SCAN), np.zeros_like(SCAN)])
        picture = Image.frombytes("LAB", colour.size, planes.tobytes())
    else:
        picture = colour.convert(mode)
    kind = "PNG" if mode == "P" else "TIFF"
    assert shows_the_scan(saved(picture, kind))


def test_a_cmyk_jpeg_as_printers_send_it() -> None:
    assert shows_the_scan(saved(Image.fromarray(SCAN).convert("RGB").convert("CMYK"), "JPEG"))


@pytest.mark.parametrize("kind", ["PNG", "JPEG", "TIFF", "WEBP"])
def test_a_colour_profile_changes_nothing(kind: str) -> None:
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    colour = Image.fromarray(SCAN).convert("RGB")
    for icc in (profile, b"no profile at all"):
        with_profile = decode(saved(colour, kind, icc_profile=icc)).gray
        assert np.array_equal(with_profile, decode(saved(colour, kind)).gray)


def test_large_pictures_are_the_same_in_strips() -> None:
    page = np.full((1500, 2400), 240, np.uint8)
    page[700 : 700 + SCAN.shape[0], 900 : 900 + SCAN.shape[1]] = SCAN
    assert np.array_equal(decode(saved(page)).gray, page)
    deep = decode(saved(page.astype(np.uint16) * 257)).gray
    assert np.array_equal(deep, page)
    assert np.array_equal(decode(saved(Image.fromarray(page).convert("RGB"))).gray, page)
