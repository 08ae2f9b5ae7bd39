"""What a gallery's own scores set, on invented scores whose distributions are known."""

from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration.gallery_statistics import (
    GalleryScores,
    fit_strangers_tail,
    measure,
    read_gallery,
)
from encoder.calibration.levels import LEAST_BAND
from encoder.errors import TrainingDataError
from encoder.metrics.confidence_intervals import Scored
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import (
    Calibration,
    LogRatio,
    OperatingPoint,
    OwnGallery,
    RandomTail,
)
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import ClaimWeights, Scoring

PRIOR = 0.5
MATCH = 1.0
POINTS = {
    "fmr_skilled=1%": OperatingPoint(2.0, -3.0),
    "fmr_skilled=5%": OperatingPoint(MATCH, -2.0),
}


def calibration(references):
    ratio = LogRatio(((1.0, 0.0),), 2.0)
    return Calibration(references, ratio, ratio, POINTS, RandomTail(4.0, 0.1, PRIOR, 0.01, 100))


WEIGHTS = ClaimWeights(1, (1.0, 0.0), 0.0, (0.0, 0.0))
RULE = DecisionRule(
    Scoring((WEIGHTS,), local=False, blocks=Blocks()),
    (calibration(1), calibration(5)),
    "fmr_skilled=5%",
)


def gallery(writers=100, each=5, seed=0, mean=3.0, scale=0.3, counts=(1, 5)):
    """Strangers' scores are exponential from -2 on, genuine ones normal."""
    rng = np.random.default_rng(seed)
    writer = np.repeat(np.arange(writers), each)
    genuine = {
        count: Scored(rng.normal(mean, 1.0, writer.size), writer)
        for count in counts
        if count <= each
    }
    strangers = Scored(rng.exponential(scale, writer.size) - 2.0, writer)
    return GalleryScores(writers, writer.size, strangers, genuine, genuine[max(genuine)])


def test_one_stranger_in_a_hundred_is_named():
    """Of 40 galleries: other strangers of the same kind, held against the threshold each gave."""
    rates = []
    for seed in range(40):
        rule = replace(RULE, gallery=read_gallery(gallery(seed=seed), RULE))
        others = np.random.default_rng([seed, 1]).exponential(0.3, 20_000) - 2.0
        rates.append(np.mean(others >= rule.identification_threshold(99, 5)))
    assert 0.008 < np.mean(rates) < 0.013
    assert np.quantile(rates, 0.95) < 0.025


def test_the_threshold_grows_with_the_gallery_as_its_strangers_best_does():
    """Twice the writers: the best of two as good strangers' scores is compared."""
    tail = fit_strangers_tail(np.random.default_rng(0).exponential(0.3, 50_000), 50, PRIOR)
    assert tail.threshold(100) - tail.threshold(50) == pytest.approx(tail.scale * np.log(2))
    pairs = np.random.default_rng(1).exponential(0.3, (50_000, 2)).max(axis=1)
    assert np.mean(pairs >= tail.threshold(100)) == pytest.approx(0.01, abs=0.003)
    assert tail.threshold(0) == tail.threshold(1)  # An empty gallery names nobody anyway.


def test_the_tail_is_the_top_tenth_and_at_least_ten():
    scores = np.arange(1000.0)
    assert fit_strangers_tail(scores, 500, PRIOR).start == 899
    few = fit_strangers_tail(np.arange(50.0), 500, PRIOR)
    assert (few.start, few.share) == (39, 0.2)


def test_the_scale_is_partly_the_models_below_thirty_writers():
    scores = np.random.default_rng(0).exponential(0.1, 1000)
    own = fit_strangers_tail(scores, 29, PRIOR).scale
    assert fit_strangers_tail(scores, 400, PRIOR).scale == own
    mixed = fit_strangers_tail(scores, 24, PRIOR).scale
    assert mixed == pytest.approx(own * 25 / 30 + PRIOR * 5 / 30, abs=1e-4)


def test_one_genuine_signature_in_twenty_stays_below_the_bound():
    found = read_gallery(gallery(mean=1.5), RULE)
    bound = found.non_match(5)["fmr_skilled=5%"]
    assert bound == pytest.approx(1.5 - 1.645, abs=0.25)
    assert found.non_match(7) == found.non_match(5)  # For so many and more.
    assert found.non_match(3) == found.non_match(1)
    rule = replace(RULE, gallery=found)
    assert rule.calibration_for(5).points["fmr_skilled=5%"] == OperatingPoint(MATCH, bound)


def test_the_bound_leaves_a_band_below_match():
    found = read_gallery(gallery(mean=9.0), RULE)
    assert found.non_match(5)["fmr_skilled=5%"] == pytest.approx(MATCH - LEAST_BAND)


