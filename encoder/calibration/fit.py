"""Fits a model's `scoring.decision_rule` on development writers."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.effective_sample_size import effective_sample_size
from encoder.calibration.fit_weights import fit_weights
from encoder.calibration.levels import Levels, levels_of, points_for
from encoder.calibration.logistic_regression import logistic_regression
from encoder.errors import TrainingDataError
from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.open_set import Searches, run_searches
from encoder.evaluation.trials import Claims, EmbeddedWriter, Trials, draw_claims, people_of
from encoder.metrics.error_rates import equal_error_rate, fnmr_at_fmr
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import Calibration, LogRatio, OperatingPoint, RandomTail
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import Scoring

REFERENCE_COUNTS = (1, 2, 3, 5, 8, 10)
DEFAULT_OPERATING_POINT = "fmr_skilled=5%"
TAIL_SHARE = 0.1
# One in a hundred strangers may be named: on known data that costs half a point of those enrolled.
TARGET_FPIR = 0.01
WRITERS_OF_A_SCALE = 30  # From so many on, a data set tells by itself how fast its tail falls.
TAIL_GALLERY = 100  # Writers, at which tails are held against each other.
DRAWS = 3
LEAST_PEOPLE = 3  # Of two, either one's habits are half of what is fitted.
FORGED_KINDS = ("genuine", "skilled")
RIDGE = 1e-4  # Keeps the slope finite where the scores separate without error.
UNSEEN_ERRORS = 3.0  # Of n signatures without an error, 3/n may err all the same (rule of three).
LEAST_TAIL_SCALE, TAIL_SCALE_OF_NONE = 1e-3, 0.1  # In scores.


@dataclass(frozen=True)
class Fitted:
    """A rule, and what the same fit comes to on signatures of a kind that it never saw.

    `unseen` holds, for each data set and number of references, the errors on it of the rule fitted
    on all others: the rates that an answer may state, since users' signatures are of no known kind.
    `levels` holds what each data set's scores need by themselves, by its number of references.
    """

    rule: DecisionRule
    unseen: Mapping[str, Mapping[str, Mapping[str, Any]]]
    levels: Mapping[str, Mapping[int, Levels]]


def fit_rule(writers: Sequence[EmbeddedWriter], blocks: Blocks) -> Fitted:
    """Fit weights, thresholds, likelihood ratios and the open-set tail on development writers.

    Args:
        writers: of all data sets together; none may have been trained on. Data sets in which nobody
            was forged are left out.
        blocks: how their embeddings come apart.

    Raises:
        TrainingDataError: there are too few writers, or no forgeries, to fit anything.
    """
    _require_enough([writer for writer in writers if len(writer.forged)])
    forged = sorted({writer.data_set for writer in writers if len(writer.forged)})
    able = [writer for writer in writers if writer.data_set in forged]
    compared = Scoring((), all(w.genuine.pieces is not None for w in able), blocks)
    sets = np.array([writer.data_set for writer in able])
    cache = LocalMatchCache()
    drawn = {
        references: draw_claims(able, references, compared, DRAWS, cache)
        for references in REFERENCE_COUNTS
    }
    rule = _rule(drawn, able, compared, cache)
    parts = len(compared.parts)
    unseen = {one: _unseen(drawn, sets, one, parts) for one in forged if len(forged) > 1}
    return Fitted(rule, unseen, _levels(rule, drawn, sets))


def _levels(
    rule: DecisionRule, drawn: Mapping[int, Claims], sets: NDArray[np.str_]
) -> dict[str, dict[int, Levels]]:
    """What each data set needs, by its name and by number of references."""
    found: dict[str, dict[int, Levels]] = {}
    for calibration in rule.calibrations:
        count = calibration.references
        trials = drawn[count].scored(rule.scoring.weights_for(count))
        for name, levels in levels_of(trials, sets).items():
            found.setdefault(name, {})[count] = levels
    return found


def _rule(
    drawn: Mapping[int, Claims],
    writers: Sequence[EmbeddedWriter],
    compared: Scoring,
    cache: LocalMatchCache,
) -> DecisionRule:
    sets = np.array([writer.data_set for writer in writers])
    weights, calibrations = [], []
    for references, claims in drawn.items():
        if not _is_enough(claims):
            continue
        weights.append(fit_weights(claims, sets, references, len(compared.parts)))
        trials = claims.scored(weights[-1])
        weighed = replace(compared, weights=(weights[-1],))
        searches = [
            run_searches(among, references, weighed, DRAWS, cache=cache)
            for one in np.unique(sets[trials.random_writer])
            if (among := [writer for writer in writers if writer.data_set == one])
        ]
        searches = [one for one in searches if np.isfinite(one.other).any()]
        calibrations.append(_calibrate(trials, sets, references, writers, searches))
    if not calibrations:
        raise TrainingDataError(
            "No data set has development writers of two people or more with two genuine "
            "signatures or more each."
        )
    scoring = replace(compared, weights=tuple(weights))
    return DecisionRule(scoring, tuple(calibrations), DEFAULT_OPERATING_POINT)


def _unseen(
    drawn: Mapping[int, Claims], sets: NDArray[np.str_], one: str, parts: int
) -> dict[str, dict[str, Any]]:
    """By number of references, the errors on one data set of weights and thresholds of the others.

    Rates are as in `evaluation.rates.shipped_rates`, by operating point.
    """
    found: dict[str, dict[str, Any]] = {}
    for references, claims in drawn.items():
        others, own = claims.only(sets != one), claims.only(sets == one)
        if not _is_enough(others) or not all(own.features[kind].size for kind in FORGED_KINDS):
            continue
        weights = fit_weights(others, sets, references, parts)
        points = points_for([*levels_of(others.scored(weights), sets).values()])
        trials = own.scored(weights)
        found[str(references)] = {
            "eer_skilled": _rate(equal_error_rate(trials.genuine, trials.skilled)),
            "fnmr_at_fmr_1%_skilled": _rate(fnmr_at_fmr(trials.genuine, trials.skilled, 0.01)),
            "points": {name: _point_errors(trials, point) for name, point in points.items()},
        }
    return found


def _is_enough(claims: Claims) -> bool:
    return all(features.size for features in claims.features.values())


def _point_errors(trials: Trials, point: OperatingPoint) -> dict[str, float]:
    """Errors at one operating point; `fmr_random` where there are random forgeries."""
    rates = {
        "fmr_skilled": _rate(np.mean(trials.skilled >= point.match)),
        "fnmr": _rate(np.mean(trials.genuine < point.match)),
        "refused_genuine": _rate(np.mean(trials.genuine < point.non_match)),
    }
    if trials.random.size:
        rates["fmr_random"] = _rate(np.mean(trials.random >= point.match))
    return rates


def _rate(value: float | np.floating[Any]) -> float:
    return round(float(value), 4)


def _require_enough(writers: Sequence[EmbeddedWriter]) -> None:
    people = len({(writer.data_set, writer.group) for writer in writers})
    forged = sum(len(writer.forged) for writer in writers)
    if people < LEAST_PEOPLE or not forged:
        raise TrainingDataError(
            f"Calibration needs three writers or more with skilled forgeries; came {people} "
            f"writers with {forged} forgeries."
        )


def _calibrate(
    trials: Trials,
    sets: NDArray[np.str_],
    references: int,
    writers: Sequence[EmbeddedWriter],
    searches: Sequence[Searches],
) -> Calibration:
    """One calibration for all; what it promises holds on each data set apart."""
    forged_in, genuine_in = sets[trials.skilled_writer], sets[trials.genuine_writer]
    random_in = sets[trials.random_writer]
    people = people_of(writers)
    present = set(trials.genuine_writer.tolist())
    able = [writer for number, writer in enumerate(writers) if number in present]
    signatures = min(
        sum(len(writer.genuine) for writer in able), sum(len(writer.forged) for writer in able)
    )
    refusals, passed, mistaken = (
        effective_sample_size(scores, people[claimed], of, signatures)
        for scores, claimed, of in (
            (-trials.genuine, trials.genuine_writer, genuine_in),
            (trials.skilled, trials.skilled_writer, forged_in),
            (trials.random, trials.random_writer, random_in),
        )
    )
    return Calibration(
        references=references,
        skilled=LogRatio(
            _lines(trials.genuine, genuine_in, trials.skilled, forged_in),
            ratio_bound(min(refusals, passed)),
        ),
        random=LogRatio(
            _lines(trials.genuine, genuine_in, trials.random, random_in),
            ratio_bound(min(refusals, mistaken)),
        ),
        points=points_for([*levels_of(trials, sets).values()]),
        random_tail=_strictest_tail(searches),
    )


def _lines(
    mated: NDArray[np.float64],
    mated_in: NDArray[np.str_],
    nonmated: NDArray[np.float64],
    nonmated_in: NDArray[np.str_],
) -> tuple[tuple[float, float], ...]:
    """The line of each data set that has both."""
    both = sorted(set(mated_in) & set(nonmated_in))
    return tuple(fit_log_lr(mated[mated_in == n], nonmated[nonmated_in == n]) for n in both)


def _strictest_tail(searches: Sequence[Searches]) -> RandomTail:
    """The tail that names the fewest strangers: what it promises holds on each data set.

    How fast a tail falls is hardly told by few writers: theirs is mixed with that of all data sets.
    """
    tails = [fit_tail(one) for one in searches]
    usual = float(np.mean([tail.scale for tail in tails]))
    mixed = []
    for tail in tails:
        own = min(1.0, tail.gallery_size / WRITERS_OF_A_SCALE)
        mixed.append(replace(tail, scale=round(own * tail.scale + (1 - own) * usual, 5)))
    return max(mixed, key=lambda tail: tail.threshold(TAIL_GALLERY))


def ratio_bound(signatures: float) -> float:
    """The largest log10 likelihood ratio that so many signatures of either kind can support.

    Rule of three: n signatures without an error leave a rate of 3/n possible.
    """
    return round(float(np.log10(max(signatures / UNSEEN_ERRORS, 1.0))), 3)


def fit_log_lr(mated: NDArray[np.float64], nonmated: NDArray[np.float64]) -> tuple[float, float]:
    """Slope and intercept of the log10 LR over the score, by logistic regression; never falling.

    Both classes weigh the same, so that the fitted log odds are the log likelihood ratio
    (Brümmer and du Preez 2006). `mated` and `nonmated` are scores `(m,)` and `(n,)`.
    """
    scores = np.concatenate([mated, nonmated])[:, None]
    labels = np.arange(len(scores)) < mated.size
    shares = np.where(labels, 1 / mated.size, 1 / nonmated.size)
    slopes, intercept = logistic_regression(scores, labels, shares, RIDGE, np.array([True]))
    return round(float(slopes[0]) / math.log(10), 5), round(intercept / math.log(10), 5)


def fit_tail(searches: Searches) -> RandomTail:
    """Exponential tail above a high quantile of what strangers score (peaks over threshold)."""
    scores = searches.other[np.isfinite(searches.other)]
    start = float(np.quantile(scores, 1.0 - TAIL_SHARE))
    beyond = scores[scores > start] - start
    scale = float(beyond.mean()) if beyond.size else TAIL_SCALE_OF_NONE
    return RandomTail(
        start=round(start, 5),
        share=TAIL_SHARE,
        scale=round(max(scale, LEAST_TAIL_SCALE), 5),
        fpir=TARGET_FPIR,
        gallery_size=searches.gallery_size - 1,  # The stranger is out of it.
    )
