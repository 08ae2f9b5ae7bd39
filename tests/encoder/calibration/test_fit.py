"""Rules fitted on invented writers: what they promise, on each data set and on ones left out."""

import json
import math
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.calibration.fit import (
    DRAWS,
    REFERENCE_COUNTS,
    fit_log_lr,
    fit_rule,
    fit_tail,
    ratio_bound,
)
from encoder.calibration.levels import (
    LEAST_BAND,
    TARGETS,
    highest_to_expect,
    match_threshold,
    refusal_threshold,
)
from encoder.errors import TrainingDataError
from encoder.evaluation.open_set import Searches
from encoder.evaluation.trials import EmbeddedWriter, draw_claims, run_trials
from encoder.scoring.blocks import Blocks
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.templates import Signatures

Invent = Callable[..., list[EmbeddedWriter]]

WHOLE = Blocks()
# The better forged, the stricter a threshold must be; so each data set needs another.
SKILLS = {"poor": 0.2, "fair": 0.16, "good": 0.13}


@pytest.fixture(scope="module")
def three_sets(invent: Invent) -> list[EmbeddedWriter]:
    return [
        writer
        for seed, (name, skill) in enumerate(SKILLS.items())
        for writer in invent(12, seed=seed, skill=skill, data_set=name)
    ]


@pytest.fixture(scope="module")
def three(three_sets: list[EmbeddedWriter]) -> DecisionRule:
    return fit_rule(three_sets, WHOLE).rule


def test_log_lr_recovers_a_known_ratio() -> None:
    # Two normal distributions of equal spread: log LR = (x - 1/2) * 2 / s^2 / ln 10, s = 0.5.
    rng = np.random.default_rng(1)
    mated, nonmated = rng.normal(1.0, 0.5, 40_000), rng.normal(0.0, 0.5, 20_000)
    slope, intercept = fit_log_lr(mated, nonmated)
    assert slope == pytest.approx(4 / np.log(10), rel=0.05)
    assert intercept == pytest.approx(-2 / np.log(10), rel=0.05)
    # The higher is the likelier the writer's, also where the data say otherwise.
    assert fit_log_lr(nonmated, mated)[0] == 0


def test_a_ratio_is_bounded_by_how_many_signatures_speak() -> None:
    assert ratio_bound(300) == 2.0  # Of 300, 1 % may be errors that were not seen.
    assert ratio_bound(3000) == 3.0
    assert ratio_bound(3) == ratio_bound(0) == 0.0


def test_thresholds_are_rounded_to_the_safe_side() -> None:
    skilled = np.array([0.0, 1.0, 2.0, 3.000001])
    assert np.mean(skilled >= match_threshold(skilled, 0.01)) == 0
    assert np.mean(skilled >= match_threshold(skilled, 0.25)) == 0.25
    assert refusal_threshold(np.arange(101.0), 0.05) == 5.0


def test_highest_to_expect_by_hand() -> None:
    assert highest_to_expect([0.5]) == 0.5
    assert highest_to_expect([0.0, 2.0]) == 2.0  # Two tell no deviation.
    # Mean 1, deviation 1, of three and one more to come.
    assert highest_to_expect([0.0, 1.0, 2.0]) == pytest.approx(1 + math.sqrt(4 / 3), abs=1e-5)
    assert highest_to_expect([0.7, 0.7, 0.7]) == 0.7
    assert highest_to_expect([-1.0, -1.0, 5.0, -1.0, -1.0, -1.0]) == 5.0  # Never below the highest.


@given(st.lists(st.integers(-500, 500).map(lambda n: n / 100), min_size=1, max_size=8))
def test_highest_to_expect_is_no_lower_than_the_highest_nor_far_above(levels: list[float]) -> None:
    expected = highest_to_expect(levels)
    assert expected >= max(levels)
    assert expected <= max(levels) + 1e-5 + math.sqrt(1.5) * float(np.std(levels)) * math.sqrt(2)
    assert highest_to_expect(levels[::-1]) == pytest.approx(expected, abs=1e-5)


def test_a_rule_keeps_its_targets_on_each_data_set_it_was_fitted_on(
    three_sets: list[EmbeddedWriter], three: DecisionRule
) -> None:
    sets = np.array([writer.data_set for writer in three_sets])
    for references in REFERENCE_COUNTS:
        trials = run_trials(three_sets, references, three.scoring, DRAWS)
        points = three.calibration_for(references).points
        for name, target in TARGETS.items():
            for one in SKILLS:
                skilled = trials.skilled[sets[trials.skilled_writer] == one]
                genuine = trials.genuine[sets[trials.genuine_writer] == one]
                assert np.mean(skilled >= points[name].match) <= target
                # A quantile may lie above one more than its share.
                assert np.mean(genuine < points[name].non_match) <= target + 1 / genuine.size


