"""Counts what a file would make its reader do, from its structure alone, before it is opened.

Pillow reads chunks, segments, directories and strips one by one in Python; a file of a few
megabytes can hold millions of them, and a tile may be said to be larger than any memory.
"""

import re
import struct
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from encoder.errors import OversizeImage
from encoder.imaging.reading.limits import ImageLimits

MAX_PARTS = (
    20_000  # Chunks of a PNG, strips or tiles of a TIFF; a row each of a tall scan are fewer.
)
MAX_SEGMENTS = 2_000  # Of a JPEG, before its first scan; cameras write some dozens.
MAX_PADDING = 100_000  # Bytes between these, which Pillow skips one by one.
MAX_FIELDS = 1_000  # Of one directory of a TIFF.
MAX_DIRECTORIES = 12  # Looked at here; pages beyond are not read.
# A progressive JPEG may paint the whole image once more with every scan; cameras use about ten.
MAX_JPEG_SCANS = 100
MAX_PAINTED_PIXELS = 400_000_000  # All scans together.
START_OF_SCAN = b"\xff\xda"  # Never within a scan's own data (ITU-T T.81, B.1.1.5).
_MARKER = re.compile(rb"\xff+([\x01-\xfe])")
# Frame headers of JPEG (ITU-T T.81, table B.1): of any coding, and those that need several scans.
_FRAMES = set(range(0xC0, 0xD0)) - {0xC4, 0xC8, 0xCC}
_SEVERAL_SCANS = {0xC2, 0xC6, 0xCA, 0xCE}
_BARE = {0x01, *range(0xD0, 0xD9)}  # Markers without a length.
_SOS = 0xDA
# Pillow unpacks run lengths of BMP in Python, byte by byte and pixel by pixel.
MAX_RUN_LENGTH_PIXELS = 2_000_000
MAX_RUN_LENGTH_BYTES = 1_000_000
_BMP_RUN_LENGTHS = {1, 2}
# Tags of TIFF 6.0: where strips and tiles are, and how large a tile is.
_STRIPS, _TILES, _TILE_WIDTH, _TILE_HEIGHT = 273, 324, 322, 323
_SIZES = {1: 1, 3: 2, 4: 4, 16: 8}  # Bytes of a whole number, by the TIFF's type.


@dataclass(frozen=True)
class JpegFrame:
    """What a JPEG's header says: its pixels, and whether all of it is held at once to decode."""

    pixels: int
    several_scans: bool


def check_structure(data: bytes, kind: str, limits: ImageLimits) -> None:
    """Refuse a file of more parts than any scanner or camera writes.

    Args:
        data: the whole file.
        kind: Pillow's name of its format.
        limits: what it may weigh.

    Raises:
        OversizeImage: it has more, or one of its parts is larger than allowed.
    """
    check = _CHECKS.get(kind)
    if check is not None:
        check(data, limits)


def jpeg_frame(data: bytes) -> JpegFrame:
    """Read a JPEG's frame header and the one of its first scan.

    Raises:
        OversizeImage: it has more segments than any camera writes.
    """
    pixels, parts, several = 0, 0, False
    for marker, segment in _segments(data):
        if marker in _FRAMES and len(segment) >= struct.calcsize(">BHHB"):
            _, height, width, parts = struct.unpack_from(">BHHB", segment)
            pixels = width * height
            several = marker in _SEVERAL_SCANS
        elif marker == _SOS:
            # A scan of some of the colours: all are held until the last has come.
            return JpegFrame(pixels, several or segment[:1] != bytes([parts]))
    return JpegFrame(pixels, several)


def _segments(data: bytes) -> Iterator[tuple[int, bytes]]:
    at, padding = 2, 0
    for _ in range(MAX_SEGMENTS):
        found = _MARKER.search(data, at)
        if found is None:
            return
        padding += found.start(1) - at - 1
        if padding > MAX_PADDING:
            raise _too_many("JPEG", f"{padding} bytes between its segments")
        marker, at = found[1][0], found.end()
        if marker in _BARE:
            continue
        length = int.from_bytes(data[at : at + 2], "big")
        yield marker, data[at + 2 : at + length]
        if marker == _SOS:
            return
        at += max(length, 2)
    raise _too_many("JPEG", f"more than {MAX_SEGMENTS} segments")


