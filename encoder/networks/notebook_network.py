"""The notebook's network, and its twin arrangement for training with pairs.

It takes `(n, height, width, 1)` float32, the share of ink 0 to 1. Loading this loads Keras.
"""

from typing import Any

import keras
from keras import layers, ops

NOTEBOOK_CANVAS = (128, 128)
NOTEBOOK_EMBEDDING_SIZE = 128
WEIGHT_DECAY = 1e-4  # L2, as in the notebook.


def notebook_base_network(canvas_size: tuple[int, int] = NOTEBOOK_CANVAS) -> Any:
    """The base network Countersign started from: six 3x3 convolutions, then dense 512 and 128.

    Returns:
        A `keras.Model` of 1,345,088 parameters to `(n, 128)`; its output is not normalised and not
        negative.
    """
    inputs = keras.Input((*canvas_size, 1), name="canvas")
    x = inputs
    for block, width in enumerate((64, 128, 256), start=1):
        for half in "ab":
            name = f"block{block}{half}"
            x = layers.Conv2D(
                width, 3, padding="same", kernel_regularizer=_l2(), name=f"{name}_conv"
            )(x)
            x = layers.BatchNormalization(name=f"{name}_norm")(x)
            x = layers.Activation("relu", name=f"{name}_relu")(x)
        x = layers.MaxPooling2D(2, name=f"block{block}_pool")(x)
    x = layers.GlobalAveragePooling2D(name="pool")(x)
    x = layers.Dense(512, activation="relu", kernel_regularizer=_l2(), name="dense")(x)
    x = layers.Dropout(0.5, name="dropout")(x)
    x = layers.Dense(
        NOTEBOOK_EMBEDDING_SIZE, activation="relu", kernel_regularizer=_l2(), name="embedding"
    )(x)
    return keras.Model(inputs, x, name="notebook_base_network")


def with_unit_output(network: Any) -> Any:
    """The same network with its output scaled to unit length, for comparison by cosine."""
    if network.layers[-1].name == "unit":
        return network
    unit = layers.UnitNormalization(dtype="float32", name="unit")(network.output)
    return keras.Model(network.input, unit, name=network.name)


def siamese(base_network: Any) -> Any:
    """A model from two canvases to a learned sigmoid of their embeddings' distance, 0 to 1.

    Returns:
        A `keras.Model` of two inputs, to `(n, 1)`: 0 the same writer, 1 another.
    """
    first = keras.Input(base_network.input_shape[1:], name="first")
    second = keras.Input(base_network.input_shape[1:], name="second")
    distance = EuclideanDistance(name="distance")([base_network(first), base_network(second)])
    output = layers.Dense(1, activation="sigmoid", dtype="float32", name="different")(distance)
    return keras.Model([first, second], output, name="siamese")


@keras.saving.register_keras_serializable("countersign")
class EuclideanDistance(layers.Layer):  # type: ignore[misc]
    """Distance `(n, 1)` of two batches of embeddings `(n, d)`."""

    def call(self, inputs: Any) -> Any:
        """Distance of each pair, kept off zero where its slope is infinite."""
        first, second = inputs
        square = ops.sum(ops.square(first - second), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(square, keras.config.epsilon()))


def _l2() -> Any:
    return keras.regularizers.L2(WEIGHT_DECAY)
