"""Learns from canvases alone which pieces of strokes there are: their axes, and words for them.

No writer's name is used. Loading this loads Keras.
"""

from typing import Any

import cv2
import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from encoder.networks.stroke_layers import LEAST_INK_AROUND, WINDOW

PIECES_EACH = 60  # Of one canvas.
ROUNDS = 30

Floats = NDArray[np.float32]


def fit_vocabulary(describing: Any, bag: Any, cells: Floats, seed: int = 0) -> None:
    """Set the axes of pieces by principal axes, and the words for them by k-means.

    Args:
        describing: the StrokePieces.
        bag: the StrokeBag.
        cells: `(n, h, w, 9)` what the first takes, of many hands.
        seed: draws the pieces and the first words.
    """
    rng = np.random.default_rng(seed)
    windows = np.concatenate([_drawn(one, rng) for one in cells])
    mean = windows.mean(axis=0)
    _, axes = np.linalg.eigh(np.cov((windows - mean).T))
    axes = axes[:, : -1 - describing.size : -1]
    pieces = (windows - mean) @ axes
    scale = float(np.sqrt((pieces**2).sum(axis=1).mean()))
    pieces = (pieces / scale).astype(np.float32)
    cv2.setRNGSeed(seed + 1)
    stop = (cv2.TERM_CRITERIA_EPS + cv2.TERM_CRITERIA_MAX_ITER, ROUNDS, 1e-4)
    labels = np.zeros((len(pieces), 1), np.int32)  # Filled by k-means.
    _, _, words = cv2.kmeans(pieces, bag.words, labels, stop, 2, cv2.KMEANS_PP_CENTERS)
    axes = axes / scale
    kernel = np.reshape(axes, (WINDOW, WINDOW, -1, describing.size))
    describing.set_weights([kernel, (mean @ axes)[None]])
    bag.set_weights([words])


def _drawn(cells: Floats, rng: np.random.Generator) -> Floats:
    """Windows `(k, 144)` of one canvas, where there is ink, prepared as the layer does."""
    columns = cells.shape[1]
    around = cv2.blur(cells.sum(axis=-1), (3, 3), borderType=cv2.BORDER_CONSTANT)
    ink = np.where(around > LEAST_INK_AROUND, np.sqrt(around), 0.0).ravel().astype(np.float64)
    count = min(PIECES_EACH, int(np.count_nonzero(ink)))
    share = ink / max(ink.sum(), 1e-9)
    chosen = rng.choice(ink.size, count, replace=False, p=share) if count else np.arange(0)
    framed = np.pad(cells, ((1, WINDOW - 2), (1, WINDOW - 2), (0, 0)))
    windows = sliding_window_view(framed, (WINDOW, WINDOW), axis=(0, 1))  # (h, w, 9, 4, 4)
    down, right = np.divmod(chosen, columns)
    picked = windows[down, right].transpose(0, 2, 3, 1).reshape(count, -1)
    length = np.sqrt(picked.sum(axis=1, keepdims=True) + 1e-6)
    return np.asarray(np.sqrt(picked + 1e-8) / (length + 1e-2), np.float32)
