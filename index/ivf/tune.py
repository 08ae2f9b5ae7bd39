"""How far an IVF index must look to find what exact search finds, on references held back."""

from dataclasses import replace
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from index.ivf.index import IvfIndex
from index.ivf.recall_probes import ExactNeighbours, Look, Looks, WritersOf
from index.ivf.search_params import RecallTarget, Tuning

_CANDIDATES = (128, 256, 512, 1024, 2048)
# To order one takes as long as to scan so many references, and to begin a look as long as to scan
# so many, measured at a million.
_SCANNED_PER_CANDIDATE, _SCANNED_PER_LOOK = 200, 50_000
# They are what is waited for: so much of their cost is added to what a search costs on average.
_SLOWEST = 0.5
# Of the lists: to look into first, and to measure at how far a search must look.
_FIRST_PARTS = (64, 32, 24, 16, 8, 4, 2)
_PARTS: tuple[int, ...] = (16, 8, 4, 2, 1)
_ENOUGH_LOOKS = 2
_SHARES = np.array([0.25, 0.5, 0.7, 0.85])  # Of what may be missed, for what all searches miss.
_ATTEMPTS = 6
_MOST_CHANGE = 2.0  # From one attempt to the next, of what it may miss.
_LEAST_MISSED = 1e-9
_SAME = 1e-6
_NEVER = 4.0  # So much nothing stands out.


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
    index: IvfIndex, exact: ExactNeighbours, writers_of: WritersOf, target: RecallTarget
) -> None:
    """Let the index look no farther than the target asks for.

    The cheapest way that is expected to reach it is measured; then one that is expected to reach
    more, or less, as it fell short or not. The cheapest of these that finds a little more than
    asked for is taken, so that it does for other probes too. Where none does, or there is nothing
    to measure by, searches look into all lists for the most candidates.
    """
    nearest = target.nearest
    everything = whole(int(index.details()["lists"]), _CANDIDATES[-1], nearest, index.size())
    index.tuning = everything
    if not len(exact.probes) or not everything.size:
        return
    looks, best, least = Looks(index, exact, writers_of, target.fetched), everything, np.inf
    may_miss = asked = 1 - _sure(target.recall, len(exact.probes) * nearest)
    tried: set[Tuning] = {everything}
    for _ in range(_ATTEMPTS):
        way, cost = _cheapest(everything, looks, 1 - asked)
        if way in tried:
            break
        tried.add(way)
        missed = 1 - float(looks.at(way).found()[:, :nearest].mean())
        if missed <= may_miss and cost < least:
            best, least = way, cost
        change = may_miss / max(missed, _LEAST_MISSED)
        asked = min(asked * min(max(change, 1 / _MOST_CHANGE), _MOST_CHANGE), 1.0)
    found = looks.at(best).found()
    index.tuning = replace(
        best,
        recall=float(found.mean()),
        recall_of_nearest=float(found[:, :1].mean()),
        fetched=target.fetched,
    )


def _sure(recall: float, count: int) -> float:
    """Return what to find of so many, so that others reach the recall too.

    The margin is one standard deviation of chance alone. That the way is the cheapest of a few that
    did, and that the ten nearest of a probe are found or missed together, is not in it. It is at
    most three quarters of the way to all, for where there are few.
    """
    deviation = np.sqrt(max(recall * (1 - recall), 0.0) / count)
    return float(min(recall + deviation, (3 + recall) / 4))


def _cheapest(everything: Tuning, looks: Looks, recall: float) -> tuple[Tuning, float]:
    """Return the tuning that is expected to reach the recall at the least cost, and its cost.

    Some of what may be missed is left to the codes and to lists not looked into, the rest to
    searches that end at a first look. What one finds that goes less far than a look measured is
    taken from that: it finds a little more, since fewer lists leave fewer to choose candidates
    among.
    """
    best, least, nearest, parts = everything, np.inf, everything.nearest, _PARTS
    for candidates in _CANDIDATES:
        least_of_these, reached = np.inf, 0
        for part in parts:
            most = -(-everything.nprobe // part)
            look = looks.at(whole(most, candidates, nearest, everything.size))
            for asked in 1 - (1 - recall) * _SHARES:
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
            # Where half of the lists are enough, all are not looked into: that takes longest.
            enough = reached == _ENOUGH_LOOKS or (reached and part == 2)
            if enough or looks.missed(look, most, nearest) > 1 - recall:
                break
        if least < least_of_these < np.inf:  # More candidates than pay.
            break
    return best, least


def _ending_early(
    everything: Tuning, once: Tuning, look: Look, looks: Looks, recall: float
) -> tuple[Tuning, float]:
    """Return the cheapest way to end a search early without falling below the recall, and its cost.

    `once` is the search that does not, and what it finds is in `look`.
    """
    found, nearest = look.found(once.nprobe), once.nearest
    further = _cost(everything, once.nprobe, once.candidates)
    best, least = once, (1 + _SLOWEST) * further
    may_lose = float(found[:, :nearest].mean()) - recall
    for part in _FIRST_PARTS:
        first, least_before = -(-everything.nprobe // part), np.inf
        for candidates in _CANDIDATES:
            cost = _cost(everything, first, candidates)
            if (
                first >= once.nprobe
                or candidates > once.candidates
                or (1 + _SLOWEST) * cost >= least
            ):
                break
            early = looks.at(whole(first, candidates, nearest, once.size))
            lost = (found & ~early.found())[:, :nearest].mean(axis=1)
            enough, ended = _enough(early.judged, lost, may_lose)
            cost += (1 - ended) * further + _SLOWEST * (cost + further)
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


def _reaching(look: Look, most: int, nearest: int, recall: float) -> int:
    """Return in how few lists so much of the nearest is found; 0 if it is not in what was seen."""
    steps = (step for step in _steps(most) if look.found(step)[:, :nearest].mean() >= recall)
    return next(steps, 0)


def _enough(
    judged: NDArray[np.float64], lost: NDArray[np.float64], may_lose: float
) -> tuple[float, float]:
    """Return how much standing out is enough, and the share (0 to 1) of searches that it is for.

    If these end early, no more of the recall is lost than may be: neither of what is lost here, nor
    of what may be expected. For that few are too few to count, and of many ways to end early one
    would seem to lose none by chance; but how much those stand out that a search would lose if it
    always ended early is spread like the normal distribution.
    """
    order = np.argsort(-judged, kind="stable")
    too_much = np.cumsum(lost[order]) > may_lose * len(order) + 1e-6
    left = int(np.argmax(too_much)) if too_much.any() else len(order)
    enough = float(judged[order[left - 1]]) if left else _NEVER
    if lost.any():
        mean = np.average(judged, weights=lost)
        deviation = np.sqrt(np.average((judged - mean) ** 2, weights=lost)) + _SAME
        share = float(np.clip(may_lose / lost.mean(), 1e-9, 1 - 1e-9))
        enough = max(enough, NormalDist(float(mean), float(deviation)).inv_cdf(1 - share))
    return enough, float((judged >= enough).mean())


def _steps(most: int) -> list[int]:
    found = [1]
    while found[-1] < most:
        found.append(min(found[-1] + max(1, found[-1] // 8), most))
    return found
