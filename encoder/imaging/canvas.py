"""Sets ink on a canvas of the network's size, its aspect ratio kept."""

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.imaging.pixels import Mask, as_uint8

CANVAS_SIZE = (144, 288)  # Height and width that the shipped network takes, px.
SPREAD = 0.229  # Standard deviation of the ink on the canvas, of the side that it fills more.


def to_canvas(ink: Mask, canvas_size: tuple[int, int]) -> NDArray[np.uint8]:
    """Set ink `(h, w)` on a canvas, its aspect ratio kept, its centre of mass in the middle.

    The ink's spread about its centre decides the scale, not its box: one long stroke more or less
    would shrink all others. What lies outside the canvas then, far from the centre, is cut off.

    Returns:
        `canvas_size` uint8: the share of each canvas pixel that is ink, 0 none to 255 all.
    """
    if not ink.size:
        return np.zeros(canvas_size, dtype=np.uint8)
    scale, centre = canvas_scale(ink, canvas_size)
    height, width = (max(1, round(side / scale)) for side in canvas_size)
    window = np.zeros((height, width), np.uint8)  # What of the ink the canvas shows, full size.
    top, left = round(centre[0] - height / 2), round(centre[1] - width / 2)
    seen = ink[max(0, top) : max(0, top + height), max(0, left) : max(0, left + width)]
    down, right = max(0, -top), max(0, -left)
    window[down : down + seen.shape[0], right : right + seen.shape[1]] = seen
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR
    return as_uint8(cv2.resize(window, canvas_size[::-1], interpolation=method))


def canvas_scale(ink: Mask, canvas_size: tuple[int, int]) -> tuple[float, tuple[float, float]]:
    """Canvas pixels to a pixel of ink `(h, w)`, and the row and column of its centre of mass."""
    (row, tall), (column, wide) = (_centre_and_spread(ink, along) for along in (1, 0))
    scale = min(SPREAD * canvas_size[0] / tall, SPREAD * canvas_size[1] / wide)
    return scale, (row, column)


def _centre_and_spread(ink: Mask, along: int) -> tuple[float, float]:
    """Mean and standard deviation (1 at least) of the ink's rows (`along` 1) or columns (0), px."""
    sums = cv2.reduce(ink, along, cv2.REDUCE_SUM, dtype=cv2.CV_32S).ravel().astype(np.float64)
    share = sums / max(sums.sum(), 1.0)
    places = np.arange(len(share))
    centre = float(share @ places)
    variance = float(share @ (places - centre) ** 2)
    return centre, max(variance, 1.0) ** 0.5
