"""Cllr and PAV against hand-worked cases, and the least Cllr against other maps."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.metrics.cllr import cllr, cllr_min, pool_adjacent_violators

SCORES = st.lists(st.integers(-20, 20).map(float), min_size=1, max_size=40)


def test_cllr_by_hand() -> None:
    assert cllr([0.0, 0.0], [0.0]) == pytest.approx(1.0)  # Ratios of one say nothing.
    assert cllr([math.inf], [-math.inf]) == 0.0
    # LR 3 for a mated and 1/3 for a non-mated comparison: log2(4/3) each.
    assert cllr([math.log10(3)], [-math.log10(3)]) == pytest.approx(math.log2(4 / 3))
    assert math.isnan(cllr([], [1.0]))


def test_least_cllr_by_hand() -> None:
    assert cllr_min([2.0, 3.0], [0.0, 1.0]) == 0.0
    assert cllr_min([1.0, 1.0], [1.0]) == pytest.approx(1.0)
    assert cllr_min([0.0], [1.0]) == pytest.approx(1.0)  # The wrong way round: no rising map helps.
    # One mated in two lies among the non-mated: there LR = 1/2, above it infinity.
    expected = (math.log2(1 + 2) / 2 + math.log2(1 + 1 / 2)) / 2
    assert cllr_min([5.0, 1.0], [1.0, 1.0]) == pytest.approx(expected)


def test_violators_by_hand() -> None:
    pooled = pool_adjacent_violators(np.array([1.0, 3.0, 2.0, 4.0]), np.array([1.0, 1.0, 3.0, 1.0]))
    assert pooled == pytest.approx([1.0, 2.25, 2.25, 4.0])


@given(SCORES, SCORES, st.floats(0, 3), st.floats(-2, 2))
def test_no_rising_map_does_better(
    mated: list[float], nonmated: list[float], slope: float, intercept: float
) -> None:
    least = cllr_min(mated, nonmated)
    mapped = [slope * np.array(scores) + intercept for scores in (mated, nonmated)]
    assert -1e-9 <= least <= min(1.0, cllr(*mapped)) + 1e-9
