"""How far an IVF index must look to find what exact search finds, on references held back."""

from collections.abc import Callable
from dataclasses import replace
from functools import cache, cached_property

import faiss
import numpy as np
from numpy.typing import NDArray

from index.ivf import IvfIndex, Tuning
from index.openmp import one_thread

# A caller fetches at least so many neighbours and scores them exactly (`service.identify`). So what
# counts is whether the nearest are among them, not in which order the codes put them.
FETCHED = 50
NEAREST = 10  # Count for the recall, unless the nearest alone does.

_CANDIDATES = (256, 512, 1024, 2048)
# To order one takes as long as to scan so many references, measured at a million.
_SCANNED_PER_CANDIDATE = 250
_ATTEMPTS = 8
_SAME = 1e-6  # So near are similarities to vectors that are the same.
_NEVER = 2.0  # A similarity that nothing has.


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


def whole(nprobe: int, candidates: int, nearest: int, size: int) -> Tuning:
    """Return a tuning, not measured yet, that always looks into so many lists."""
    return Tuning(nprobe, candidates, nprobe, _NEVER, nearest, 1.0, 1.0, size)


def tune(index: IvfIndex, exact: ExactNeighbours, recall: float, nearest: int = NEAREST) -> None:
    """Let the index look no farther than the recall asks for, of the ten nearest or the nearest.

    Of what may be missed, half is left to the codes and to lists not looked into, and the other
    half to searches that end at a first part of the lists. The cheapest that is expected to reach
    the recall is taken, and measured; where nothing does, or there is nothing to measure by,
    searches look into all lists for the most candidates.
    """
    size, lists = index.size(), int(index.details()["lists"])
    everything = whole(lists, _CANDIDATES[-1], nearest, size)
    index.tuning = everything
    if not len(exact.probes):
        return
    ids, _ = exact.found
    depths = index.depths(exact.probes, ids)
    needed = _reaching(_steps(lists), depths, nearest, recall)

    @cache
    def depths_found(candidates: int) -> NDArray[np.int64]:
        """Of what is lost to the codes among so many candidates: deeper than all lists."""
        index.tuning = whole(needed, candidates, nearest, size)
        # In lists farther down no more is lost than in these.
        found = _fetched(index, exact) | (depths >= needed)
        return np.where(found, depths, lists)

    asked = recall
    for _ in range(_ATTEMPTS):
        tuning = _cheapest(everything, exact, depths_found, asked)
        short = recall - _measure(index, exact, tuning)
        if short <= 0:
            return
        asked = min(asked + 2 * short, 1.0)
    _measure(index, exact, everything)


def _cheapest(
    everything: Tuning,
    exact: ExactNeighbours,
    depths_found: Callable[[int], NDArray[np.int64]],
    recall: float,
) -> Tuning:
    """Return the tuning that is expected to reach the recall at the least cost."""
    lists, nearest, size = everything.nprobe, everything.nearest, everything.size
    steps = _steps(lists)
    best, least = everything, np.inf
    for candidates in _CANDIDATES:
        closer = candidates * _SCANNED_PER_CANDIDATE
        if closer >= least:
            break
        depths = depths_found(candidates)
        for asked in ((1 + recall) / 2, recall):
            nprobe = _reaching(steps, depths, nearest, asked)
            seen = depths < nprobe
            may_lose = seen[:, :nearest].mean() - recall
            if may_lose < 0:
                continue
            for first in (step for step in steps if step <= nprobe):
                early = depths < first
                lost = (seen & ~early)[:, :nearest].mean(axis=1)
                similarity = _similarity(exact.found[1], early, nearest)
                enough, left = _enough(similarity, lost, may_lose)
                scanned = (first + (1 - left) * (nprobe - first)) * size / lists
                if scanned + (2 - left) * closer < least:
                    best = whole(nprobe, candidates, nearest, size)
                    best = replace(best, first=first, enough=enough)
                    least = scanned + (2 - left) * closer
    return best


def _measure(index: IvfIndex, exact: ExactNeighbours, tuning: Tuning) -> float:
    """Give the index a tuning and what it reaches; return the share of those it is tuned to."""
    index.tuning = tuning
    found = _fetched(index, exact)
    index.tuning = replace(tuning, recall=_mean(found), recall_of_nearest=_mean(found[:, :1]))
    return _mean(found[:, : tuning.nearest])


def _fetched(index: IvfIndex, exact: ExactNeighbours) -> NDArray[np.bool_]:
    """Return which of the ten nearest (p, 10) a search for each probe fetches."""
    ids, similarities = exact.found
    hits = index.search(exact.probes, FETCHED)
    # Where there are fewer; or where all are alike, and others may be as near.
    found = (ids < 0) | (similarities[:, :1] <= similarities[:, -1:] + _SAME)
    for row, (wanted, own) in enumerate(zip(ids, hits, strict=True)):
        found[row] |= np.isin(wanted, [hit.reference_id for hit in own])
    return found


def _similarity(
    similarities: NDArray[np.float32], seen: NDArray[np.bool_], nearest: int
) -> NDArray[np.float32]:
    """Return the similarity (p,) of number `nearest` of the neighbours seen (p, 10).

    Where fewer are seen, that of the tenth: what a search finds instead is no nearer.
    """
    at = np.argmax(np.cumsum(seen, axis=1) >= nearest, axis=1)
    at[seen.sum(axis=1) < nearest] = NEAREST - 1
    found: NDArray[np.float32] = similarities[np.arange(len(at)), at]
    return found


def _enough(
    similarity: NDArray[np.float32], lost: NDArray[np.float64], may_lose: float
) -> tuple[float, float]:
    """Return the least similarity that is enough, and the share (0 to 1) of searches it is for.

    If these end early, no more of the recall is lost than may be.
    """
    order = np.argsort(-similarity, kind="stable")
    too_much = np.cumsum(lost[order]) > may_lose * len(order) + 1e-6
    left = int(np.argmax(too_much)) if too_much.any() else len(order)
    return (float(similarity[order[left - 1]]) if left else _NEVER), left / max(len(order), 1)


def _reaching(steps: list[int], depths: NDArray[np.int64], nearest: int, recall: float) -> int:
    """Return the least number of lists in which so much of the neighbours is; else all."""
    return next((step for step in steps if _mean(depths[:, :nearest] < step) >= recall), steps[-1])


def _mean(found: NDArray[np.bool_]) -> float:
    return float(found.mean()) if found.size else 1.0


def _steps(most: int) -> list[int]:
    found = [1]
    while found[-1] < most:
        found.append(min(found[-1] + max(1, found[-1] // 8), most))
    return found
