"""How many independent signatures those of few writers come down to."""

import numpy as np
import pytest

from encoder.calibration.effective_sample_size import (
    RARE,
    effective_sample_size,
    intraclass_correlation,
)


def test_intraclass_correlation_by_hand() -> None:
    values = np.array([1.0, 2.0, 3.0, 5.0, 6.0, 7.0])
    groups = np.array([0, 0, 0, 1, 1, 1])
    # Means 2 and 6: 24 between, on one degree of freedom; 4 within, on four.
    assert intraclass_correlation(values, groups) == pytest.approx((24 - 1) / (24 + 2 * 1))
    assert intraclass_correlation(np.ones(6), groups) == 0
    assert intraclass_correlation(values, np.zeros(6, np.intp)) == 1


def test_errors_of_one_writer_count_once_and_errors_by_chance_each() -> None:
    rng = np.random.default_rng(3)
    writers, sets = np.repeat(np.arange(100), 20), np.repeat(["one", "other"], 1000)
    by_chance = rng.normal(size=2000)
    assert effective_sample_size(by_chance, writers, sets, 2000) > 1200
    together = np.where(np.isin(writers, [7, 60]), 5.0, 0.0) + 0.001 * by_chance
    assert RARE == 0.01
    assert effective_sample_size(together, writers, sets, 2000) < 500
    assert effective_sample_size(by_chance, writers, sets, 20) <= 20


def test_few_signatures_come_down_to_no_more_than_they_are() -> None:
    scores, sets = np.array([0.1, 0.4, 0.2]), np.array(["", "", ""])
    assert effective_sample_size(scores, np.array([0, 1, 2]), sets, 3) == 3
    assert effective_sample_size(scores, np.array([0, 0, 0]), sets, 3) == 1
