"""Kinds of signatures that are forged less well than others, so that one threshold serves all.

How near a forger comes depends on what is signed: the best twentieth of the forgeries of Bengali
names scores far below that of Latin ones. Held against the threshold of the latter, genuine Bengali
signatures would be refused. What kind a claim is of is told from the claimed writer's references
alone, which no forger has a hand in. What resembles no kind is judged as the one forged best; how
signatures of scripts that were never seen are told is not known.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.templates import Vectors

RIDGE = 0.03
NOT_OF_IT = 0.35  # Up to here a claim is not of the kind at all,
OF_IT = 0.65  # from here on wholly, and in between in part.

Doubles = NDArray[np.float64]
Amounts = tuple[tuple[int, float], ...]


@dataclass(frozen=True)
class Kind:
    """A kind of signatures, and how to tell it.

    Attributes:
        name: the data set that it was learned from.
        axis: `(d,)`, on which mean vectors of references are seen; `offset` is added.
        amounts: by number of references, ascending, what is added to the scores of claims that are
            wholly of this kind.
    """

    name: str
    axis: tuple[float, ...]
    offset: float
    amounts: Amounts

    @cached_property
    def _axis(self) -> Vectors:
        return np.asarray(self.axis, np.float32)

    def allowance(self, references: Vectors) -> float:
        """What is added to the score of a claim with references `(r, d)`."""
        fitting = [amount for count, amount in self.amounts if count <= len(references)]
        share = (self.seen(references) - NOT_OF_IT) / (OF_IT - NOT_OF_IT)
        return (fitting or [self.amounts[0][1]])[-1] * min(max(share, 0.0), 1.0)

    def seen(self, references: Vectors) -> float:
        """Where references `(r, d)` lie: about 1 those of this kind, about 0 all others."""
        return float(references.mean(axis=0) @ self._axis) + self.offset

    def told(self, references: Vectors) -> "Kind":
        """The same for claims that all are of the kind that these references `(r, d)` are of."""
        return replace(self, axis=(0.0,) * len(self.axis), offset=round(self.seen(references), 5))


def fit_kinds(
    vectors: Mapping[str, Sequence[Vectors]], amounts: Mapping[str, Amounts]
) -> tuple[Kind, ...]:
    """Learn to tell each kind from all other signatures, by least squares (Fisher 1936).

    Args:
        vectors: by data set, for each writer the genuine signatures `(n, d)`.
        amounts: by data set and number of references, what the scores of its forgeries lack to
            those of the data set forged best; of data sets that are missing here, or lack nothing,
            no kind is made.
    """
    everything = np.concatenate([v for writers in vectors.values() for v in writers])
    names = np.repeat(list(vectors), [sum(map(len, writers)) for writers in vectors.values()])
    # Each data set weighs the same, and each writer within it.
    weights = np.concatenate(
        [np.full(len(v), 1 / len(v) / len(w)) for w in vectors.values() for v in w]
    ) / len(vectors)
    kinds = []
    for name, lacking in sorted(amounts.items()):
        if len(vectors) > 1 and any(amount > 0 for _, amount in lacking):
            axis, offset = _told_apart(everything, names == name, weights)
            kinds.append(Kind(name, tuple(np.round(axis, 5).tolist()), round(offset, 5), lacking))
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
