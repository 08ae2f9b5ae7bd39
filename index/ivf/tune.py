"""How far an IVF index must look to find what exact search finds, on references held back."""

from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import partial
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from index.ivf.index import IvfIndex
from index.ivf.recall_probes import ExactNeighbours, Trial, Trials, WritersOf
from index.ivf.search_params import NEVER, SearchParams, Tuned
from index.vectors.vector_index import RecallTarget

_CANDIDATES = (128, 256, 512, 1024, 2048)
_FIRST_PARTS = (64, 32, 16, 8, 4)  # Of the lists: what a first look may go through.
# To order a candidate takes as long as to scan so many references, and to begin a look as long as
# to scan so many, measured at a million.
_SCANNED_PER_CANDIDATE, _SCANNED_PER_LOOK = 200, 50_000
# The slowest searches are waited for: so much of their cost is added to what one costs on average.
_SLOWEST = 0.5
_SHARES = (
    0.25,
    0.5,
    0.7,
    0.85,
)  # Of what may be missed, for what searches miss that look farthest.
# What plans are made to miss, of what may be missed: it is known only roughly what they will.
_LEVELS = np.geomspace(2.0, 0.5, 9)
_SAME = 1e-6
# What a few probes say that a plan costs may be so much too high.
_ROUGH = 1.2


@dataclass(frozen=True)
class _Plan:
    """A way to search, and what it costs: a number of references scanned."""

    params: SearchParams
    cost: float


def tune(
    index: IvfIndex, exact: ExactNeighbours, writers_of: WritersOf, target: RecallTarget
) -> Tuned:
    """Return how to search the index so as to look no farther than the target asks for.

    Of plans that are expected to miss less and less, the first is taken that is measured to find a
    little more than asked for, so that it does for other probes too. Where none does, or there is
    nothing to measure by, searches look into all lists for the most candidates.
    """
    everything = SearchParams.at_once(index.list_count, _CANDIDATES[-1], target.nearest)
    tuned = Tuned(everything, 1.0, 1.0, index.size(), fetched=target.fetched)
    if not len(exact.probes) or not tuned.size:
        return tuned
    trials = Trials(index, exact, writers_of, target.fetched)
    may_miss = 1 - _sure(target.recall, len(exact.probes) * target.nearest)
    plans = _Plans(trials, everything, tuned.size, may_miss)

    def reaches(level: float) -> bool:
        return trials.of(plans.cheapest(level * may_miss)).missed(target.nearest) <= may_miss

    place = bisect_left(_LEVELS, True, key=reaches)
    params = plans.cheapest(_LEVELS[place] * may_miss) if place < len(_LEVELS) else everything
    found = trials.of(params).found()
    return replace(
        tuned,
        params=params,
        recall=float(found.mean()),
        recall_of_nearest=float(found[:, :1].mean()),
    )


def _sure(recall: float, count: int) -> float:
    """Return what to find of so many, so that others reach the recall too.

    The margin is one standard deviation of chance alone. That the plan is the cheapest of a few
    that did, and that the ten nearest of a probe are found or missed together, is not in it. It is
    at most three quarters of the way to all, for where there are few.
    """
    deviation = np.sqrt(max(recall * (1 - recall), 0.0) / count)
    return float(min(recall + deviation, (3 + recall) / 4))