def test_what_too_few_signatures_can_tell_refuses_no_more_than_before():
    """One in a hundred of 125 genuine signatures is one or two of them."""
    found = read_gallery(gallery(writers=25, mean=2.0), RULE)
    assert found.non_match(5)["fmr_skilled=1%"] == POINTS["fmr_skilled=1%"].non_match
    assert found.non_match(5)["fmr_skilled=5%"] > POINTS["fmr_skilled=5%"].non_match
    found = read_gallery(gallery(writers=25, mean=-4.0), RULE)
    assert found.non_match(5)["fmr_skilled=1%"] < POINTS["fmr_skilled=1%"].non_match
    found = read_gallery(gallery(writers=100, mean=2.0), RULE)  # 500 suffice.
    assert found.non_match(5)["fmr_skilled=1%"] > POINTS["fmr_skilled=1%"].non_match


def test_numbers_of_references_that_few_writers_have_keep_the_bound_of_fewer():
    scores = gallery(writers=30, each=2)
    few = Scored(np.full(10, -9.0), np.repeat(np.arange(5), 2))
    found = read_gallery(replace(scores, genuine={**scores.genuine, 5: few}), RULE)
    assert [one.references for one in found.bounds] == [1]
    assert found.non_match(5) == found.non_match(1)


@pytest.mark.parametrize("writers", [1, 24])
def test_too_few_writers_are_refused_with_what_is_needed(writers):
    with pytest.raises(TrainingDataError, match=rf"25 writers.*{writers} of {writers} here"):
        read_gallery(gallery(writers=writers), RULE)


def test_25_writers_suffice():
    assert read_gallery(gallery(writers=25, each=2, counts=(1,)), RULE).bounds


def test_references_that_are_all_of_one_signature_tell_nothing_of_strangers():
    scores = replace(gallery(), strangers=Scored(np.zeros(10), np.arange(10)))
    with pytest.raises(TrainingDataError, match="how high strangers score"):
        read_gallery(scores, RULE)


def test_stated_rates_are_those_of_the_rule_with_intervals_that_hold_them():
    scores = gallery(writers=200, mean=1.5)
    rule = replace(RULE, gallery=read_gallery(scores, RULE))
    before, after = measure(scores, RULE), measure(scores, rule)
    assert before.naming.fpir.value == 0.0  # The model's own threshold lies far above.
    assert after.naming.fpir.value == pytest.approx(0.01)
    assert after.naming.fpir.low < 0.01 < after.naming.fpir.high < 0.03
    threshold = rule.identification_threshold(199, 5)
    assert after.naming.fnir.value == np.mean(scores.enrolled.scores < threshold).round(4)
    [was] = [
        c for c in before.claiming if (c.operating_point, c.references) == ("fmr_skilled=5%", 5)
    ]
    [now] = [
        c for c in after.claiming if (c.operating_point, c.references) == ("fmr_skilled=5%", 5)
    ]
    assert (now.match, now.fnmr) == (was.match, was.fnmr)  # A gallery moves no `match`.
    assert now.fnmr.value == np.mean(scores.genuine[5].scores < MATCH).round(4)
    assert now.refused_genuine.value == pytest.approx(0.05, abs=0.002)
    assert now.refused_genuine.low < 0.05 < now.refused_genuine.high


def test_what_an_older_calibration_comes_to_is_measured_on_the_gallery_of_now():
    """Its strangers score higher than they did: more of them are named than was promised."""
    rule = replace(RULE, gallery=read_gallery(gallery(scale=0.3), RULE))
    stated = measure(gallery(scale=0.6, seed=1), rule).naming.fpir
    true = np.exp(-(rule.identification_threshold(99, 5) + 2.0) / 0.6)
    assert true > 0.05
    assert stated.low < true < stated.high
    low = measure(gallery(scale=0.001, seed=1), rule).naming.fpir
    assert (low.value, low.high) == (0.0, 0.0)  # Nobody comes as far as the tail.


def test_the_interval_of_strangers_holds_the_rate_of_others():
    """In some 95 of 100 galleries; the tail's own start is taken as known, so in a few less."""
    held = 0
    for seed in range(100):
        scores = gallery(writers=40, seed=seed)
        rule = replace(RULE, gallery=read_gallery(scores, RULE))
        stated = measure(scores, rule).naming.fpir
        true = np.exp(-(rule.identification_threshold(39, 5) + 2.0) / 0.3)
        held += stated.low <= true <= stated.high
    assert held >= 80


def test_fewer_writers_give_wider_intervals():
    def width(writers):
        scores = gallery(writers=writers)
        stated = measure(scores, replace(RULE, gallery=read_gallery(scores, RULE))).naming.fpir
        return stated.high - stated.low

    assert width(30) > 1.5 * width(300)


def test_what_was_read_survives_being_kept():
    found = read_gallery(gallery(), RULE)
    assert OwnGallery.from_dict(found.as_dict()) == found
