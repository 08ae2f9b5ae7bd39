"""The notebook's twin arrangement of a base network, for training with pairs. Loads Keras."""

from typing import Any

import keras
from keras import layers, ops


@keras.saving.register_keras_serializable("countersign")
class EuclideanDistance(layers.Layer):  # type: ignore[misc]
    """Distance `(n, 1)` of two batches of embeddings `(n, d)`."""

    def call(self, inputs: Any) -> Any:
        """Distance of each pair, kept off zero where its slope is infinite."""
        first, second = inputs
        square = ops.sum(ops.square(first - second), axis=1, keepdims=True)
        return ops.sqrt(ops.maximum(square, keras.config.epsilon()))


def siamese(base_network: Any) -> Any:
    """A model from two canvases to a learned sigmoid of their embeddings' distance, 0 to 1."""
    first = keras.Input(base_network.input_shape[1:], name="first")
    second = keras.Input(base_network.input_shape[1:], name="second")
    distance = EuclideanDistance(name="distance")([base_network(first), base_network(second)])
    output = layers.Dense(1, activation="sigmoid", dtype="float32", name="different")(distance)
    return keras.Model([first, second], output, name="siamese")
