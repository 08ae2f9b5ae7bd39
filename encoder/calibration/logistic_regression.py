"""Logistic regression by Newton's method, in numpy: a dozen features, thousands of comparisons."""

import numpy as np
from numpy.typing import NDArray

Doubles = NDArray[np.float64]

STEPS, CONVERGED = 50, 1e-9
CONSTANT = 1e-9  # A feature that deviates no more says nothing, and weighs nothing.


def logistic_regression(
    features: Doubles,
    labels: NDArray[np.bool_],
    shares: Doubles,
    ridge: float,
    never_negative: NDArray[np.bool_] | None = None,
) -> tuple[Doubles, float]:
    """Weights `(f,)` and intercept: natural log odds of the label for features `(n, f)`.

    Args:
        features, labels: of n comparisons.
        shares: `(n,)` what each weighs; they are scaled to 1 in all.
        ridge: what half the squared weights of the standardised features cost; the intercept's
            costs nothing.
        never_negative: `(f,)`, whose weights must not be below 0: those that would be are left out,
            the lowest first.
    """
    shares = shares / shares.sum()
    mean = shares @ features
    width = np.sqrt(shares @ np.square(features - mean))
    used = width > CONSTANT
    bounded = np.zeros(len(used), np.bool_) if never_negative is None else never_negative
    while True:
        kept = np.flatnonzero(used)
        standard = (features[:, kept] - mean[kept]) / width[kept]
        found = _newton(np.column_stack([standard, np.ones(len(standard))]), labels, shares, ridge)
        wrong = bounded[kept] & (found[:-1] < 0)
        if not wrong.any():
            break
        used[kept[np.argmin(np.where(wrong, found[:-1], np.inf))]] = False
    weights = np.zeros(features.shape[1])
    weights[kept] = found[:-1] / width[kept]
    return weights, float(found[-1] - weights @ mean)


def _newton(columns: Doubles, labels: NDArray[np.bool_], shares: Doubles, ridge: float) -> Doubles:
    """The minimum `(f,)` of the cross-entropy with a ridge on all columns but the last."""
    penalty = np.full(columns.shape[1], ridge)
    penalty[-1] = 0.0
    found = np.zeros(columns.shape[1])
    for _ in range(STEPS):
        chance = 1.0 / (1.0 + np.exp(-columns @ found))
        gradient = columns.T @ (shares * (chance - labels)) + penalty * found
        spread = shares * chance * (1 - chance)
        curvature = (columns * spread[:, None]).T @ columns + np.diag(penalty + CONSTANT)
        step = np.linalg.solve(curvature, gradient)
        found -= step
        if float(np.abs(step).max()) < CONVERGED:
            break
    return found
