"""How much likelihood ratios are worth: Cllr, and its least by recalibration (PAV)."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Floats = NDArray[np.float64]


def ratio_costs(log_lr: ArrayLike, *, mated: bool) -> Floats:
    """The cost in bits of each log10 likelihood ratio `(k,)`: 1 where it says nothing.

    log2(1 + 1/LR) of mated comparisons, log2(1 + LR) of non-mated ones.
    """
    natural = np.log(10.0) * np.asarray(log_lr, np.float64)
    return np.asarray(np.logaddexp2(0.0, (-natural if mated else natural) / np.log(2.0)))


def cllr(mated: ArrayLike, nonmated: ArrayLike) -> float:
    """Log-likelihood-ratio cost of log10 ratios, 0 perfect, 1 uninformative; NaN without any.

    Brümmer and du Preez, "Application-independent evaluation of speaker detection", 2006.
    """
    if not np.size(mated) or not np.size(nonmated):
        return float("nan")
    costs = ratio_costs(mated, mated=True).mean() + ratio_costs(nonmated, mated=False).mean()
    return float(costs / 2)


def cllr_min(mated: ArrayLike, nonmated: ArrayLike) -> float:
    """The least Cllr that any rising map from scores to ratios reaches on these very scores."""
    genuine, impostor = (np.asarray(scores, np.float64) for scores in (mated, nonmated))
    if not genuine.size or not impostor.size:
        return float("nan")
    values, place = np.unique(np.concatenate([genuine, impostor]), return_inverse=True)
    ours = np.bincount(place[: genuine.size], minlength=values.size)
    theirs = np.bincount(place[genuine.size :], minlength=values.size)
    # Both kinds weigh the same, so that the fitted odds are the likelihood ratio.
    weights = ours / genuine.size + theirs / impostor.size
    pooled = pool_adjacent_violators(ours / genuine.size / weights, weights)
    chance = np.clip(pooled, 0.0, 1.0)  # Means of ones may be above one by a rounding.
    with np.errstate(divide="ignore"):
        log_lr = np.log10(chance) - np.log10(1.0 - chance)
    return cllr(np.repeat(log_lr, ours), np.repeat(log_lr, theirs))


def pool_adjacent_violators(values: Floats, weights: Floats) -> Floats:
    """The non-falling sequence `(k,)` nearest to `values` `(k,)` in weighted least squares."""
    levels: list[float] = []
    masses: list[float] = []
    lengths: list[int] = []
    for value, weight in zip(values.tolist(), weights.tolist(), strict=True):
        level, mass, length = value, weight, 1
        while levels and levels[-1] >= level:
            before = masses.pop()
            level = (levels.pop() * before + level * mass) / (before + mass)
            mass += before
            length += lengths.pop()
        levels.append(level)
        masses.append(mass)
        lengths.append(length)
    return np.repeat(np.array(levels), lengths)
