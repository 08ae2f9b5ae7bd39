"""Draws cleaned ink for people, as a PNG of one bit a pixel; what is ink was decided in `ink`."""

import cv2
import numpy as np

from encoder.imaging.pixels import Mask

MAX_WIDTH_PX = 960
MARGIN_PX = 8
# Of ink that was left out, RGB: told from black ink and from white paper without seeing colours.
LEFT_OUT_BROWN = (176, 112, 32)
_KEPT = 32  # Of 255: a pixel of a reduced image is ink when an eighth of it was: thin lines stay.

# A bit a pixel, and what repeats from row to row packed quickly: an import draws one of each image.
_QUICK = (
    *(cv2.IMWRITE_PNG_BILEVEL, 1),
    *(cv2.IMWRITE_PNG_COMPRESSION, 1),
    *(cv2.IMWRITE_PNG_STRATEGY, cv2.IMWRITE_PNG_STRATEGY_RLE),
)


def preview_png(ink: Mask) -> bytes:
    """Return ink `(height, width)`, 0 or 255, dark on white, as a PNG at most 960 px wide.

    Up to that width it is the ink pixel by pixel, with a margin; wider ink is reduced.
    """
    height, width = ink.shape
    widest = MAX_WIDTH_PX - 2 * MARGIN_PX
    if width > widest:
        size = (widest, max(1, round(height * widest / width)))
        ink = np.asarray(cv2.resize(ink, size, interpolation=cv2.INTER_AREA), np.uint8)
    _, paper = cv2.threshold(np.pad(ink, MARGIN_PX), _KEPT - 1, 255, cv2.THRESH_BINARY_INV)
    return cv2.imencode(".png", paper, _QUICK)[1].tobytes()


def marks_png(kept: Mask, left_out: Mask) -> bytes:
    """Return ink `(h, w)` of a page on white, what was left out in brown, as a PNG up to 960 px."""
    picture = np.full((*kept.shape, 3), 255, np.uint8)
    picture[left_out > 0] = LEFT_OUT_BROWN[::-1]  # OpenCV writes blue first.
    picture[kept > 0] = 0
    if kept.shape[1] > MAX_WIDTH_PX:
        size = (MAX_WIDTH_PX, max(1, round(kept.shape[0] * MAX_WIDTH_PX / kept.shape[1])))
        picture = np.asarray(cv2.resize(picture, size, interpolation=cv2.INTER_AREA), np.uint8)
    return cv2.imencode(".png", picture)[1].tobytes()
