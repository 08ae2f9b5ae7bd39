"""How far an IVF index must look to find what exact search finds, on references held back."""

from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from statistics import NormalDist

import faiss
import numpy as np
from numpy.typing import NDArray

from index.ivf import IvfIndex, Tuning
from index.openmp import one_thread

# A caller fetches at least so many neighbours, and scores their writers exactly on all of their
# references (`service.identify`). So a reference is found where any of its writer's is fetched.
FETCHED = 80
NEAREST = 10  # Count for the recall, unless the nearest alone does.

_CANDIDATES = (128, 256, 512, 1024, 2048)
# To order one takes as long as to scan so many references, and to begin a look as long as to scan
# so many, measured at a million.
_SCANNED_PER_CANDIDATE, _SCANNED_PER_LOOK = 100, 25_000
# Of the lists: to look into first, and to measure at how far a search must look.
_FIRST_PARTS = (64, 32, 24, 16, 12, 8, 6, 4, 2)
_PARTS: tuple[int, ...] = (16, 8, 4, 2, 1)
_ENOUGH_LOOKS = 2
_ATTEMPTS = 6
_SAME = 1e-6  # So near are similarities to vectors that are the same.
_NEVER = 2.0  # A similarity that nothing has.
_NOT_FOUND = 1 << 30  # More lists than there are.

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


def whole(nprobe: int, candidates: int, nearest: int, size: int) -> Tuning:
    """Return a tuning, not measured yet, that always looks into so many lists."""
    return Tuning(
        nprobe=nprobe,
        candidates=candidates,
        first=nprobe,
        first_candidates=candidates,
        enough=_NEVER,
        nearest=nearest,
        recall=1.0,
        recall_of_nearest=1.0,
        size=size,
    )


def tune(
    index: IvfIndex,
    exact: ExactNeighbours,
    writers_of: WritersOf,
    recall: float,
    nearest: int = NEAREST,
) -> None:
    """Let the index look no farther than the recall asks for, of the ten nearest or the nearest.

    The cheapest way that is expected to reach it is taken, and measured; if it falls short, one
    that is expected to reach more. What is measured is a little more than asked for, so that it is
    reached for other probes too. Where none does, or there is nothing to measure by, searches
    look into all lists for the most candidates.
    """
    everything = whole(int(index.details()["lists"]), _CANDIDATES[-1], nearest, index.size())
    index.tuning = everything
    if not len(exact.probes) or not everything.size:
        return
    looks, sure = _Looks(index, exact, writers_of), _sure(recall, len(exact.probes) * nearest)
    aim = sure
    for _ in range(_ATTEMPTS):
        tuning = _cheapest(everything, looks, aim)
        found = looks.at(tuning).found()
        short = sure - float(found[:, :nearest].mean())
        if short <= 0 or tuning == everything:
            break
        aim = min(aim + 2 * short, 1.0)
    else:
        tuning, found = everything, looks.at(everything).found()
    index.tuning = replace(
        tuning, recall=float(found.mean()), recall_of_nearest=float(found[:, :1].mean())
    )


def _sure(recall: float, count: int) -> float:
    """Return what to find of so many, so that others reach the recall too.

    The margin would do in 19 cases of 20 for chance alone. That the way to search is chosen by what
    it finds of the same, and that the ten nearest of a probe are found or missed together, is not
    in it. It is at most three quarters of the way to all, for where there are few.
    """
    deviation = np.sqrt(max(recall * (1 - recall), 0.0) / count)
    return float(min(recall + NormalDist().inv_cdf(0.95) * deviation, (3 + recall) / 4))


@dataclass(frozen=True)
class _Look:
    """What searches for p probes came to."""

    depths: NDArray[np.int64]  # Of lists (p, 10) that it takes to find each of the ten nearest.
    near: NDArray[np.float32]  # The similarity (p,) by which it is judged whether it is enough.

    def found(self, lists: int = _NOT_FOUND - 1) -> NDArray[np.bool_]:
        """Return which of the ten nearest (p, 10) so many lists are enough to find."""
        return self.depths <= lists


