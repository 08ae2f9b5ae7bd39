"""How far a search of an IVF index looks, and when it has seen enough; `tuning` finds it out."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_FARTHER = 8


@dataclass(frozen=True)
class RecallTarget:
    """What searches are to find: this share of the `nearest` (1 or 10) exactly nearest references.

    A caller fetches `fetched` neighbours at the least, and scores the writers behind them exactly,
    on all of their references. So a reference is found where any of its writer's is fetched.
    """

    fetched: int
    nearest: int = 10
    recall: float = 0.999


@dataclass(frozen=True)
class Tuning:
    """How far a search looks, and what that reached when it was measured.

    `nprobe`: lists looked into, or `first` of them where the neighbour number `nearest` found there
    stands out by `enough`. `candidates`, `first_candidates`: how many are put in order.
    `recall`: share of the ten exactly nearest of whose writers a reference was fetched; that of the
    `nearest` (1 or 10) is what was tuned to, where so many are `fetched`. `size`: how many
    references there were then, and `loss`, `imbalance`: how well they fitted (`IvfIndex.fit`).
    0 where one of the last three is not known.
    """

    nprobe: int
    candidates: int
    first: int
    first_candidates: int
    enough: float
    nearest: int
    recall: float
    recall_of_nearest: float
    size: int
    loss: float = 0.0
    imbalance: float = 0.0
    fetched: int = 0

    def fits(self, lists: int) -> bool:
        """Whether an index of so many lists can be searched like this: it may come from a file."""
        candidates = (self.candidates, self.first_candidates)
        whole = (self.nprobe, self.first, self.nearest, self.size, self.fetched, *candidates)
        shares = (self.enough, self.recall, self.recall_of_nearest, self.loss, self.imbalance)
        numbers = all(type(one) is int for one in whole) and all(
            type(one) in (int, float) for one in shares
        )
        return numbers and 1 <= self.first <= self.nprobe <= lists and min(candidates) >= 1


def least_fetched(nearest: int) -> int:
    """Return how many neighbours `stands_out` needs, where there are so many."""
    return _FARTHER * nearest


def stands_out(similarities: NDArray[np.float32], nearest: int) -> float:
    """Return how much the neighbour number `nearest` of (k,) stands out, best first.

    That is its similarity and how much it has over that of one eight times as far down: where a
    whole neighbourhood is near, there are more that may be nearer still.
    """
    last = len(similarities)
    near, farther = (min(n, last) - 1 for n in (nearest, least_fetched(nearest)))
    return 2 * float(similarities[near]) - float(similarities[farther])
