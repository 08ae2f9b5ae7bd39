"""Fixed layers that describe strokes by their direction; `lean_network` learns to project it.

All take and give float32 and hold no trained weights. Loading this loads Keras.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

BINS = 9
OFFSETS = ((0, 2), (2, 0), (2, 2), (2, -2))  # Rows, columns.


class _FixedLayer(layers.Layer):  # type: ignore[misc]
    """A layer without weights, float32 under any dtype policy: small differences matter here."""

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "trainable": False, "dtype": "float32"})


@keras.saving.register_keras_serializable("countersign")
class OrientedGradients(_FixedLayer):
    """The gradient of a canvas `(n, h, w, 1)`, shared out to nine directions of 0 to 180 degrees.

    The share is the cosine between gradient and direction to the power 16, a half at 17 degrees (a
    steerable filter, Freeman and Adelson 1991), so the network exports to plain operators.

    Returns:
        `(n, h / shrink, w / shrink, 9)`, means over squares of `shrink` pixels a side.
    """

    def __init__(self, shrink: int, **options: Any) -> None:
        super().__init__(**options)
        self.shrink = shrink
        # A stride of `shrink` makes channels of the pixels of a square: few, wide maps cost least.
        difference = np.zeros((shrink + 2, shrink + 2, 1, 2 * shrink**2), np.float32)
        for place, (row, column) in enumerate(np.ndindex(shrink, shrink)):
            difference[row + 1, column : column + 3 : 2, 0, place] = -1, 1
            difference[row : row + 3 : 2, column + 1, 0, shrink**2 + place] = -1, 1
        angles = np.arange(BINS) * np.pi / BINS
        binomial = [
            number * np.cos(angles) ** (4 - power) * np.sin(angles) ** power
            for power, number in enumerate((1, 4, 6, 4, 1))
        ]
        self._difference = difference
        self._binomial = np.stack(binomial, axis=1).astype(np.float32)  # Of a cosine's power 4.

    def call(self, canvas: Any) -> Any:
        """Share out the gradient, channels first: ONNX Runtime is quickest on whole maps."""
        rows, columns = (side // self.shrink for side in canvas.shape[1:3])
        places = self.shrink**2
        framed = ops.pad(canvas, ((0, 0), (1, 1), (1, 1), (0, 0)))
        gradient = ops.conv(framed, self._difference, strides=self.shrink, padding="valid")
        gradient = ops.reshape(
            ops.transpose(gradient, (0, 3, 1, 2)), (-1, 2, places * rows * columns)
        )
        right, down = gradient[:, :1], gradient[:, 1:]
        squared = right * right + down * down + 1e-6
        xx, xy, yy = right * right / squared, right * down / squared, down * down / squared
        powers = ops.concatenate([xx * xx, xx * xy, xy * xy, xy * yy, yy * yy], axis=1)
        # The fourth root of the length goes along, and two squarings make it whole.
        share = ops.matmul(self._binomial, ops.sqrt(ops.sqrt(ops.sqrt(squared))) * powers)
        share = share * share
        share = ops.reshape(share * share, (-1, BINS, places, rows, columns))
        return ops.transpose(ops.mean(share, axis=2), (0, 2, 3, 1))

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
        self._weights = weights / weights.sum()
        self._margin = (size - stride) // 2

    def call(self, gradients: Any) -> Any:
        """Pool and normalise."""
        height, width = gradients.shape[1:3]
        maps = ops.transpose(gradients, (0, 3, 1, 2))
        cells = ops.matmul(self._bands(height), ops.matmul(maps, self._bands(width).T))
        cells = cells / (ops.sqrt(ops.sum(cells * cells, axis=1, keepdims=True)) + 2e-3)
        return ops.transpose(cells, (0, 2, 3, 1))

    def _bands(self, side: int) -> Any:
        """`(side / stride, side)`: the weights at each cell's place; beyond the edge is nothing."""
        bands = np.zeros((side // self.stride, side + 2 * self._margin), np.float32)
        for cell, band in enumerate(bands):
            band[cell * self.stride :][: len(self._weights)] = self._weights
        return bands[:, self._margin : self._margin + side]

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
        by_column = ops.transpose(gradients, (0, 3, 2, 1))  # So that a strip is one piece.
        tables = []
        for down, right in OFFSETS:
            rows, columns = height - down, width - abs(right)
            here = ops.reshape(by_column[..., :rows], (-1, BINS, width * rows))
            there = ops.reshape(by_column[..., down:], (-1, BINS, width * rows))
            for zone in range(self.zones):
                first, last = (max(0, -right) + n * columns // self.zones for n in (zone, zone + 1))
                strip = here[..., first * rows : last * rows]
                shifted = there[..., (first + right) * rows : (last + right) * rows]
                pairs = ops.matmul(strip, ops.transpose(shifted, (0, 2, 1)))
                tables.append(pairs / ((last - first) * rows))
        means = ops.reshape(ops.stack(tables, axis=1), (-1, len(tables), BINS * BINS))
        length = ops.sqrt(ops.sum(means, axis=-1, keepdims=True)) + 1e-4
        return ops.reshape(ops.sqrt(means + 1e-12) / length, (-1, len(tables) * BINS * BINS))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "zones": self.zones}
