"""Networks, losses, training, export: small, but real, on synthetic writers."""

import dataclasses
import json
import shutil
from pathlib import Path

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs the `train` extra")

from encoder.datasets.augment import Variation, vary  # noqa: E402
from encoder.datasets.folder import list_writers, read_folder  # noqa: E402
from encoder.datasets.splits import Holdout, split_writers  # noqa: E402
from encoder.errors import ArtifactError, TrainingDataError  # noqa: E402
from encoder.evaluation.trials import PLAIN  # noqa: E402
from encoder.inference.artifact import (  # noqa: E402
    FORMAT,
    KERAS_NETWORK,
    MANIFEST,
    NETWORK,
    SHIPPED,
    manifest_sha256,
    read_manifest,
)
from encoder.inference.encoder import load_encoder  # noqa: E402
from encoder.networks.lean_network import lean_network  # noqa: E402
from encoder.networks.losses import ClaimLoss, ContrastiveLoss  # noqa: E402
from encoder.networks.notebook_network import notebook_base_network  # noqa: E402
from encoder.scoring.score import each_claim_score  # noqa: E402
from encoder.scoring.templates import Signatures  # noqa: E402
from encoder.training.batches import BatchPlan, ClaimBatches, PairBatches  # noqa: E402
from encoder.training.checkpoints import DevelopmentProgress, RunState, keras_describe  # noqa: E402
from encoder.training.export import export  # noqa: E402
from encoder.training.fit_projections import fit_projections, fit_rotation  # noqa: E402
from encoder.training.recipes import RECIPES  # noqa: E402
from encoder.training.train import train  # noqa: E402

TINY = dataclasses.replace(RECIPES["lean"], images=24, steps=2, epochs=2)


def test_notebook_network_is_the_notebooks() -> None:
    network = notebook_base_network()
    assert network.input_shape == (None, 128, 128, 1)
    assert network.output_shape == (None, 128)
    assert network.count_params() == 1_345_088
    pools = [x.output.shape[1:] for x in network.layers if x.name.endswith("_pool")]
    assert pools == [(64, 64, 64), (32, 32, 128), (16, 16, 256)]
    assert network.get_layer("dense").units == 512
    assert network.get_layer("dropout").rate == 0.5


def test_lean_network_gives_unit_vectors() -> None:
    network = lean_network()
    assert network.count_params() == 933_336
    canvases = np.random.default_rng(0).random((2, 144, 288, 1), np.float32)
    vectors = np.asarray(network(canvases))
    assert vectors.shape == (2, 576)
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 1.0], abs=1e-5)


def test_projections_even_out_what_all_signatures_share(writers_folder: Path) -> None:
    data = read_folder(writers_folder, (144, 288))
    canvases = np.concatenate([w.genuine for w in data.writers])
    network = lean_network()
    fit_projections(network, canvases)
    before = keras_describe(network, canvases).vectors
    fit_rotation(network, canvases)
    after = keras_describe(network, canvases).vectors
    # The rotation changes no similarity, and puts most of the length in front.
    assert after @ after.T == pytest.approx(before @ before.T, abs=1e-4)
    leading = np.linalg.norm(after[:, :128], axis=1)
    assert leading.min() > 0.9
    # Principal axes are centred: two signatures of different hands have next to no similarity.
    texts = np.repeat(np.arange(len(data.writers)), [len(w.genuine) for w in data.writers])
    others = texts[:, None] != texts[None, :]
    assert abs(float((after @ after.T)[others].mean())) < 0.05


