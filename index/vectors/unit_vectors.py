"""What a vector of the gallery is, and its form as bytes; where they are kept is for others."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from index.errors import InvalidVector

# A float32 unit vector of a few hundred dimensions is off by about 1e-7. More than this is not
# rounding: it is a vector that was never normalised.
NORM_TOLERANCE = 1e-3

_STORED = np.dtype("<f4")


def unit_vectors(vectors: ArrayLike, dimension: int) -> NDArray[np.float32]:
    """Return `vectors` as a C-contiguous (n, dimension) float32 array.

    Raises:
        InvalidVector: the shape differs, a number is not finite, or a length is not 1.
    """
    array = np.ascontiguousarray(vectors, dtype=np.float32)
    if array.shape[1:] != (dimension,):
        raise InvalidVector(f"Expected vectors of shape (n, {dimension}), got {array.shape}.")
    unit = are_unit(array)
    if not all(unit):
        row = unit.index(False)
        raise InvalidVector(
            f"Expected finite vectors of length 1, got length {np.linalg.norm(array[row]):.6g} in "
            f"row {row}; "
            "normalise embeddings before they are enrolled or searched."
        )
    return array


def are_unit(vectors: NDArray[np.float32]) -> list[bool]:
    """Return which of the vectors (n, d) are finite and of length 1."""
    with np.errstate(over="ignore"):
        squares = np.vecdot(vectors, vectors).tolist()
    # A square is off by twice as much as its root. NaN compares false with everything. For the one
    # probe of a search a loop takes a third of what numpy does.
    return [abs(square - 1.0) <= 2 * NORM_TOLERANCE for square in squares]


def leading(vectors: NDArray[np.float32], dimension: int) -> NDArray[np.float32]:
    """Return the first `dimension` elements of unit vectors (n, d), at unit length again.

    What an index holds of embeddings whose leading elements say most. With d equal to `dimension`
    they come back as they are. The bytes of a row depend on that row alone, whatever machine or
    batch it is computed in, so that an index can be compared with the registry bit by bit. A row
    whose leading elements are all zero points nowhere; it becomes the first axis, so that its
    reference still counts, and is found when all are asked for.

    Raises:
        InvalidVector: the vectors are shorter, or are not finite unit vectors.
    """
    widths = vectors.shape[1:]
    if widths == (dimension,):
        return vectors
    if len(widths) != 1 or widths[0] < dimension:
        raise InvalidVector(
            f"Expected vectors of shape (n, {dimension}) or longer, got {vectors.shape}."
        )
    whole = unit_vectors(vectors, vectors.shape[1])
    part = whole[:, :dimension].astype(np.float64)
    # Summed strictly from left to right: other sums of numpy depend on shape and instruction set.
    lengths = np.sqrt(np.cumsum(part * part, axis=1)[:, -1])
    nowhere = lengths == 0.0
    part[nowhere, 0] = lengths[nowhere] = 1.0
    shortened: NDArray[np.float32] = (part / lengths[:, np.newaxis]).astype(np.float32)
    return shortened


def to_bytes(vector: NDArray[np.float32]) -> bytes:
    """Return a (d,) vector as little-endian float32, the form kept in SQL."""
    return vector.astype(_STORED, copy=False).tobytes()


def from_bytes(blobs: Sequence[bytes], dimension: int | None = None) -> NDArray[np.float32]:
    """Return stored vectors as an (n, d) float32 array.

    Raises:
        InvalidVector: they are not all of one size, or not of `dimension` when given.
    """
    width = (len(blobs[0]) if blobs else 0) if dimension is None else dimension * _STORED.itemsize
    if any(len(blob) != width for blob in blobs) or width % _STORED.itemsize:
        raise InvalidVector(
            f"Expected stored vectors of {width} bytes, found others: the registry is damaged."
        )
    flat = np.frombuffer(b"".join(blobs), dtype=_STORED).astype(np.float32, copy=False)
    return flat.reshape(len(blobs), width // _STORED.itemsize)
