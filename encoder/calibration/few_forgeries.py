"""Moves a threshold by a few forgeries: as far as their number bears, and the shipped one the rest.

What a data set needs of a threshold differs from one to another by so much, and the shipped
threshold allows for that. A few forgeries say what theirs needs, but not exactly. Both guesses are
weighed by how sure they are, and the threshold is put one standard deviation to the safe side of
what they say together, as the shipped one is.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from encoder.calibration.levels import (
    LEAST_TO_DIFFER,
    TARGETS,
    USUAL_DEVIATIONS,
    Levels,
    match_threshold,
    points_for,
    spread_to_expect,
)
from encoder.evaluation.trials import Trials

# Of two writers, either one's forger would be half of what is told.
LEAST_FORGED_WRITERS, LEAST_FORGERIES = 3, 10


@dataclass(frozen=True)
class Shrunk:
    """A threshold between the shipped one and what a few forgeries say.

    Attributes:
        match: the threshold.
        share: of what these forgeries say, 0 to 1; the rest is the other data sets'.
    """

    match: float
    share: float


def shrunk_match(
    operating_point: str, trials: Trials, forgeries: int, levels: Sequence[Levels]
) -> Shrunk | None:
    """The `match` threshold of an operating point; None where too little is known.

    That is with fewer than ten forgeries, or those of fewer than three writers, or where the model
    was calibrated on fewer than three data sets.

    Args:
        operating_point: whose target is to be kept.
        trials: of the user's own writers; each of their forgeries may be in it several times.
        forgeries: how many they are.
        levels: what each data set needs that the shipped threshold was fitted on.
    """
    writers = len(np.unique(trials.skilled_writer))
    few = writers < LEAST_FORGED_WRITERS or forgeries < LEAST_FORGERIES
    if few or len(levels) < LEAST_TO_DIFFER:
        return None
    target = TARGETS[operating_point]
    spread = spread_to_expect([one.points[operating_point].match for one in levels])
    usual = points_for(levels)[operating_point].match - USUAL_DEVIATIONS * spread
    own = match_threshold(trials.skilled, target)
    error = _error_of_quantile(target, writers, forgeries, levels)
    share = spread**2 / (spread**2 + error**2)
    believed = usual + share * (own - usual)
    match = believed + USUAL_DEVIATIONS * spread * math.sqrt(1 - share)
    return Shrunk(math.ceil(match * 1e5) / 1e5, round(share, 3))


def _error_of_quantile(
    target: float, writers: int, forgeries: int, levels: Sequence[Levels]
) -> float:
    """Standard error of the score that a share `target` of forgeries reaches, told by so few.

    As of normal scores that differ as they usually do on the data sets. Forgeries of one writer are
    alike, so several count for fewer.
    """
    between, within = (
        float(np.mean([getattr(one, of) ** 2 for one in levels])) for of in ("between", "within")
    )
    variance = between + within
    alike = between / variance if variance else 0.0
    counting = forgeries / (1 + (forgeries / writers - 1) * alike)
    normal = NormalDist()
    density = normal.pdf(normal.inv_cdf(target))
    return math.sqrt(variance * target * (1 - target) / counting) / density
