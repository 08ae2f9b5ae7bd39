"""The arrays that images are here, and the type that OpenCV's annotations leave open."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Gray = NDArray[np.uint8]  # (h, w), 0 black to 255 white.
Colour = NDArray[np.uint8]  # (h, w, 3), red, green, blue.
Mask = NDArray[np.uint8]  # (h, w), 0 paper, 255 ink.

HALF_INK = 127  # A pixel of a reduced mask or a canvas above it is more ink than paper.


def as_uint8(image: ArrayLike) -> NDArray[np.uint8]:
    """What OpenCV returned, with the type it has: its own annotations are wider."""
    return np.asarray(image, dtype=np.uint8)
