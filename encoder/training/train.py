"""Trains a base network on folders of writers; exporting and calibrating it is left to `export`.

A run lives in a folder: `run.json` (recipe, splits), `last-*.keras` and `state.json` to resume
from, `best.keras` (lowest error), `log.csv` and TensorBoard events. Loading this loads Keras.
"""

import importlib
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import keras
import numpy as np

from encoder.datasets.augment import Variation
from encoder.datasets.folder import Canvases, DataSet, list_writers, read_folder
from encoder.datasets.splits import Holdout, split_writers
from encoder.datasets.synthetic import synthetic_data_set
from encoder.errors import TrainingDataError
from encoder.imaging.acquire import PREPROCESSING_ID
from encoder.networks.lean_network import lean_network
from encoder.networks.losses import ClaimLoss, ContrastiveLoss
from encoder.networks.notebook_network import (
    notebook_base_network,
    siamese,
    with_unit_output,
)
from encoder.training.batches import BatchPlan, ClaimBatches, EpochBatches, PairBatches
from encoder.training.checkpoints import (
    DevelopmentProgress,
    HalveOnPlateau,
    RunState,
    StepCheckpoints,
)
from encoder.training.fit_projections import fit_projections, fit_rotation
from encoder.training.recipes import Recipe

# A quarter: thresholds need people more than the projections do.
DEVELOPMENT_SHARE = 0.25
SYNTHETIC_SEED = 1_000_000  # Far from the writers of the demo and the tests.
WARM_UP = 20  # One step in so many warms up, from that part of the learning rate.
PROJECTION_CANVASES = 6000  # As many as principal axes are found from.


def train(
    folders: Sequence[Path],
    run_folder: Path,
    recipe: Recipe,
    seed: int = 0,
    resume: bool = False,
    holdout: Holdout | None = None,
) -> Path:
    """Train from folders of writers; return the path of the best network's file.

    Args:
        folders: data sets, each split by writer into training, development and test.
        run_folder: where the run lives.
        recipe: what to train and how.
        seed: the same seed, data and machine give the same network.
        resume: go on with the run that `run_folder` holds.
        holdout: which writers to hold out for test; the first of five parts by default.

    Raises:
        TrainingDataError: a folder cannot be used, or the run folder is in use and `resume` is
            not set, or belongs to another recipe, seed or data.
    """
    folders = [folder.resolve() for folder in folders]
    holdout = holdout or Holdout()
    if len({folder.name for folder in folders}) < len(folders):
        raise TrainingDataError("Two data sets have the same name; rename a folder.")
    splits = {
        folder.name: split_writers(list_writers(folder), DEVELOPMENT_SHARE, holdout, seed)
        for folder in folders
    }
    facts = {
        "recipe": asdict(recipe),
        "seed": seed,
        "holdout": asdict(holdout),
        "splits": splits,
        "preprocessing_sha256": PREPROCESSING_ID,
    }
    claim_run_folder(run_folder, facts, resume=resume)
    make_repeatable(seed)
    parts = {
        part: [read_folder(f, recipe.canvas_size, splits[f.name][part]) for f in folders]
        for part in ("train", "development")
    }
    if recipe.synthetic_writers:
        parts["train"].append(
            synthetic_data_set(recipe.synthetic_writers, recipe.canvas_size, SYNTHETIC_SEED)
        )
    state = RunState.read(run_folder)
    policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(recipe.dtype_policy)
    try:
        _fit(parts["train"], parts["development"], recipe, state, seed)
    finally:
        keras.config.set_dtype_policy(policy)
    return run_folder / "best.keras"


def _fit(
    train_sets: Sequence[DataSet],
    development_sets: Sequence[DataSet],
    recipe: Recipe,
    state: RunState,
    seed: int,
) -> None:
    plan = BatchPlan(recipe.images, recipe.steps, seed, recipe.variation)
    build = _siamese_run if recipe.name == "notebook" else _claim_run
    model, network_of, batches = build(recipe, plan, train_sets, state)
    progress = DevelopmentProgress(
        development_sets,
        state,
        network_of,
        recipe.patience,
        keep_start=recipe.name == "lean",
        monitor=recipe.monitor,
    )
    fit_epochs(
        model,
        batches,
        progress,
        epochs=recipe.epochs,
        plateau=None if recipe.cosine else recipe.learning_rate,
        held_back=_held_back(development_sets, plan) if recipe.monitor == "val_loss" else None,
    )