def test_projections_take_a_turned_signature_for_the_same(
    writers_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    data = read_folder(writers_folder, (144, 288))
    canvases = np.concatenate([w.genuine for w in data.writers])
    middle = canvases.shape[2] / 2, canvases.shape[1] / 2
    turn = cv2.getRotationMatrix2D(middle, 8, 1.0)
    turned = np.stack([cv2.warpAffine(canvas, turn, canvas.shape[::-1]) for canvas in canvases])
    network = lean_network()

    def likeness() -> float:
        fit_projections(network, canvases)
        pairs = keras_describe(network, canvases).vectors * keras_describe(network, turned).vectors
        return float(pairs.sum(axis=1).mean())

    tolerant = likeness()
    monkeypatch.setattr("encoder.training.fit_projections.NUISANCES", ())
    assert tolerant > likeness() + 0.05


def test_claim_loss_scores_as_plain_scores_do() -> None:
    """What is watched while a network trains is what its loss orders."""
    rng = np.random.default_rng(4)
    vectors = rng.normal(size=(6, 16)).astype(np.float32)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    # Writer 0: three genuine and one forgery; writer 1: two genuine that serve as impostors.
    labels = np.array([[0, 0], [0, 0], [0, 0], [0, 1], [1, 0], [1, 0]])
    described = Signatures(vectors)
    own, forged, other = [], [], []
    for held_out in range(3):
        references = described[[i for i in range(3) if i != held_out]]
        own.append(each_claim_score(described[[held_out]], references, PLAIN)[0].score)
        forged.append(each_claim_score(described[[3]], references, PLAIN)[0].score)
        other += [each_claim_score(described[[i]], references, PLAIN)[0].score for i in (4, 5)]
    from encoder.networks import losses  # noqa: PLC0415 - the private part under test.

    same = (labels[:, None, 0] == labels[None, :, 0]).astype(np.float32)
    genuine = (labels[:, 1] == 0).astype(np.float32)
    scores = np.asarray(losses._claim_scores(vectors @ vectors.T, same, genuine))
    assert np.diag(scores)[:3] == pytest.approx(own, abs=1e-5)
    assert scores[:3, 3] == pytest.approx(forged, abs=1e-5)
    assert scores[:3, 4:].ravel() == pytest.approx(other, abs=1e-5)


def test_claim_loss_is_lower_for_the_right_writers() -> None:
    rng = np.random.default_rng(5)
    writers = np.repeat(np.arange(4), 5)
    roles = np.tile([0, 0, 0, 0, 1], 4)
    scatter = np.where(roles, 0.5, 0.1)[:, None]
    vectors = rng.normal(size=(4, 16))[writers] + rng.normal(size=(20, 16)) * scatter
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)

    def loss(labels: np.ndarray, kinds: np.ndarray) -> float:
        truth = np.stack([labels, kinds], axis=1)
        return float(ClaimLoss()(truth, vectors.astype(np.float32)))

    right = loss(writers, roles)
    assert right < loss(np.tile(np.arange(4), 5), roles)  # Writers mixed up.
    assert right < loss(writers, np.roll(roles, 1))  # Genuine taken for forged.


def test_contrastive_loss_by_hand() -> None:
    truth = np.array([[0.0], [0.0], [1.0], [1.0]], np.float32)
    distance = np.array([[0.0], [0.8], [1.0], [0.4]], np.float32)
    expected = (0 + 0.5 * 0.64 + 0 + 0.5 * 0.36) / 4
    assert float(ContrastiveLoss()(truth, distance)) == pytest.approx(expected, abs=1e-6)


def test_variation_is_by_seed_and_keeps_the_size() -> None:
    canvas = np.zeros((144, 288), np.uint8)
    canvas[40:60, 30:150] = 255
    one, same, other = (vary(canvas, Variation(), np.random.default_rng(s)) for s in (1, 1, 2))
    assert np.array_equal(one, same)
    assert not np.array_equal(one, other)
    assert one.shape == canvas.shape
    assert one.dtype == np.uint8


def test_splits_are_disjoint_stable_and_keep_people_together() -> None:
    writers = [f"w{person:03d}_n{name:02d}" for person in range(30) for name in range(4)]
    split = split_writers(writers, 0.25, Holdout(1, 3), seed=3)
    assert sorted(w for names in split.values() for w in names) == sorted(writers)
    people = {part: {w[:4] for w in names} for part, names in split.items()}
    assert not people["train"] & people["test"]
    assert not people["train"] & people["development"]
    assert len(people["test"]) == 10
    assert len(people["development"]) == 5
    assert split == split_writers(writers[::-1], 0.25, Holdout(1, 3), seed=3)
    assert split != split_writers(writers, 0.25, Holdout(1, 3), seed=4)
    tests = [set(split_writers(writers, 0.25, Holdout(n, 3), seed=3)["test"]) for n in (1, 2, 3)]
    assert sorted(w for test in tests for w in test) == sorted(writers)


