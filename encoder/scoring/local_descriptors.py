"""The pieces of strokes that are kept of a signature; `local_matching` compares them.

The network describes a piece around every cell of 4 x 4 canvas pixels (`stroke_layers`).
"""

import numpy as np
from numpy.typing import NDArray

Pieces = NDArray[np.int8]  # (k, 26): 24 numbers of length 127, then the cell's row and column.

SHAPE_SIZE = 24  # Numbers that describe the shape of a piece.
PIECE_SIZE = SHAPE_SIZE + 2
SCALE = 127  # Of the numbers, as int8.
LEAST_CELL_INK = 1e-2  # Share of ink that a cell must hold for its piece to be kept.
BLOCK = 2  # Of so many cells a side, the one with the most ink is kept.
NO_PIECES: Pieces = np.zeros((0, PIECE_SIZE), np.int8)


def choose_pieces(described: NDArray[np.float32]) -> Pieces:
    """Of each block of 2 x 2 cells that holds ink, the piece around the cell with the most.

    Args:
        described: `(rows, columns, 25)`: for each cell of the canvas, the shape of the piece
            around it and the cell's ink.

    Returns:
        `(k, 26)` int8, in the order of rows; k is 0 where there is no ink.
    """
    rows, columns = (side // BLOCK for side in described.shape[:2])
    blocks = described[: rows * BLOCK, : columns * BLOCK].reshape(rows, BLOCK, columns, BLOCK, -1)
    blocks = blocks.transpose(0, 2, 1, 3, 4).reshape(rows, columns, BLOCK * BLOCK, -1)
    ink = blocks[..., -1]
    row, column = np.nonzero(ink.max(axis=2) > LEAST_CELL_INK)
    most = ink[row, column].argmax(axis=1)
    shapes = blocks[row, column, most, :-1]
    shapes = shapes / np.maximum(np.linalg.norm(shapes, axis=1, keepdims=True), 1e-9)
    down, right = np.divmod(most, BLOCK)
    places = np.stack([row * BLOCK + down, column * BLOCK + right], axis=1)
    return np.concatenate([np.rint(shapes * SCALE), places], axis=1).astype(np.int8)


def pack(pieces: Pieces) -> bytes:
    """Pieces as bytes, to keep."""
    return pieces.tobytes()


def unpack(data: bytes) -> Pieces:
    """The pieces `(k, 26)` that `pack` made bytes of.

    Raises:
        ValueError: they are no multiple of 26 bytes.
    """
    if len(data) % PIECE_SIZE:
        raise ValueError(f"expected a multiple of {PIECE_SIZE} bytes of pieces, got {len(data)}")
    return np.frombuffer(data, np.int8).reshape(-1, PIECE_SIZE)