class _Looks:
    """Searches for all probes (p, d), with an eye on whose references they find."""

    def __init__(self, index: IvfIndex, exact: ExactNeighbours, writers_of: WritersOf) -> None:
        self._index, self._probes, self._writers_of = index, exact.probes, writers_of
        self._owners = {-1: -1}
        self._numbers: dict[str, int] = {}
        ids, similarities = exact.found
        self._wanted = self._writers(ids)
        # Where there are fewer; or where all are alike, and others may be as near.
        self._own_depths = index.depths(self._probes, ids) + 1
        self._given = (self._wanted < 0) | (similarities[:, :1] <= similarities[:, -1:] + _SAME)
        self._known: dict[Tuning, _Look] = {}

    def missed(self, look: _Look, lists: int, nearest: int) -> float:
        """Return the share of the nearest that lie in so many lists, and that a look passed over.

        It gets no smaller in more lists.
        """
        missed = (self._own_depths <= lists) & ~look.found()
        return float(missed[:, :nearest].mean())

    def at(self, tuning: Tuning) -> _Look:
        """Return what searches come to that are tuned like this; each is done once."""
        if tuning not in self._known:
            self._known[tuning] = self._searched(tuning)
        return self._known[tuning]

    def _searched(self, tuning: Tuning) -> _Look:
        self._index.tuning = tuning
        hits = self._index.search(self._probes, FETCHED)
        ids = np.array([[hit.reference_id for hit in own] for own in hits])
        judged = min(tuning.nearest, ids.shape[1]) - 1
        near = np.array([own[judged].similarity for own in hits], np.float32)
        lists = self._index.depths(self._probes, ids) + 1
        fetched, depths = self._writers(ids), np.where(self._given, 0, _NOT_FOUND)
        for rank, wanted in enumerate(self._wanted.T):
            own = np.where(fetched == wanted[:, np.newaxis], lists, _NOT_FOUND)
            depths[:, rank] = np.minimum(depths[:, rank], own.min(axis=1))
        return _Look(depths, near)

    def _writers(self, reference_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return a number for the writer of each reference (n, k), -1 for one that is gone."""
        ids, places = np.unique(reference_ids, return_inverse=True)
        new = [one for one in ids.tolist() if one not in self._owners]
        writers, numbers = self._writers_of(new), self._numbers
        for one in new:
            there = one in writers
            self._owners[one] = numbers.setdefault(writers[one], len(numbers)) if there else -1
        found = np.array([self._owners[one] for one in ids.tolist()], np.int64)
        return found[places].reshape(reference_ids.shape)


def _cheapest(everything: Tuning, looks: _Looks, recall: float) -> Tuning:
    """Return the tuning that is expected to reach the recall at the least cost.

    A quarter of what may be missed, or half, is left to the codes and to lists not looked into, the
    rest to searches that end at a first look. What one finds that goes less far than a look
    measured is taken from that: it finds a little more, since fewer lists leave fewer to choose
    candidates among.
    """
    best, least, nearest, parts = everything, np.inf, everything.nearest, _PARTS
    for candidates in _CANDIDATES:
        least_of_these, reached = np.inf, 0
        for part in parts:
            most = -(-everything.nprobe // part)
            look = looks.at(whole(most, candidates, nearest, everything.size))
            for asked in ((3 + recall) / 4, (1 + recall) / 2):
                nprobe = _reaching(look, most, nearest, asked)
                if nprobe:
                    once = whole(nprobe, candidates, nearest, everything.size)
                    way, cost = _ending_early(everything, once, look, looks, recall)
                    best, least = (way, cost) if cost < least else (best, least)
                    least_of_these = min(least_of_these, cost)
            if nprobe and not reached:  # With more candidates it takes no more lists.
                parts = parts[parts.index(part) :]
            reached += nprobe > 0
            # Farther looks find more, so that one at the first lists may lose more; or lose more.
            if reached == _ENOUGH_LOOKS or looks.missed(look, most, nearest) > 1 - recall:
                break
        if least < least_of_these < np.inf:  # More candidates than pay.
            break
    return best


def _ending_early(
    everything: Tuning, once: Tuning, look: _Look, looks: _Looks, recall: float
) -> tuple[Tuning, float]:
    """Return the cheapest way to end a search early without falling below the recall, and its cost.

    `once` is the search that does not, and what it finds is in `look`.
    """
    best, least = once, _cost(everything, once.nprobe, once.candidates)
    found, nearest = look.found(once.nprobe), once.nearest
    may_lose = float(found[:, :nearest].mean()) - recall
    for part in _FIRST_PARTS:
        first, least_before = -(-everything.nprobe // part), np.inf
        for candidates in _CANDIDATES:
            cost = _cost(everything, first, candidates)
            if first >= once.nprobe or candidates > once.candidates or cost >= least:
                break
            early = looks.at(whole(first, candidates, nearest, once.size))
            lost = (found & ~early.found())[:, :nearest].mean(axis=1)
            # One is added: of so few that one more or less may be chance.
            enough, ended = _enough(early.near, lost, may_lose - 1 / found[:, :nearest].size)
            cost += (1 - ended) * _cost(everything, once.nprobe, once.candidates)
            if cost < least:
                best = replace(once, first=first, first_candidates=candidates, enough=enough)
                least = cost
            if cost > least_before:  # More candidates than pay.
                break
            least_before = cost
    return best, least


def _cost(everything: Tuning, lists: int, candidates: int) -> float:
    """Return what a look costs, as a number of references scanned."""
    scanned = lists * everything.size / everything.nprobe
    return scanned + _SCANNED_PER_LOOK + candidates * _SCANNED_PER_CANDIDATE


def _reaching(look: _Look, most: int, nearest: int, recall: float) -> int:
    """Return in how few lists so much of the nearest is found; 0 if it is not in what was seen."""
    steps = (step for step in _steps(most) if look.found(step)[:, :nearest].mean() >= recall)
    return next(steps, 0)


def _enough(
    near: NDArray[np.float32], lost: NDArray[np.float64], may_lose: float
) -> tuple[float, float]:
    """Return the least similarity that is enough, and the share (0 to 1) of searches it is for.

    If these end early, no more of the recall is lost than may be: neither of what is lost here, nor
    of what may be expected. For that few are too few to count, and of many ways to end early one
    would seem to lose none by chance; but how near all are, that a search would lose if it always
    ended early, is spread like the normal distribution.
    """
    order = np.argsort(-near, kind="stable")
    too_much = np.cumsum(lost[order]) > may_lose * len(order) + 1e-6
    left = int(np.argmax(too_much)) if too_much.any() else len(order)
    enough = float(near[order[left - 1]]) if left else _NEVER
    if lost.any():
        mean = np.average(near, weights=lost)
        deviation = np.sqrt(np.average((near - mean) ** 2, weights=lost)) + _SAME
        share = float(np.clip(may_lose / lost.mean(), 1e-9, 1 - 1e-9))
        enough = max(enough, NormalDist(float(mean), float(deviation)).inv_cdf(1 - share))
    return enough, float((near >= enough).mean())


def _steps(most: int) -> list[int]:
    found = [1]
    while found[-1] < most:
        found.append(min(found[-1] + max(1, found[-1] // 8), most))
    return found
