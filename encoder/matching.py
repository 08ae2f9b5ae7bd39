"""How well signatures match piece by piece: each looks for its like in shape and place.

The vector of a signature says what it is like on the whole; its pieces say whether each bit of
stroke has a counterpart in the other signature. Which are kept is `pieces`' to say.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.pieces import PIECE_SIZE, SCALE, SHAPE_SIZE, Pieces

FAR_CELLS = 36.0  # Pieces of one shape so far apart are as unlike as unrelated ones in one place.

BAND = 96  # Pieces of either side multiplied at once: see `_product`.
TOGETHER = 4_000_000  # Pairs of pieces compared at once: 16 MB of distances.

Floats = NDArray[np.float32]

UNITS = np.repeat(np.array([1 / SCALE, 1 / FAR_CELLS], np.float32), [SHAPE_SIZE, 2])
TURNED = [*range(PIECE_SIZE), PIECE_SIZE + 1, PIECE_SIZE]


def likeness(ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    """How well signatures match piece by piece: `(n, m)`, 1 where each piece has its very like.

    For each piece, its nearest of the other signature is found, by shape and place; 1 less half the
    squared distance is averaged over the pieces of one signature, then of the other, and of both.
    A signature without pieces has 0 with any. Matching local descriptors to their nearest, never
    quantised, is after Boiman, Shechtman and Irani (2008).
    """
    if sum(map(len, ones)) * sum(map(len, others)) > TOGETHER and len(ones) + len(others) > 2:
        return _by_halves(ones, others)
    found = _matched(_stacked(ones), _turned(_stacked(others)))
    return _of_inked(found, ones, others)


def likeness_among(signatures: Sequence[Pieces]) -> Floats:
    """As `likeness` of each with each of n signatures `(n, n)`, every pair looked at once."""
    count = len(signatures)
    left = _stacked(signatures)
    right = _turned(left)
    found = np.zeros((count, count), np.float32)
    for number, end in enumerate(left.starts[1:].tolist()):
        one = Stacked(left.points[left.starts[number] : end], np.zeros(1, np.intp))
        later = Stacked(right.points[end:], right.starts[number + 1 :] - end)
        found[number, number + 1 :] = _matched(one, later)[0]
    found += found.T + np.eye(count, dtype=np.float32)
    return _of_inked(found, signatures, signatures)


@dataclass(frozen=True)
class Stacked:
    """The pieces of signatures as points `(p, 28)`, one signature's after another's.

    The product of a point and a turned one is less half their squared distance. `starts` says where
    each signature begins; one without pieces has a point that counts nothing.
    """

    points: Floats
    starts: NDArray[np.intp]


def _stacked(signatures: Sequence[Pieces]) -> Stacked:
    filled = [p if len(p) else np.zeros((1, PIECE_SIZE), np.int8) for p in signatures]
    lengths = list(map(len, filled))
    points = np.ones((sum(lengths), PIECE_SIZE + 2), np.float32)
    seen = points[:, :PIECE_SIZE]
    np.multiply(np.concatenate(filled), UNITS, out=seen)
    points[:, -2] = -0.5 * np.einsum("ij,ij->i", seen, seen)
    return Stacked(points, np.cumsum([0, *lengths[:-1]]))


def _turned(stacked: Stacked) -> Stacked:
    return Stacked(stacked.points[:, TURNED], stacked.starts)


def _matched(ones: Stacked, others: Stacked) -> Floats:
    near = _product(ones.points, others.points)  # Less half the squared distance.
    there = _means(np.maximum.reduceat(near, others.starts, axis=1), ones.starts)
    ends = [*ones.starts[1:].tolist(), len(near)]
    spans = zip(ones.starts.tolist(), ends, strict=True)
    highest = np.stack([near[start:end].max(axis=0) for start, end in spans])
    back = _means(highest.T, others.starts).T
    return np.asarray(np.minimum(1 + (there + back) / 2, 1), np.float32)  # Rounding may pass it.


def _of_inked(found: Floats, ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    """Likenesses `(n, m)`, 0 where either signature has no pieces; changed in place."""
    found[[not len(one) for one in ones]] = 0
    found[:, [not len(other) for other in others]] = 0
    return found


def _by_halves(ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    if len(ones) > len(others):
        half = len(ones) // 2
        return np.concatenate([likeness(ones[:half], others), likeness(ones[half:], others)])
    half = len(others) // 2
    parts = [likeness(ones, others[:half]), likeness(ones, others[half:])]
    return np.concatenate(parts, axis=1)


def _product(left: Floats, right: Floats) -> Floats:
    """`left @ right.T` in squares, each too small for OpenBLAS to share it among threads.

    Its threads wait for each other in a loop: where all cores have work, a product of a
    millisecond then takes thirty.
    """
    found = np.empty((len(left), len(right)), np.float32)
    turned = right.T
    for row in range(0, len(left), BAND):
        rows, band = left[row : row + BAND], found[row : row + BAND]
        for column in range(0, len(right), BAND):
            square = slice(column, column + BAND)
            np.matmul(rows, turned[:, square], out=band[:, square])
    return found


def _means(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Means `(n, m)` of the rows of values `(p, m)` from each start to the next."""
    counts = np.diff([*starts, len(values)])
    return np.asarray(np.add.reduceat(values, starts, axis=0) / counts[:, None], np.float32)
