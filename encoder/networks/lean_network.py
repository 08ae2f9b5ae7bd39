"""The lean network: a canvas to an embedding, by fixed layers and learned projections.

It takes `(n, height, width, 1)` float32, the share of ink 0 to 1, and uses Keras alone, so any of
its backends trains it. Loading this loads Keras.
"""

from typing import Any

import keras
import numpy as np
from keras import layers

from encoder.networks.direction_layers import OrientedCells, OrientedGradients, OrientedPairs
from encoder.networks.stroke_layers import StrokeBag, StrokePieces
from encoder.scoring.blocks import Blocks
from encoder.scoring.local_descriptors import SHAPE_SIZE

LEAN_CANVAS = (144, 288)
LAYOUT_SIZE, TEXTURE_SIZE, STROKES_SIZE = 160, 256, 160
BLOCKS = ("layout", "texture", "strokes")


def lean_network(canvas_size: tuple[int, int] = LEAN_CANVAS) -> Any:
    """Learned projections of stroke directions: where they run, and which follow on which.

    Fixed layers see the directions (`direction_layers`), because few people have signed for
    training, while everybody's strokes have direction. `layout` projects the histograms of 8 x 16
    cells, `texture` the pairs of directions in the left and the right half, `strokes` what small
    pieces of strokes add to a learned vocabulary (`stroke_layers`). Each is a unit vector and
    counts the same; `rotation` turns all together, which changes no similarity.

    Returns:
        A `keras.Model` of 933,336 parameters whose outputs are unit vectors `(n, 576)`, float32
        under any dtype policy.
    """
    inputs = keras.Input((*canvas_size, 1), name="canvas")
    fine = OrientedGradients(2, name="directions")(inputs)
    coarse = layers.AveragePooling2D(3, dtype="float32", name="coarse")(fine)
    cells = OrientedCells(3, 1.5, name="cells")(coarse)
    layout = _projected(layers.Flatten(dtype="float32")(cells), LAYOUT_SIZE, "layout")
    texture = _projected(OrientedPairs(2, name="pairs")(fine), TEXTURE_SIZE, "texture")
    small = layers.AveragePooling2D(2, dtype="float32", name="small_cells")(fine)
    pieces = StrokePieces(SHAPE_SIZE, name="pieces")(small)
    bag = StrokeBag(words=64, sharpness=10.0, name="bag")(pieces)
    strokes = _projected(bag, STROKES_SIZE, "strokes")
    x = layers.Concatenate(dtype="float32", name="blocks")([layout, texture, strokes])
    x = layers.Dense(
        LAYOUT_SIZE + TEXTURE_SIZE + STROKES_SIZE,
        use_bias=False,
        trainable=False,
        kernel_initializer="identity",
        dtype="float32",
        name="rotation",
    )(x)
    x = layers.UnitNormalization(dtype="float32", name="unit")(x)
    return keras.Model(inputs, x, name="lean_network")


def with_pieces(network: Any) -> Any:
    """The same network that also gives the pieces of strokes, where it sees any.

    Returns:
        A `keras.Model` of two outputs: the embeddings, and `(n, rows, columns, 25)`, for every cell
        of the canvas the shape of the piece around it and its ink. A network without pieces stays.
    """
    if not any(layer.name == "pieces" for layer in network.layers):
        return network
    return keras.Model(
        network.input, [network.output, network.get_layer("pieces").output], name=network.name
    )


def blocks_of(network: Any) -> Blocks:
    """How the embeddings of a network come apart; one without a rotation has one block."""
    if not any(layer.name == "rotation" for layer in network.layers):
        return Blocks()
    sizes = tuple(network.get_layer(f"{name}_unit").output.shape[-1] for name in BLOCKS)
    return Blocks(BLOCKS, sizes, np.asarray(network.get_layer("rotation").get_weights()[0]))


def _projected(features: Any, size: int, name: str) -> Any:
    """Features `(n, f)`, each row scaled to length 1, projected to unit vectors `(n, size)`."""
    x = layers.UnitNormalization(dtype="float32", name=f"{name}_features")(features)
    x = layers.Dense(size, dtype="float32", name=name)(x)
    return layers.UnitNormalization(dtype="float32", name=f"{name}_unit")(x)