def fit_epochs(
    model: Any,
    batches: EpochBatches,
    progress: DevelopmentProgress,
    *,
    epochs: int,
    plateau: float | None,
    held_back: tuple[Any, Any] | None,
) -> None:
    """Train from where the run of `progress` stands, until it is at its end or stops early.

    Args:
        model: compiled, as of the run's last checkpoint.
        batches: to train on.
        progress: measures the network after each epoch and keeps the run's state.
        epochs: at most so many in all.
        plateau: the learning rate to begin with, if it is to be halved on plateaus.
        held_back: inputs and labels to measure `val_loss` on after each epoch.
    """
    state = progress.state
    callbacks = [
        StepCheckpoints(state, batches.seed, batches.steps),
        progress,
        keras.callbacks.CSVLogger(str(state.run_folder / "log.csv"), append=True),
        *_tensorboard(state.run_folder),
        keras.callbacks.TerminateOnNaN(),
    ]
    if plateau is not None:
        callbacks.append(HalveOnPlateau(state, progress.monitor, plateau))
    while state.epoch < epochs and not state.outworn(progress.patience):
        batches.begin(state.epoch, state.step)
        # One epoch at a time, for the first may be the rest of one.
        model.fit(
            batches,
            epochs=state.epoch + 1,
            initial_epoch=state.epoch,
            callbacks=callbacks,
            validation_data=held_back,
            shuffle=False,  # The batches are random already, by seed, epoch and number alone.
        )
        if model.stop_training:
            return


def _held_back(sets: Sequence[DataSet], plan: BatchPlan) -> tuple[Any, Any]:
    """As they are, a quarter as many pairs as an epoch trains on: the notebook's fifth of all."""
    still = Variation(0, 0, 0, 0, 0, 0, 0, 0)
    pairs = PairBatches(sets, replace(plan, steps=max(1, plan.steps // 4), variation=still))
    drawn = [pairs.batch(number) for number in range(pairs.steps)]
    first, second = (np.concatenate([inputs[side] for inputs, _ in drawn]) for side in (0, 1))
    return (first, second), np.concatenate([labels for _, labels in drawn])


def _claim_run(
    recipe: Recipe, plan: BatchPlan, sets: Sequence[DataSet], state: RunState
) -> tuple[Any, Callable[[Any], Any], Any]:
    if state.started:
        model = keras.saving.load_model(state.last)
    else:
        model = lean_network(recipe.canvas_size)
        canvases = _some_canvases(sets, plan.seed)
        fit_projections(model, canvases, plan.seed)
        fit_rotation(model, canvases)
        steps = recipe.steps * recipe.epochs
        schedule = keras.optimizers.schedules.CosineDecay(
            recipe.learning_rate / WARM_UP,
            steps - steps // WARM_UP,
            alpha=0.01,
            warmup_target=recipe.learning_rate,
            warmup_steps=steps // WARM_UP,
        )
        optimizer = keras.optimizers.AdamW(schedule, weight_decay=0.02, clipnorm=1.0)
        model.compile(optimizer=optimizer, loss=ClaimLoss())
    return model, lambda trained: trained, ClaimBatches(sets, plan)


def _some_canvases(sets: Sequence[DataSet], seed: int) -> Canvases:
    """Signatures `(n, h, w)` of all writers, some thousands at most, as many of each data set."""
    rng = np.random.default_rng(seed)
    chosen = []
    for data in sets:
        canvases = np.concatenate([c for w in data.writers for c in (w.genuine, w.forged)])
        chosen.append(canvases[rng.permutation(len(canvases))[: PROJECTION_CANVASES // len(sets)]])
    return np.concatenate(chosen)


def _siamese_run(
    recipe: Recipe, plan: BatchPlan, sets: Sequence[DataSet], state: RunState
) -> tuple[Any, Callable[[Any], Any], Any]:
    if state.started:
        model = keras.saving.load_model(state.last)
    else:
        model = siamese(notebook_base_network(recipe.canvas_size))
        optimizer = keras.optimizers.Adam(recipe.learning_rate)
        model.compile(optimizer=optimizer, loss=ContrastiveLoss())
    return (
        model,
        lambda trained: with_unit_output(trained.get_layer("notebook_base_network")),
        PairBatches(sets, plan),
    )


def _tensorboard(run_folder: Path) -> list[Any]:
    if keras.backend.backend() != "tensorflow":
        return []  # The event files are written by TensorFlow.
    return [keras.callbacks.TensorBoard(str(run_folder / "tensorboard"))]


def make_repeatable(seed: int) -> None:
    """Seed all that draws, and let TensorFlow add up in one order."""
    keras.utils.set_random_seed(seed)
    if keras.backend.backend() == "tensorflow":
        importlib.import_module("tensorflow").config.experimental.enable_op_determinism()


def claim_run_folder(run_folder: Path, facts: dict[str, Any], *, resume: bool) -> None:
    """Write down in `run.json` what a new run is of, or see that the run there is of the same.

    Raises:
        TrainingDataError: the folder is in use and `resume` is not set, or the run there is of
            other facts.
    """
    path = run_folder / "run.json"
    text = json.dumps(facts, indent=1, sort_keys=True)
    if path.exists():
        if not resume:
            raise TrainingDataError(
                f"{run_folder} holds a run already; use --resume, or name another folder."
            )
        if path.read_text(encoding="utf-8") != text:
            raise TrainingDataError(
                f"{run_folder} was started with another recipe, seed or data; "
                "resume it with the same, or name another folder."
            )
        return
    run_folder.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
