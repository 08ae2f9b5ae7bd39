"""Looks for images that cost time or memory, not for crashes, and names the worst.

Makes pictures and files of kinds that are slow to decode or to clean, of random size and density,
and takes each through `acquire` as a request would. Run it after a change to reading or cleaning:

    python -m benchmarks.image_fuzz --images 10000
"""

import signal
import struct
import time
import zlib
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

import click
import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.picture_files import SCAN, saved
from encoder.errors import ImageError
from encoder.imaging.acquire import acquire

Gray = NDArray[np.uint8]
Random = np.random.Generator
MEBIBYTE = 2**20
MOST_PIXELS = 9_000_000  # Of a picture that is drawn here; a file may claim more.
FORMS: tuple[tuple[str, dict[str, object]], ...] = (
    ("PNG", {"compress_level": 1}),
    ("TIFF", {"compression": "tiff_deflate"}),
    ("TIFF", {"compression": "packbits"}),
    ("WEBP", {"lossless": True, "quality": 0, "method": 0}),
    ("JPEG", {"quality": 60}),
    ("JPEG", {"quality": 30, "progressive": True}),
    ("BMP", {}),
)


@dataclass(frozen=True)
class Cost:
    """What one image took: processor seconds, and MiB above what the process held before it."""

    seconds: float
    peak_mib: float
    kind: str
    size: int
    outcome: str


def between(rng: Random, low: float, high: float) -> int:
    """A whole number, each order of magnitude as likely."""
    return round(float(np.exp(rng.uniform(np.log(low), np.log(high)))))


