"""Learns what each feature of a claim counts, for each number of references."""

import math
from collections.abc import Mapping

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.logistic_regression import logistic_regression
from encoder.evaluation.trials import Claims
from encoder.scoring.score import ClaimWeights

# What each kind of claim weighs within a data set. Random forgeries are told apart easily: they
# weigh just so much that nothing is learned which lets them pass.
KIND_SHARES = {"genuine": 0.5, "skilled": 0.42, "random": 0.08}
# Chosen with each of five data sets left out: ten times less or a hundred times more costs nothing,
# ten times more half a point of equal error rate.
RIDGE = 5e-3
DIGITS = 5


def fit_weights(
    claims: Claims, sets: NDArray[np.str_], references: int, parts: int
) -> ClaimWeights:
    """The weights that tell genuine signatures from forgeries best; every data set weighs the same.

    Args:
        claims: with `references` references, of writers who were forged.
        sets: `(w,)` the data set of each writer.
        references: how many there are.
        parts: how many of the features are of probes, the first: what is more alike in one of
            these must not score lower.
    """
    rows, labels, shares = [], [], []
    for kind, features in claims.features.items():
        of = sets[claims.writer[kind]]
        for one in np.unique(of):
            own = features[of == one]
            rows.append(own)
            labels.append(np.full(len(own), kind == "genuine"))
            shares.append(np.full(len(own), KIND_SHARES[kind] / len(own)))
    bounded = np.arange(rows[0].shape[1]) < parts
    weights, intercept = logistic_regression(
        np.concatenate(rows), np.concatenate(labels), np.concatenate(shares), RIDGE, bounded
    )
    return ClaimWeights(
        references,
        _rounded(weights / math.log(10)),
        round(intercept / math.log(10), DIGITS),
        _rounded(_typical(claims.features["genuine"], sets[claims.writer["genuine"]])),
    )


def _typical(features: NDArray[np.float64], sets: NDArray[np.str_]) -> NDArray[np.float64]:
    """The mean features `(f,)`, every data set the same."""
    means: Mapping[str, NDArray[np.float64]] = {
        str(one): features[sets == one].mean(axis=0) for one in np.unique(sets)
    }
    return np.asarray(np.mean(list(means.values()), axis=0))


def _rounded(values: NDArray[np.float64]) -> tuple[float, ...]:
    return tuple(round(float(value), DIGITS) for value in values)
