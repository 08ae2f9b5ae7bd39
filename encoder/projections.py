"""Sets the projections of the lean network before and after training, from canvases alone.

No writer's name is used here, only what signatures have in common. Loading this loads Keras.
"""

from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from encoder.writers_folder import Canvases

BATCH = 64
# How far the variance along each principal axis is evened out: 0 not at all, 1 whitened. Between:
# the strongest axes are what all signatures vary in, the weakest are noise.
EVENED = {"layout": 0.7, "texture": 0.7}


def fit_projections(network: Any, canvases: Canvases) -> None:
    """Set `layout` and `texture` to the principal axes of their features, partly whitened.

    Args:
        network: a `lean_network`.
        canvases: `(n, h, w)` uint8 of many hands, more than either projection's size.
    """
    for name, evened in EVENED.items():
        layer = network.get_layer(name)
        features = _run(network, layer.input, canvases)
        mean = features.mean(axis=0)
        variances, axes = np.linalg.eigh(np.cov((features - mean).T))
        strongest = slice(-1, -1 - layer.units, -1)
        # An axis along which too few canvases vary at all would be noise: it counts nothing.
        found = variances[strongest] > variances[-1] * 1e-6
        scale = np.where(found, np.maximum(variances[strongest], 1e-12) ** (-evened / 2), 0.0)
        kernel = axes[:, strongest] * scale
        # One scale for all: rows then have length 1 on average, where training starts well.
        kernel /= np.linalg.norm((features - mean) @ kernel, axis=1).mean()
        layer.set_weights([kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)])


def fit_rotation(network: Any, canvases: Canvases) -> None:
    """Turn the embedding so that its leading elements hold as much as can be; lengths stay.

    Similarities stay as they are, so this may be done to a trained network. An index that keeps
    the leading elements alone then loses least.
    """
    vectors = _run(network, network.get_layer("both").output, canvases)
    _, axes = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    network.get_layer("rotation").set_weights([axes[:, ::-1].astype(np.float32)])


def _run(network: Any, output: Any, canvases: Canvases) -> NDArray[np.float32]:
    part = keras.Model(network.input, output)
    batches = (canvases[start : start + BATCH] for start in range(0, len(canvases), BATCH))
    return np.concatenate(
        [part.predict_on_batch((b.astype(np.float32) / 255.0)[..., None]) for b in batches]
    )
