"""Curves to draw of pooled comparisons: DET and Tippett, thinned to what a picture shows."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.evaluation.pooling import Pool
from encoder.metrics.error_rates import error_curve

POINTS = 150


def trade_off_curves(pool: Pool) -> dict[str, Any]:
    """DET points by kind of forgery, and the Tippett curves of the shipped likelihood ratios."""
    curves: dict[str, Any] = {}
    for kind in ("skilled", "random"):
        if pool.scores(kind).size:
            curves[f"det_{kind}"] = _det(pool.scores("genuine"), pool.scores(kind))
    if pool.rules and pool.scores("skilled").size:
        curves["tippett"] = _tippett(pool.log_lr("genuine"), pool.log_lr("skilled"))
    return curves


def _det(mated: NDArray[np.float64], nonmated: NDArray[np.float64]) -> list[list[float]]:
    """[FMR, FNMR] pairs, as many among the rare errors as among the common ones."""
    _, fmr, fnmr = error_curve(mated, nonmated)
    # Evenly along the curve as it is drawn: by the logarithms of both rates.
    drawn = np.flatnonzero((fmr > 0) & (fnmr > 0))
    if not drawn.size:
        return [[0.0, 0.0]]
    way = np.log(fnmr[drawn]) - np.log(fmr[drawn])
    places = np.searchsorted(way, np.linspace(way[0], way[-1], POINTS))
    kept = np.unique(drawn[np.minimum(places, drawn.size - 1)])
    return [[round(float(fmr[i]), 6), round(float(fnmr[i]), 6)] for i in kept]


def _tippett(mated: NDArray[np.float64], nonmated: NDArray[np.float64]) -> dict[str, list[float]]:
    """Shares of comparisons whose log10 ratio is at least x, by x."""
    top = float(max(np.abs(mated).max(), np.abs(nonmated).max()))
    axis = np.linspace(-top, top, POINTS)

    def shares(ratios: NDArray[np.float64]) -> list[float]:
        below = np.searchsorted(np.sort(ratios), axis - 1e-9, side="left")
        return [round(float(share), 5) for share in 1.0 - below / ratios.size]

    return {
        "log_lr": [round(float(x), 4) for x in axis],
        "genuine": shares(mated),
        "skilled": shares(nonmated),
    }
