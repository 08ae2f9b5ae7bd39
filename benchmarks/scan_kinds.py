"""What scanners, phones and websites do to a signature, by kind, and what comes of it.

    python -m benchmarks.scan_kinds

Enrolls the 25 demo writers from clean scans, and verifies a genuine signature of each in every
kind. Counts what matched, what was warned of, what was refused, and what was silently called
another hand.
"""

import tempfile
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.errors import ImageError
from encoder.imaging.ink import clean
from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade
from service.composition import build_services, prepare_folders
from service.decisions.verify import verify
from service.models.live_services import Services
from service.settings import read_settings
from service.writers.demo import REFERENCES_EACH, WRITERS, demo_writer_id, enroll_demo_writers
from service.writers.uploads import Upload

Gray = NDArray[np.uint8]  # (h, w), 0 black to 255 white
Kind = Callable[[Gray], Gray]
PAPER, PEN = 235, 60


def turned(gray: Gray, degrees: float) -> Gray:
    """Turned anticlockwise about the middle, on a page large enough for all of it."""
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = (int(width * cosine + height * sine) + 1, int(width * sine + height * cosine) + 1)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    paper = float(np.median(gray))
    return cv2.warpAffine(gray, turn, size, borderValue=(paper,)).astype(np.uint8)


def shrunk(gray: Gray, scale: float) -> Gray:
    """Reduced by area, as an image editor or a website does."""
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    return cv2.resize(gray, size, interpolation=cv2.INTER_AREA).astype(np.uint8)


def ink_high(gray: Gray, height_px: int) -> Gray:
    """Reduced until the ink is so high."""
    return shrunk(gray, min(1.0, height_px / max(clean(gray).ink.shape[0], 1)))


def compressed(gray: Gray, quality: int, scale: float = 1.0) -> Gray:
    """Saved as a JPEG and opened again."""
    data = cv2.imencode(".jpg", shrunk(gray, scale), [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return cv2.imdecode(data, cv2.IMREAD_GRAYSCALE).astype(np.uint8)


def cut(gray: Gray, side: str, share: float) -> Gray:
    """Cropped so that a share of the ink's box is lost at one side."""
    left, top, width, height = clean(gray).box
    across, down = round(share * width), round(share * height)
    match side:
        case "left":
            return gray[:, left + across :]
        case "right":
            return gray[:, : left + width - across]
        case "top":
            return gray[top + down :]
        case _:
            return gray[: top + height - down]


def _wide(gray: Gray, strokes: float) -> NDArray[np.uint8]:
    """The ink drawn with a pen so many times as wide, alone on its page: 0 or 255."""
    found = clean(gray)
    side = max(3, round(strokes * found.stroke_width_px)) | 1
    room = np.pad(found.ink, 3 * side)
    pen = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
    return cv2.dilate(room, pen).astype(np.uint8)


def outlined(gray: Gray) -> Gray:
    """A wide pen of which a black-and-white scan kept the outline alone."""
    ink = _wide(gray, 3.0)
    inner = cv2.erode(ink, np.ones((3, 3), np.uint8), iterations=2)
    return (255 - cv2.subtract(ink, inner)).astype(np.uint8)


def marker(gray: Gray) -> Gray:
    """A marker so wide that cleaning takes the inside of its strokes for paper."""
    ink = cv2.GaussianBlur(_wide(gray, 8.0), (3, 3), 0).astype(np.float64) / 255
    return (PAPER - (PAPER - PEN) * ink).astype(np.uint8)


KINDS: dict[str, Kind] = {
    "as scanned": lambda gray: gray,
    "turned by 90 degrees": lambda gray: np.rot90(gray, -1),
    "turned by 180 degrees": lambda gray: np.rot90(gray, 2),
    "turned by 270 degrees": np.rot90,
    "mirrored left to right": lambda gray: gray[:, ::-1],
    "mirrored upside down": lambda gray: gray[::-1],
    "mirrored and turned by 90 degrees": lambda gray: gray.T,
    **{
        f"askew by {abs(degrees)} degrees, {'anti' if degrees > 0 else ''}clockwise": partial(
            turned, degrees=degrees
        )
        for degrees in (-15, -10, -5, 5, 10, 15)
    },
    "upside down and askew by 8 degrees": lambda gray: turned(np.rot90(gray, 2), 8),
    "half of the resolution": partial(shrunk, scale=1 / 2),
    "a third of the resolution": partial(shrunk, scale=1 / 3),
    "a quarter of the resolution": partial(shrunk, scale=1 / 4),
    **{f"ink {px} px high": partial(ink_high, height_px=px) for px in (60, 40, 25, 18)},
    "JPEG of quality 10": partial(compressed, quality=10),
    "half of the resolution, JPEG of quality 10": partial(compressed, quality=10, scale=0.5),
    "half of the resolution, JPEG of quality 4": partial(compressed, quality=4, scale=0.5),
    **{
        f"{round(100 * share)}% cut off, {side}": partial(cut, side=side, share=share)
        for side in ("left", "right", "top", "bottom")
        for share in (0.1, 0.25)
    },
    "wide pen, outline alone": outlined,
    "marker": marker,
}


def outcomes(kind: Kind, services: Services) -> Counter[str]:
    """What comes of a genuine signature of each demo writer."""
    found: Counter[str] = Counter()
    for number in range(1, WRITERS + 1):
        scan = np.ascontiguousarray(kind(synthetic_writer(number).genuine(REFERENCES_EACH)))
        found.update(_outcome(demo_writer_id(number), scan, services))
    return found


def _outcome(writer_id: str, scan: Gray, services: Services) -> list[str]:
    upload = Upload(None, encode_png(scan))
    try:
        done = verify(writer_id, upload, encoder=services.encoder, registry=services.registry)
    except ImageError as error:
        return ["refused", f"({error.code})"]
    codes = [f"({one.code})" for one in done.warnings]
    if done.verdict == "match":
        return ["match", *codes]
    return ["warned" if codes else "silent", *codes]


@contextmanager
def demo_services() -> Iterator[Services]:
    """Services on a registry of the demo writers that is thrown away afterwards."""
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings({"COUNTERSIGN_DATA_DIR": folder})
        prepare_folders(settings)
        upgrade(settings.database_url)
        services = build_services(settings)
        try:
            enroll_demo_writers(
                encoder=services.encoder, registry=services.registry, on_writer=lambda: None
            )
            yield services
        finally:
            services.close()


def main() -> None:
    """Print a table for docs/robustness.md."""
    print("| kind | match | warned | refused | silent | codes |\n|---|---|---|---|---|---|")
    with demo_services() as services:
        for name, kind in KINDS.items():
            found = outcomes(kind, services)
            told = ", ".join(f"`{k[1:-1]}` {n}" for k, n in found.most_common() if k[0] == "(")
            counts = " | ".join(str(found[k]) for k in ("match", "warned", "refused", "silent"))
            print(f"| {name} | {counts} | {told} |", flush=True)


if __name__ == "__main__":
    main()
