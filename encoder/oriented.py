"""Fixed layers that describe strokes by their direction; what is learned of it is `network`'s.

All take and give float32 and hold no trained weights. Importing this module loads Keras.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

BINS = 9
SHARPNESS = 16  # Power of the cosine: a bin answers half at 17 degrees from its direction.
OFFSETS = ((0, 2), (2, 0), (2, 2), (2, -2))  # Rows, columns.


class _FixedLayer(layers.Layer):  # type: ignore[misc]
    """A layer without weights, float32 under any dtype policy: small differences matter here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "trainable": False, "dtype": "float32"})


@keras.saving.register_keras_serializable("countersign")
class OrientedGradients(_FixedLayer):
    """The gradient of a canvas `(n, h, w, 1)`, shared out to nine directions of 0 to 180 degrees.

    The share is a power of the cosine between gradient and direction (a steerable filter, Freeman
    and Adelson 1991), so the network exports to plain operators.

    Returns:
        `(n, h / shrink, w / shrink, 9)`, means over squares of `shrink` pixels a side.
    """

    def __init__(self, shrink: int, **options: Any) -> None:
        super().__init__(**options)
        self.shrink = shrink
        step = np.array([-1.0, 0.0, 1.0], np.float32)
        difference = np.zeros((3, 3, 1, 2), np.float32)
        difference[1, :, 0, 0] = step
        difference[:, 1, 0, 1] = step
        angles = np.arange(BINS) * np.pi / BINS
        self._difference = difference
        self._directions = np.stack([np.cos(angles), np.sin(angles)])[None, None].astype(np.float32)

    def call(self, canvas: Any) -> Any:
        """Share out the gradient."""
        gradient = ops.conv(canvas, self._difference, padding="same")
        length = ops.sqrt(ops.sum(gradient * gradient, axis=-1, keepdims=True) + 1e-6)
        share = ops.conv(gradient / length, self._directions, padding="same")
        for _ in range(SHARPNESS.bit_length() - 1):
            share = share * share
        return ops.average_pool(length * share, self.shrink, self.shrink, padding="valid")

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "shrink": self.shrink}


@keras.saving.register_keras_serializable("countersign")
class OrientedCells(_FixedLayer):
    """Histograms of direction in overlapping cells (HOG, Dalal and Triggs 2005), each of length 1.

    Takes `(n, h, w, 9)`, gives `(n, h / stride, w / stride, 9)`. A cell weighs its surroundings by
    a Gaussian of `sigma`; its length is set to 1 so that much ink counts no more than little.
    """

    def __init__(self, stride: int, sigma: float, **options: Any) -> None:
        super().__init__(**options)
        self.stride = stride
        self.sigma = sigma
        reach = int(np.ceil(3 * sigma))
        size = 2 * reach + stride % 2
        places = np.arange(size) - (size - 1) / 2
        weights = np.exp(-(places**2) / (2 * sigma**2))
        window = np.outer(weights, weights) / weights.sum() ** 2
        self._window = np.repeat(window[:, :, None, None], BINS, axis=2).astype(np.float32)
        self._margin = (size - stride) // 2

    def call(self, gradients: Any) -> Any:
        """Pool and normalise."""
        sides = (self._margin, self._margin)
        framed = ops.pad(gradients, ((0, 0), sides, sides, (0, 0)))
        cells = ops.depthwise_conv(framed, self._window, strides=self.stride, padding="valid")
        return cells / (ops.sqrt(ops.sum(cells * cells, axis=-1, keepdims=True)) + 2e-3)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "stride": self.stride, "sigma": self.sigma}


@keras.saving.register_keras_serializable("countersign")
class OrientedPairs(_FixedLayer):
    """How often two directions meet at a given offset: the texture of a hand (CoHOG).

    After Watanabe, Ito and Yokoi (2009), who counted them for pedestrians. Takes `(n, h, w, 9)`;
    gives `(n, zones * 4 * 81)`: for each vertical strip of the canvas and each of four offsets, the
    square roots of the 9 x 9 sums, as a vector of length 1.
    """

    def __init__(self, zones: int, **options: Any) -> None:
        super().__init__(**options)
        self.zones = zones

    def call(self, gradients: Any) -> Any:
        """Count pairs of directions."""
        height, width = gradients.shape[1:3]
        tables = []
        for down, right in OFFSETS:
            here = gradients[:, : height - down, max(0, -right) : width - max(0, right)]
            there = gradients[:, down:, max(0, right) : width + min(0, right)]
            for zone in range(self.zones):
                columns = here.shape[2]
                strip = slice(zone * columns // self.zones, (zone + 1) * columns // self.zones)
                tables.append(_pairs(here[:, :, strip], there[:, :, strip]))
        return ops.concatenate(tables, axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "zones": self.zones}


def _pairs(here: Any, there: Any) -> Any:
    """Square roots of the sums of products of any two directions, as a vector of length 1."""
    places = here.shape[1] * here.shape[2]
    first = ops.transpose(ops.reshape(here, (-1, places, BINS)), (0, 2, 1))
    second = ops.reshape(there, (-1, places, BINS))
    means = ops.reshape(ops.matmul(first, second) / places, (-1, BINS * BINS))
    roots = ops.sqrt(means + 1e-12)
    return roots / (ops.sqrt(ops.sum(means, axis=-1, keepdims=True)) + 1e-4)
