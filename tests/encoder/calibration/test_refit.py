"""Rules fitted anew: what moves, what does not, and how it is taken back."""

import math
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoder.calibration.few_forgeries import shrunk_match
from encoder.calibration.fit import (
    fit_rule,
)
from encoder.calibration.levels import LEAST_BAND, TARGETS, Levels, match_threshold, points_for
from encoder.calibration.model_update import fit_on_folder, undo, write_beside, write_in_place
from encoder.calibration.refit import Need, need_of, recalibrate
from encoder.errors import ArtifactError, TrainingDataError
from encoder.evaluation.trials import EmbeddedWriter, Trials, run_trials
from encoder.inference.artifact import SHIPPED, read_artifact
from encoder.inference.encoder import load_encoder
from encoder.inference.unseen_errors import OWN_COUNTS, own_counts
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import OperatingPoint
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.templates import Signatures

Invent = Callable[..., list[EmbeddedWriter]]


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


@pytest.fixture(scope="module")
def rule(invent: Invent) -> DecisionRule:
    return fit_rule(invent(30), Blocks()).rule


def moved(rule: DecisionRule, writers: list[EmbeddedWriter], references: int = 5) -> set[str]:
    changes = recalibrate(rule, writers)[1]
    return {c.what for c in changes if c.references == references and not c.kept_because}


RATIOS = {"likelihood ratio, skilled", "likelihood ratio, random"}


def test_what_a_target_needs() -> None:
    assert need_of(0.01) == Need(100, 300)
    assert need_of(0.05) == Need(20, 60)
    assert need_of(0.10) == Need(10, 30)
    assert need_of(0.05).lacks(Need(20, 60)) == ""
    assert need_of(0.05).lacks(Need(19, 600)) == "needs 20 writers, has 19"
    assert need_of(0.05).lacks(Need(20, 59)) == "needs 60 signatures, has 59"


def test_values_move_with_what_the_writers_support(rule: DecisionRule, invent: Invent) -> None:
    ten = {"fmr_skilled=10% match", "fmr_skilled=10% non_match"}
    five = {"fmr_skilled=5% match", "fmr_skilled=5% non_match"} | RATIOS
    one = {"fmr_skilled=1% match", "fmr_skilled=1% non_match"}
    assert moved(rule, invent(9, seed=1)) == set()
    assert moved(rule, invent(12, seed=1)) >= ten
    assert not moved(rule, invent(12, seed=1)) & {*RATIOS, "random tail"}
    assert moved(rule, invent(25, seed=1)) >= ten | five
    assert moved(rule, invent(110, seed=1)) == ten | five | one | {"random tail"}


def test_without_forgeries_only_what_genuine_signatures_tell_moves(
    rule: DecisionRule, invent: Invent
) -> None:
    writers = invent(60, forged=0, seed=2)
    fitted, changes = recalibrate(rule, writers)
    told = {c.what for c in changes if not c.kept_because}
    assert "random tail" in told
    assert "likelihood ratio, random" in told
    assert "likelihood ratio, skilled" not in told
    assert not [what for what in told if what.endswith(" match")]
    before, after = rule.calibration_for(5), fitted.calibration_for(5)
    assert after.points["fmr_skilled=5%"].match == before.points["fmr_skilled=5%"].match
    assert after.random_tail != before.random_tail


def test_several_names_of_one_person_support_less_than_as_many_people(
    rule: DecisionRule, invent: Invent
) -> None:
    """Who writes one name unsteadily writes all of them so."""
    writers = []
    for person in range(40):
        unsteady = [invent(1, forged=0, seed=4 * person + name)[0] for name in range(4)]
        for name, one in enumerate(unsteady):
            drawn = np.random.default_rng(name).normal(scale=0.004 * person, size=(12, 32))
            genuine = Signatures(unit(one.genuine.vectors + drawn))
            writer_id = f"w{person}_n{name}"
            writers.append(replace(one, writer_id=writer_id, group=writer_id, genuine=genuine))
    people = [replace(one, group=one.writer_id.split("_")[0]) for one in writers]
    bounds = [
        recalibrate(rule, given)[0].calibration_for(5).random.bound for given in (writers, people)
    ]
    assert bounds[1] < bounds[0] - 0.1


