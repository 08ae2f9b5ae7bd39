"""Our metrics against an independent implementation, where it is installed."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.metrics.cllr import pool_adjacent_violators
from encoder.metrics.error_rates import area_under_curve, error_curve

sklearn_metrics = pytest.importorskip("sklearn.metrics", reason="scikit-learn is not installed")
sklearn_isotonic = pytest.importorskip("sklearn.isotonic", reason="scikit-learn is not installed")

SCORES = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=40)


@given(SCORES, SCORES)
def test_error_curve_and_area(mated: list[float], nonmated: list[float]) -> None:
    labels = [1] * len(mated) + [0] * len(nonmated)
    scores = np.array([*mated, *nonmated])
    expected = sklearn_metrics.roc_auc_score(labels, scores)
    assert area_under_curve(mated, nonmated) == pytest.approx(expected)
    false_match, match, _ = sklearn_metrics.roc_curve(labels, scores, drop_intermediate=False)
    _, fmr, fnmr = error_curve(mated, nonmated)
    assert fmr[::-1] == pytest.approx(false_match)
    assert 1.0 - fnmr[::-1] == pytest.approx(match)


@given(st.lists(st.tuples(st.floats(0, 1), st.floats(0.1, 5)), min_size=1, max_size=60))
def test_pooling_of_violators(pairs: list[tuple[float, float]]) -> None:
    values, weights = np.array(pairs).T
    expected = sklearn_isotonic.isotonic_regression(values, sample_weight=weights)
    assert pool_adjacent_violators(values, weights) == pytest.approx(expected, abs=1e-9)
