"""Sets the projections of the lean network before and after training, from canvases alone.

No writer's name is used here, only what signatures have in common, and what a change that says
nothing of the writer (a turned page, a bent one) does to them. Loading this loads Keras.
"""

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from encoder.datasets.augment import Variation, vary
from encoder.datasets.folder import Canvases
from encoder.training.fit_vocabulary import fit_vocabulary

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]

BATCH = 64
# How far the variance along each principal axis is evened out: 0 not at all, 1 whitened. Between:
# the strongest axes are what all signatures vary in, the weakest are noise.
EVENED = {"layout": 0.7, "texture": 0.7, "strokes": 0.7}
VOCABULARY_CANVASES = 1500
NOISE = 1e-6  # Of the largest variance.
# What a page and a scanner do, and how often it is added to how signatures themselves vary.
_STILL = Variation(0, 0, 0, 0, 0, 0, 0, 0)
NUISANCES = (
    (replace(_STILL, rotation_deg=12.0), 0.65),
    (replace(_STILL, shear=0.12, zoom=0.08, stretch=0.1, shift=0.03, bend_px=2.0), 0.5),
)


def fit_projections(network: Any, canvases: Canvases, seed: int = 0) -> None:
    """Learn the words of strokes; set each projection to principal axes, partly whitened.

    Directions in which features move when a signature is only varied (`NUISANCES`) are whitened as
    if signatures varied more there, so that they count less; of what that leaves, the axes along
    which signatures differ most are kept.

    Args:
        network: a `lean_network`.
        canvases: `(n, h, w)` uint8 of many hands, more than either projection's size.
        seed: draws the variations.
    """
    rng = np.random.default_rng(seed)
    pieces = network.get_layer("pieces")
    some = rng.permutation(len(canvases))[:VOCABULARY_CANVASES]
    cells = _run(network, [pieces.input], canvases[some])[0]
    fit_vocabulary(pieces, network.get_layer("bag"), cells, seed)
    projections = [network.get_layer(name) for name in EVENED]
    inputs = [layer.input for layer in projections]
    features = _run(network, inputs, canvases)
    changed = [
        _run(network, inputs, np.stack([vary(canvas, variation, rng) for canvas in canvases]))
        for variation, _ in NUISANCES
    ]
    for number, (layer, evened) in enumerate(zip(projections, EVENED.values(), strict=True)):
        moved = [(varied[number] - features[number]).astype(np.float64) for varied in changed]
        _project(layer, features[number], moved, evened)


def _project(layer: Any, features: Floats, moved: Sequence[Doubles], evened: float) -> None:
    """Set one projection from features `(n, f)`, and how each nuisance moves them."""
    mean = features.mean(axis=0)
    covariance = np.cov((features - mean).T)
    spread = covariance.copy()
    for (_, weight), by in zip(NUISANCES, moved, strict=True):
        spread += weight * (by.T @ by) / len(by)
    whitening = _power(spread, -evened / 2)
    variances, axes = np.linalg.eigh(whitening @ covariance @ whitening)
    strongest = slice(-1, -1 - layer.units, -1)
    # An axis along which too few canvases vary at all would be noise: it counts nothing.
    found = variances[strongest] > variances[-1] * NOISE
    kernel = whitening @ axes[:, strongest] * found
    # One scale for all: rows then have length 1 on average, where training starts well.
    kernel /= np.linalg.norm((features - mean) @ kernel, axis=1).mean()
    layer.set_weights([kernel.astype(np.float32), (-mean @ kernel).astype(np.float32)])


def fit_rotation(network: Any, canvases: Canvases) -> None:
    """Turn the embedding so that its leading elements hold as much as can be; lengths stay.

    Similarities stay as they are, so this may be done to a trained network. An index that keeps
    the leading elements alone then loses least.
    """
    (vectors,) = _run(network, [network.get_layer("blocks").output], canvases)
    _, axes = np.linalg.eigh(vectors.T.astype(np.float64) @ vectors)
    network.get_layer("rotation").set_weights([axes[:, ::-1].astype(np.float32)])


def _power(symmetric: NDArray[np.float64], exponent: float) -> NDArray[np.float64]:
    """A positive semidefinite matrix to a power, axes of next to no variance left out."""
    variances, axes = np.linalg.eigh(symmetric)
    found = variances > variances[-1] * NOISE
    powers = np.where(found, np.maximum(variances, 1e-12) ** exponent, 0.0)
    return np.asarray((axes * powers) @ axes.T)


def _run(network: Any, outputs: list[Any], canvases: Canvases) -> list[Floats]:
    part = keras.Model(network.input, {str(n): output for n, output in enumerate(outputs)})
    batches = [
        part.predict_on_batch((canvases[start : start + BATCH].astype(np.float32) / 255)[..., None])
        for start in range(0, len(canvases), BATCH)
    ]
    return [np.concatenate([batch[str(n)] for batch in batches]) for n in range(len(outputs))]
