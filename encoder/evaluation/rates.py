"""Error rates of pooled comparisons and searches, each with its interval, by name.

Names end in the kind of forgery that a rate is about.
"""

from collections.abc import Callable, Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.open_set import Searches, match_characteristic, run_searches
from encoder.evaluation.pooling import EmbeddedFold, Pool, RatioKind
from encoder.metrics.cllr import cllr, cllr_min, ratio_costs
from encoder.metrics.confidence_intervals import (
    Scored,
    equal_error_rates,
    error_curves,
    fnmrs_at_fmr,
    interval,
    rates,
)
from encoder.metrics.error_rates import equal_error_rate, fnmr_at_fmr, threshold_at_fmr
from encoder.scoring.calibrations import Calibration

Floats = NDArray[np.float64]
Estimate = tuple[float, tuple[float, float] | None]
RATIO_KINDS: tuple[RatioKind, ...] = ("skilled", "random")
TARGET_FMRS = {"1%": 0.01, "0.1%": 0.001}
TARGET_FPIRS = {"1%": 0.01, "5%": 0.05}


def comparison_rates(pool: Pool, weights: Floats) -> dict[str, Estimate]:
    """Equal error rates, and FNMR at FMR 1% and 0.1%, for each kind of forgery there is."""
    found: dict[str, Estimate] = {}
    mated = pool.scored["genuine"]
    for kind in ("skilled", "random"):
        nonmated = pool.scored[kind]
        if not nonmated.scores.size:
            continue
        curves = error_curves(weights, mated, nonmated)
        eer = equal_error_rate(mated.scores, nonmated.scores)
        found[f"eer_{kind}"] = (eer, interval(equal_error_rates(curves)))
        for name, target in TARGET_FMRS.items():
            rate = fnmr_at_fmr(mated.scores, nonmated.scores, target)
            spread = interval(fnmrs_at_fmr(curves, target))
            found[f"fnmr_at_fmr_{name}_{kind}"] = (rate, spread)
    return found


def likelihood_rates(pool: Pool, weights: Floats) -> dict[str, Estimate]:
    """Cllr of the shipped likelihood ratios, against either kind of forgery, and its least."""
    found: dict[str, Estimate] = {}
    mated = pool.scored["genuine"]
    for kind in RATIO_KINDS if pool.rules else ():
        nonmated = pool.scored[kind]
        if not nonmated.scores.size:
            continue
        ours, theirs = pool.log_lr("genuine", kind), pool.log_lr(kind, kind)
        costs = rates(weights, ratio_costs(ours, mated=True), mated.writer)
        costs = costs + rates(weights, ratio_costs(theirs, mated=False), nonmated.writer)
        found[f"cllr_{kind}"] = (cllr(ours, theirs), interval(costs / 2))
        found[f"cllr_min_{kind}"] = (cllr_min(mated.scores, nonmated.scores), None)
    return found


def shipped_rates(pool: Pool, weights: Floats) -> dict[str, dict[str, Estimate]]:
    """What each operating point's own thresholds reach, every comparison by its model's rule.

    `fmr_skilled` and `fmr_random`: matches among forgeries. `fnmr`: genuine signatures that do
    not match. `refused_genuine`: those with the verdict `non_match`; the rest of `fnmr` is
    `inconclusive`.
    """
    found: dict[str, dict[str, Estimate]] = {}
    for point in pool.rules[0].operating_points if pool.rules else ():
        matches = {
            kind: scored.scores >= pool.by_rule(kind, _match_threshold(point))
            for kind, scored in pool.scored.items()
        }
        genuine = pool.scored["genuine"]
        low = pool.by_rule("genuine", _refusal_threshold(point))
        row = {
            "fnmr": _share(~matches["genuine"], genuine, weights),
            "refused_genuine": _share(genuine.scores < low, genuine, weights),
        }
        for kind in ("skilled", "random"):
            if matches[kind].size:
                row[f"fmr_{kind}"] = _share(matches[kind], pool.scored[kind], weights)
        found[point] = row
    return found


def search_rates(
    folds: Sequence[EmbeddedFold],
    references: int,
    draws: int,
    weights: Floats,
    cache: LocalMatchCache | None = None,
) -> tuple[dict[str, Estimate], dict[str, object]]:
    """Rates of open-set identification within each fold's gallery; and what they rest on.

    `fpir` and `fnir` are at the shipped thresholds, for the galleries' sizes; `fnir_at_fpir_*`
    at the one threshold that reaches a false positive identification rate on these very searches.
    """
    starts = np.cumsum([0, *(len(fold.writers) for fold in folds)])
    runs = [run_searches(f.writers, references, f.scoring, draws, cache=cache) for f in folds]
    writer = np.concatenate([r.writer + s for r, s in zip(runs, starts, strict=False)])
    rank = np.concatenate([run.rank for run in runs])
    if not rank.size:
        return {}, {}

    def share(events: Sequence[NDArray[np.bool_]]) -> Estimate:
        happened = np.concatenate(events)
        return _share(happened, Scored(happened.astype(np.float64), writer), weights)

    found = {"rank_1": share([run.rank == 1 for run in runs])}
    others = np.concatenate([run.other for run in runs])
    for name, target in TARGET_FPIRS.items():
        threshold = threshold_at_fmr(others, target)
        found[f"fnir_at_fpir_{name}"] = share([run.missed(threshold) for run in runs])
    if all(fold.rule for fold in folds):
        limits = [_shipped_limit(f, run, references) for f, run in zip(folds, runs, strict=True)]
        pairs = list(zip(runs, limits, strict=True))
        found["fpir"] = share([run.false_alarms(limit) for run, limit in pairs])
        found["fnir"] = share([run.missed(limit) for run, limit in pairs])
    sizes = [run.gallery_size for run in runs if run.gallery_size]
    facts = {
        "searches": int(rank.size),
        "gallery_sizes": sorted(set(sizes)),
        "cmc": [round(share_, 5) for share_ in match_characteristic(rank)],
    }
    return found, facts


def as_row(estimates: Mapping[str, Estimate]) -> dict[str, object]:
    """Rates by name, ready for JSON, and under `intervals` those that have one."""
    row: dict[str, object] = {name: _rounded(value) for name, (value, _) in estimates.items()}
    known = {name: limits for name, (_, limits) in estimates.items() if limits}
    if known:
        row["intervals"] = {n: [_rounded(low), _rounded(high)] for n, (low, high) in known.items()}
    return row


def _match_threshold(point: str) -> Callable[[Calibration], float]:
    return lambda calibration: calibration.points[point].match


def _refusal_threshold(point: str) -> Callable[[Calibration], float]:
    return lambda calibration: calibration.points[point].non_match


def _shipped_limit(fold: EmbeddedFold, searches: Searches, references: int) -> float:
    if fold.rule is None:
        return float("inf")
    return fold.rule.identification_threshold(searches.gallery_size, references)


def _share(events: NDArray[np.bool_], scored: Scored, weights: Floats) -> Estimate:
    happened = events.astype(np.float64)
    return float(happened.mean()), interval(rates(weights, happened, scored.writer))


def _rounded(rate: float) -> float:
    return round(rate, 5)