def test_batches_depend_on_seed_epoch_and_number_alone(writers_folder: Path) -> None:
    data = [read_folder(writers_folder, (144, 288))]
    plan = BatchPlan(images=24, steps=3, seed=7, variation=Variation())
    images, labels = ClaimBatches(data, plan, epoch=2)[1]
    again, _ = ClaimBatches(data, plan, epoch=2)[1]
    later, _ = ClaimBatches(data, plan, epoch=3)[1]
    assert np.array_equal(images, again)
    assert not np.array_equal(images, later)
    assert images.shape[1:] == (144, 288, 1)
    assert 0.0 <= images.min() <= images.max() <= 1.0
    for writer in np.unique(labels[:, 0]):
        roles = labels[labels[:, 0] == writer, 1]
        assert (roles == 0).sum() >= 3
        assert (roles == 1).sum() == 2


def test_pairs_are_half_same_half_different(writers_folder: Path) -> None:
    data = [read_folder(writers_folder, (128, 128))]
    plan = BatchPlan(images=16, steps=1, seed=7, variation=Variation())
    (first, second), different = PairBatches(data, plan)[0]
    assert first.shape == second.shape == (16, 128, 128, 1)
    assert different.mean() == 0.5


def test_folders_that_cannot_be_used(tmp_path: Path) -> None:
    with pytest.raises(TrainingDataError, match="no folder"):
        list_writers(tmp_path / "nowhere")
    (tmp_path / "someone").mkdir()
    with pytest.raises(TrainingDataError, match="holds no writers"):
        list_writers(tmp_path)


def weights(path: Path) -> np.ndarray:
    network = keras.saving.load_model(path, compile=False)
    return np.concatenate([w.ravel() for w in network.get_weights()])


def test_trains_resumes_to_the_same_network_and_exports(
    writers_folder: Path, tmp_path: Path
) -> None:
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    train([writers_folder], whole, TINY, seed=5)
    with pytest.raises(TrainingDataError, match="--resume"):
        train([writers_folder], whole, TINY, seed=5)
    with pytest.raises(TrainingDataError, match="another recipe"):
        train([writers_folder], whole, TINY, seed=6, resume=True)
    _interrupt_after_one_epoch(writers_folder, parts)
    train([writers_folder], parts, TINY, seed=5, resume=True)
    assert json.loads((parts / "state.json").read_text())["epoch"] == 2
    assert np.abs(weights(whole / "last-2.keras") - weights(parts / "last-2.keras")).max() < 1e-6

    model = export(whole, tmp_path / "tiny", [writers_folder])
    encoder = load_encoder(model)
    assert encoder.name == "tiny"
    assert encoder.manifest["training"]["data"] == [{"name": "invented", "terms": "ours to give."}]
    log = encoder.manifest["training"]["log"]
    assert [row["epoch"] for row in log] == [0, 1]
    assert all(0.0 <= row["development_error"] <= 1.0 and row["loss"] > 0.0 for row in log)
    assert encoder.cohort is not None
    assert encoder.cohort.marks.shape[1] == encoder.dimension
    held_out = set(encoder.manifest["training"]["splits"]["invented"]["test"])
    assert held_out
    assert held_out.isdisjoint(encoder.manifest["training"]["splits"]["invented"]["train"])


def edit(folder: Path, **changes: object) -> None:
    manifest = read_manifest(folder) | changes
    manifest["sha256"] = manifest_sha256(manifest)
    (folder / MANIFEST).write_text(json.dumps(manifest), encoding="utf-8")


