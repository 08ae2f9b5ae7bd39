"""The evaluation protocols on synthetic writers and real model folders."""

import json
from pathlib import Path

import numpy as np
import pytest

from encoder.datasets.folder import list_writers, read_folder
from encoder.errors import TrainingDataError
from encoder.evaluation.evaluate import Effort, embed_folds, evaluate
from encoder.evaluation.pooling import pool_trials
from encoder.evaluation.protocols import Fold, plan_folds, unprotected_fold
from encoder.inference.artifact import NETWORK, SHIPPED, read_artifact, write_artifact
from encoder.inference.encoder import Encoder, load_encoder

QUICK = Effort(draws=2, replicates=40)


def model(folder: Path, splits: dict[str, dict[str, list[str]]], **more: object) -> Encoder:
    """The shipped network as a model folder of its own, trained on what `splits` say."""
    shipped = read_artifact(SHIPPED)
    kept = ("canvas_size", "dimension", "blocks", "decision")
    facts = {key: shipped.manifest[key] for key in kept}
    facts |= {"name": folder.name, "training": {"splits": splits}, **more}
    write_artifact(folder, {NETWORK: shipped.network}, facts)
    return load_encoder(folder)


@pytest.fixture
def halves(writers_folder: Path, tmp_path: Path) -> list[Encoder]:
    """Two models, each of which held out the writers whom the other was trained on."""
    names = list_writers(writers_folder)
    first, second = names[::2], names[1::2]
    return [
        model(tmp_path / name, {"invented": {"train": train, "development": [], "test": test}})
        for name, train, test in (("one", second, first), ("two", first, second))
    ]


def test_each_writer_is_scored_by_the_model_that_held_him_out(
    writers_folder: Path, halves: list[Encoder]
) -> None:
    folds = plan_folds(writers_folder, halves, "crossval")
    assert [fold.encoder.name for fold in folds] == ["one", "two"]
    assert sorted(w for fold in folds for w in fold.writer_ids) == list_writers(writers_folder)
    for fold in folds:
        assert set(fold.writer_ids).isdisjoint(
            fold.encoder.manifest["training"]["splits"]["invented"]["train"]
        )
    answer = evaluate(writers_folder, folds, ["hog"], QUICK)
    assert answer["writers"] == 20
    assert answer["held_out_from_training"]
    row = answer["results"]["5"]
    # Of each fold ten writers: one probe left of six, three forgeries, nine others; two draws.
    assert (row["genuine"], row["skilled"], row["random"]) == (40, 120, 360)
    assert row["gallery_sizes"] == [10]
    assert answer["baselines"]["hog"]["results"]["5"]["random"] == 360
    assert json.loads(json.dumps(answer)) == answer


def test_folds_are_pooled_and_never_mixed(writers_folder: Path, halves: list[Encoder]) -> None:
    folds = plan_folds(writers_folder, halves, "crossval")
    sets = [read_folder(writers_folder, (144, 288), fold.writer_ids) for fold in folds]
    embedded = embed_folds(folds, sets)
    pool = pool_trials(embedded, 3, 2)
    for kind in ("genuine", "skilled", "random"):
        alone = [pool_trials([fold], 3, 2).scores(kind) for fold in embedded]
        assert np.array_equal(pool.scores(kind), np.concatenate(alone))
        assert set(pool.fold[kind]) == {0, 1}
        assert ((pool.scored[kind].writer >= 10) == (pool.fold[kind] == 1)).all()
    rule = embedded[0].rule
    assert rule is not None
    expected = [rule.calibration_for(3).skilled.of(score) for score in pool.scores("skilled")]
    assert pool.log_lr("skilled") == pytest.approx(expected)


def test_crossval_refuses_writers_of_no_model_or_of_several(
    writers_folder: Path, halves: list[Encoder]
) -> None:
    with pytest.raises(TrainingDataError, match="10 of 20 are by no model"):
        plan_folds(writers_folder, halves[:1], "crossval")
    with pytest.raises(TrainingDataError, match="10 of 20 are by several models"):
        plan_folds(writers_folder, [*halves, halves[0]], "crossval")