class _Plans:
    """All ways to search that are thought of: their cost, and what they are expected to miss.

    A trial for each number of candidates says what fewer lists find, and one for each first look
    what is lost by ending there. So there are a few dozen at most, and none for a plan that costs
    more than the best however it turns out.
    """

    def __init__(
        self, trials: Trials, everything: SearchParams, size: int, may_miss: float
    ) -> None:
        self._trials, self._everything, self._size = trials, everything, size
        self._most = trials.lists_holding(1 - may_miss * _SHARES[0])

    def cheapest(self, may_miss: float) -> SearchParams:
        """Return the cheapest plan that is expected to miss no more; all lists where none is."""
        best = _Plan(self._everything, np.inf)
        for candidates in _CANDIDATES:
            if self._cost_at_once(1, candidates) >= best.cost:
                break
            for once, trial in self._at_once(candidates, may_miss):
                best = min(best, once, key=_cost_of)
                best = self._ending_early(once, trial, may_miss, best)
        return best.params

    def _at_once(self, candidates: int, may_miss: float) -> Iterator[tuple[_Plan, Trial]]:
        """Give plans that never end early, each with a trial of what it finds or a little less.

        Some of what may be missed is left to the codes and to lists not looked into, the rest to
        searches that end at a first look. In fewer lists than those of the trial a plan finds a
        little more than that found there: it has fewer to choose candidates among.
        """
        nearest = self._everything.nearest
        trial = self._trials.of(SearchParams.at_once(self._most, candidates, nearest))
        for share in _SHARES:
            nprobe = trial.lists_to_find(1 - may_miss * share, nearest)
            if nprobe is not None:
                once = SearchParams.at_once(nprobe, candidates, nearest)
                yield _Plan(once, self._cost_at_once(nprobe, candidates)), trial

    def _ending_early(self, once: _Plan, trial: Trial, may_miss: float, best: _Plan) -> _Plan:
        """Return the best of the plans that go as far as `once` unless a first look is enough.

        Or the best so far. What cannot be better is not tried at all, and what is far from it by a
        few of the probes is not tried on the others.
        """
        params, few = once.params, self._trials.few
        found = trial.found(params.nprobe)[:, : params.nearest]
        may_lose = float(found.mean()) - (1 - may_miss)
        further = self._cost(params.nprobe, params.candidates)
        for first, candidates in self._first_looks(params):
            cost = self._cost(first, candidates)
            if cost + _SLOWEST * (cost + further) >= best.cost:
                continue  # It costs more even where all searches end at the first look.
            looks = SearchParams.at_once(first, candidates, params.nearest)
            judged = partial(self._unless_enough, once, looks, may_lose)
            rough = judged(self._trials.roughly(looks), found[few])
            if rough.cost < _ROUGH * best.cost:
                best = min(best, judged(self._trials.of(looks), found), key=_cost_of)
        return best

    def _unless_enough(
        self,
        once: _Plan,
        looks: SearchParams,
        may_lose: float,
        early: Trial,
        found: NDArray[np.bool_],
    ) -> _Plan:
        """Return the plan that ends at the first look as often as it may.

        That is told by a trial of the first look, and by what `once` found (p, n) for its probes.
        """
        lost = (found & ~early.found()[:, : looks.nearest]).mean(axis=1)
        enough, ended = _enough(early.standing_out, lost, may_lose)
        cost = self._cost(looks.nprobe, looks.candidates)
        further = self._cost(once.params.nprobe, once.params.candidates)
        return _Plan(
            replace(
                once.params,
                first=looks.nprobe,
                first_candidates=looks.candidates,
                enough=enough,
            ),
            cost + (1 - ended) * further + _SLOWEST * (cost + further),
        )

    def _first_looks(self, params: SearchParams) -> Iterator[tuple[int, int]]:
        """Give lists and candidates of what may come before a search, less than its own."""
        for part in _FIRST_PARTS:
            first = -(-self._everything.nprobe // part)
            if first < params.nprobe:
                yield from ((first, one) for one in _CANDIDATES if one <= params.candidates)

    def _cost_at_once(self, nprobe: int, candidates: int) -> float:
        return (1 + _SLOWEST) * self._cost(nprobe, candidates)

    def _cost(self, nprobe: int, candidates: int) -> float:
        """Return what one look costs, as a number of references scanned."""
        scanned = nprobe * self._size / self._everything.nprobe
        return scanned + _SCANNED_PER_LOOK + candidates * _SCANNED_PER_CANDIDATE


def _cost_of(plan: _Plan) -> float:
    return plan.cost


def _enough(
    standing_out: NDArray[np.float64], lost: NDArray[np.float64], may_lose: float
) -> tuple[float, float]:
    """Return how much standing out is enough, and the share (0 to 1) of searches that it is for.

    If these end early, no more of the recall is lost than may be: neither of what is lost here, nor
    of what may be expected. For that few are too few to count, and of many ways to end early one
    would seem to lose none by chance; but how much those stand out that a search would lose if it
    always ended early is spread like the normal distribution.
    """
    order = np.argsort(-standing_out, kind="stable")
    too_much = np.cumsum(lost[order]) > may_lose * len(order) + _SAME
    left = int(np.argmax(too_much)) if too_much.any() else len(order)
    enough = float(standing_out[order[left - 1]]) if left else NEVER
    if lost.any():
        mean = np.average(standing_out, weights=lost)
        deviation = np.sqrt(np.average((standing_out - mean) ** 2, weights=lost)) + _SAME
        share = float(np.clip(may_lose / lost.mean(), 1e-9, 1 - 1e-9))
        enough = max(enough, NormalDist(float(mean), float(deviation)).inv_cdf(1 - share))
    return enough, float((standing_out >= enough).mean())
