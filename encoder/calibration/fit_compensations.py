"""Learns to tell scripts that are forged less well, for `scoring.script_compensation`."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.script_compensation import Amounts, ScriptCompensation
from encoder.scoring.templates import Vectors

RIDGE = 0.03  # Added to each variance of the vectors, so that no axis rests on next to none.

Doubles = NDArray[np.float64]


def fit_compensations(
    vectors: Mapping[str, Sequence[Vectors]], amounts: Mapping[str, Amounts]
) -> tuple[ScriptCompensation, ...]:
    """Learn to tell each data set's script from all others, by least squares (Fisher 1936).

    Args:
        vectors: by data set, for each writer the genuine signatures `(n, d)`.
        amounts: by data set and number of references, what the scores of its forgeries lack to
            those of the data set forged best; for data sets that are missing here, or lack nothing,
            no compensation is made.
    """
    everything = np.concatenate([v for writers in vectors.values() for v in writers])
    names = np.repeat(list(vectors), [sum(map(len, writers)) for writers in vectors.values()])
    # Each data set weighs the same, and each writer within it.
    weights = np.concatenate(
        [np.full(len(v), 1 / len(v) / len(w)) for w in vectors.values() for v in w]
    ) / len(vectors)
    compensations = []
    for name, lacking in sorted(amounts.items()):
        if len(vectors) > 1 and any(amount > 0 for _, amount in lacking):
            axis, offset = _told_apart(everything, names == name, weights)
            rounded = tuple(np.round(axis, 5).tolist())
            compensations.append(ScriptCompensation(name, rounded, round(offset, 5), lacking))
    return tuple(compensations)


def _told_apart(
    vectors: Vectors, of_it: NDArray[np.bool_], weights: Doubles
) -> tuple[Doubles, float]:
    """Axis and offset that bring those of it to 1 and all others to 0, as far as may be."""
    # Both sides weigh the same, however many data sets the other is made of.
    balanced = weights / np.where(of_it, weights[of_it].sum(), weights[~of_it].sum())
    shares = balanced / balanced.sum()
    mean, middle = shares @ vectors, float(shares @ of_it)
    centred = vectors - mean
    scatter = (centred * balanced[:, None]).T @ centred
    towards = (balanced * (of_it - middle)) @ centred
    axis = np.linalg.solve(scatter + RIDGE * np.eye(len(scatter)), towards)
    return axis, middle - float(mean @ axis)
