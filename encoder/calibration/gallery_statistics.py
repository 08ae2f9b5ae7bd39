"""Sets from a gallery's own scores what these can tell: whom to name, and whom to refuse.

Each enrolled reference is a signature whose writer is known. Against all other writers it shows how
high strangers score, and against its writer's others how high genuine signatures do. How skilled
forgeries score is in no gallery, so `match` thresholds stay as they are.
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.familiarity import GalleryProfile
from encoder.calibration.fit import (
    LEAST_TAIL_SCALE,
    TAIL_SHARE,
    TARGET_FPIR,
    UNSEEN_ERRORS,
)
from encoder.calibration.levels import (
    LEAST_BAND,
    TARGETS,
    refusal_threshold,
)
from encoder.errors import TrainingDataError
from encoder.metrics.confidence_intervals import Scored, draw_weights, interval, rates
from encoder.scoring.calibrations import Calibration, OwnBounds, OwnGallery, RandomTail
from encoder.scoring.decision_rule import DecisionRule

# Of ten writers, a bound for 5 % of genuine signatures came to 1 to 19 % in single draws; of 25, to
# 4 to 7 %.
LEAST_WRITERS = 25
LEAST_REFERENCES = 2  # Of a writer, for one to be held out.
LEAST_EXCEEDANCES = 10  # Of strangers' scores in the tail, at least.
TRUSTED_WRITERS = 30  # From so many on, the tail's scale is the gallery's own.

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class GalleryScores:
    """What a gallery's references scored, each held out in turn.

    Attributes:
        writers: how many the gallery has.
        references: how many the gallery has.
        strangers: of each probe with its writer left out, the score of whoever came first.
        genuine: by number of references in a claim, of each probe against so many of its writer's
            others, or all but one fewer where that is all there are.
        enrolled: of each probe against its writer's others, the last of `genuine`.
        profile: what pairs of the references came to; None where nobody compared any.
    """

    writers: int
    references: int
    strangers: Scored
    genuine: Mapping[int, Scored]
    enrolled: Scored
    profile: GalleryProfile | None = None

    @property
    def able_writers(self) -> int:
        """How many writers had a reference held out against their others."""
        return len(np.unique(self.genuine[1].writer)) if 1 in self.genuine else 0


@dataclass(frozen=True)
class Rate:
    """A rate with its 95 % interval, which is None where too few writers have a comparison."""

    value: float
    low: float | None
    high: float | None


@dataclass(frozen=True)
class Naming:
    """What strangers and those enrolled come to when a signature is identified.

    Attributes:
        threshold: for a gallery of the present size.
        fpir: share of strangers who are named.
        fnir: share of enrolled writers' signatures that score too low to be named.
    """

    threshold: float
    fpir: Rate
    fnir: Rate


@dataclass(frozen=True)
class Claiming:
    """What genuine signatures come to, at one operating point and number of references.

    Attributes:
        match, non_match: the thresholds.
        fnmr: share of genuine signatures that do not match.
        refused_genuine: share of them that are called no match.
    """

    operating_point: str
    references: int
    match: float
    non_match: float
    fnmr: Rate
    refused_genuine: Rate


@dataclass(frozen=True)
class Measured:
    """What a rule comes to on a gallery's own references."""

    naming: Naming
    claiming: tuple[Claiming, ...]

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {"naming": asdict(self.naming), "claiming": [asdict(one) for one in self.claiming]}


def read_gallery(scores: GalleryScores, rule: DecisionRule) -> OwnGallery:
    """What these scores set of a rule.

    Raises:
        TrainingDataError: fewer than 25 writers have two references or more.
    """
    require_enough(scores.able_writers, scores.writers)
    if scores.strangers.scores.size <= LEAST_EXCEEDANCES:
        raise TrainingDataError(
            f"Of {scores.strangers.scores.size} references no other writer has a copy; more than "
            f"{LEAST_EXCEEDANCES} are needed to see how high strangers score."
        )
    prior = _prior_scale(scores, rule)
    tail = fit_strangers_tail(scores.strangers.scores, scores.writers - 1, prior)
    bounds = []
    for calibration in rule.calibrations:
        found = scores.genuine.get(calibration.references)
        if found is not None and len(np.unique(found.writer)) >= LEAST_WRITERS:
            own = _non_match(found.scores, calibration)
            bounds.append(OwnBounds(calibration.references, own))
    return OwnGallery(tail, tuple(bounds))


def fit_strangers_tail(scores: Doubles, gallery_size: int, prior_scale: float) -> RandomTail:
    """The exponential tail of strangers' scores `(n,)`: of whoever came first of so many writers.

    Below 30 writers the scale is partly the prior one: so few may be all alike, or all unlike.
    """
    ordered = np.sort(scores)[::-1]
    count = min(max(LEAST_EXCEEDANCES, int(TAIL_SHARE * ordered.size)), ordered.size - 1)
    # Rounded upwards: downwards, one more would lie beyond it.
    start = math.ceil(float(ordered[count]) * 1e5) / 1e5
    scale = float(_mixed_scale(np.mean(ordered[:count] - start), gallery_size, prior_scale))
    share = round(count / ordered.size, 5)
    return RandomTail(start, share, round(scale, 5), TARGET_FPIR, gallery_size)


