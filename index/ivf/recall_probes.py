"""What searches of an IVF index find, on references held back; what to make of it is for `tune`."""

import math
from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

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


class Trials:
    """Searches for probes (p, d) that fetch so many, with an eye on whose references they find."""

    def __init__(
        self, index: IvfIndex, exact: ExactNeighbours, writers_of: WritersOf, fetched: int
    ) -> None:
        self._index, self._probes, self._fetched = index, exact.probes, fetched
        self._owners = _Owners(writers_of)
        self._ranks = np.concatenate([index.ranks(self._probes[part]) for part in self._parts()])
        self._ids, similarities = exact.found
        self._wanted = self._owners.of(self._ids)
        # Where there are fewer; or where all are alike, and others may be as near.
        self._given = (self._wanted < 0) | (similarities[:, :1] <= similarities[:, -1:] + _SAME)
        self._known: dict[SearchParams, Trial] = {}

    def lists_holding(self, share: float) -> int:
        """Return how many lists hold so much of the ten nearest, or all where that is not enough.

        No trial is needed for it. It may take fewer to find others of their writers.
        """
        depths = self._depths(self._ids)
        return min(_least(np.where(self._given, 0, depths), share), self._index.list_count)

    def of(self, params: SearchParams) -> Trial:
        """Return what searches come to that look so far; each is done once."""
        if params not in self._known:
            self._known[params] = self._searched(params)
        return self._known[params]

    def _searched(self, params: SearchParams) -> Trial:
        found = [
            self._index.search(self._probes[part], self._fetched, params) for part in self._parts()
        ]
        ids = np.array([own.reference_ids for part in found for own in part])
        standing_out = [
            stands_out(own.similarities, params.nearest) for part in found for own in part
        ]
        fetched, depth = self._owners.of(ids), self._depths(ids)
        depths = np.where(self._given, 0, _NOT_FOUND)
        for rank, wanted in enumerate(self._wanted.T):
            own = np.where(fetched == wanted[:, np.newaxis], depth, _NOT_FOUND)
            depths[:, rank] = np.minimum(depths[:, rank], own.min(axis=1))
        return Trial(depths, np.array(standing_out))

    def _depths(self, reference_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return how many lists it takes to come to references (p, k); 1 for one not there."""
        lists = self._index.lists_of(reference_ids)
        ranks = np.take_along_axis(self._ranks, np.maximum(lists, 0), axis=1)
        return np.where(lists < 0, 0, ranks.astype(np.int64)) + 1

    def _parts(self) -> Iterator[slice]:
        return (slice(at, at + _AT_ONCE) for at in range(0, len(self._probes), _AT_ONCE))


def _least(depths: NDArray[np.int64], share: float) -> int:
    """Return the least depth, 1 or more, that so many are no deeper than."""
    ordered = np.sort(depths, axis=None)
    last = math.ceil(share * len(ordered)) - 1
    return max(int(ordered[last]), 1) if last < len(ordered) else _NOT_FOUND


class _Owners:
    """Whose references are; each is asked for once, and takes 16 bytes."""

    def __init__(self, writers_of: WritersOf) -> None:
        self._writers_of = writers_of
        self._ids = np.array([_NOBODY], np.int64)
        self._writers = np.array([_NOBODY], np.int64)

    def of(self, reference_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the writer of each reference (n, k), -1 for one that is gone."""
        new = np.setdiff1d(reference_ids, self._ids)
        for start in range(0, len(new), _ASKED_FOR_AT_ONCE):
            self._ask(new[start : start + _ASKED_FOR_AT_ONCE])
        order = np.argsort(self._ids)
        self._ids, self._writers = self._ids[order], self._writers[order]
        return self._writers[np.searchsorted(self._ids, reference_ids)]

    def _ask(self, new: NDArray[np.int64]) -> None:
        writers = self._writers_of(new.tolist())
        # A hash has 63 bits: that two writers share one is not to be expected.
        numbers = [abs(hash(writers[one])) if one in writers else _NOBODY for one in new.tolist()]
        self._ids = np.append(self._ids, new)
        self._writers = np.append(self._writers, np.array(numbers, np.int64))
