"""The networks that turn a canvas into an embedding; how they are trained is left to `train`.

Both take `(n, height, width, 1)` float32, the share of ink 0 to 1, and give `(n, 128)`. They use
Keras alone, so any of its backends trains them. Importing this module loads Keras.
"""

from typing import Any

import keras
from keras import layers

EMBEDDING_SIZE = 128
NOTEBOOK_CANVAS = (128, 128)
LEAN_CANVAS = (96, 192)
LEAN_WIDTHS = (16, 32, 64, 128)
LEAN_HEAD_CHANNELS = 32


def notebook_base_network(canvas_size: tuple[int, int] = NOTEBOOK_CANVAS) -> Any:
    """The base network Countersign started from: six 3x3 convolutions, then dense 512 and 128.

    Returns:
        A `keras.Model` of 1,345,088 parameters; its output is not normalised and not negative.
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
    x = layers.Dense(EMBEDDING_SIZE, activation="relu", kernel_regularizer=_l2(), name="embedding")(
        x
    )
    return keras.Model(inputs, x, name="notebook_base_network")


def lean_network(canvas_size: tuple[int, int] = LEAN_CANVAS) -> Any:
    """A residual network (He et al. 2016) for wide canvases: about 0.14 GMAC, 1.0 M parameters.

    Its head keeps the layout of the signature (1x1 convolution, flatten, dense): where on the
    canvas a stroke lies tells writers apart, and global pooling would throw it away.

    Returns:
        A `keras.Model` whose outputs are unit vectors, float32 under any dtype policy.
    """
    inputs = keras.Input((*canvas_size, 1), name="canvas")
    x = _conv(inputs, LEAN_WIDTHS[0], 3, "stem", strides=2)
    x = layers.Activation("relu", name="stem_relu")(x)
    x = _residual_block(x, LEAN_WIDTHS[0], "stage1a")
    for stage, width in enumerate(LEAN_WIDTHS[1:], start=2):
        x = _residual_block(x, width, f"stage{stage}a", strides=2)
        x = _residual_block(x, width, f"stage{stage}b")
    x = _conv(x, LEAN_HEAD_CHANNELS, 1, "head")
    x = layers.Activation("relu", name="head_relu")(x)
    x = layers.Flatten(name="layout")(x)
    x = layers.Dropout(0.1, name="dropout")(x)
    x = layers.Dense(EMBEDDING_SIZE, dtype="float32", name="embedding")(x)
    x = layers.UnitNormalization(dtype="float32", name="unit")(x)
    return keras.Model(inputs, x, name="lean_network")


def with_unit_output(network: Any) -> Any:
    """The same network with its output scaled to unit length, for comparison by cosine."""
    if network.layers[-1].name == "unit":
        return network
    unit = layers.UnitNormalization(dtype="float32", name="unit")(network.output)
    return keras.Model(network.input, unit, name=network.name)


def _residual_block(x: Any, width: int, name: str, strides: int = 1) -> Any:
    shortcut = x
    if strides > 1:
        shortcut = layers.AveragePooling2D(strides, name=f"{name}_shrink")(x)
        shortcut = _conv(shortcut, width, 1, f"{name}_shortcut")
    x = _conv(x, width, 3, f"{name}_1", strides=strides)
    x = layers.Activation("relu", name=f"{name}_relu1")(x)
    x = _conv(x, width, 3, f"{name}_2")
    x = layers.Add(name=f"{name}_add")([x, shortcut])
    return layers.Activation("relu", name=f"{name}_relu2")(x)


def _conv(x: Any, width: int, size: int, name: str, strides: int = 1) -> Any:
    x = layers.Conv2D(
        width, size, strides=strides, padding="same", use_bias=False, name=f"{name}_conv"
    )(x)
    return layers.BatchNormalization(momentum=0.97, name=f"{name}_norm")(x)


def _l2() -> Any:
    return keras.regularizers.L2(1e-4)