def measure(scores: GalleryScores, rule: DecisionRule) -> Measured:
    """What a rule comes to on the gallery that these scores are of, with intervals over writers."""
    weights = draw_weights(np.arange(1 + _highest_number(scores)))
    references = _usual_references(scores)
    threshold = rule.identification_threshold(scores.writers - 1, references)
    naming = Naming(
        threshold=round(rule.identification_threshold(scores.writers, references), 5),
        fpir=_stranger_rate(scores, threshold, rule, weights),
        fnir=_rate(scores.enrolled.scores < threshold, scores.enrolled, weights),
    )
    claiming = [
        _claiming(name, count, scored, rule, weights)
        for name in rule.operating_points
        for count, scored in sorted(scores.genuine.items())
    ]
    return Measured(naming, tuple(claiming))


def require_enough(able: int, writers: int) -> None:
    """Refuse a gallery in which fewer than 25 writers have two references or more.

    Args:
        able: how many have, at most.
        writers: how many there are.

    Raises:
        TrainingDataError: saying how many are needed.
    """
    if able < LEAST_WRITERS:
        raise TrainingDataError(
            f"A gallery calibrates itself from {LEAST_WRITERS} writers with {LEAST_REFERENCES} "
            f"references or more on; {able} of {writers} here have as many. Enroll more, and try "
            "again."
        )


def _non_match(genuine: Doubles, calibration: Calibration) -> dict[str, float]:
    """Bounds by operating point, of those whose target so many signatures can support.

    Any other keeps the model's bound, unless that refuses more than the nearest that can be told.
    """
    supported = [one for one in TARGETS.values() if genuine.size * one >= UNSEEN_ERRORS]
    bounds = {}
    for name, point in calibration.points.items():
        if name not in TARGETS or not supported:
            continue
        target = max(TARGETS[name], min(supported))
        bound = refusal_threshold(genuine, target)
        if target != TARGETS[name]:
            bound = min(bound, point.non_match)
        bounds[name] = min(bound, round(point.match - LEAST_BAND, 5))
    return bounds


def _mixed_scale(own: Any, gallery_size: int, prior: float) -> Doubles:
    """The scale of strangers' tail, by how much of it is the gallery's `own`; one or several."""
    trust = min(1.0, (gallery_size + 1) / TRUSTED_WRITERS)  # The stranger was one of it.
    return np.asarray(np.maximum(trust * own + (1 - trust) * prior, LEAST_TAIL_SCALE))


def _prior_scale(scores: GalleryScores, rule: DecisionRule) -> float:
    return rule.calibration_for(_usual_references(scores)).random_tail.scale


def _usual_references(scores: GalleryScores) -> int:
    return max(1, round(scores.references / max(scores.writers, 1)))


def _highest_number(scores: GalleryScores) -> int:
    return max(int(one.writer.max()) for one in (scores.strangers, *scores.genuine.values()))


def _claiming(
    name: str, references: int, genuine: Scored, rule: DecisionRule, weights: Doubles
) -> Claiming:
    point = rule.calibration_for(references).points[name]
    return Claiming(
        operating_point=name,
        references=references,
        match=point.match,
        non_match=point.non_match,
        fnmr=_rate(genuine.scores < point.match, genuine, weights),
        refused_genuine=_rate(genuine.scores < point.non_match, genuine, weights),
    )


def _stranger_rate(
    scores: GalleryScores, threshold: float, rule: DecisionRule, weights: Doubles
) -> Rate:
    """Share of strangers who reach a threshold: counted, or by the tail where that lies in it.

    In the tail there are few to count: of 125 references, one reaches the threshold for 1 %.
    """
    strangers = scores.strangers
    counted = _rate(strangers.scores >= threshold, strangers, weights)
    if rule.gallery is None:
        return counted
    start = rule.gallery.tail.start
    over = np.maximum(strangers.scores - start, 0.0)
    if threshold < start or not over.any():
        return counted
    share = rates(weights, (over > 0).astype(np.float64), strangers.writer)
    excess = rates(weights, over, strangers.writer)
    own = np.divide(excess, share, out=np.zeros_like(excess), where=share > 0)

    def reached(shares: Doubles, excesses: Doubles) -> Doubles:
        scales = _mixed_scale(excesses, scores.writers - 1, _prior_scale(scores, rule))
        return np.asarray(shares * np.exp(-(threshold - start) / scales))

    value = reached(np.mean(over > 0, keepdims=True), np.mean(over[over > 0], keepdims=True))
    return _with_interval(float(value[0]), reached(share, own))


def _rate(events: NDArray[np.bool_], of: Scored, weights: Doubles) -> Rate:
    replicates = rates(weights, events.astype(np.float64), of.writer)
    return _with_interval(float(events.mean()), replicates)


def _with_interval(value: float, replicates: Doubles) -> Rate:
    found = interval(replicates)
    if found is None:
        return Rate(round(value, 4), None, None)
    return Rate(round(value, 4), round(found[0], 4), round(found[1], 4))