def size(rng: Random) -> tuple[int, int]:
    """Height and width; one of four is very long or very tall."""
    if rng.random() < 0.25:
        long = between(rng, 100, 60_000)
        short = max(1, min(between(rng, 1, 60), MOST_PIXELS // long))
        return (short, long) if rng.random() < 0.5 else (long, short)
    height = between(rng, 30, 3_000)
    return height, max(1, min(between(rng, 30, 4_000), MOST_PIXELS // height))


def grid(rng: Random) -> Gray:
    """Lines both ways."""
    page = np.full(size(rng), 255, np.uint8)
    pitch, width = between(rng, 2, 60), between(rng, 1, 6)
    for offset in range(min(width, pitch - 1)):
        page[offset::pitch] = 0
        page[:, offset::pitch] = 0
    return page


def comb(rng: Random) -> Gray:
    """Lines one way, or teeth on a line."""
    page = np.full(size(rng), 255, np.uint8)
    page[:, :: between(rng, 2, 40)] = 0
    if rng.random() < 0.5:
        page[: len(page) // 2] = 255
        page[len(page) // 2 : len(page) // 2 + 3] = 0
    return page.T.copy() if rng.random() < 0.5 else page


def checkers(rng: Random) -> Gray:
    """A board."""
    height, width = size(rng)
    side = between(rng, 1, 30)
    rows, columns = np.arange(height)[:, None] // side, np.arange(width) // side
    return ((rows + columns) % 2 * 255).astype(np.uint8)


def noise(rng: Random) -> Gray:
    """Grains at some density, sharp or soft."""
    grains = rng.random(size(rng)) < 10 ** rng.uniform(-4, -0.3)
    page = ((~grains) * 255).astype(np.uint8)
    soft = rng.random()
    return cv2.GaussianBlur(page, (0, 0), 0.5 + 2 * soft).astype(np.uint8) if soft < 0.5 else page


def grey_noise(rng: Random) -> Gray:
    """All levels, at some scale."""
    height, width = size(rng)
    scale = between(rng, 1, 20)
    small = rng.integers(0, 256, (height // scale + 1, width // scale + 1), dtype=np.uint8)
    return cv2.resize(small, (width, height)).astype(np.uint8)


def specks(rng: Random) -> Gray:
    """Dots of one size in rows."""
    page = np.full(size(rng), 255, np.uint8)
    pitch, side = between(rng, 3, 40), between(rng, 1, 20)
    for y in range(min(side, pitch - 1)):
        for x in range(min(side, pitch - 1)):
            page[y::pitch, x::pitch] = 0
    return page


def rings(rng: Random) -> Gray:
    """Squares or circles within each other."""
    height, width = size(rng)
    pitch = between(rng, 2, 40)
    down = np.abs(np.arange(height) - height // 2)[:, None]
    across = np.abs(np.arange(width) - width // 2)
    far = np.maximum(down, across) if rng.random() < 0.5 else np.hypot(down, across)
    return ((far.astype(np.int64) // pitch) % 2 * 255).astype(np.uint8)


def spiral(rng: Random) -> Gray:
    """One line that winds."""
    height, width = size(rng)
    pitch = between(rng, 3, 40)
    down = (np.arange(height) - height / 2)[:, None]
    across = np.arange(width) - width / 2
    turn = np.hypot(down, across) / pitch - np.arctan2(down, across) / (2 * np.pi)
    return np.where(turn % 1 < 0.4, 0, 255).astype(np.uint8)


def ruled(rng: Random) -> Gray:
    """Many level lines, some slanting, over a signature."""
    page = np.full((between(rng, 300, 2400), between(rng, 600, 2400)), 240, np.uint8)
    for _ in range(between(rng, 3, 400)):
        row = int(rng.integers(len(page)))
        fall = round(float(rng.normal(0, 30)))
        cv2.line(page, (0, row), (page.shape[1], row + fall), 60, between(rng, 1, 5))
    return page


def blank(rng: Random) -> Gray:
    """Nothing, much of it."""
    return np.full(size(rng), int(rng.integers(256)), np.uint8)


def text(rng: Random) -> Gray:
    """A page of print."""
    page = np.full((between(rng, 300, 2400), between(rng, 300, 2400)), 250, np.uint8)
    scale = float(rng.uniform(0.25, 1.5))
    for row in range(20, len(page), max(8, round(32 * scale))):
        line = "the quick brown fox jumps over it " * 8
        cv2.putText(page, line, (5, row), cv2.FONT_HERSHEY_SIMPLEX, scale, 10, 1)
    return page


def smeared(rng: Random) -> Gray:
    """A signature enlarged, dirtied and shaded."""
    scale = rng.uniform(0.3, 4)
    page = cv2.resize(SCAN, None, fx=scale, fy=scale).astype(np.float64)
    page *= np.linspace(rng.uniform(0.2, 1), 1, page.shape[1])
    page += rng.normal(0, rng.uniform(0, 40), page.shape)
    return np.clip(page, 0, 255).astype(np.uint8)


PICTURES = (
    *(grid, comb, checkers, noise, grey_noise, specks, rings, spiral, ruled, blank, text, smeared),
)


def chunk(kind: bytes, content: bytes = b"") -> bytes:
    """One chunk of a PNG."""
    checksum = struct.pack(">I", zlib.crc32(kind + content))
    return struct.pack(">I", len(content)) + kind + content + checksum


def png(width: int, height: int, *chunks: bytes, bits: int = 8, interlaced: bool = False) -> bytes:
    """A grey PNG of these chunks."""
    head = struct.pack(">IIBBBBB", width, height, bits, 0, 0, 0, int(interlaced))
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + b"".join(chunks) + chunk(b"IEND")


def large_png(rng: Random) -> bytes:
    """Up to 40 megapixels of nothing, interlaced or not, in one bit or many."""
    side = between(rng, 500, 6_300)
    bits = int(rng.choice([1, 2, 4, 8, 16]))
    rows = zlib.compress(bytes((side * bits // 8 + 2) * side), 1)
    return png(side, side, chunk(b"IDAT", rows), bits=bits, interlaced=bool(rng.random() < 0.3))


def inflating_png(rng: Random) -> bytes:
    """Much more behind the pixels, or beside them, than there should be."""
    bomb = zlib.compress(bytes(between(rng, 1e5, 3e8)), 1)
    beside = chunk(bytes(rng.choice([b"iCCP", b"zTXt"])), b"a\0\0" + bomb)
    rows = chunk(b"IDAT", bomb)
    return png(100, 100, rows) if rng.random() < 0.5 else png(100, 100, beside, rows)


def chunky_png(rng: Random) -> bytes:
    """Many small chunks."""
    kind = bytes(rng.choice([b"tEXt", b"IDAT", b"xxXx"]))
    rows = zlib.compress(bytes(101 * 100))
    return png(100, 100, chunk(kind, b"") * between(rng, 10, 8e5), chunk(b"IDAT", rows))


def animated(rng: Random) -> bytes:
    """Blank frames or pages before others."""
    page = Image.new("L", size(rng)[::-1], 255)
    kind = str(rng.choice(["PNG", "WEBP", "TIFF", "MPO"]))
    page = page if page.width * page.height < 2_000_000 else page.resize((1400, 1400))
    others = [page.copy() for _ in range(between(rng, 1, 12))]
    for number, other in enumerate(others):
        other.putpixel((0, 0), number)  # No two frames are alike: they would be made one.
    return saved(page, kind, save_all=True, append_images=others)


def striped_tiff(rng: Random) -> bytes:
    """One row in a strip, or less."""
    height = between(rng, 10, 100_000)
    picture = Image.new("L", (between(rng, 1, 60), height), 255)
    compression = str(rng.choice(["raw", "packbits", "tiff_lzw", "group4", "jpeg"]))
    if compression == "group4":
        picture = picture.convert("1")
    return saved(picture, "TIFF", compression=compression, strip_size=between(rng, 1, 4096))


def claimed_tiff(rng: Random) -> bytes:
    """A directory that says more than there is."""
    data = bytearray(saved(SCAN, "TIFF", compression="tiff_lzw"))
    at = struct.unpack("<I", data[4:8])[0]
    for _ in range(int(rng.integers(1, 4))):
        entry = at + 2 + 12 * int(rng.integers(0, struct.unpack("<H", data[at : at + 2])[0]))
        data[entry + 8 : entry + 12] = struct.pack("<I", between(rng, 1, 2**31))
    return bytes(data)


def painted_jpeg(rng: Random) -> bytes:
    """A progressive JPEG with scans over and over."""
    whole = saved(Image.new("RGB", size(rng)[::-1], "white"), "JPEG", progressive=True)
    last = whole.rindex(b"\xff\xda")
    return whole[:last] + whole[last:-2] * between(rng, 1, 110) + whole[-2:]


def large_jpeg(rng: Random) -> bytes:
    """Up to 200 megapixels."""
    side = between(rng, 1_000, 14_000)
    mode = str(rng.choice(["L", "RGB"]))
    picture = Image.new(mode, (side, side), "white")
    return saved(picture, "JPEG", quality=30, progressive=bool(rng.random() < 0.3))


def padded_jpeg(rng: Random) -> bytes:
    """Nothing between segments, or segments of nothing."""
    whole = saved(SCAN, "JPEG")
    padding = bytes(rng.choice([b"\xff", b"ab", b"\xff\xfe\x00\x02", b"\xff\xe1\x00\x04ab"]))
    return whole[:20] + padding * between(rng, 10, 1e6) + whole[20:]


def bmp_of_runs(rng: Random) -> bytes:
    """Run lengths, the shortest or rows that end at once."""
    width, height = between(rng, 10, 3_000), between(rng, 10, 3_000)
    pattern = bytes(rng.choice([b"\1\1", b"\0\0", b"\377\1", b"\0\2\1\1"]))
    bits = int(rng.choice([4, 8]))
    rows = pattern * between(rng, 10, 4e6)
    header = struct.pack("<IiiHHIIiiII", 40, width, height, 1, bits, 12 - bits >> 2, 0, 0, 0, 16, 0)
    return b"BM" + struct.pack("<IHHI", 0, 0, 0, 118) + header + bytes(64) + rows


def bent_file(rng: Random) -> bytes:
    """A picture with some bytes changed."""
    data = bytearray(picture_file(rng))
    for place in rng.integers(0, min(len(data), 2_000), between(rng, 1, 20)):
        data[place] = rng.integers(256)
    return bytes(data)


def picture_file(rng: Random) -> bytes:
    """A picture in some format, sometimes of one bit, in colour or transparent."""
    picture = Image.fromarray(PICTURES[rng.integers(len(PICTURES))](rng))
    kind, options = FORMS[rng.integers(len(FORMS))]
    chance = rng.random()
    if chance < 0.3 and kind in {"PNG", "TIFF", "BMP"}:
        picture = picture.convert("1")
    elif chance < 0.4 and kind in {"PNG", "WEBP"}:
        rgb = Image.new("RGB", picture.size)
        rgb.putalpha(picture)
        picture = rgb
    if kind == "WEBP" and max(picture.size) > 16_383:
        kind, options = "PNG", {}
    return saved(picture, kind, **options)


FILES: tuple[Callable[[Random], bytes], ...] = (
    *(large_png, inflating_png, chunky_png, animated, striped_tiff, claimed_tiff, painted_jpeg),
    *(large_jpeg, padded_jpeg, bmp_of_runs, bent_file),
)
PICTURES_SHARE = 0.6  # Of the images: pictures in sound files.


def made(rng: Random) -> tuple[str, bytes]:
    """A name and a file."""
    if rng.random() < PICTURES_SHARE:
        make = PICTURES[rng.integers(len(PICTURES))]
        kind, options = FORMS[rng.integers(len(FORMS))]
        picture = Image.fromarray(make(rng))
        if rng.random() < 0.3 and kind in {"PNG", "TIFF", "BMP"}:
            picture = picture.convert("1")
        if kind == "WEBP" and max(picture.size) > 16_383:
            kind, options = "PNG", {}
        name = f"{make.__name__} {picture.width} x {picture.height} {picture.mode} {kind}"
        return name, saved(picture, kind, **options)
    make_file = FILES[rng.integers(len(FILES))]
    return make_file.__name__, make_file(rng)


def cost(kind: str, data: bytes) -> Cost:
    """Take one image through `acquire`."""
    Path("/proc/self/clear_refs").write_text("5")  # Forget the highest memory so far.
    before = memory_mib("VmRSS")
    begin = time.process_time()  # Other programs do not count, and all threads of this one do.
    try:
        acquire(data)
        outcome = "accepted"
    except ImageError as error:
        outcome = error.code
    except Exception as error:  # noqa: BLE001 - Told with the rest: it is worse than slow.
        outcome = f"CRASH {type(error).__name__}"
    seconds = time.process_time() - begin
    return Cost(seconds, memory_mib("VmHWM") - before, kind, len(data), outcome)


def measured(rng: Random, name: str) -> Cost | None:
    """One random image taken through, or None where it cannot be written or sent."""
    try:
        kind, data = made(rng)
    except (OSError, ValueError, RuntimeError, struct.error):
        return None
    return cost(f"{kind} {name}", data) if len(data) <= 10 * MEBIBYTE else None


def memory_mib(field: str) -> float:
    """What Linux counts of this process."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith(field)) * 1024 / MEBIBYTE


def shown(costs: list[Cost]) -> None:
    """Print the worst."""
    for one in costs:
        click.echo(
            f"{one.seconds:8.3f} s {one.peak_mib:7.0f} MiB {one.size / 1000:9.1f} kB  "
            f"{one.outcome:18} {one.kind}"
        )


@click.command()
@click.option("--images", default=1_000, show_default=True)
@click.option("--seed", default=1, show_default=True)
@click.option("--worst", default=12, show_default=True, help="How many to name.")
def main(images: int, seed: int, worst: int) -> None:
    """Measure random images of costly kinds, and name the worst by time and by memory."""
    costs: list[Cost] = []
    for ending in (signal.SIGINT, signal.SIGTERM):  # What was measured until then is told.
        signal.signal(ending, signal.default_int_handler)
    with suppress(KeyboardInterrupt):
        for number in range(images):
            one = measured(np.random.default_rng((seed, number)), f"(seed {seed}, {number})")
            if one is not None:
                costs.append(one)
    seconds = np.array([one.seconds for one in costs])
    click.echo(
        f"{len(costs)} images; median {np.median(seconds):.4f} s, 99 % within "
        f"{np.quantile(seconds, 0.99):.3f} s, worst {seconds.max():.3f} s"
    )
    click.echo("not refused in order:")
    shown([one for one in costs if one.outcome.startswith("CRASH")][:worst])
    click.echo("worst by time:")
    shown(sorted(costs, key=lambda one: -one.seconds)[:worst])
    click.echo("worst by memory:")
    shown(sorted(costs, key=lambda one: -one.peak_mib)[:worst])


if __name__ == "__main__":
    main()