def test_who_takes_no_part_in_trials_supports_nothing(invent: Invent) -> None:
    """With ten references: 30 writers of 8 forgeries each, however many have too few references."""
    too_few = [
        replace(one, writer_id=f"x{n}", group=f"x{n}", genuine=one.genuine[:4], data_set="other")
        for n, one in enumerate(invent(120, seed=6))
    ]
    fitted = fit_rule(invent(30) + too_few, Blocks()).rule
    assert fitted.calibration_for(10).skilled.bound <= np.log10(30 * 8)


def test_where_all_wrote_texts_of_their_own_there_are_no_random_forgeries(
    rule: DecisionRule, invent: Invent
) -> None:
    writers = [
        replace(one, writer_id=f"w{n:03}_n{n:03}", group=f"w{n:03}")
        for n, one in enumerate(invent(30, seed=5))
    ]
    changes = recalibrate(rule, writers)[1]
    kept = {c.kept_because for c in changes if c.what == "likelihood ratio, random"}
    assert "needs two people or more who wrote the same text" in kept


def test_moved_thresholds_keep_their_promise_and_their_order(
    rule: DecisionRule, invent: Invent
) -> None:
    """Better forgers than the rule was made for: 5% is overtaken, and 1% must follow."""
    writers = invent(25, skill=0.11, seed=3)
    fitted = recalibrate(rule, writers)[0]
    for references in (1, 5):
        skilled = run_trials(writers, references, fitted.scoring).skilled
        points = fitted.calibration_for(references).points
        assert np.mean(skilled >= points["fmr_skilled=5%"].match) <= 0.05
        assert points["fmr_skilled=1%"].match >= points["fmr_skilled=5%"].match
        assert points["fmr_skilled=5%"].match >= points["fmr_skilled=10%"].match
        for point in points.values():
            assert point.match - point.non_match >= LEAST_BAND - 1e-9
    former = rule.calibration_for(5).points["fmr_skilled=1%"].match
    assert fitted.calibration_for(5).points["fmr_skilled=1%"].match > former
    assert fitted.scoring == rule.scoring
    assert DecisionRule.from_dict(fitted.as_dict(), Blocks()) == fitted


def test_numbers_of_references_that_nobody_has_are_kept(rule: DecisionRule, invent: Invent) -> None:
    few = [replace(w, genuine=w.genuine[:6]) for w in invent(30, seed=4)]
    fitted, changes = recalibrate(rule, few)
    assert fitted.calibration_for(10) == rule.calibration_for(10)
    reasons = {c.kept_because for c in changes if c.references == 10}
    assert "needs 20 writers, has 0" in reasons
    assert "" not in reasons
    assert fitted.calibration_for(5) != rule.calibration_for(5)


def test_written_beside_in_place_and_taken_back(writers_folder: Path, tmp_path: Path) -> None:
    shipped = load_encoder()
    fitted = fit_on_folder(writers_folder, shipped)
    assert fitted.moved
    ours = tmp_path / "ours"
    write_beside(SHIPPED, ours, fitted.facts)
    calibrated = load_encoder(ours)
    assert calibrated.model_id == shipped.model_id  # Galleries stay valid.
    assert calibrated.name == "ours"
    assert calibrated.rule != shipped.rule
    about = calibrated.manifest["calibrated_on"]
    assert (about["writers"], about["genuine"], about["forged"]) == (20, 120, 60)
    assert about["model_id"] == shipped.model_id
    with pytest.raises(ArtifactError, match="holds a model already"):
        write_beside(SHIPPED, ours, fitted.facts)

    again = fit_on_folder(writers_folder, calibrated)
    write_in_place(ours, again.facts)
    assert undo(ours)["data"] == "invented"
    assert load_encoder(ours).rule == calibrated.rule
    undo(ours)
    assert load_encoder(ours).rule == shipped.rule
    with pytest.raises(ArtifactError, match="exported with"):
        undo(ours)
    assert not list(ours.glob("*.new"))


