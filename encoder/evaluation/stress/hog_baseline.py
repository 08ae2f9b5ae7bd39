"""The no-learning floor: histograms of oriented gradients of a canvas, as unit vectors.

What a trained network must beat, through the same protocol and the same comparison score.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.datasets.folder import Canvases
from encoder.scoring.templates import Signatures

HOG_CANVAS = (96, 192)
CELL_PX = 12
ORIENTATIONS = 9
SOFTENING = 0.2  # Of the mean cell's norm: keeps empty cells from being blown up to full strength.


def hog_embed(canvases: Canvases) -> Signatures:
    """Embed canvases `(n, 96, 192)` uint8: unit vectors `(n, 1152)`, zero where there is no ink.

    8 x 16 cells with 9 unsigned orientations; each pixel's gradient is shared between the nearest
    cells and orientations, and each cell is normalised (after Dalal and Triggs 2005, without
    overlapping blocks).
    """
    fade = 1.0 - np.abs(np.arange(1 - CELL_PX, CELL_PX)) / CELL_PX
    middles = slice(CELL_PX // 2, None, CELL_PX)
    vectors = []
    for canvas in canvases:
        shares = _gradient_shares(canvas.astype(np.float32) / 255.0)
        cells = np.stack(
            [
                cv2.sepFilter2D(share, -1, fade, fade, borderType=cv2.BORDER_CONSTANT)
                for share in shares
            ]
        )[:, middles, middles]
        norms = np.linalg.norm(cells, axis=0)
        vector = (cells / (norms + SOFTENING * norms.mean() + 1e-9)).ravel()
        vectors.append(vector / max(float(np.linalg.norm(vector)), 1e-9))
    size = ORIENTATIONS * HOG_CANVAS[0] * HOG_CANVAS[1] // CELL_PX**2
    return Signatures(np.array(vectors, np.float32).reshape(-1, size))


def _gradient_shares(levels: NDArray[np.float32]) -> NDArray[np.float32]:
    """Gradient strength `(9, h, w)` by orientation, each pixel's between the two nearest."""
    across = cv2.Sobel(levels, cv2.CV_32F, 1, 0)
    down = cv2.Sobel(levels, cv2.CV_32F, 0, 1)
    strength = np.hypot(across, down)
    turn = np.mod(np.arctan2(down, across), np.pi) * (ORIENTATIONS / np.pi)
    lower = np.floor(turn).astype(np.intp)
    upper_share = turn - lower
    shares = np.zeros((ORIENTATIONS, *levels.shape), np.float32)
    rows, columns = np.indices(levels.shape)
    shares[lower % ORIENTATIONS, rows, columns] = strength * (1 - upper_share)
    shares[(lower + 1) % ORIENTATIONS, rows, columns] = strength * upper_share
    return shares
