"""Fits a model's thresholds and likelihood ratios anew on a user's own signatures.

Only what the signatures can support is moved; all else stays as it was. By fewer forgeries, a
`match` threshold moves part of the way (`few_forgeries`). The score itself stays, so that kept and
moved thresholds mean the same scores.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.effective_sample_size import effective_sample_size
from encoder.calibration.few_forgeries import shrunk_match
from encoder.calibration.fit import (
    UNSEEN_ERRORS,
    fit_log_lr,
    fit_tail,
    ratio_bound,
)
from encoder.calibration.levels import (
    LEAST_BAND,
    TARGETS,
    Levels,
    match_threshold,
    refusal_threshold,
)
from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.open_set import Searches, run_searches
from encoder.evaluation.trials import EmbeddedWriter, Trials, people_of, run_trials
from encoder.scoring.calibrations import Calibration, LogRatio, OperatingPoint
from encoder.scoring.decision_rule import DecisionRule

DRAWS = 10
RATIO_TARGET = 0.05  # Likelihood ratios need as much as an operating point of this target.


@dataclass(frozen=True)
class Need:
    """What a rate needs to be fitted: people, and signatures of the kind that it is a rate of."""

    writers: int
    signatures: int

    def lacks(self, supply: "Need") -> str:
        """What is missing, in words; "" where nothing is."""
        if supply.writers < self.writers:
            return f"needs {self.writers} writers, has {supply.writers}"
        if supply.signatures < self.signatures:
            return f"needs {self.signatures} signatures, has {supply.signatures}"
        return ""


TAIL_NEED = Need(25, 100)  # Of people, and of signatures to search for.


@dataclass(frozen=True)
class Change:
    """One value of the rule, for claims with `references`: moved, or kept and why.

    A value without enough of its own also moves where it would be overtaken by one that moved.
    `what` is the name of an operating point with `match` or `non_match`, `likelihood ratio,
    skilled` or `likelihood ratio, random` (its value at the default point's `match`), or `random
    tail` (the score that its share exceeds). `share` is how much of it these signatures say, 0 to
    1; the rest is what the model was calibrated on.
    """

    references: int
    what: str
    former: float
    now: float
    kept_because: str = ""
    share: float = 1.0


@dataclass(frozen=True)
class Supply:
    """What the writers with more than so many genuine signatures give."""

    genuine: Need
    forged: Need


def need_of(target: float) -> Need:
    """At least one writer must be the target's share, and of n signatures 3/n may be errors unseen.

    Fewer, and one odd writer, or chance, decides where the threshold lies.
    """
    return Need(math.ceil(1 / target - 1e-9), math.ceil(UNSEEN_ERRORS / target - 1e-9))


def recalibrate(
    rule: DecisionRule,
    writers: Sequence[EmbeddedWriter],
    levels: Mapping[str, Mapping[int, Levels]] | None = None,
) -> tuple[DecisionRule, list[Change]]:
    """The rule with what these writers support fitted on them, and what became of each value.

    Args:
        rule: the model's; its scoring, numbers of references and operating points stay.
        writers: none of whom the model was trained on, embedded by that model.
        levels: what each data set needs that the rule was fitted on, by number of references; where
            given, fewer forgeries than support a threshold move it part of the way.
    """
    cache = LocalMatchCache()
    changes: list[Change] = []
    people = people_of(writers)
    calibrations = []
    for former in rule.calibrations:
        able = [writer for writer in writers if len(writer.genuine) > former.references]
        trials = run_trials(writers, former.references, rule.scoring, DRAWS, cache)
        needed = [
            of_set[former.references]
            for of_set in (levels or {}).values()
            if former.references in of_set
        ]
        supply, default = _supply(able), rule.default_operating_point
        fitted, moves = _fitted(former, trials, supply, people, default, needed)
        searches = run_searches(able, former.references, rule.scoring, DRAWS, cache=cache)
        fitted, moved = _fitted_tail(fitted, searches, supply)
        calibrations.append(fitted)
        moves.append(moved)
        changes += moves
    return replace(rule, calibrations=tuple(calibrations)), changes


def _supply(able: Sequence[EmbeddedWriter]) -> Supply:
    forged = [writer for writer in able if len(writer.forged)]
    return Supply(
        genuine=Need(len({w.group for w in able}), sum(len(w.genuine) for w in able)),
        forged=Need(len({w.group for w in forged}), sum(len(w.forged) for w in forged)),
    )


def _fitted(
    former: Calibration,
    trials: Trials,
    supply: Supply,
    people: NDArray[np.intp],
    default: str,
    needed: Sequence[Levels],
) -> tuple[Calibration, list[Change]]:
    count = former.references
    points, shares = _fitted_points(former, trials, supply, needed)
    changes = [
        change
        for name, point in points.items()
        for change in _point_changes(
            count, name, former.points[name], point, supply, shares.get(name, 1.0)
        )
    ]
    fitted = replace(former, points=points)
    lack = need_of(RATIO_TARGET).lacks(supply.forged)
    if not lack:
        signatures = min(
            _sample_size(-trials.genuine, people[trials.genuine_writer], supply.genuine),
            _sample_size(trials.skilled, people[trials.skilled_writer], supply.forged),
        )
        line = fit_log_lr(trials.genuine, trials.skilled)
        fitted = replace(fitted, skilled=LogRatio((line,), ratio_bound(signatures)))
    at = former.points[default].match
    ratios = former.skilled.of(at), fitted.skilled.of(at)
    changes.append(Change(count, "likelihood ratio, skilled", *ratios, lack))
    lack = need_of(RATIO_TARGET).lacks(supply.genuine)
    if not lack and not trials.random.size:
        lack = "needs two people or more who wrote the same text"
    if not lack:
        signatures = min(
            _sample_size(-trials.genuine, people[trials.genuine_writer], supply.genuine),
            _sample_size(trials.random, people[trials.random_writer], supply.genuine),
        )
        line = fit_log_lr(trials.genuine, trials.random)
        fitted = replace(fitted, random=LogRatio((line,), ratio_bound(signatures)))
    ratios = former.random.of(at), fitted.random.of(at)
    changes.append(Change(count, "likelihood ratio, random", *ratios, lack))
    return fitted, changes


def _fitted_tail(
    former: Calibration, searches: Searches, supply: Supply
) -> tuple[Calibration, Change]:
    """With the tail of strangers in searches among these writers, if there are enough."""
    lack = TAIL_NEED.lacks(supply.genuine)
    if not lack and not np.isfinite(searches.other).any():
        lack = "needs two people or more"
    fitted = former
    if not lack:
        fitted = replace(former, random_tail=fit_tail(searches))
    tails = former.random_tail.start, fitted.random_tail.start
    return fitted, Change(former.references, "random tail", *tails, lack)


def _sample_size(scores: NDArray[np.float64], people: NDArray[np.intp], supply: Need) -> float:
    return effective_sample_size(scores, people, np.full(len(scores), ""), supply.signatures)


def _fitted_points(
    former: Calibration, trials: Trials, supply: Supply, needed: Sequence[Levels]
) -> tuple[dict[str, OperatingPoint], dict[str, float]]:
    """Moved where there is enough; a stricter `match` follows where a laxer one overtakes it.

    Returns:
        The points, and of each `match` that moved part of the way how far.
    """
    points, shares = dict(former.points), {}
    match = -math.inf
    for name in sorted(set(points) & set(TARGETS), key=lambda name: -TARGETS[name]):
        target, point = TARGETS[name], points[name]
        if not need_of(target).lacks(supply.forged):
            match = max(match, match_threshold(trials.skilled, target))
        elif partly := shrunk_match(name, trials, supply.forged.signatures, needed):
            match, shares[name] = max(match, partly.match), partly.share
        else:
            match = max(match, point.match)
        refuse = point.non_match
        if not need_of(target).lacks(supply.genuine):
            refuse = refusal_threshold(trials.genuine, target)
        # Rounded as it was fitted: else a band of just this width would seem to have moved.
        points[name] = OperatingPoint(match, min(round(match - LEAST_BAND, 5), refuse))
    return points, shares


def _point_changes(
    count: int,
    name: str,
    former: OperatingPoint,
    now: OperatingPoint,
    supply: Supply,
    share: float,
) -> Iterator[Change]:
    pairs = (
        ("match", former.match, now.match, supply.forged, share),
        ("non_match", former.non_match, now.non_match, supply.genuine, 1.0),
    )
    for what, was, is_now, kind, own in pairs:
        lack = need_of(TARGETS[name]).lacks(kind) if name in TARGETS else "has an unknown target"
        kept = lack if was == is_now else ""
        yield Change(count, f"{name} {what}", was, is_now, kept, 0.0 if kept else own)
