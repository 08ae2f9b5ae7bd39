"""Error rates against hand-worked cases and against counting by brute force."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.metrics.error_rates import (
    area_under_curve,
    equal_error_rate,
    error_curve,
    fnmr_at_fmr,
    threshold_at_fmr,
)

SCORES = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=40)


def test_hand_worked() -> None:
    mated, nonmated = [0.9, 0.8, 0.7, 0.3], [0.6, 0.2, 0.1, 0.0]
    assert equal_error_rate(mated, nonmated) == 0.25
    # At most one in four may match: the threshold lies just above 0.2.
    assert math.isclose(threshold_at_fmr(nonmated, 0.25), 0.2, abs_tol=1e-9)
    assert fnmr_at_fmr(mated, nonmated, 0.25) == 0.0
    assert fnmr_at_fmr(mated, nonmated, 0.0) == 0.25


def test_extremes() -> None:
    assert equal_error_rate([2, 3], [0, 1]) == 0.0
    assert equal_error_rate([0, 1], [2, 3]) == 1.0
    assert equal_error_rate([1, 1], [1, 1]) == 0.5
    assert math.isnan(equal_error_rate([], [1.0]))
    assert math.isnan(area_under_curve([1.0], []))


def test_area_by_hand() -> None:
    # Of six pairs four are the right way round and one is a tie.
    assert area_under_curve([3.0, 1.0], [0.0, 1.0, 2.0]) == pytest.approx(4.5 / 6)


@given(SCORES, SCORES)
def test_curve_counts_what_it_says(mated: list[float], nonmated: list[float]) -> None:
    thresholds, fmr, fnmr = error_curve(mated, nonmated)
    for threshold, false_match, false_non_match in zip(thresholds, fmr, fnmr, strict=True):
        assert false_match == pytest.approx(sum(s >= threshold for s in nonmated) / len(nonmated))
        assert false_non_match == pytest.approx(sum(s < threshold for s in mated) / len(mated))


@given(SCORES, SCORES)
def test_eer_lies_where_the_rates_cross(mated: list[float], nonmated: list[float]) -> None:
    _, fmr, fnmr = error_curve(mated, nonmated)
    eer = equal_error_rate(mated, nonmated)
    lowest_of_worse = min(max(a, b) for a, b in zip(fmr, fnmr, strict=True))
    highest_of_better = max(min(a, b) for a, b in zip(fmr, fnmr, strict=True))
    assert highest_of_better - 1e-9 <= eer <= lowest_of_worse + 1e-9


@given(SCORES, st.sampled_from([0.0, 0.01, 0.05, 0.1, 0.5, 1.0]))
def test_threshold_keeps_its_promise(nonmated: list[float], target: float) -> None:
    threshold = threshold_at_fmr(nonmated, target)
    matching = np.asarray(nonmated) >= threshold
    assert matching.mean() <= target + 1e-9
