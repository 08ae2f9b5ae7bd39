"""Intervals by drawing writers anew: comparisons of one writer are not independent.

Writers are weighed by how often they were drawn, and counts per writer are made once, so that a
thousand replicates are a matrix product. Of a random forgery the claimed writer is what is drawn.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.metrics.error_rates import crossing

Floats = NDArray[np.float64]
Numbers = NDArray[np.intp]

REPLICATES = 1000
LEVEL = 0.95
GRID = 600  # Thresholds from each kind's quantiles; exact where there are no more scores.
TAIL_SHARE = 0.02  # Of the highest non-mated scores, where FMR 0.1% is read, as many again.


@dataclass(frozen=True)
class Scored:
    """Comparison scores `(k,)`, each with the number of its claimed writer."""

    scores: Floats
    writer: Numbers


def draw_weights(people: Numbers, replicates: int = REPLICATES, seed: int = 0) -> Floats:
    """How often each writer counts in each replicate, `(replicates, writers)`.

    Args:
        people: `(writers,)` number of each writer's person; writers of one person are drawn as one.
        replicates: how many.
        seed: the same seed draws the same.
    """
    names, person = np.unique(people, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(names.size, size=(replicates, names.size))
    row = np.arange(replicates)[:, None] * names.size
    counts = np.bincount((row + drawn).ravel(), minlength=replicates * names.size)
    times = counts.reshape(replicates, names.size)[:, person]
    return np.asarray(times, np.float64)


def interval(values: Floats) -> tuple[float, float] | None:
    """The middle 95% of replicates' values; None where less than that many have one."""
    known = values[np.isfinite(values)]
    if known.size < LEVEL * values.size or not known.size:
        return None
    low, high = np.quantile(known, ((1 - LEVEL) / 2, (1 + LEVEL) / 2))
    return float(low), float(high)


def rates(weights: Floats, events: Floats, writer: Numbers) -> Floats:
    """Mean of `events` `(k,)`, of the writers `(k,)`, in each replicate: `(replicates,)`."""
    writers = weights.shape[1]
    sums = weights @ np.bincount(writer, events, minlength=writers)
    totals = weights @ np.bincount(writer, minlength=writers).astype(np.float64)
    missing = np.full(len(weights), np.nan)  # Where nobody with a comparison was drawn.
    return np.asarray(np.divide(sums, totals, out=missing, where=totals > 0))


def error_curves(weights: Floats, mated: Scored, nonmated: Scored) -> tuple[Floats, Floats]:
    """FMR and FNMR `(replicates, thresholds)` at thresholds dense where error rates are read."""
    thresholds = _thresholds(mated.scores, nonmated.scores)
    return (
        _share_reaching(weights, nonmated, thresholds),
        1.0 - _share_reaching(weights, mated, thresholds),
    )


def equal_error_rates(curves: tuple[Floats, Floats]) -> Floats:
    """Equal error rate `(replicates,)` of each replicate's curves."""
    return crossing(*curves)


def fnmrs_at_fmr(curves: tuple[Floats, Floats], target_fmr: float) -> Floats:
    """FNMR `(replicates,)` where each replicate's FMR first falls to the target."""
    fmr, fnmr = curves
    first = np.argmax(fmr <= target_fmr + 1e-12, axis=1)
    return np.asarray(fnmr[np.arange(len(fnmr)), first])


def _thresholds(mated: Floats, nonmated: Floats) -> Floats:
    tail = np.sort(nonmated)[-max(1, int(TAIL_SHARE * nonmated.size)) :]
    chosen = [_spaced(np.sort(scores)) for scores in (mated, nonmated, tail)]
    return np.append(np.unique(np.concatenate(chosen)), np.inf)


def _spaced(ordered: Floats) -> Floats:
    places = np.linspace(0, ordered.size - 1, min(GRID, ordered.size))
    return np.asarray(ordered[np.rint(places).astype(np.intp)])


def _share_reaching(weights: Floats, scored: Scored, thresholds: Floats) -> Floats:
    """Share of scores at or above each threshold, in each replicate."""
    writers, size = weights.shape[1], thresholds.size + 1
    reached = np.searchsorted(thresholds, scored.scores, side="right")
    counts = np.bincount(scored.writer * size + reached, minlength=writers * size)
    above = np.cumsum(counts.reshape(writers, size)[:, ::-1], axis=1)[:, ::-1]
    sums = weights @ above.astype(np.float64)
    totals = sums[:, :1]
    return np.divide(sums[:, 1:], totals, out=np.full_like(sums[:, 1:], np.nan), where=totals > 0)
