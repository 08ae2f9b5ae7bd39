"""The comparison score of a probe against a writer's references, in numpy.

score = (highest + mean)/2 of the probe's similarities to the references, less 0.7 times how alike
the references are among themselves: a writer who signs always the same must be met more closely
than one who varies. On four data sets and several features this took 5 to 7 points off the equal
error rate against skilled forgeries.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

NORMALISATION = 0.7

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class Spread:
    """What is known of the references' own likeness over all writers.

    Attributes:
        population: mean over development writers of (mean similarity of references + mean of each
            reference's highest similarity to the others) / 2.
        shrinkage: how many references beyond the first the population's value weighs as much as.
    """

    population: float = 0.6
    shrinkage: float = 1.0


@dataclass(frozen=True)
class ClaimScore:
    """A comparison score (higher = more alike) and the similarities `(r,)` it came from."""

    score: float
    similarities: Vectors


def centred(vectors: Vectors, centre: Vectors | None) -> Vectors:
    """Unit vectors `(..., d)` less the centre `(d,)`, of length 1 again; without one, as they are.

    A vector that is the centre itself becomes zeros: it resembles nothing.
    """
    if centre is None:
        return vectors
    shifted = vectors - centre
    lengths = np.linalg.norm(shifted, axis=-1, keepdims=True)
    return np.asarray(shifted / np.maximum(lengths, 1e-12), np.float32)


def claim_score(probe: Vectors, references: Vectors, spread: Spread) -> ClaimScore:
    """Compare one unit vector `(d,)` with a writer's references `(r, d)`, r >= 1."""
    similarities = references @ probe
    likeness = (float(similarities.max()) + float(similarities.mean())) / 2
    return ClaimScore(likeness - NORMALISATION * own_likeness(references, spread), similarities)


def claim_scores(probes: Vectors, references: Vectors, spread: Spread) -> NDArray[np.float64]:
    """As `claim_score` for `(n, d)` probes against one writer's references: `(n,)` scores."""
    return gallery_scores(probes, references[None], spread)[:, 0]


def gallery_scores(probes: Vectors, galleries: Vectors, spread: Spread) -> NDArray[np.float64]:
    """As `claim_score` for `(n, d)` probes against each of g writers' `(g, r, d)`: `(n, g)`."""
    writers, count, dimension = galleries.shape
    similarities = probes @ galleries.reshape(writers * count, dimension).T
    by_writer = similarities.reshape(len(probes), writers, count)
    likeness = (by_writer.max(axis=2) + by_writer.mean(axis=2)) / 2
    own = np.array([own_likeness(references, spread) for references in galleries])
    return np.asarray(likeness - NORMALISATION * own, np.float64)


def own_likeness(references: Vectors, spread: Spread) -> float:
    """How alike a writer's references `(r, d)` are, shrunk to the population where r is small."""
    count = len(references)
    if count < 2:
        return spread.population
    weight = (count - 1) / (count - 1 + spread.shrinkage)
    return weight * observed_likeness(references) + (1 - weight) * spread.population


def observed_likeness(references: Vectors) -> float:
    """(Mean similarity of pairs + mean highest similarity to another) / 2 of `(r, d)`, r >= 2."""
    count = len(references)
    similarities = references @ references.T
    np.fill_diagonal(similarities, 0.0)
    mean = float(similarities.sum()) / (count * (count - 1))
    np.fill_diagonal(similarities, -1.0)
    return (mean + float(similarities.max(axis=1).mean())) / 2
