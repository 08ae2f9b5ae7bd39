"""What a file would make its reader do is counted before it is opened."""

import struct
import zlib

import pytest
from PIL import Image

from benchmarks.picture_files import SCAN, refusal, saved, shows_the_scan
from encoder.imaging.decode import decode
from encoder.imaging.reading.file_budget import (
    MAX_DIRECTORIES,
    MAX_FIELDS,
    MAX_PARTS,
    MAX_SEGMENTS,
    jpeg_frame,
)


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def test_a_png_of_very_many_chunks_is_refused() -> None:
    whole = saved(SCAN)
    few = whole[:33] + chunk(b"tEXt", b"a\0b") * 500 + whole[33:]
    assert shows_the_scan(few)
    many = whole[:33] + chunk(b"tEXt", b"a\0b") * (MAX_PARTS + 1) + whole[33:]
    assert refusal(many).code == "too-complex"
    assert shows_the_scan(whole + bytes(2**20))  # Past its end there are none.


def test_a_jpeg_of_very_many_segments_is_refused() -> None:
    whole = saved(SCAN, "JPEG", quality=95)
    comment = b"\xff\xfe\x00\x03a"
    assert shows_the_scan(whole[:20] + comment * 300 + whole[20:])
    assert refusal(whole[:20] + comment * (MAX_SEGMENTS + 1) + whole[20:]).code == "too-complex"


@pytest.mark.parametrize("padding", [b"\xff", b"\x00", b"\xff\x00", b"ab"])
def test_padding_between_segments_is_bounded(padding: bytes) -> None:
    whole = saved(SCAN, "JPEG")
    data = whole[:20] + padding * 400_000 + whole[20:]
    assert refusal(data).code == "too-complex"


def test_a_progressive_jpeg_is_told_from_one_that_is_decoded_row_by_row() -> None:
    colour = Image.fromarray(SCAN).convert("RGB")
    plain, progressive = saved(colour, "JPEG"), saved(colour, "JPEG", progressive=True)
    assert jpeg_frame(plain).pixels == SCAN.size
    assert not jpeg_frame(plain).several_scans
    assert jpeg_frame(progressive).several_scans
    # The first scan says that it holds one colour of three.
    at = plain.rindex(b"\xff\xda")
    one_by_one = plain[: at + 2] + b"\x00\x08\x01\x01\x00\x00\x3f\x00" + plain[at + 14 :]
    assert jpeg_frame(one_by_one).several_scans


def directory(fields: list[tuple[int, int, int, int]], order: str = "<", after: int = 0) -> bytes:
    entries = b"".join(struct.pack(order + "HHII", *field) for field in fields)
    return struct.pack(order + "H", len(fields)) + entries + struct.pack(order + "I", after)


SIZE = [(256, 4, 1, 40), (257, 4, 1, 40), (258, 4, 1, 8), (259, 4, 1, 1), (262, 4, 1, 1)]
HEADS = {"<": b"II*\0", ">": b"MM\0*"}


@pytest.mark.parametrize("order", HEADS)
@pytest.mark.parametrize(
    "field",
    [(273, 4, MAX_PARTS + 1, 8), (324, 4, MAX_PARTS + 1, 8)],
    ids=["strips", "tiles"],
)
def test_a_tiff_of_very_many_strips_is_refused(field: tuple, order: str) -> None:
    data = HEADS[order] + struct.pack(order + "I", 8) + directory([*SIZE, field], order)
    assert refusal(data + bytes(100)).code == "too-complex"


@pytest.mark.parametrize("order", HEADS)
def test_a_tiff_of_a_gigantic_tile_is_refused(order: str) -> None:
    tile = [(322, 4, 1, 60_000), (323, 4, 1, 60_000), (324, 4, 1, 8), (325, 4, 1, 4)]
    data = HEADS[order] + struct.pack(order + "I", 8) + directory(SIZE + tile, order)
    assert refusal(data + bytes(100)).code == "too-complex"


def test_a_tiff_of_very_many_fields_is_refused() -> None:
    fields = [(40_000 + number % 20_000, 4, 1, 0) for number in range(MAX_FIELDS + 1)]
    data = HEADS["<"] + struct.pack("<I", 8) + directory(fields)
    assert refusal(data).code == "too-complex"


def test_later_directories_of_a_tiff_are_counted_too() -> None:
    page = saved(SCAN, "TIFF")
    at = struct.unpack("<I", page[4:8])[0]
    count = struct.unpack("<H", page[at : at + 2])[0]
    link = at + 2 + 12 * count
    data = page[:link] + struct.pack("<I", len(page)) + page[link + 4 :]
    data += directory([*SIZE, (273, 4, MAX_PARTS + 1, 8)])
    assert refusal(data).code == "too-complex"


def test_a_tiff_whose_directories_go_in_a_circle_ends() -> None:
    fields = [*SIZE, (273, 4, 1, 8), (278, 4, 1, 40), (279, 4, 1, 1600)]
    data = HEADS["<"] + struct.pack("<I", 8) + directory(fields, after=8) + bytes(2000)
    assert decode(data).gray.shape == (40, 40)
    assert MAX_DIRECTORIES < 100


def test_a_bmp_in_run_lengths_may_be_small_only() -> None:
    def run_lengths(side: int) -> bytes:
        rows = (bytes([255, 1]) * (side // 255) + bytes([side % 255, 1, 0, 0])) * side
        header = struct.pack("<IiiHHIIiiII", 40, side, side, 1, 8, 1, len(rows), 0, 0, 256, 0)
        palette = bytes(4) + bytes([255, 255, 255, 0]) * 255
        start = 14 + len(header) + len(palette)
        head = b"BM" + struct.pack("<IHHI", start + len(rows), 0, 0, start)
        return head + header + palette + rows + b"\0\1"

    assert decode(run_lengths(300)).gray.shape == (300, 300)
    assert refusal(run_lengths(3000)).code == "too-many-pixels"
    assert refusal(run_lengths(300) + b"\0\0" * 600_000).code == "too-complex"


def test_an_image_that_inflates_beyond_its_size_costs_no_more_than_its_size() -> None:
    bomb = zlib.compress(bytes(200_000_000), 9)
    size = struct.pack(">IIBBBBB", 100, 100, 8, 0, 0, 0, 0)
    data = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", size) + chunk(b"IDAT", bomb) + chunk(b"IEND")
    assert decode(data).gray.shape == (100, 100)


@pytest.mark.parametrize("kind", [b"iCCP", b"zTXt"])
def test_what_stands_beside_the_pixels_may_not_inflate_without_bound(kind: bytes) -> None:
    bomb = zlib.compress(bytes(300_000_000), 9)
    whole = saved(SCAN)
    data = whole[:33] + chunk(kind, b"a\0\0" + bomb) + whole[33:]
    assert refusal(data).code == "damaged-image"
