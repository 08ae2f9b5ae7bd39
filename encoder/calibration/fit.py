"""Fits a model's `scoring.decision_rule` on development writers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.data_set_centres import centre_data_sets
from encoder.calibration.effective_sample_size import effective_sample_size
from encoder.calibration.fit_compensations import fit_compensations
from encoder.errors import TrainingDataError
from encoder.evaluation.local_similarity_cache import LocalSimilarityCache
from encoder.evaluation.trials import (
    EmbeddedWriter,
    Trials,
    people_of,
    population_spread,
    run_trials,
)
from encoder.metrics.error_rates import equal_error_rate, threshold_at_fmr
from encoder.scoring.decision_rule import (
    Calibration,
    DecisionRule,
    LogRatio,
    OperatingPoint,
    RandomTail,
)
from encoder.scoring.score import Spread
from encoder.scoring.script_compensation import Amounts
from encoder.scoring.templates import Vectors

REFERENCE_COUNTS = (1, 2, 3, 5, 8, 10)
TARGETS = {"fmr_skilled=1%": 0.01, "fmr_skilled=5%": 0.05, "fmr_skilled=10%": 0.10}
DEFAULT_OPERATING_POINT = "fmr_skilled=5%"
SHRINKAGES = (0.25, 0.5, 1.0, 2.0, 4.0)
TAIL_SHARE = 0.02
# One in a hundred strangers may be named: on known data that costs half a point of those enrolled.
TARGET_FPIR = 0.01
TAIL_GALLERY = 1000  # Writers, at which tails are held against each other.
DRAWS = 10
LEAST_PEOPLE = 3  # Of two, either one's habits are half of what is fitted.
SPREAD_COUNTS = (2, 3)  # References at which the shrinkage is chosen: it matters for few.

# Logistic regression by Newton's method.
RIDGE = 1e-4  # Keeps the slope finite where the scores separate without error.
NEWTON_STEPS, CONVERGED = 50, 1e-9
UNSEEN_ERRORS = 3.0  # Of n signatures without an error, 3/n may err all the same (rule of three).
LEAST_TAIL_SCALE, TAIL_SCALE_OF_NONE = 1e-4, 0.01  # In scores.


def fit_rules(development: Sequence[EmbeddedWriter]) -> tuple[DecisionRule, DecisionRule]:
    """Fit the plain rule, and the one for embeddings less their own gallery's centre.

    The second has no centre yet: `encoder.scoring.centring` computes a gallery's. It is fitted with
    each data set as a gallery of its own, so that it does not count on the offset of any of them.

    Args:
        development: writers that were not trained on; who has no forgeries tells of centres alone.

    Raises:
        TrainingDataError: as `fit_rule`.
    """
    forged = [writer for writer in development if len(writer.forged)]
    _require_enough(forged)
    cache = LocalSimilarityCache()  # A centre taken off the vectors leaves pieces as they are.
    spread = _fit_spread(forged, cache)
    lacks = _lacks(forged, spread, cache)
    compensations = fit_compensations(_by_data_set(development), lacks)
    plain = _rule(replace(spread, compensations=compensations), forged, cache)

    less_centre = [writer for writer in centre_data_sets(development) if len(writer.forged)]
    spread = _fit_spread(less_centre, cache)
    lacks = _lacks(less_centre, spread, cache)
    told = {one.name: lacks[one.name] for one in compensations}
    centred = _rule(spread, less_centre, cache, told)
    # A gallery's script is told once, when a model is adapted to it.
    compensations = tuple(replace(one, amounts=told[one.name]) for one in compensations)
    return plain, replace(centred, spread=replace(spread, compensations=compensations))


def fit_rule(writers: Sequence[EmbeddedWriter]) -> DecisionRule:
    """Fit thresholds, likelihood ratios and the open-set tail on development writers.

    Args:
        writers: with genuine signatures and skilled forgeries, of all data sets together; none
            may have been trained on.

    Raises:
        TrainingDataError: there are too few writers, or no forgeries, to fit anything.
    """
    _require_enough(writers)
    cache = LocalSimilarityCache()
    return _rule(_fit_spread(writers, cache), writers, cache)


def _require_enough(writers: Sequence[EmbeddedWriter]) -> None:
    people = len({(writer.data_set, writer.group) for writer in writers})
    forged = sum(len(writer.forged) for writer in writers)
    if people < LEAST_PEOPLE or not forged:
        raise TrainingDataError(
            f"Calibration needs three writers or more with skilled forgeries; came {people} "
            f"writers with {forged} forgeries."
        )


def _rule(
    spread: Spread,
    writers: Sequence[EmbeddedWriter],
    cache: LocalSimilarityCache,
    raised: Mapping[str, Amounts] | None = None,
) -> DecisionRule:
    """The rule for scores of this spread; those of some data sets are `raised` before."""
    sets = np.array([writer.data_set for writer in writers])
    by_count = {name: dict(amounts) for name, amounts in (raised or {}).items()}
    people = people_of(writers)
    calibrations = []
    for references in REFERENCE_COUNTS:
        trials = run_trials(writers, references, spread, DRAWS, cache=cache)
        if trials.genuine.size and trials.skilled.size and trials.random.size:
            amounts = np.array([by_count.get(name, {}).get(references, 0.0) for name in sets])
            # Who has no signature left beside the references takes no part.
            able = [writer for writer in writers if len(writer.genuine) > references]
            signatures = min(
                sum(len(writer.genuine) for writer in able),
                sum(len(writer.forged) for writer in able),
            )
            raised_trials = trials.raised(amounts)
            calibrations.append(_calibrate(raised_trials, sets, people, references, signatures))
    if not calibrations:
        raise TrainingDataError(
            "No data set has development writers of two people or more with two genuine "
            "signatures or more each."
        )
    return DecisionRule(spread, tuple(calibrations), DEFAULT_OPERATING_POINT)


def _fit_spread(writers: Sequence[EmbeddedWriter], cache: LocalSimilarityCache) -> Spread:
    """Choose the shrinkage with the lowest skilled error at few references."""
    spread = population_spread(writers, cache=cache)

    def error(shrinkage: float) -> float:
        tried = replace(spread, shrinkage=shrinkage)
        runs = [
            run_trials(writers, references, tried, DRAWS, random=False, cache=cache)
            for references in SPREAD_COUNTS
        ]
        return float(np.mean([equal_error_rate(run.genuine, run.skilled) for run in runs]))

    return replace(spread, shrinkage=min(SHRINKAGES, key=error))


def _lacks(
    writers: Sequence[EmbeddedWriter], spread: Spread, cache: LocalSimilarityCache
) -> dict[str, Amounts]:
    """By data set and number of references, how far its forgeries score below the best forged."""
    sets = np.array([writer.data_set for writer in writers])
    target = TARGETS[DEFAULT_OPERATING_POINT]
    lacks: dict[str, Amounts] = {}
    for references in REFERENCE_COUNTS:
        trials = run_trials(writers, references, spread, DRAWS, random=False, cache=cache)
        of_set = sets[trials.skilled_writer]
        levels = {
            str(one): match_threshold(trials.skilled[of_set == one], target)
            for one in sorted(set(of_set))
        }
        best = max(levels.values(), default=0.0)
        for name, level in levels.items():
            amount = round(best - level, 5)
            lacks[name] = (*lacks.get(name, ()), (references, amount))
    return lacks


def _by_data_set(writers: Sequence[EmbeddedWriter]) -> dict[str, list[Vectors]]:
    among: dict[str, list[Vectors]] = {}
    for writer in writers:
        if len(writer.genuine):
            among.setdefault(writer.data_set, []).append(writer.genuine.vectors)
    return among


def _calibrate(
    trials: Trials,
    sets: NDArray[np.str_],
    people: NDArray[np.intp],
    references: int,
    signatures: int,
) -> Calibration:
    """One calibration for all; its thresholds keep their promise on each data set apart."""
    forged_in, genuine_in = sets[trials.skilled_writer], sets[trials.genuine_writer]
    points = {}
    for name, target in TARGETS.items():
        match = max(
            match_threshold(trials.skilled[forged_in == one], target) for one in set(forged_in)
        )
        refusal = min(
            refusal_threshold(trials.genuine[genuine_in == one], target) for one in set(genuine_in)
        )
        points[name] = OperatingPoint(match, min(match, refusal))
    random_in = sets[trials.random_writer]
    mated, forgeries, strangers = map(_shares, (genuine_in, forged_in, random_in))
    refusals = effective_sample_size(
        -trials.genuine, people[trials.genuine_writer], genuine_in, signatures
    )
    passed = effective_sample_size(
        trials.skilled, people[trials.skilled_writer], forged_in, signatures
    )
    mistaken = effective_sample_size(
        trials.random, people[trials.random_writer], random_in, signatures
    )
    return Calibration(
        references=references,
        skilled=fit_log_lr(trials.genuine, trials.skilled, min(refusals, passed), mated, forgeries),
        random=fit_log_lr(trials.genuine, trials.random, min(refusals, mistaken), mated, strangers),
        points=points,
        random_tail=_strictest_tail(trials, sets),
    )


def _shares(sets: NDArray[np.str_]) -> NDArray[np.float64]:
    """What each of n trials weighs, 1 in all: every data set as much as any other."""
    numbers, counts = np.unique(sets, return_inverse=True, return_counts=True)[1:]
    return np.asarray(1.0 / (len(counts) * counts[numbers]), np.float64)


def _strictest_tail(trials: Trials, sets: NDArray[np.str_]) -> RandomTail:
    """The tail that names the fewest strangers: what it promises holds on each data set."""
    of_set = sets[trials.random_writer]
    tails = [fit_tail(trials.random[of_set == one]) for one in sorted(set(of_set))]
    return max(tails, key=lambda tail: tail.threshold(TAIL_GALLERY))


def match_threshold(skilled: NDArray[np.float64], target_fmr: float) -> float:
    """The score that at most `target_fmr` of skilled forgeries reach."""
    # Rounded upwards: downwards, the forgery that it must not let pass would pass.
    return math.ceil(threshold_at_fmr(skilled, target_fmr) * 1e5) / 1e5


def refusal_threshold(genuine: NDArray[np.float64], target: float) -> float:
    """The score below which `target` of genuine signatures stay."""
    return round(float(np.quantile(genuine, target)), 5)


def ratio_bound(signatures: float) -> float:
    """The largest log10 likelihood ratio that so many signatures of either kind can support.

    Rule of three: n signatures without an error leave a rate of 3/n possible.
    """
    return round(float(np.log10(max(signatures / UNSEEN_ERRORS, 1.0))), 3)


def fit_log_lr(
    mated: NDArray[np.float64],
    nonmated: NDArray[np.float64],
    signatures: float,
    mated_shares: NDArray[np.float64] | None = None,
    nonmated_shares: NDArray[np.float64] | None = None,
) -> LogRatio:
    """log10 LR over score by logistic regression, never falling, as far as `signatures` support.

    Both classes weigh the same, so that the fitted log odds are the log likelihood ratio
    (Brümmer and du Preez 2006).

    Args:
        mated, nonmated: `(m,)` and `(n,)` scores.
        signatures: to how many independent ones those they come from come down, of the class
            that has fewer (`effective_sample_size`).
        mated_shares, nonmated_shares: what each score weighs in its class, 1 in all; all the same
            where not given.
    """
    scores = np.concatenate([mated, nonmated])
    centre, width = float(scores.mean()), max(float(scores.std()), 1e-9)
    features = np.column_stack([(scores - centre) / width, np.ones_like(scores)])
    labels = np.concatenate([np.ones(mated.size), np.zeros(nonmated.size)])
    if mated_shares is None:
        mated_shares = np.full(mated.size, 1 / mated.size)
    if nonmated_shares is None:
        nonmated_shares = np.full(nonmated.size, 1 / nonmated.size)
    weights = np.concatenate([mated_shares, nonmated_shares]) / 2
    beta = np.zeros(2)
    for _ in range(NEWTON_STEPS):
        chance = 1.0 / (1.0 + np.exp(-features @ beta))
        gradient = features.T @ (weights * (labels - chance)) - RIDGE * beta
        curvature = (features * (weights * chance * (1 - chance))[:, None]).T @ features
        step = np.linalg.solve(curvature + RIDGE * np.eye(2), gradient)
        beta += step
        if float(np.abs(step).max()) < CONVERGED:
            break
    slope = max(float(beta[0]), 0.0) / width
    intercept = float(beta[1]) - slope * centre
    return LogRatio(
        round(float(slope / np.log(10)), 5),
        round(float(intercept / np.log(10)), 5),
        ratio_bound(signatures),
    )


def fit_tail(scores: NDArray[np.float64]) -> RandomTail:
    """Exponential tail above a high quantile of other writers' scores (peaks over threshold)."""
    start = float(np.quantile(scores, 1.0 - TAIL_SHARE))
    beyond = scores[scores > start] - start
    scale = float(beyond.mean()) if beyond.size else TAIL_SCALE_OF_NONE
    return RandomTail(
        round(start, 5), TAIL_SHARE, round(max(scale, LEAST_TAIL_SCALE), 5), TARGET_FPIR
    )
