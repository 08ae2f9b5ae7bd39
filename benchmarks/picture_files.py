"""Files of one invented signature, and how well it is read from them; the tests use them."""

import io
from collections.abc import Sequence
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from encoder.errors import ImageError
from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.synthesis import synthetic_writer

Gray = NDArray[np.uint8]
SCAN = synthetic_writer(7).genuine(0)
BLANK = np.full_like(SCAN, 240)
# How a scanner stores what is upright in `SCAN`, by orientation.
STORED = {
    1: SCAN,
    2: SCAN[:, ::-1],
    3: SCAN[::-1, ::-1],
    4: SCAN[::-1],
    5: SCAN.T,
    6: np.rot90(SCAN, 1),
    7: np.rot90(SCAN, 2).T,
    8: np.rot90(SCAN, -1),
}


def saved(image: Image.Image | Gray, kind: str = "PNG", **options: Any) -> bytes:
    """A picture as a file of one kind."""
    image = image if isinstance(image, Image.Image) else Image.fromarray(image)
    buffer = io.BytesIO()
    image.save(buffer, kind, **options)
    return buffer.getvalue()


def several(pages: Sequence[Gray], kind: str = "TIFF", **options: Any) -> bytes:
    """Pictures as the pages of one file."""
    first, *others = (Image.fromarray(page) for page in pages)
    return saved(first, kind, save_all=True, append_images=others, **options)


def ink_of(gray: Gray) -> Gray:
    """What cleaning finds, with no more of the page around it."""
    return clean(gray).ink


def likeness(found: Gray, expected: Gray) -> float:
    """Intersection over union of two pieces of ink, brought to one size, each soft by a pixel."""
    height, width = expected.shape
    found = cv2.resize(found, (width, height), interpolation=cv2.INTER_AREA)
    one, other = found > 127, expected > 127
    return float(np.count_nonzero(one & other) / max(np.count_nonzero(one | other), 1))


def aspect_of(ink: Gray) -> float:
    """Width over height."""
    return ink.shape[1] / ink.shape[0]


def shows_the_scan(data: bytes, least: float = 0.9) -> bool:
    """Whether a file is read as the signature in `SCAN`: upright, in proportion, its ink alone."""
    expected = ink_of(SCAN)
    found = ink_of(decode(data).gray)
    in_proportion = abs(aspect_of(found) / aspect_of(expected) - 1) < 0.04
    return in_proportion and likeness(found, expected) > least


def refusal(data: bytes) -> ImageError:
    """The error that a file is refused with."""
    try:
        decode(data)
    except ImageError as error:
        return error
    raise AssertionError("the file was read")