def test_the_shipped_model_is_not_written_to(writers_folder: Path) -> None:
    before = read_artifact(SHIPPED).manifest
    with pytest.raises(ArtifactError, match="COUNTERSIGN_MODEL"):
        write_in_place(SHIPPED, {"decision": {}})
    assert read_artifact(SHIPPED).manifest == before


def test_writers_that_the_model_was_trained_on_are_left_out(
    writers_folder: Path, tmp_path: Path
) -> None:
    folder = tmp_path / "trained"
    splits = {"invented": {"train": [f"{n:03}" for n in range(18)], "test": [], "development": []}}
    write_beside(SHIPPED, folder, {"training": {"splits": splits}})
    fitted = fit_on_folder(writers_folder, load_encoder(folder))
    assert fitted.facts["calibrated_on"]["writers"] == 2
    assert not fitted.moved
    splits["invented"]["train"] = [f"{n:03}" for n in range(20)]
    everyone = tmp_path / "everyone"
    write_beside(SHIPPED, everyone, {"training": {"splits": splits}})
    with pytest.raises(TrainingDataError, match="trained on everyone"):
        fit_on_folder(writers_folder, load_encoder(everyone))


def test_a_band_of_the_least_width_does_not_move_by_rounding(
    rule: DecisionRule, invent: Invent
) -> None:
    """0.29166 less 0.3 is a hair below -0.00834 in floating point."""
    narrow = {name: OperatingPoint(0.29166, -0.00834) for name in rule.operating_points}
    kept = replace(
        rule, calibrations=tuple(replace(one, points=narrow) for one in rule.calibrations)
    )
    fitted, changes = recalibrate(kept, invent(2, seed=1))
    assert fitted == kept
    assert all(change.kept_because for change in changes)


def needing(*matches: float, between: float = 0.3, within: float = 0.4) -> list[Levels]:
    """Data sets with these thresholds for their forgeries, whatever the target."""
    points = [dict.fromkeys(TARGETS, OperatingPoint(match, match - 1)) for match in matches]
    return [
        Levels(of, match - 0.5, between, within) for of, match in zip(points, matches, strict=True)
    ]


def forged(writers: int, each: int, low: float, high: float) -> Trials:
    """Trials of forgeries whose scores lie evenly between two."""
    count, none = writers * each, np.zeros(0)
    scores = np.linspace(low, high, count)
    of = np.arange(count) % writers
    nobody = np.zeros(0, np.intp)
    return Trials(none, scores, none, nobody, of, nobody)


USUAL = "fmr_skilled=5%"


