"""How far a search of an IVF index looks, and when it has seen enough; `tune` finds it out."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, fields
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

_FARTHER = 8
NEVER = 4.0  # So much nothing stands out.


@dataclass(frozen=True)
class SearchParams:
    """How far a search looks.

    `nprobe`: lists looked into, or `first` of them where the neighbour number `nearest` found there
    stands out by `enough`. `candidates`, `first_candidates`: how many are put in order.
    """

    nprobe: int
    candidates: int
    first: int
    first_candidates: int
    enough: float
    nearest: int

    @classmethod
    def at_once(cls, nprobe: int, candidates: int, nearest: int) -> Self:
        """Always look into so many lists, and put so many candidates in order."""
        return cls(nprobe, candidates, nprobe, candidates, NEVER, nearest)


@dataclass(frozen=True)
class Tuned:
    """How an index is searched unless it is asked otherwise, and what that reached when measured.

    `recall`: share of the ten exactly nearest of whose writers a reference was found, where so many
    were `fetched`; of the `nearest` (1 or 10) of the parameters it is what was tuned to. `size`:
    how many references there were then, and `loss`, `imbalance`: how well they fitted
    (`IvfIndex.fit`). 0 where one of the last three is not known.
    """

    params: SearchParams
    recall: float
    recall_of_nearest: float
    size: int
    loss: float = 0.0
    imbalance: float = 0.0
    fetched: int = 0

    def as_dict(self) -> dict[str, int | float]:
        """Return it as a file keeps it."""
        own = asdict(self)
        params: dict[str, int | float] = own.pop("params")
        return params | own

    @classmethod
    def from_dict(cls, facts: Mapping[str, Any], lists: int) -> Self:
        """Return what `as_dict` gave, for an index of so many lists; it may come from a file.

        Raises:
            ValueError: such an index cannot be searched like this.
        """
        names = {one.name for one in fields(SearchParams)}
        try:
            params = SearchParams(**{name: facts[name] for name in names & facts.keys()})
            tuned = cls(params, **{name: facts[name] for name in facts.keys() - names})
        except TypeError as error:
            raise ValueError("It is not said how it is searched.") from error
        whole = (params.nprobe, params.first, params.candidates, params.first_candidates)
        shares = (params.enough, tuned.recall, tuned.recall_of_nearest, tuned.loss, tuned.imbalance)
        numbers = all(
            type(one) is int for one in (*whole, params.nearest, tuned.size, tuned.fetched)
        )
        if not numbers or not all(type(one) in (int, float) for one in shares):
            raise ValueError("How it is searched is not said in numbers.")
        if not 1 <= params.first <= params.nprobe <= lists or min(whole) < 1:
            raise ValueError(f"It cannot be searched like this in {lists} lists.")
        return tuned


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
