"""How well signatures match piece by piece: each looks for its like in shape and place.

The vector of a signature says what it is like on the whole; its pieces say whether each bit of
stroke has a counterpart in the other signature. Which are kept is `pieces`' to say.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoder.pieces import PIECE_SIZE, SCALE, SHAPE_SIZE, Pieces

FAR_CELLS = 36.0  # Pieces of one shape so far apart are as unlike as unrelated ones in one place.

ONE_THREAD = 1 << 18  # Multiplications up to which OpenBLAS uses one thread.
TOGETHER = 4_000_000  # Pairs of pieces compared at once: 16 MB of distances.

Floats = NDArray[np.float32]


def likeness(ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    """How well signatures match piece by piece: `(n, m)`, 1 where each piece has its very like.

    A signature without pieces has 0 with any.

    For each piece, its nearest of the other signature is found, by shape and place; 1 less half the
    squared distance is averaged over the pieces of one signature, then of the other, and of both.
    Matching local descriptors to their nearest, never quantised, is after Boiman, Shechtman and
    Irani (2008).
    """
    if sum(map(len, ones)) * sum(map(len, others)) > TOGETHER and len(ones) + len(others) > 2:
        return _by_halves(ones, others)
    left, starts = _stacked(ones, before=True)
    right, ends = _stacked(others, before=False)
    near = _product(left, right)  # Less half the squared distance of each piece to each.
    there = _means(np.maximum.reduceat(near, ends, axis=1), starts)
    if ones is others:  # The way back is another pair's way there.
        back = there.T
    else:
        highest = np.stack([near[a:b].max(axis=0) for a, b in _spans(starts, len(left))])
        back = _means(highest.T, ends).T
    found = np.minimum(1 + (there + back) / 2, 1)  # Rounding may pass it.
    found[[not len(one) for one in ones]] = 0
    found[:, [not len(other) for other in others]] = 0
    return np.asarray(found, np.float32)


def _by_halves(ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    if len(ones) > len(others):
        half = len(ones) // 2
        return np.concatenate([likeness(ones[:half], others), likeness(ones[half:], others)])
    half = len(others) // 2
    parts = [likeness(ones, others[:half]), likeness(ones, others[half:])]
    return np.concatenate(parts, axis=1)


def _stacked(signatures: Sequence[Pieces], *, before: bool) -> tuple[Floats, NDArray[np.intp]]:
    """Points `(p, 28)` of all signatures, and where each begins; products are less half distances.

    A signature without pieces has one of no shape, whose likeness is not looked at.
    """
    filled = [p if len(p) else np.zeros((1, PIECE_SIZE), np.int8) for p in signatures]
    points = np.concatenate(filled).astype(np.float32)
    points[:, :SHAPE_SIZE] /= SCALE
    points[:, SHAPE_SIZE:] /= FAR_CELLS
    half = -0.5 * np.einsum("ij,ij->i", points, points)
    last = (half, np.ones_like(half)) if before else (np.ones_like(half), half)
    starts = np.cumsum([0, *(len(p) for p in filled[:-1])])
    return np.column_stack([points, *last]), starts


def _product(left: Floats, right: Floats) -> Floats:
    """`left @ right.T` in bands of rows, each too small for BLAS to share it among threads.

    Its threads wait for each other in a loop: where all cores have work, a product of a
    millisecond then takes thirty.
    """
    found = np.empty((len(left), len(right)), np.float32)
    rows = max(1, ONE_THREAD // (right.size or 1))
    for start in range(0, len(left), rows):
        np.matmul(left[start : start + rows], right.T, out=found[start : start + rows])
    return found


def _means(values: Floats, starts: NDArray[np.intp]) -> Floats:
    """Means `(n, m)` of the rows of values `(p, m)` from each start to the next."""
    counts = np.diff([*starts, len(values)])
    return np.asarray(np.add.reduceat(values, starts, axis=0) / counts[:, None], np.float32)


def _spans(starts: NDArray[np.intp], end: int) -> list[tuple[int, int]]:
    return list(zip(starts.tolist(), [*starts[1:].tolist(), end], strict=True))
