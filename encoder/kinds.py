"""Kinds of signatures that are forged less well than others, so that one threshold serves all.

How near a forger comes depends on what is signed: the best twentieth of the forgeries of Bengali
names scores far below that of Latin ones. Held against the threshold of the latter, genuine Bengali
signatures would be refused. What kind a claim is of is told from the claimed writer's references
alone, which no forger has a hand in. What resembles no kind is judged as the one forged best; how
signatures of scripts that were never seen are told is not known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encoder.signatures import Vectors

RIDGE = 0.03
NOT_OF_IT = 0.35  # Up to here a claim is not of the kind at all,
OF_IT = 0.65  # from here on wholly, and in between in part.

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Kind:
    """A kind of signatures, and how to tell it.

    Attributes:
        name: the data set that it was learned from.
        axis: `(d,)`, on which mean vectors of references are seen; `offset` is added.
        amount: what is added to the scores of claims that are wholly of this kind.
    """

    name: str
    axis: tuple[float, ...]
    offset: float
    amount: float

    @cached_property
    def _axis(self) -> Vectors:
        return np.asarray(self.axis, np.float32)

    def allowance(self, references: Vectors) -> float:
        """What is added to the score of a claim with references `(r, d)`: 0 to `amount`."""
        seen = float(references.mean(axis=0) @ self._axis) + self.offset
        share = (seen - NOT_OF_IT) / (OF_IT - NOT_OF_IT)
        return self.amount * min(max(share, 0.0), 1.0)


def fit_kinds(
    vectors: Mapping[str, Sequence[Vectors]], amounts: Mapping[str, float]
) -> tuple[Kind, ...]:
    """Learn to tell each kind from all other signatures, by least squares (Fisher 1936).

    Args:
        vectors: by data set, for each writer the genuine signatures `(n, d)`.
        amounts: by data set, what its claims' scores lack to those of the data set forged best;
            of data sets that are missing here, or lack nothing, no kind is made.
    """
    everything = np.concatenate([v for writers in vectors.values() for v in writers])
    names = np.repeat(list(vectors), [sum(map(len, writers)) for writers in vectors.values()])
    # Each data set weighs the same, and each writer within it.
    weights = np.concatenate(
        [np.full(len(v), 1 / len(v) / len(w)) for w in vectors.values() for v in w]
    ) / len(vectors)
    kinds = []
    for name, amount in sorted(amounts.items()):
        if amount > 0 and len(vectors) > 1:
            axis, offset = _told_apart(everything, names == name, weights)
            kinds.append(Kind(name, tuple(np.round(axis, 5).tolist()), round(offset, 5), amount))
    return tuple(kinds)


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
