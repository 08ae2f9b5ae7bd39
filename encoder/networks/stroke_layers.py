"""Layers that describe pieces of strokes and sort them into a vocabulary.

`training.fit_vocabulary` learns their weights. Loading this loads Keras.
"""

from typing import Any

import keras
import numpy as np
from keras import layers, ops

WINDOW = 4  # Cells a side of a piece of a stroke.
LEAST_INK_AROUND = 1e-3  # Windows with less around their middle count nothing.
# Added so that nothing is divided by nothing; arrays, for the ONNX exporter stumbles over numbers.
FAINT, NOTHING = np.array([1e-2], np.float32), np.array([1e-6], np.float32)


@keras.saving.register_keras_serializable("countersign")
class StrokePieces(layers.Layer):  # type: ignore[misc]
    """The shape of the piece of a stroke around each cell, and how much ink the cell holds.

    Takes cells `(n, h, w, 9)`, the ink by direction. A window of 4 x 4 cells around each,
    square-rooted and of length 1, is projected to `size` numbers. Gives `(n, h, w, size + 1)`.
    """

    def __init__(self, size: int, **options: Any) -> None:
        super().__init__(**{**options, "trainable": False, "dtype": "float32"})
        self.size = size

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights; without `fit_vocabulary` they mean nothing."""
        weigh = {"initializer": "glorot_uniform", "trainable": False}
        self.axes = self.add_weight((WINDOW, WINDOW, shape[3], self.size), name="axes", **weigh)
        self.mean = self.add_weight((1, self.size), name="mean", **weigh)

    def call(self, cells: Any) -> Any:
        """Project the windows."""
        framed = ops.pad(cells, ((0, 0), (1, WINDOW - 2), (1, WINDOW - 2), (0, 0)))
        projected = ops.conv(ops.sqrt(framed + NOTHING / 100), self.axes, padding="valid")
        box = np.ones((WINDOW, WINDOW, 1, 1), np.float32)
        squared = ops.conv(ops.sum(framed, axis=-1, keepdims=True), box, padding="valid")
        pieces = projected / (ops.sqrt(squared + NOTHING) + FAINT) - self.mean
        return ops.concatenate([pieces, ops.sum(cells, axis=-1, keepdims=True)], axis=-1)

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        return {**super().get_config(), "size": self.size}


@keras.saving.register_keras_serializable("countersign")
class StrokeBag(layers.Layer):  # type: ignore[misc]
    """What the pieces of strokes in a signature add to the words of a vocabulary.

    After Jégou, Douze, Schmid and Pérez (2010; VLAD), who did so for photographs. Takes pieces
    `(n, h, w, size + 1)` with their ink. Each is shared among the words, the nearer the more, the
    more so the higher `sharpness`. What lies between a word and its pieces is summed over the
    canvas. Gives `(n, words * size)`.
    """

    def __init__(self, words: int, sharpness: float, **options: Any) -> None:
        super().__init__(**{**options, "trainable": False, "dtype": "float32"})
        self.words = words
        self.sharpness = sharpness

    def build(self, shape: tuple[int | None, ...]) -> None:
        """Make the weights; without `fit_vocabulary` they mean nothing."""
        self.size = int(shape[3] or 0) - 1
        self.vocabulary = self.add_weight(
            (self.words, self.size), initializer="glorot_uniform", trainable=False, name="words"
        )

    def call(self, described: Any) -> Any:
        """Sum what lies between words and pieces."""
        count = described.shape[1] * described.shape[2]
        pieces = ops.reshape(described[..., : self.size], (-1, count, self.size))
        around = ops.average_pool(described[..., self.size :], 3, 1, padding="same")
        around = ops.reshape(around, (-1, count, 1))
        ink = ops.where(around > LEAST_INK_AROUND, ops.sqrt(around), 0.0)
        words = self.vocabulary
        nearness = 2 * ops.matmul(pieces, ops.transpose(words)) - ops.sum(words * words, axis=1)
        share = ops.softmax(self.sharpness * nearness, axis=-1) * ink
        sums = ops.matmul(ops.transpose(share, (0, 2, 1)), pieces)
        between = sums - ops.sum(share, axis=1)[..., None] * words
        between = between / (ops.sum(ink, axis=1, keepdims=True) + 1e-6)
        rooted = ops.sign(between) * ops.sqrt(ops.abs(between) + 1e-12)
        length = ops.sqrt(ops.sum(rooted * rooted, axis=-1, keepdims=True))
        return ops.reshape(rooted / (length + 1e-3), (-1, self.words * self.size))

    def get_config(self) -> dict[str, Any]:
        """What `from_config` needs."""
        own = ("words", "sharpness")
        return {**super().get_config(), **{name: getattr(self, name) for name in own}}