def _check_jpeg(data: bytes, _: ImageLimits) -> None:
    scans = data.count(START_OF_SCAN)
    if scans > MAX_JPEG_SCANS:
        raise OversizeImage(
            "too-many-scans",
            f"The JPEG has {scans} scans; at most {MAX_JPEG_SCANS} are read. Save it again.",
        )
    frame = jpeg_frame(data)
    if frame.several_scans and frame.pixels * scans > MAX_PAINTED_PIXELS:
        raise OversizeImage(
            "too-many-scans",
            f"The JPEG paints {frame.pixels} pixels in {scans} scans; at most "
            f"{MAX_PAINTED_PIXELS} are painted in all. Save it again, not progressive.",
        )


def _check_png(data: bytes, _: ImageLimits) -> None:
    at, chunks = 8, 0
    while at + 8 <= len(data) and data[at + 4 : at + 8] != b"IEND":  # Nobody reads past it.
        at += 12 + int.from_bytes(data[at : at + 4], "big")
        chunks += 1
        if chunks > MAX_PARTS:
            raise _too_many("PNG", f"more than {MAX_PARTS} chunks")


def _check_bmp(data: bytes, _: ImageLimits) -> None:
    header = data[14:34].ljust(20, b"\0")
    size, width, height, _, _, compression = struct.unpack("<IiiHHI", header)
    if size >= 40 and compression in _BMP_RUN_LENGTHS:  # noqa: PLR2004 - BITMAPINFOHEADER's size.
        if len(data) > MAX_RUN_LENGTH_BYTES:
            raise _too_many("BMP", f"{len(data)} bytes of run lengths")
        if abs(width * height) > MAX_RUN_LENGTH_PIXELS:
            raise OversizeImage(
                "too-many-pixels",
                f"The BMP has {width} x {height} pixels in run lengths; at most "
                f"{MAX_RUN_LENGTH_PIXELS} are read of such. Save it as PNG.",
            )


@dataclass(frozen=True)
class _Layout:
    """How numbers of a TIFF are written: struct's sign of the order, and BigTIFF's wider ones."""

    order: str
    big: bool

    def number(self, data: bytes, at: int, size: int) -> int:
        return int.from_bytes(data[at : at + size], "little" if self.order == "<" else "big")


def _check_tiff(data: bytes, limits: ImageLimits) -> None:
    order = "<" if data[:2] == b"II" else ">"
    layout = _Layout(order, big=43 in data[2:4])  # noqa: PLR2004 - BigTIFF's version.
    at = layout.number(data, 8, 8) if layout.big else layout.number(data, 4, 4)
    for _ in range(MAX_DIRECTORIES):
        if not 0 < at < len(data):
            return
        at = _check_directory(data, at, layout, limits)


def _check_directory(data: bytes, at: int, layout: _Layout, limits: ImageLimits) -> int:
    """Check one directory; return where the next one is, or 0."""
    head, entry, wide = (8, 20, 8) if layout.big else (2, 12, 4)
    count = layout.number(data, at, head)
    if count > MAX_FIELDS:
        raise _too_many("TIFF", f"a directory of {count} fields")
    values: dict[int, int] = {}
    for number in range(count):
        place = at + head + number * entry
        tag, kind = layout.number(data, place, 2), layout.number(data, place + 2, 2)
        length = layout.number(data, place + 4, wide)
        if tag in {_STRIPS, _TILES} and length > MAX_PARTS:
            raise _too_many("TIFF", f"{length} strips or tiles")
        values.setdefault(tag, layout.number(data, place + 4 + wide, _SIZES.get(kind, wide)))
    tile = values.get(_TILE_WIDTH, 0) * values.get(_TILE_HEIGHT, 0)
    if tile > limits.max_image_pixels:
        raise _too_many("TIFF", f"tiles of {tile} pixels")
    return layout.number(data, at + head + count * entry, wide)


def _too_many(kind: str, what: str) -> OversizeImage:
    return OversizeImage(
        "too-complex",
        f"The {kind} has {what}, more than scanners and cameras write. Save it again as PNG.",
    )


_CHECKS: dict[str, Callable[[bytes, ImageLimits], None]] = {
    "JPEG": _check_jpeg,
    "PNG": _check_png,
    "BMP": _check_bmp,
    "TIFF": _check_tiff,
}
