"""Logistic regression: against scikit-learn, and what its bounds promise."""

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from encoder.calibration.logistic_regression import logistic_regression

rng = np.random.default_rng(3)
FEATURES = rng.normal(size=(600, 4)) * [1.0, 0.1, 5.0, 1.0] + [0.0, 3.0, 1.0, -2.0]
LABELS = (FEATURES @ [1.0, 8.0, -0.2, 0.0] + rng.normal(size=600)) > 24
SHARES = rng.uniform(0.5, 2.0, 600)


@pytest.mark.parametrize("ridge", [1e-4, 1e-2, 1.0])
def test_agrees_with_scikit_learn(ridge):
    shares = SHARES / SHARES.sum()
    mean = shares @ FEATURES
    width = np.sqrt(shares @ np.square(FEATURES - mean))
    judge = LogisticRegression(C=1 / ridge, tol=1e-10, max_iter=1000)
    judge.fit((FEATURES - mean) / width, LABELS, sample_weight=shares)

    weights, intercept = logistic_regression(FEATURES, LABELS, SHARES, ridge)

    assert weights == pytest.approx(judge.coef_[0] / width, rel=1e-4, abs=1e-6)
    odds = judge.decision_function((FEATURES - mean) / width)
    assert FEATURES @ weights + intercept == pytest.approx(odds, rel=1e-4, abs=1e-5)


def test_a_bounded_weight_is_never_negative():
    free, _ = logistic_regression(FEATURES, LABELS, SHARES, 1e-3)
    assert free[2] < 0
    bounded, _ = logistic_regression(FEATURES, LABELS, SHARES, 1e-3, np.array([True] * 4))
    assert bounded.min() >= 0
    assert bounded[2] == 0
    assert bounded[1] > 0


def test_a_constant_feature_weighs_nothing():
    features = FEATURES.copy()
    features[:, 3] = 7.0
    weights, intercept = logistic_regression(features, LABELS, SHARES, 1e-3)
    assert weights[3] == 0
    assert np.isfinite(intercept)


def test_separated_labels_give_finite_weights():
    features = np.array([[-1.0], [-2.0], [1.0], [2.0]])
    labels = features[:, 0] > 0
    weights, intercept = logistic_regression(features, labels, np.ones(4), 1e-4)
    assert np.isfinite(weights).all()
    assert weights[0] > 0
    assert abs(intercept) < 1e-6
