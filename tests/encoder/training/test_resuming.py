"""Interrupted and stopped runs: a network of a few weights, trained on numbers."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="training needs the `train` extra")

from encoder.errors import TrainingDataError  # noqa: E402
from encoder.training import checkpoints  # noqa: E402
from encoder.training import train as training  # noqa: E402
from encoder.training.batches import EpochBatches  # noqa: E402
from encoder.training.checkpoints import DevelopmentProgress, RunState  # noqa: E402
from encoder.training.recipes import RECIPES  # noqa: E402

STEPS, EPOCHS, RATE = 5, 6, 0.02


class Interrupt(Exception):
    pass


class Numbers(EpochBatches):
    """Numbers whose sum is the answer; the held-back ones want the contrary."""

    def batch(self, index: int) -> tuple[Any, Any]:
        rng = np.random.default_rng([self.seed, self.epoch, index])
        numbers = rng.random((8, 4), np.float32)
        return numbers, numbers.sum(axis=1, keepdims=True)


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(checkpoints, "CHECKPOINT_STEPS", 2)


def fit(folder: Path, monkeypatch: pytest.MonkeyPatch, last_batch: int | None = None) -> RunState:
    """Start or go on with a run, and interrupt it after so many batches."""
    folder.mkdir(exist_ok=True)
    batches = iter(range(1, 1000))

    def count(batch: int, logs: object) -> None:
        if next(batches) == last_batch:
            raise Interrupt

    counting = keras.callbacks.LambdaCallback(on_train_batch_end=count)
    monkeypatch.setattr(training, "_tensorboard", lambda run_folder: [counting])
    state = RunState.read(folder)
    if state.started:
        model = keras.saving.load_model(state.last)
    else:
        keras.utils.set_random_seed(1)
        dropout = keras.layers.Dropout(0.2)
        inputs = keras.Input((4,))
        # Drawn from twice a batch, as a network is that sees both of a pair.
        answers = keras.layers.Dense(1)(dropout(keras.layers.Dense(6)(dropout(inputs))))
        model = keras.Model(inputs, answers)
        model.compile(optimizer=keras.optimizers.Adam(RATE), loss="mse")
    numbers = np.random.default_rng(0).random((16, 4), np.float32)
    training.fit_epochs(
        model,
        Numbers(STEPS, seed=3),
        DevelopmentProgress([], state, lambda trained: trained, 3, monitor="val_loss"),
        epochs=EPOCHS,
        plateau=RATE,
        held_back=(numbers, -numbers.sum(axis=1, keepdims=True)),
    )
    return state


def rate_and_weights(path: Path) -> tuple[float, np.ndarray]:
    model = keras.saving.load_model(path)
    rate = float(keras.ops.convert_to_numpy(model.optimizer.learning_rate))
    return rate, np.concatenate([w.ravel() for w in model.get_weights()])


def test_stops_when_the_loss_held_back_stays_worse_and_stays_stopped(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = fit(tmp_path, monkeypatch)
    assert state.monitored[0] == min(state.monitored)  # The more it learns, the worse.
    assert (state.best_epoch, state.epoch) == (1, 4)
    assert not np.array_equal(
        rate_and_weights(tmp_path / "best.keras")[1], rate_and_weights(state.last)[1]
    )
    assert fit(tmp_path, monkeypatch, last_batch=1) == state  # Trains no batch more.


# Before any checkpoint; in an epoch, at a checkpoint and between two; in the second epoch after a
# wait, and after the rate was halved.
@pytest.mark.parametrize("interrupted", [[1], [2], [3], [9, 1], [5, 12]])
def test_an_interrupted_run_ends_as_one_that_was_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, interrupted: list[int]
) -> None:
    whole = fit(tmp_path / "whole", monkeypatch)
    for last_batch in interrupted:
        with pytest.raises(Interrupt):
            fit(tmp_path / "parts", monkeypatch, last_batch)
    parts = fit(tmp_path / "parts", monkeypatch)
    assert parts.monitored == pytest.approx(whole.monitored, abs=1e-6)
    assert (parts.epoch, parts.best_epoch) == (whole.epoch, whole.best_epoch)
    for name in ("best.keras", whole.last.name):
        rate, weights = rate_and_weights(tmp_path / "whole" / name)
        resumed_rate, resumed = rate_and_weights(tmp_path / "parts" / name)
        assert resumed == pytest.approx(weights, abs=1e-6)
        assert resumed_rate == pytest.approx(rate)
    left = [path.name for path in (tmp_path / "parts").glob("last-*")]
    assert left == [whole.last.name]


def test_the_rate_is_halved_after_two_epochs_without_a_lower_loss(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    state = fit(tmp_path, monkeypatch)
    # Epochs 2 and 3 were worse than the first, so the fourth had half the rate.
    assert rate_and_weights(state.last)[0] == pytest.approx(RATE / 2)


def test_the_notebooks_recipe_is_the_notebooks() -> None:
    recipe = RECIPES["notebook"]
    assert (recipe.epochs, recipe.patience, recipe.monitor) == (20, 5, "val_loss")
    assert (recipe.images, recipe.steps, recipe.learning_rate) == (32, 141, 1e-4)


def test_a_run_of_other_facts_is_not_gone_on_with(tmp_path: Path) -> None:
    training.claim_run_folder(tmp_path / "run", {"epochs": 20}, resume=True)
    training.claim_run_folder(tmp_path / "run", {"epochs": 20}, resume=True)
    with pytest.raises(TrainingDataError, match="another recipe, seed or data"):
        training.claim_run_folder(tmp_path / "run", {"epochs": 3}, resume=True)