def test_few_forgeries_move_a_threshold_by_their_number() -> None:
    levels = needing(0.0, 0.2, 0.4, 0.6)
    shipped = points_for(levels)[USUAL].match
    counts = (10, 25, 100, 1000, 10_000)
    for low, high in ((-2.0, -0.5), (0.5, 2.0)):  # What these need lies below it, or above it.
        own = match_threshold(forged(10, 1000, low, high).skilled, 0.05)
        given = [
            shrunk_match(USUAL, forged(5, count // 5, low, high), count, levels) for count in counts
        ]
        shares = [one.share for one in given if one]
        assert len(shares) == len(counts)
        assert shares == sorted(shares)
        assert shares[0] < shares[-1] < 1
        # Whatever these say, what the others say is not forgotten, nor is the one unheard.
        assert all(abs(one.match - own) < abs(shipped - own) for one in given)
        apart = [abs(one.match - own) for one in given]
        assert apart == sorted(apart, reverse=True)


def test_the_move_by_hand() -> None:
    """Normal scores, three sets: a standard error of sqrt(v t (1 - t) / n) / density."""
    levels = needing(0.0, 1.0, 2.0, between=0.0, within=1.0)
    spread = math.sqrt(4 / 3)
    error = math.sqrt(0.05 * 0.95 / 30) / 0.10313564  # The normal density at its 95 % quantile.
    share = spread**2 / (spread**2 + error**2)
    moved = shrunk_match(USUAL, forged(10, 3, -3.0, -3.0), 30, levels)
    assert moved.share == pytest.approx(share, abs=1e-3)
    by_hand = 1.0 + share * (-3.0 - 1.0) + spread * math.sqrt(1 - share)
    assert moved.match == pytest.approx(by_hand, abs=1e-3)


def test_forgeries_of_few_writers_count_for_fewer() -> None:
    levels = needing(0.0, 0.2, 0.4)
    shares = [shrunk_match(USUAL, forged(w, 60 // w, 0, 1), 60, levels).share for w in (3, 12, 60)]
    assert shares == sorted(shares)
    assert shares[0] < shares[2] / 2


@pytest.mark.parametrize(
    ("writers", "forgeries", "sets"), [(3, 9, 3), (2, 40, 3), (5, 50, 2), (5, 50, 0)]
)
def test_too_little_moves_nothing(writers: int, forgeries: int, sets: int) -> None:
    trials = forged(writers, max(forgeries // writers, 1), 0, 1)
    levels = needing(0.0, 0.5, 1.0)[:sets]
    assert shrunk_match(USUAL, trials, forgeries, levels) is None


def test_a_rule_is_moved_part_of_the_way_and_says_so(rule: DecisionRule, invent: Invent) -> None:
    skills = {"poor": 0.2, "fair": 0.16, "good": 0.13}
    sets = [
        one
        for seed, (name, skill) in enumerate(skills.items())
        for one in invent(12, seed=seed, skill=skill, data_set=name)
    ]
    fitted = fit_rule(sets, Blocks())
    few = invent(6, seed=9, skill=0.2)
    moved, changes = recalibrate(fitted.rule, few, fitted.levels)
    told = {(c.references, c.what): c for c in changes}
    change = told[5, "fmr_skilled=5% match"]
    assert 0 < change.share < 1
    assert change.now == moved.calibration_for(5).points[USUAL].match != change.former
    assert not change.kept_because
    assert told[5, "likelihood ratio, skilled"].kept_because
    for calibration in moved.calibrations:
        ordered = [calibration.points[n].match for n in sorted(TARGETS, key=lambda n: TARGETS[n])]
        assert ordered == sorted(ordered, reverse=True)
    # With forgeries enough it is theirs alone, whatever others need.
    many = invent(30, seed=9, skill=0.2)
    with_levels, without = (
        recalibrate(fitted.rule, many, given)[0] for given in (fitted.levels, None)
    )
    at = with_levels.calibration_for(5).points[USUAL].match
    assert at == without.calibration_for(5).points[USUAL].match


def test_a_model_whose_match_rests_on_own_forgeries_is_not_moved_by_fewer(
    writers_folder: Path, tmp_path: Path
) -> None:
    own = {"calibrated_on": {OWN_COUNTS: [1, 2, 3]}}
    write_beside(SHIPPED, tmp_path / "own", own)
    assert own_counts(read_artifact(tmp_path / "own").manifest) == {1, 2, 3}
    splits = {"invented": {"train": [f"{n:03}" for n in range(12)], "test": [], "development": []}}
    for name, facts in (("own", own), ("fresh", {})):
        folder = tmp_path / f"{name}-few"
        write_beside(SHIPPED, folder, {**facts, "training": {"splits": splits}})
        changes = fit_on_folder(writers_folder, load_encoder(folder)).changes
        partly = {c.what for c in changes if 0 < c.share < 1}
        assert bool(partly) == (name == "fresh")
