"""Error rates of comparison scores (ISO/IEC 19795-1), in numpy; higher scores mean more alike."""

import numpy as np
from numpy.typing import ArrayLike, NDArray

Scores = NDArray[np.float64]


def error_curve(mated: ArrayLike, nonmated: ArrayLike) -> tuple[Scores, Scores, Scores]:
    """False match and false non-match rates at every threshold that separates the scores.

    A comparison matches when its score is at least the threshold.

    Returns:
        thresholds `(k,)` ascending, FMR `(k,)` falling, FNMR `(k,)` rising; the first threshold
        lets everything match, the last (infinity) nothing.
    """
    genuine = np.sort(np.asarray(mated, np.float64))
    impostor = np.sort(np.asarray(nonmated, np.float64))
    thresholds = np.append(np.unique(np.concatenate([genuine, impostor])), np.inf)
    fnmr = np.searchsorted(genuine, thresholds, side="left") / max(genuine.size, 1)
    fmr = 1.0 - np.searchsorted(impostor, thresholds, side="left") / max(impostor.size, 1)
    return thresholds, fmr, fnmr


def equal_error_rate(mated: ArrayLike, nonmated: ArrayLike) -> float:
    """Where FMR and FNMR meet, 0 to 1, linear between thresholds; NaN without scores."""
    if not np.size(mated) or not np.size(nonmated):
        return float("nan")
    _, fmr, fnmr = error_curve(mated, nonmated)
    gap = fnmr - fmr
    after = int(np.argmax(gap >= 0))
    if after == 0 or gap[after] == 0:
        return float((fmr[after] + fnmr[after]) / 2)
    share = -gap[after - 1] / (gap[after] - gap[after - 1])
    return float(fnmr[after - 1] + share * (fnmr[after] - fnmr[after - 1]))


def threshold_at_fmr(nonmated: ArrayLike, target_fmr: float) -> float:
    """The lowest threshold at which at most `target_fmr` of the non-mated scores match."""
    impostor = np.sort(np.asarray(nonmated, np.float64))[::-1]
    allowed = int(np.floor(target_fmr * impostor.size + 1e-9))
    if allowed >= impostor.size:
        return float("-inf")
    return float(np.nextafter(impostor[allowed], np.inf))


def fnmr_at_fmr(mated: ArrayLike, nonmated: ArrayLike, target_fmr: float) -> float:
    """Share of mated scores refused at the threshold where FMR is at most `target_fmr`."""
    threshold = threshold_at_fmr(nonmated, target_fmr)
    return float(np.mean(np.asarray(mated, np.float64) < threshold))