def test_a_model_folder_is_exported_again_with_a_rule_fitted_anew(
    writers_folder: Path, tmp_path: Path
) -> None:
    """What was trained stays: the network, its id, its splits. So a former format comes along."""
    former = Path(shutil.copytree(SHIPPED, tmp_path / "former"))
    edit(former, format=FORMAT - 1, decision={"spread": {}}, blocks=None)
    with pytest.raises(ArtifactError, match="Export it again"):
        load_encoder(former)
    elsewhere = Path(shutil.copytree(writers_folder, tmp_path / "elsewhere"))
    for name in list_writers(elsewhere)[:10]:
        shutil.rmtree(elsewhere / name)
    encoder = load_encoder(export(former, tmp_path / "anew", [writers_folder, elsewhere]))
    shipped = load_encoder()
    assert encoder.model_id == shipped.model_id
    assert encoder.name == "anew"
    assert (tmp_path / "anew" / NETWORK).read_bytes() == (SHIPPED / NETWORK).read_bytes()
    assert (tmp_path / "anew" / KERAS_NETWORK).read_bytes() == (
        SHIPPED / KERAS_NETWORK
    ).read_bytes()
    blocks, kept = encoder.rule.scoring.blocks, shipped.rule.scoring.blocks
    assert (blocks.names, blocks.sizes) == (kept.names, kept.sizes)
    assert np.allclose(blocks.axes, kept.axes, atol=2e-4)  # As written in a manifest.
    assert encoder.rule.rule_id != shipped.rule.rule_id
    assert len(encoder.rule.calibration_for(1).skilled.lines) == 2
    facts = encoder.manifest
    assert facts["training"]["splits"] == shipped.manifest["training"]["splits"]
    assert facts["training"]["calibrated_on"] == ["elsewhere", "invented"]
    assert set(facts["unseen"]) == {"elsewhere", "invented"}
    assert [one["name"] for one in facts["training"]["data"]] == ["elsewhere", "invented"]


def test_a_model_folder_that_cannot_be_exported_again_says_why(tmp_path: Path) -> None:
    bare = Path(shutil.copytree(SHIPPED, tmp_path / "bare"))
    edit(bare, files={NETWORK: read_manifest(bare)["files"][NETWORK]})
    with pytest.raises(ArtifactError, match=r"holds no network\.keras"):
        export(bare, tmp_path / "anew", [])
    damaged = Path(shutil.copytree(SHIPPED, tmp_path / "damaged"))
    content = (damaged / KERAS_NETWORK).read_bytes()
    (damaged / KERAS_NETWORK).write_bytes(content[:-10])
    with pytest.raises(ArtifactError, match="damaged"):
        export(damaged, tmp_path / "anew", [])
    foreign = Path(shutil.copytree(SHIPPED, tmp_path / "foreign"))
    edit(foreign, preprocessing_sha256="0" * 64)
    with pytest.raises(ArtifactError, match="another preparation of images"):
        export(foreign, tmp_path / "anew", [])
    assert not (tmp_path / "anew").exists()


def _interrupt_after_one_epoch(folder: Path, run: Path) -> None:
    class Interrupt(Exception):
        pass

    def stop(epoch: int, logs: object) -> None:
        raise Interrupt

    from encoder.training import train as module  # noqa: PLC0415 - patched for one run.

    original = module._tensorboard
    module._tensorboard = lambda run_folder: [keras.callbacks.LambdaCallback(on_epoch_end=stop)]
    try:
        with pytest.raises(Interrupt):
            train([folder], run, TINY, seed=5)
    finally:
        module._tensorboard = original


def test_a_run_on_images_prepared_in_another_way_is_not_exported(tmp_path: Path) -> None:
    run = {"preprocessing_sha256": "0" * 64, "splits": {}}
    (tmp_path / "run.json").write_text(json.dumps(run), encoding="utf-8")
    with pytest.raises(TrainingDataError, match="prepared in another way"):
        export(tmp_path, tmp_path / "model", [])


def test_notebook_recipe_trains(writers_folder: Path, tmp_path: Path) -> None:
    recipe = dataclasses.replace(RECIPES["notebook"], images=4, steps=1, epochs=1)
    best = train([writers_folder], tmp_path / "run", recipe, seed=1)
    network = keras.saving.load_model(best, compile=False)
    assert network.output_shape == (None, 128)
    assert (tmp_path / "run" / "log.csv").read_text().count("\n") == 2


@pytest.mark.parametrize("keep_start", [True, False])
def test_a_start_from_chance_is_not_kept(tmp_path: Path, keep_start: bool) -> None:
    """Random features tell writers apart a little, and may do better than an epoch of training."""
    network = keras.Sequential([keras.Input((8, 8, 1)), keras.layers.Flatten()])
    state = RunState(tmp_path)
    progress = DevelopmentProgress([], state, lambda model: model, 1, keep_start=keep_start)
    progress.set_model(network)
    progress.on_train_begin()
    assert (tmp_path / "best.keras").exists() == keep_start
