"""Draws cleaned ink for people, as a PNG of one bit a pixel; what is ink was decided by `clean`."""

import io

import cv2
import numpy as np
from PIL import Image

from encoder.clean import Mask

MAX_WIDTH_PX = 960
MARGIN_PX = 8
_KEPT = 32  # Of 255: a pixel of a reduced image is ink when an eighth of it was: thin lines stay.


def preview_png(ink: Mask) -> bytes:
    """Return ink `(height, width)`, 0 or 255, dark on white, as a PNG at most 960 px wide.

    Up to that width it is the ink pixel by pixel, with a margin; wider ink is reduced.
    """
    height, width = ink.shape
    widest = MAX_WIDTH_PX - 2 * MARGIN_PX
    if width > widest:
        size = (widest, max(1, round(height * widest / width)))
        ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
    paper = np.pad(ink, MARGIN_PX) < _KEPT
    png = io.BytesIO()
    Image.fromarray(paper).save(png, "PNG", compress_level=1)
    return png.getvalue()
