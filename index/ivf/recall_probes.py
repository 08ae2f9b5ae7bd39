"""What searches of an IVF index find, on references held back; what to make of it is for `tune`."""

import math
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from index.ivf.index import IvfIndex
from index.ivf.search_params import SearchParams, stands_out
from index.vectors.faiss_threads import use_one_faiss_thread

NEAREST = 10  # Looked for; the recall may count the nearest alone.

_SAME = 1e-6  # So near are similarities to vectors that are the same.
_NOT_FOUND = 1 << 30  # More lists than there are.
_AT_ONCE = 500  # Few enough to keep no other thread waiting for what Python does with them.
_ASKED_FOR_AT_ONCE = 20_000
_ROUGHLY = 2000  # Probes that tell roughly what a way to search comes to.
_NOBODY = -1

WritersOf = Callable[[Collection[int]], Mapping[int, str]]  # Reference id -> writer id.


class ExactNeighbours:
    """The ten nearest references of each probe (p, d), found by looking at every vector.

    The probes themselves are not among them, if they are not shown.
    """

    def __init__(self, probes: NDArray[np.float32]) -> None:
        self.probes = probes
        self._heap = faiss.ResultHeap(len(probes), NEAREST, keep_max=True)

    def see(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Look at the next vectors (n, d) of the gallery."""
        if not len(vectors) or not len(self.probes):
            return
        use_one_faiss_thread()
        similarities, rows = faiss.knn(
            self.probes, vectors, min(NEAREST, len(vectors)), metric=faiss.METRIC_INNER_PRODUCT
        )
        self._heap.add_result(similarities, reference_ids[rows])

    @cached_property
    def found(self) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Ids (p, 10), -1 where there are fewer, and similarities, nearest first: all was seen."""
        self._heap.finalize()
        return self._heap.I, self._heap.D


@dataclass(frozen=True)
class Trial:
    """What searches for p probes came to."""

    depths: NDArray[np.int64]  # Of lists (p, 10) that it takes to find each of the ten nearest.
    standing_out: NDArray[np.float64]  # How much (p,) the nearest found stand out, or the tenth.

    def found(self, lists: int = _NOT_FOUND - 1) -> NDArray[np.bool_]:
        """Return which of the ten nearest (p, 10) so many lists are enough to find."""
        return self.depths <= lists

    def missed(self, nearest: int) -> float:
        """Return the share of the nearest that is not found."""
        return 1 - float(self.found()[:, :nearest].mean())

    def lists_to_find(self, share: float, nearest: int) -> int | None:
        """Return in how few lists so much of the nearest is found; None if it is not at all."""
        lists = _least(self.depths[:, :nearest], share)
        return lists if lists < _NOT_FOUND else None

    def only(self, few: slice) -> Self:
        """Return what the searches for some of the probes came to."""
        return type(self)(self.depths[few], self.standing_out[few])

    def and_then(self, other: Self, order: NDArray[np.intp]) -> Self:
        """Return this and a trial for other probes as one, the probes put in an order (p,)."""
        depths = np.concatenate([self.depths, other.depths])
        standing_out = np.concatenate([self.standing_out, other.standing_out])
        return type(self)(depths[order], standing_out[order])


class Trials:
    """Searches for probes (p, d) that fetch so many, with an eye on whose references they find.

    The index does not change meanwhile.
    """

    def __init__(
        self, index: IvfIndex, exact: ExactNeighbours, writers_of: WritersOf, fetched: int
    ) -> None:
        self._index, self._probes, self._fetched = index, exact.probes, fetched
        self._seen = _Seen(writers_of, index.lists_of)
        self._ranks = np.concatenate(
            [index.ranks(self._probes[at : at + _AT_ONCE]) for at in self._starts(self._probes)]
        )
        self._ids, similarities = exact.found
        self._wanted = self._seen.of(self._ids)[0]
        # Where there are fewer; or where all are alike, and others may be as near.
        self._given = (self._wanted < 0) | (similarities[:, :1] <= similarities[:, -1:] + _SAME)
        self._known: dict[SearchParams, Trial] = {}
        self._rough: dict[SearchParams, Trial] = {}
        # Which probes a rough trial is for: a few of all, wherever in the order.
        self.few = slice(None, None, max(1, len(self._probes) // _ROUGHLY))

    def lists_holding(self, share: float) -> int:
        """Return how many lists hold so much of the ten nearest, or all where that is not enough.

        No trial is needed for it. It may take fewer to find others of their writers.
        """
        depths = self._depths(self._seen.of(self._ids)[1], np.arange(len(self._ids)))
        return min(_least(np.where(self._given, 0, depths), share), self._index.list_count)

    def of(self, params: SearchParams) -> Trial:
        """Return what searches come to that look so far; each is done once."""
        if params not in self._known:
            rows = np.arange(len(self._probes))
            if (rough := self._rough.pop(params, None)) is None:
                self._known[params] = self._searched(params, rows)
            else:
                rest = np.setdiff1d(rows, rows[self.few], assume_unique=True)
                order = np.argsort(np.concatenate([rows[self.few], rest]))
                self._known[params] = rough.and_then(self._searched(params, rest), order)
        return self._known[params]

    def roughly(self, params: SearchParams) -> Trial:
        """Return what they come to for a `few` of the probes; `of` searches for the others only."""
        if params in self._known or self.few.step == 1:
            return self.of(params).only(self.few)
        if params not in self._rough:
            rows = np.arange(len(self._probes))[self.few]
            self._rough[params] = self._searched(params, rows)
        return self._rough[params]

    def _searched(self, params: SearchParams, rows: NDArray[np.int64]) -> Trial:
        found = [
            own
            for at in self._starts(rows)
            for own in self._index.search(
                self._probes[rows[at : at + _AT_ONCE]], self._fetched, params
            )
        ]
        standing_out = [stands_out(own.similarities, params.nearest) for own in found]
        fetched, lists = self._seen.of(np.array([own.reference_ids for own in found]))
        depth = self._depths(lists, rows)
        depths = np.where(self._given[rows], 0, _NOT_FOUND)
        for rank, wanted in enumerate(self._wanted[rows].T):
            own = np.where(fetched == wanted[:, np.newaxis], depth, _NOT_FOUND)
            depths[:, rank] = np.minimum(depths[:, rank], own.min(axis=1))
        return Trial(depths, np.array(standing_out))

    def _depths(self, lists: NDArray[np.int16], rows: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many lists it takes probes (n,) to come to lists (n, k); 1 for list -1."""
        ranks = self._ranks[rows[:, np.newaxis], np.maximum(lists, 0)]
        return np.where(lists < 0, 0, ranks.astype(np.int64)) + 1

    def _starts(self, of: NDArray[Any]) -> range:
        return range(0, len(of), _AT_ONCE)


def _least(depths: NDArray[np.int64], share: float) -> int:
    """Return the least depth, 1 or more, that so many are no deeper than."""
    ordered = np.sort(depths, axis=None)
    last = math.ceil(share * len(ordered)) - 1
    return max(int(ordered[last]), 1) if last < len(ordered) else _NOT_FOUND


class _Seen:
    """Whose references are, and in which lists; each is asked for once, and takes 18 bytes."""

    def __init__(
        self, writers_of: WritersOf, lists_of: Callable[[NDArray[np.int64]], NDArray[np.int64]]
    ) -> None:
        self._writers_of, self._lists_of = writers_of, lists_of
        self._ids = np.array([_NOBODY], np.int64)
        self._writers = np.array([_NOBODY], np.int64)
        self._lists = np.array([_NOBODY], np.int16)

    def of(self, reference_ids: NDArray[np.int64]) -> tuple[NDArray[np.int64], NDArray[np.int16]]:
        """Return a number for the writer, and the list, of each reference (n, k); -1 where gone."""
        rows = np.minimum(np.searchsorted(self._ids, reference_ids), len(self._ids) - 1)
        new = np.unique(reference_ids[self._ids[rows] != reference_ids])
        if new.size:
            for start in range(0, len(new), _ASKED_FOR_AT_ONCE):
                self._ask(new[start : start + _ASKED_FOR_AT_ONCE])
            order = np.argsort(self._ids)
            self._ids, self._writers = self._ids[order], self._writers[order]
            self._lists = self._lists[order]
            rows = np.searchsorted(self._ids, reference_ids)
        return self._writers[rows], self._lists[rows]

    def _ask(self, new: NDArray[np.int64]) -> None:
        writers = self._writers_of(new.tolist())
        # A hash has 63 bits: that two writers share one is not to be expected.
        numbers = [abs(hash(writers[one])) if one in writers else _NOBODY for one in new.tolist()]
        self._ids = np.append(self._ids, new)
        self._writers = np.append(self._writers, np.array(numbers, np.int64))
        self._lists = np.append(self._lists, self._lists_of(new).astype(np.int16))
