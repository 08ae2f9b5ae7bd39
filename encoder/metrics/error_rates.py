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
    return float(crossing(fmr, fnmr))


def crossing(fmr: Scores, fnmr: Scores) -> Scores:
    """Where curves of falling FMR and rising FNMR `(..., k)` meet, linear between points."""
    gap = fnmr - fmr
    after = np.argmax(gap >= 0, axis=-1)[..., None]
    before = np.maximum(after - 1, 0)

    def at(curves: Scores, where: NDArray[np.intp]) -> Scores:
        return np.asarray(np.take_along_axis(curves, where, axis=-1)[..., 0])

    rise = at(gap, after) - at(gap, before)
    share = np.where(rise > 0, at(gap, after) / np.where(rise > 0, rise, 1.0), 0.0)
    # At the very first point there is nothing to go back to: half way between the two rates.
    met = at(fnmr, after) - share * (at(fnmr, after) - at(fnmr, before))
    return np.where(after[..., 0] == 0, (at(fmr, after) + at(fnmr, after)) / 2, met)


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


def area_under_curve(mated: ArrayLike, nonmated: ArrayLike) -> float:
    """Chance that a mated score exceeds a non-mated one, ties counted half; NaN without scores."""
    genuine, impostor = np.asarray(mated, np.float64), np.sort(np.asarray(nonmated, np.float64))
    if not genuine.size or not impostor.size:
        return float("nan")
    below = np.searchsorted(impostor, genuine, side="left")
    not_above = np.searchsorted(impostor, genuine, side="right")
    return float(np.mean((below + not_above) / 2) / impostor.size)
