"""What each data set needs of a threshold, and what one more is to be expected to need."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.evaluation.trials import Trials
from encoder.metrics.error_rates import threshold_at_fmr
from encoder.scoring.calibrations import OperatingPoint

TARGETS = {"fmr_skilled=1%": 0.01, "fmr_skilled=5%": 0.05, "fmr_skilled=10%": 0.10}
# log10 odds between match and non-match at the least: what lies on a threshold is inconclusive.
LEAST_BAND = 0.3
LEAST_TO_DIFFER = 3  # Data sets, of which a deviation is told.
USUAL_DEVIATIONS = 1.0  # Above the data sets' mean, for signatures of a kind like theirs.


@dataclass(frozen=True)
class Levels:
    """What one data set's scores are like, with some number of references.

    Attributes:
        points: by operating point, the thresholds that keep its promise on just this data set.
        skilled: the mean score of its skilled forgeries, of each writer alike.
        between: standard deviation of the writers' means.
        within: standard deviation of one writer's forgeries.
    """

    points: Mapping[str, OperatingPoint]
    skilled: float
    between: float
    within: float

    @classmethod
    def of(cls, trials: Trials) -> "Levels":
        """Those of one data set's trials; some are skilled forgeries, and some genuine."""
        means, variances = [], []
        for writer in np.unique(trials.skilled_writer):
            scores = trials.skilled[trials.skilled_writer == writer]
            means.append(scores.mean())
            variances.append(scores.var())
        points = {
            name: OperatingPoint(
                match_threshold(trials.skilled, target), refusal_threshold(trials.genuine, target)
            )
            for name, target in TARGETS.items()
        }
        numbers = float(np.mean(means)), float(np.std(means)), math.sqrt(float(np.mean(variances)))
        return cls(points, *(round(one, 5) for one in numbers))

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "Levels":
        """What `as_dict` wrote."""
        points = {name: OperatingPoint(**point) for name, point in data["points"].items()}
        return cls(points, *(float(data[name]) for name in ("skilled", "between", "within")))


def levels_of(trials: Trials, sets: NDArray[np.str_]) -> dict[str, Levels]:
    """By data set, what its trials need; `sets` `(w,)` are the writers' data sets."""
    return {
        str(one): Levels.of(trials.only(sets == one))
        for one in np.unique(sets[trials.skilled_writer])
    }


def points_for(
    levels: Sequence[Levels], deviations: float = USUAL_DEVIATIONS
) -> dict[str, OperatingPoint]:
    """The thresholds that keep each operating point's promise on data sets like these."""
    points = {}
    for name in TARGETS:
        needed = [one.points[name] for one in levels]
        match = highest_to_expect([one.match for one in needed], deviations)
        refusal = -highest_to_expect([-one.non_match for one in needed], deviations)
        points[name] = OperatingPoint(match, round(min(match - LEAST_BAND, refusal), 5))
    return points


def highest_to_expect(levels: Sequence[float], deviations: float = USUAL_DEVIATIONS) -> float:
    """What a threshold must be on a data set of another kind than those with these levels.

    At least the highest of them; and where they differ much, what the next one would need that lies
    so many standard deviations above their mean, as far as so few can tell.
    """
    highest = max(levels)
    if len(levels) < LEAST_TO_DIFFER:
        return highest
    expected = float(np.mean(levels)) + deviations * spread_to_expect(levels)
    return max(highest, math.ceil(expected * 1e5) / 1e5)


def spread_to_expect(levels: Sequence[float]) -> float:
    """How far the level of one more data set lies from the mean of these, three or more: 1 SD."""
    return float(np.std(levels, ddof=1)) * math.sqrt(1 + 1 / len(levels))


def match_threshold(skilled: NDArray[np.float64], target_fmr: float) -> float:
    """The score that at most `target_fmr` of skilled forgeries reach."""
    # Rounded upwards: downwards, the forgery that it must not let pass would pass.
    return math.ceil(threshold_at_fmr(skilled, target_fmr) * 1e5) / 1e5


def refusal_threshold(genuine: NDArray[np.float64], target: float) -> float:
    """The score below which `target` of genuine signatures stay."""
    return round(float(np.quantile(genuine, target)), 5)
