"""What searches of an IVF index find, on references held back; what to make of it is `tuning`'s."""

from collections.abc import Callable, Collection, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import faiss
import numpy as np
from numpy.typing import NDArray

from index.ivf.index import IvfIndex
from index.ivf.search_params import Tuning, stands_out
from index.vectors.faiss_threads import one_thread

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
        one_thread()
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
class Look:
    """What searches for p probes came to."""

    depths: NDArray[np.int64]  # Of lists (p, 10) that it takes to find each of the ten nearest.
    judged: NDArray[np.float64]  # How much (p,) the nearest found stand out, or the tenth.

    def found(self, lists: int = _NOT_FOUND - 1) -> NDArray[np.bool_]:
        """Return which of the ten nearest (p, 10) so many lists are enough to find."""
        return self.depths <= lists


class Looks:
    """Searches for probes (p, d) that fetch so many, with an eye on whose references they find."""

    def __init__(
        self, index: IvfIndex, exact: ExactNeighbours, writers_of: WritersOf, fetched: int
    ) -> None:
        self._index, self._probes, self._fetched = index, exact.probes, fetched
        self._owners = _Owners(writers_of)
        ids, similarities = exact.found
        self._wanted = self._owners.of(ids)
        # Where there are fewer; or where all are alike, and others may be as near.
        self._given = (self._wanted < 0) | (similarities[:, :1] <= similarities[:, -1:] + _SAME)
        self._own_depths = np.concatenate(
            [index.depths(self._probes[part], ids[part]) + 1 for part in self._parts()]
        )
        self._known: dict[Tuning, Look] = {}

    def missed(self, look: Look, lists: int, nearest: int) -> float:
        """Return the share of the nearest that lie in so many lists, and that a look passed over.

        It gets no smaller in more lists.
        """
        missed = (self._own_depths <= lists) & ~look.found()
        return float(missed[:, :nearest].mean())

    def at(self, tuning: Tuning) -> Look:
        """Return what searches come to that are tuned like this; each is done once."""
        if tuning not in self._known:
            self._known[tuning] = self._searched(tuning)
        return self._known[tuning]

    def _searched(self, tuning: Tuning) -> Look:
        self._index.tuning = tuning
        all_ids, judged, lists = [], [], []
        for part in self._parts():
            found = self._index.search(self._probes[part], self._fetched)
            ids = np.array([own.reference_ids for own in found])
            judged.append([stands_out(own.similarities, tuning.nearest) for own in found])
            lists.append(self._index.depths(self._probes[part], ids) + 1)
            all_ids.append(ids)
        fetched, depth = self._owners.of(np.concatenate(all_ids)), np.concatenate(lists)
        depths = np.where(self._given, 0, _NOT_FOUND)
        for rank, wanted in enumerate(self._wanted.T):
            own = np.where(fetched == wanted[:, np.newaxis], depth, _NOT_FOUND)
            depths[:, rank] = np.minimum(depths[:, rank], own.min(axis=1))
        return Look(depths, np.concatenate(judged))

    def _parts(self) -> Iterator[slice]:
        return (slice(at, at + _AT_ONCE) for at in range(0, len(self._probes), _AT_ONCE))


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
