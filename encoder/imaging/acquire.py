"""From the bytes of an image to what the network sees: decode, clean, judge, set on the canvas.

Training and serving both pass through `acquire`. `PREPROCESSING_ID` names what it makes of images,
and which pieces are chosen; it is part of a model's identity, so that a model never meets another
preparation than its own.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from encoder.documents.told import Place, cautions
from encoder.imaging.canvas import CANVAS_SIZE, to_canvas
from encoder.imaging.decode import DecodedImage, ImageLimits, decode
from encoder.imaging.ink import CleanedSignature, clean
from encoder.imaging.pixels import Mask
from encoder.imaging.quality import Quality, assess
from encoder.imaging.reading.heap_trim import give_back
from encoder.imaging.region import Region

# Raised, to any text that it never was before, when canvases or pieces change, and only then: it
# makes every model and every stored embedding foreign. `test_golden` says when, and what follows.
PREPROCESSING_ID = "2"

LARGE_PAGE_PIXELS = 1_000_000  # From which cleaning leaves so much memory that it is given back.


@dataclass(frozen=True)
class Acquisition:
    """One accepted signature image.

    Attributes:
        canvas: `(height, width)` uint8, share of each pixel that is ink, 0 to 255: the network's
            input.
        quality: what was found out about the image.
        media_type: of the file it came from.
        ink: the ink at the scan's resolution, cropped, uint8 0 or 255.
        cleaned: the ink and what else is on the page, as cleaning found it.
    """

    canvas: NDArray[np.uint8]
    quality: Quality
    media_type: str
    ink: Mask
    cleaned: CleanedSignature = field(repr=False)


def acquire(
    data: bytes,
    canvas_size: tuple[int, int] = CANVAS_SIZE,
    limits: ImageLimits | None = None,
    region: Region | None = None,
) -> Acquisition:
    """Read one signature image and prepare it for the network.

    Args:
        data: the bytes of an image file, or a PDF.
        canvas_size: height and width of the canvas, px.
        limits: what the file may weigh.
        region: the part of the upright image to look at; all of it, if None.

    Raises:
        ImageError: the file cannot be read, is over the limits, or shows no usable signature.
    """
    decoded = decode(data, limits, region)
    try:
        return _prepared(decoded, canvas_size, chosen=region is not None)
    finally:
        if decoded.gray.size > LARGE_PAGE_PIXELS:
            give_back()


def _prepared(decoded: DecodedImage, canvas_size: tuple[int, int], *, chosen: bool) -> Acquisition:
    cleaned = clean(decoded.gray, decoded.colour)
    frame = decoded.frame
    told = cautions(
        cleaned.found,
        cleaned.ink.size,
        Place(frame.x, frame.y, frame.across, frame.down, chosen=chosen),
    )
    notes = (*decoded.warnings, *told)
    quality = assess(cleaned, decoded.gray, canvas_size, notes)
    canvas = to_canvas(cleaned.ink, canvas_size)
    return Acquisition(canvas, quality, decoded.media_type, cleaned.ink, cleaned)
