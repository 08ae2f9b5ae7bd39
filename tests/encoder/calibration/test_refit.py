"""Rules fitted anew: what moves, what does not, and how it is taken back."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from encoder.calibration.fit import (
    fit_rule,
)
from encoder.calibration.levels import (
    LEAST_BAND,
)
from encoder.calibration.model_update import fit_on_folder, undo, write_beside, write_in_place
from encoder.calibration.refit import Need, need_of, recalibrate
from encoder.errors import ArtifactError, TrainingDataError
from encoder.evaluation.trials import EmbeddedWriter, run_trials
from encoder.inference.artifact import SHIPPED, read_artifact
from encoder.inference.encoder import load_encoder
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
    splits = {"invented": {"train": [f"{n:03}" for n in range(15)], "test": [], "development": []}}
    write_beside(SHIPPED, folder, {"training": {"splits": splits}})
    fitted = fit_on_folder(writers_folder, load_encoder(folder))
    assert fitted.facts["calibrated_on"]["writers"] == 5
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