def test_one_data_sets_target_is_not_undercut(invent: Invent) -> None:
    """What it keeps it should not keep by refusing everybody."""
    writers = invent()
    rule = fit_rule(writers, WHOLE).rule
    trials = run_trials(writers, 5, rule.scoring, DRAWS)
    for name, target in TARGETS.items():
        achieved = np.mean(trials.skilled >= rule.calibration_for(5).points[name].match)
        assert target - 0.03 < achieved <= target
    assert np.mean(trials.random >= rule.identification_threshold(100, 5)) < 0.01


def test_between_match_and_non_match_lies_a_borderline_band(
    three: DecisionRule, invent: Invent
) -> None:
    # Of forgers hardly better than chance no score lies among genuine ones: thresholds would meet.
    easy = fit_rule(invent(12, skill=1.0), WHOLE).rule
    for rule in (three, easy):
        for calibration in rule.calibrations:
            for point in calibration.points.values():
                assert point.match - point.non_match >= LEAST_BAND - 1e-9


def test_thresholds_of_stricter_targets_are_no_lower(three: DecisionRule) -> None:
    for calibration in three.calibrations:
        by_target = [calibration.points[n].match for n in sorted(TARGETS, key=lambda n: TARGETS[n])]
        assert by_target == sorted(by_target, reverse=True)


def test_each_data_set_has_a_line_and_ratios_are_what_all_support(three: DecisionRule) -> None:
    for calibration in three.calibrations:
        for ratio in (calibration.skilled, calibration.random):
            assert len(ratio.lines) == 3
            assert min(slope for slope, _ in ratio.lines) > 0
    at = three.calibration_for(5).points["fmr_skilled=1%"].match
    ratio = three.calibration_for(5).skilled
    said = [slope * at + intercept for slope, intercept in ratio.lines]
    assert ratio.unbounded(at) == pytest.approx(max(0.0, min(said)))


def test_scores_mean_the_same_whatever_the_number_of_references(
    three_sets: list[EmbeddedWriter], three: DecisionRule
) -> None:
    """Even odds are near 0, and what is usual scores alike, with one reference and with ten."""
    usual = []
    for references in REFERENCE_COUNTS:
        trials = run_trials(three_sets, references, three.scoring, DRAWS)
        slope, intercept = fit_log_lr(trials.genuine, trials.skilled)
        assert -intercept / slope == pytest.approx(0.2, abs=0.1)
        usual.append((trials.genuine.mean(), trials.skilled.mean()))
    assert np.ptp(usual, axis=0).max() < 0.2


def test_a_tail_is_that_of_the_best_among_strangers() -> None:
    rng = np.random.default_rng(4)
    other = rng.exponential(0.5, 20_000) - 3
    lost = np.full(50, -np.inf)  # Whose whole gallery was of the probe's own person.
    both = np.concatenate([other, lost])
    nobody = np.zeros(both.size, np.intp)
    tail = fit_tail(Searches(nobody, both, both, nobody, gallery_size=31))
    assert tail.gallery_size == 30
    assert tail.scale == pytest.approx(0.5, rel=0.1)
    assert np.mean(other >= tail.threshold(30)) == pytest.approx(tail.fpir, rel=0.3)


@pytest.mark.parametrize("references", [1, 3, 10])
def test_identification_threshold_keeps_its_target_for_every_number_of_references(
    references: int, invent: Invent
) -> None:
    rule = fit_rule(invent(30), WHOLE).rule
    trials = run_trials(invent(30, seed=1), references, rule.scoring)
    # In a gallery of 30 writers, one comparison may pass with a chance of about 0.03%.
    passed = np.mean(trials.random >= rule.identification_threshold(30, references))
    assert passed < 5 * 0.00034


def test_a_data_set_counts_once_however_many_writers_it_has(invent: Invent) -> None:
    small = invent(4, skill=0.1, data_set="small")
    large = invent(12, seed=1, data_set="large")
    copies = [replace(writer, writer_id=f"{writer.writer_id}b") for writer in large]
    once, twice = (
        fit_rule(writers, WHOLE).rule for writers in ([*small, *large], [*small, *large, *copies])
    )
    for references in (1, 5):
        before, after = (rule.scoring.weights_for(references) for rule in (once, twice))
        assert after.weights == pytest.approx(before.weights, rel=0.05)
        assert after.intercept == pytest.approx(before.intercept, rel=0.05)


