"""How signatures match piece by piece: how well, and what they were bent for it.

The vector of a signature says what it is like on the whole; its pieces of strokes say whether each
bit of stroke has a counterpart in the other signature. The local similarity of two signatures is 1
where every piece has its exact counterpart in the other, and nears 0 where none has. Nobody writes
the parts of a signature twice at the same distances, so one signature is bent onto the other before
the places of pieces count. Which pieces are kept is decided in `local_descriptors`.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.blas_threads import limit_blas_to_one_thread
from encoder.scoring.local_descriptors import PIECE_SIZE, SCALE, SHAPE_SIZE, Pieces

# Pieces of one shape so far apart are as unlike as unrelated ones in one place: before bending,
FAR_CELLS = 36.0
BENT_FAR_CELLS = 12.0  # and after it.
BEND_CELLS = 5.4  # Pieces so near to each other move together, those three times as far do not.
STIFFNESS = 0.5  # Staying in place weighs as much as half a piece that found its very like.
TOLERANCE = 0.3  # Squared distance at which a piece counts 1/e of one that found its very like.

FAR_MOVE_CELLS = 5.0  # The unit of bend and roughness.
LEAST_WEIGHT = 1e-3  # Of all matches; keeps the roughness of pieces that match nothing finite.

MEASURES = 3  # Local similarity, bend, roughness.
TOGETHER = 20_000  # Pieces of others compared with those of one signature at once.

Floats = NDArray[np.float32]


def local_matches(ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    """How each of n signatures matches each of m others, `(3, n, m)` float32; higher is more alike.

    Each piece of the one finds its nearest in the other, by shape and place. That says where the
    one must be moved, smoothly from piece to piece, to lie on the other. Then each piece of either
    finds its nearest again, by shape and nearer place. Told are

    - the local similarity, at most 1: exp(-squared distance / 0.3), averaged over the pieces of the
      one, over those of the other, and of both;
    - the bend, at most 0: by how much the smooth moves differ, in units of five cells;
    - the roughness, at most 0: by how much the pieces' own moves differ from the smooth ones.

    A signature without pieces has 0 of all with any. Matching local descriptors to their nearest,
    never quantised, is after Boiman, Shechtman and Irani (2008); the smooth motion is a step of
    coherent point drift (Myronenko and Song 2010), kernel regression in place of its least squares.
    """
    if len(others) > 1 and sum(map(len, others)) > TOGETHER:
        half = len(others) // 2
        parts = [local_matches(ones, others[:half]), local_matches(ones, others[half:])]
        return np.concatenate(parts, axis=2)
    limit_blas_to_one_thread()
    found = np.zeros((MEASURES, len(ones), len(others)), np.float32)
    if len(others):
        targets = _Targets.of(others)
        for number, one in enumerate(ones):
            if len(one):
                found[:, number] = _matched(one, targets)
    found[:, :, [not len(other) for other in others]] = 0
    return found


def local_similarities(ones: Sequence[Pieces], others: Sequence[Pieces]) -> Floats:
    """Local similarity of each of n signatures with each of m others, `(n, m)` float32, at most 1.

    The first of `local_matches`.
    """
    return np.asarray(local_matches(ones, others)[0])


def local_matches_among(signatures: Sequence[Pieces]) -> Floats:
    """How each of n signatures matches each later one; `(3, n, n)`, same both ways."""
    limit_blas_to_one_thread()
    count = len(signatures)
    targets = _Targets.of(signatures)
    found = np.zeros((MEASURES, count, count), np.float32)
    for number, one in enumerate(signatures[:-1]):
        if len(one):
            found[:, number, number + 1 :] = _matched(one, targets.from_(number + 1))
    found[:, :, [not len(one) for one in signatures]] = 0
    found += found.transpose(0, 2, 1)
    found[0] += np.diag([float(len(one) > 0) for one in signatures])
    return found


@dataclass(frozen=True)
class _Targets:
    """The pieces of signatures, one signature's after another's, to hold others against.

    Attributes:
        places: `(p, 2)`, in cells; one without pieces has one in the corner that has no shape.
        points, bent: `(p, 28)`, turned points before and after bending (`_points`).
        starts: where each signature begins, and the end.
    """

    places: Floats
    points: Floats
    bent: Floats
    starts: list[int]

    @classmethod
    def of(cls, signatures: Sequence[Pieces]) -> "_Targets":
        filled = [p if len(p) else np.zeros((1, PIECE_SIZE), np.int8) for p in signatures]
        pieces = np.concatenate([np.zeros((0, PIECE_SIZE), np.int8), *filled])
        shapes, places = _parts(pieces)
        points = _points(shapes, places / FAR_CELLS, turned=True)
        bent = _points(shapes, places / BENT_FAR_CELLS, turned=True)
        return cls(places, points, bent, [0, *np.cumsum([len(p) for p in filled]).tolist()])

    @property
    def spans(self) -> list[tuple[int, int]]:
        """Where each signature begins and ends."""
        return list(zip(self.starts, self.starts[1:], strict=False))

    def from_(self, number: int) -> "_Targets":
        """Those from this signature on."""
        start = self.starts[number]
        starts = [one - start for one in self.starts[number:]]
        return _Targets(self.places[start:], self.points[start:], self.bent[start:], starts)


def _parts(pieces: Pieces) -> tuple[Floats, Floats]:
    """Shapes `(k, 24)` of length 1 and places `(k, 2)` in cells."""
    shapes = pieces[:, :SHAPE_SIZE].astype(np.float32) * np.float32(1 / SCALE)
    return shapes, pieces[:, SHAPE_SIZE:].astype(np.float32)


def _points(shapes: Floats, places: Floats, *, turned: bool = False) -> Floats:
    """Points `(..., k, 28)` of shapes `(k, 24)` and places `(..., k, 2)`.

    The product of a point and a turned one is less half their squared distance.
    """
    points = np.ones((*places.shape[:-1], PIECE_SIZE + 2), np.float32)
    seen = points[..., :PIECE_SIZE]
    seen[..., :SHAPE_SIZE], seen[..., SHAPE_SIZE:] = shapes, places
    points[..., -1 if turned else -2] = -0.5 * np.einsum("...j,...j->...", seen, seen)
    return points


def _matched(one: Pieces, targets: _Targets) -> Floats:
    """How the pieces `(k, 26)` of one match those of each target, `(3, m)`, k >= 1."""
    shapes, places = _parts(one)
    bent, bend, rough = _bent(shapes, places, targets)
    points = _points(shapes, bent / BENT_FAR_CELLS)
    there = np.empty(bent.shape[:2], np.float32)
    back = np.empty(len(targets.places), np.float32)
    for number, (start, end) in enumerate(targets.spans):
        near = points[number] @ targets.bent[start:end].T
        near.max(axis=1, out=there[number])
        near.max(axis=0, out=back[start:end])
    backward = np.add.reduceat(_counted(back), targets.starts[:-1]) / np.diff(targets.starts)
    alike = (_counted(there).mean(axis=1) + backward) / 2
    return np.stack([alike, bend, rough]).astype(np.float32)


def _bent(shapes: Floats, places: Floats, targets: _Targets) -> tuple[Floats, Floats, Floats]:
    """Bend the pieces onto each of m targets.

    Returns:
        Where they lie then `(m, k, 2)`, in cells; and `(m,)` the bend and the roughness.
    """
    points = _points(shapes, places / FAR_CELLS)
    nearest = np.empty((len(targets.spans), len(places)), np.intp)
    found = np.empty(nearest.shape, np.float32)
    for number, (start, end) in enumerate(targets.spans):
        near = points @ targets.points[start:end].T
        near.argmax(axis=1, out=nearest[number])
        near.max(axis=1, out=found[number])
        nearest[number] += start
    weights = _counted(found)
    moves = targets.places[nearest] - places
    rows, columns = places.T / (math.sqrt(2) * BEND_CELLS)
    together = np.exp(-np.square(rows[:, None] - rows) - np.square(columns[:, None] - columns))
    weighed = np.stack([weights, *(weights[..., None] * moves).transpose(2, 0, 1)])
    whole, down, right = weighed @ together
    moved = np.stack([down, right], axis=-1) / (whole + STIFFNESS)[..., None]
    spread = np.square(moved - moved.mean(axis=1, keepdims=True)).sum(axis=2).mean(axis=1)
    strayed = np.square(moves - moved).sum(axis=2)
    rough = (weights * strayed).sum(axis=1) / (weights.sum(axis=1) + LEAST_WEIGHT)
    bend, roughness = -np.sqrt(spread) / FAR_MOVE_CELLS, -np.sqrt(rough) / FAR_MOVE_CELLS
    return np.asarray(places + moved, np.float32), bend, roughness


def _counted(near: Floats) -> Floats:
    """What matches count, at most 1, of less half their squared distances."""
    return np.exp(np.minimum(near, 0) * np.float32(2 / TOLERANCE))  # Rounding may pass 0.
