"""Weighted rates against the same writers laid out one by one."""

import numpy as np
import pytest

from encoder.metrics.confidence_intervals import (
    Scored,
    draw_weights,
    equal_error_rates,
    error_curves,
    fnmrs_at_fmr,
    interval,
    rates,
)
from encoder.metrics.error_rates import equal_error_rate, error_curve

WRITERS = 7


def invented(shift: float, count: int, seed: int) -> Scored:
    rng = np.random.default_rng(seed)
    writer = rng.integers(WRITERS, size=count)
    return Scored(rng.normal(shift, 1.0, count) + 0.3 * writer, writer)


def laid_out(scored: Scored, weights: np.ndarray) -> np.ndarray:
    return np.repeat(scored.scores, weights[scored.writer].astype(int))


def test_rates_are_those_of_the_drawn_writers() -> None:
    mated, nonmated = invented(2.0, 150, 1), invented(0.0, 250, 2)
    weights = draw_weights(np.arange(WRITERS), 40)
    curves = error_curves(weights, mated, nonmated)
    eers, fnmrs = equal_error_rates(curves), fnmrs_at_fmr(curves, 0.05)
    means = rates(weights, mated.scores, mated.writer)
    for number, row in enumerate(weights):
        ours, theirs = laid_out(mated, row), laid_out(nonmated, row)
        assert means[number] == pytest.approx(ours.mean())
        _, fmr, fnmr = error_curve(ours, theirs)
        assert fnmrs[number] == pytest.approx(fnmr[np.argmax(fmr <= 0.05)], abs=0.02)
        # Thresholds that only other replicates have shift the line between two points a little.
        assert eers[number] == pytest.approx(equal_error_rate(ours, theirs), abs=0.005)


def test_many_scores_are_read_on_a_grid_that_is_fine_enough() -> None:
    mated, nonmated = invented(3.0, 30_000, 3), invented(0.0, 60_000, 4)
    curves = error_curves(np.ones((1, WRITERS)), mated, nonmated)
    exact = equal_error_rate(mated.scores, nonmated.scores)
    assert equal_error_rates(curves)[0] == pytest.approx(exact, abs=5e-4)
    _, fmr, fnmr = error_curve(mated.scores, nonmated.scores)
    for target in (0.01, 0.001):
        expected = fnmr[np.argmax(fmr <= target)]
        assert fnmrs_at_fmr(curves, target)[0] == pytest.approx(expected, abs=0.01)


def test_writers_of_one_person_are_drawn_as_one() -> None:
    weights = draw_weights(np.array([0, 0, 1, 2]), 200, seed=3)
    assert weights.shape == (200, 4)
    assert np.array_equal(weights[:, 0], weights[:, 1])
    assert (weights[:, 1:].sum(axis=1) == 3).all()
    assert np.array_equal(weights, draw_weights(np.array([5, 5, 7, 9]), 200, seed=3))
    assert weights[:, 1:].mean(axis=0) == pytest.approx([1, 1, 1], abs=0.2)


def test_the_interval_covers_as_often_as_it_says() -> None:
    rng = np.random.default_rng(0)
    covered = 0
    for trial in range(200):
        values = rng.normal(size=40)  # One comparison for each of forty writers.
        weights = draw_weights(np.arange(40), 300, seed=trial)
        low, high = interval(rates(weights, values, np.arange(40))) or (0.0, 0.0)
        covered += low <= 0.0 <= high
    assert 0.88 <= covered / 200 <= 0.99


def test_no_interval_without_replicates_or_where_few_have_a_value() -> None:
    assert interval(np.zeros(0)) is None
    assert interval(np.array([np.nan] * 30 + [0.5] * 70)) is None
    # The replicates that drew nobody with a comparison have no rate.
    assert np.isnan(rates(np.array([[0.0, 1.0]]), np.array([1.0]), np.array([0])))[0]