def test_unseen_errors_are_those_of_a_rule_fitted_without_the_data_set(
    three_sets: list[EmbeddedWriter],
) -> None:
    fitted = fit_rule(three_sets, WHOLE)
    assert list(fitted.unseen) == sorted(SKILLS)
    # The last, so that the others are drawn from as they are where they are alone.
    left_out = "good"
    without = fit_rule([one for one in three_sets if one.data_set != left_out], WHOLE).rule
    own = np.array([writer.data_set == left_out for writer in three_sets])
    for references in REFERENCE_COUNTS:
        claims = draw_claims(three_sets, references, without.scoring, DRAWS).only(own)
        trials = claims.scored(without.scoring.weights_for(references))
        told = fitted.unseen[left_out][str(references)]
        assert set(told["points"]) == set(TARGETS)
        for name, point in without.calibration_for(references).points.items():
            assert told["points"][name] == {
                "fmr_skilled": pytest.approx(np.mean(trials.skilled >= point.match), abs=1e-4),
                "fmr_random": pytest.approx(np.mean(trials.random >= point.match), abs=1e-4),
                "fnmr": pytest.approx(np.mean(trials.genuine < point.match), abs=1e-4),
                "refused_genuine": pytest.approx(
                    np.mean(trials.genuine < point.non_match), abs=1e-4
                ),
            }
        assert 0 <= told["eer_skilled"] <= 1
    # Better forged than all that the rule knew: it lets more pass than it promises on known data.
    passed = fitted.unseen[left_out]["5"]["points"]["fmr_skilled=5%"]["fmr_skilled"]
    assert passed > fitted.unseen["poor"]["5"]["points"]["fmr_skilled=5%"]["fmr_skilled"]


def test_with_one_data_set_nothing_can_be_told_of_unseen_ones(invent: Invent) -> None:
    assert fit_rule(invent(), WHOLE).unseen == {}


def test_rates_that_cannot_be_told_are_left_out(invent: Invent) -> None:
    """Nobody wrote another's text in one of the data sets, so it has no random forgeries."""
    alone = [
        replace(one, writer_id=f"w{n:03}_n{n:03}", data_set="alone")
        for n, one in enumerate(invent(6, seed=3))
    ]
    usual = [*invent(12, data_set="one"), *invent(12, seed=1, data_set="two")]
    unseen = fit_rule([*usual, *alone], WHOLE).unseen
    assert set(unseen) == {"alone", "one", "two"}
    json.dumps(unseen, allow_nan=False)
    assert "fmr_random" not in unseen["alone"]["5"]["points"]["fmr_skilled=5%"]
    assert "fmr_random" in unseen["one"]["5"]["points"]["fmr_skilled=5%"]
    # Where nothing can be fitted on the others, there is nothing to tell.
    little = fit_rule([*usual[:12], *alone], WHOLE).unseen
    assert little["one"] == {}
    assert little["alone"]


def test_numbers_of_references_that_a_data_set_has_not_are_not_told_of_it(invent: Invent) -> None:
    few = [replace(one, genuine=one.genuine[:4], data_set="few") for one in invent(8, seed=2)]
    unseen = fit_rule([*invent(data_set="one"), *invent(seed=1, data_set="two"), *few], WHOLE)
    assert list(unseen.unseen["few"]) == ["1", "2", "3"]
    assert list(unseen.unseen["one"]) == [str(one) for one in REFERENCE_COUNTS]
    assert unseen.rule.calibration_for(10).references == 10


def test_data_sets_without_forgeries_are_left_out(invent: Invent) -> None:
    unforged = invent(6, seed=4, forged=0, data_set="unforged")
    assert fit_rule([*invent(), *unforged], WHOLE).rule == fit_rule(invent(), WHOLE).rule


def test_too_little_to_calibrate_on(invent: Invent) -> None:
    with pytest.raises(TrainingDataError, match="came 2 writers"):
        fit_rule(invent(2), WHOLE)
    one_person = [replace(writer, group="w0") for writer in invent()]
    with pytest.raises(TrainingDataError, match="came 1 writers"):
        fit_rule(one_person, WHOLE)
    strangers = [replace(writer, data_set=writer.writer_id) for writer in invent()]
    with pytest.raises(TrainingDataError, match="two people or more"):
        fit_rule(strangers, WHOLE)
    with pytest.raises(TrainingDataError, match="0 forgeries"):
        fit_rule(invent(forged=0), WHOLE)


def test_pieces_are_compared_where_all_have_them(invent: Invent) -> None:
    assert not fit_rule(invent(), WHOLE).rule.scoring.local
    some = invent()
    no_pieces = tuple(np.zeros((0, 26), np.int8) for _ in range(12))
    first = replace(some[0], genuine=Signatures(some[0].genuine.vectors, no_pieces))
    assert not fit_rule([first, *some[1:]], WHOLE).rule.scoring.local