def test_holdout_takes_one_model_and_the_writers_it_held_out(
    writers_folder: Path, halves: list[Encoder], tmp_path: Path
) -> None:
    (fold,) = plan_folds(writers_folder, halves[:1], "holdout")
    assert list(fold.writer_ids) == list_writers(writers_folder)[::2]
    with pytest.raises(TrainingDataError, match="measures one model; 2 came"):
        plan_folds(writers_folder, halves, "holdout")
    stranger = model(tmp_path / "stranger", {"elsewhere": {"train": ["000"], "test": []}})
    (fold,) = plan_folds(writers_folder, [stranger], "holdout")
    assert len(fold.writer_ids) == 20
    assert not fold.held_out
    assert not unprotected_fold(writers_folder, halves[0])[0].held_out
    nobody = model(tmp_path / "nobody", {"invented": {"train": ["000"], "test": []}})
    with pytest.raises(TrainingDataError, match="of whom 0 can be measured"):
        plan_folds(writers_folder, [nobody], "holdout")


def test_zeroshot_takes_the_model_that_does_not_know_the_data_set(
    writers_folder: Path, halves: list[Encoder], tmp_path: Path
) -> None:
    stranger = model(tmp_path / "stranger", {"elsewhere": {"train": ["000"], "test": []}})
    (fold,) = plan_folds(writers_folder, [halves[0], stranger], "zeroshot")
    assert fold.encoder.name == "stranger"
    assert len(fold.writer_ids) == 20
    with pytest.raises(TrainingDataError, match="0 of the 2 named were not"):
        plan_folds(writers_folder, halves, "zeroshot")
    with pytest.raises(TrainingDataError, match="2 of the 2 named were not"):
        plan_folds(writers_folder, [stranger, stranger], "zeroshot")


def test_zeroshot_refuses_a_model_whose_rule_was_fitted_on_the_data_set(
    writers_folder: Path, tmp_path: Path
) -> None:
    """Its network never saw it; its weights and thresholds did, at the export or afterwards."""
    splits = {"elsewhere": {"train": ["000"], "test": []}}
    both = {"splits": splits, "calibrated_on": ["elsewhere", "invented"]}
    exported = model(tmp_path / "exported", splits, training=both)
    about = {"data": "invented", "former": {}}
    recalibrated = model(tmp_path / "recalibrated", splits, calibrated_on=about)
    for one in (exported, recalibrated):
        with pytest.raises(TrainingDataError, match="calibrated on invented; 0 of the 1"):
            plan_folds(writers_folder, [one], "zeroshot")
    others = {"splits": splits, "calibrated_on": ["elsewhere"]}
    stranger = model(tmp_path / "stranger", splits, training=others, calibrated_on=None)
    (fold,) = plan_folds(writers_folder, [exported, stranger, recalibrated], "zeroshot")
    assert fold.encoder.name == "stranger"
    assert fold.held_out


def test_a_split_that_contradicts_itself_is_refused(writers_folder: Path, tmp_path: Path) -> None:
    both = model(tmp_path / "both", {"invented": {"train": ["000"], "test": ["000", "001"]}})
    with pytest.raises(TrainingDataError, match="both trained on and held out"):
        plan_folds(writers_folder, [both], "holdout")


def test_shipped_thresholds_are_measured_by_the_models_own_verdicts(
    writers_folder: Path, halves: list[Encoder]
) -> None:
    folds = [Fold(halves[0], tuple(list_writers(writers_folder)), held_out=True)]
    answer = evaluate(writers_folder, folds, effort=QUICK)
    embedded = embed_folds(folds, [read_folder(writers_folder, (144, 288))])
    pool = pool_trials(embedded, 5, QUICK.draws)
    for point, row in answer["results"]["5"]["shipped"].items():
        limits = halves[0].rule.calibration_for(5).points[point]
        assert row["fmr_skilled"] == pytest.approx(
            np.mean(pool.scores("skilled") >= limits.match), abs=1e-5
        )
        assert row["fnmr"] == pytest.approx(
            np.mean(pool.scores("genuine") < limits.match), abs=1e-5
        )
        assert row["refused_genuine"] <= row["fnmr"]
    for kind in ("skilled", "random"):
        row = answer["results"]["5"]
        assert 0 <= row[f"cllr_min_{kind}"] <= row[f"cllr_{kind}"]
