"""Watches a training run: development error after each epoch, checkpoints, early stop.

Loading this loads Keras.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np

from encoder.datasets.folder import Canvases, DataSet
from encoder.evaluation.embed import embed_data_set
from encoder.evaluation.trials import population_spread, run_trials
from encoder.metrics.error_rates import equal_error_rate
from encoder.scoring.templates import Signatures

REFERENCES = 5
DRAWS = 3


@dataclass
class RunState:
    """Where a run stands, as `state.json` in its folder says; the best epoch is 0 at the start."""

    run_folder: Path
    epoch: int = 0
    best_error: float = float("inf")
    best_epoch: int = 0

    @property
    def last(self) -> Path:
        """The network, optimizer and all, after the last finished epoch."""
        return self.run_folder / f"last-{self.epoch}.keras"

    @classmethod
    def read(cls, run_folder: Path) -> "RunState":
        """The state that the folder holds; a new run's where it holds none."""
        path = run_folder / "state.json"
        saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return cls(run_folder, **saved)

    def advance(self, model: Any) -> None:
        """Save the model as of one epoch more; the rename of `state.json` is the commit."""
        before = self.last
        self.epoch += 1
        model.save(self.last)
        saved = {"epoch": self.epoch, "best_error": self.best_error, "best_epoch": self.best_epoch}
        temporary = self.run_folder / "state.json.new"
        temporary.write_text(json.dumps(saved), encoding="utf-8")
        temporary.replace(self.run_folder / "state.json")
        before.unlink(missing_ok=True)


class DevelopmentProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures error on development writers, keeps the best network, stops when it stays worse.

    Adds to the logs, for every data set, the equal error rates at 5 references against skilled and
    random forgeries, and `development_error`: the mean of both over the data sets that have them.
    """

    def __init__(
        self,
        sets: Sequence[DataSet],
        state: RunState,
        network_of: Callable[[Any], Any],
        patience: int,
        *,
        keep_start: bool,
    ) -> None:
        """`keep_start`: whether the network as it starts may be the best; a random one may not."""
        super().__init__()
        self.sets = [data for data in sets if data.writers]
        self.state = state
        self.network_of = network_of
        self.patience = patience
        self.keep_start = keep_start

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keep the network as it starts: what trains no better than that is not the best."""
        del logs
        if self.keep_start and self.state.epoch == 0 and self.state.best_error == float("inf"):
            network = self.network_of(self.model)
            self.state.best_error = mean_error(development_errors(network, self.sets))
            network.save(self.state.run_folder / "best.keras")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure, save, and stop if it is time."""
        network = self.network_of(self.model)
        errors = development_errors(network, self.sets)
        error = mean_error(errors)
        if logs is not None:
            logs.update(errors, development_error=error)
        if error < self.state.best_error:
            self.state.best_error, self.state.best_epoch = error, epoch + 1
            network.save(self.state.run_folder / "best.keras")
        self.state.advance(self.model)
        if epoch + 1 - self.state.best_epoch >= self.patience:
            self.model.stop_training = True


def development_errors(network: Any, sets: Sequence[DataSet]) -> dict[str, float]:
    """Equal error rates of a Keras network, by data set and kind of forgery."""
    errors: dict[str, float] = {}
    for data in sets:
        writers = embed_data_set(lambda canvases: keras_describe(network, canvases), data)
        # As many references as most writers can give beside a probe; others are left out.
        references = min(REFERENCES, int(np.median([len(w.genuine) for w in writers])) - 1)
        if references < 1:
            continue
        spread = population_spread(writers, references)
        trials = run_trials(writers, references, spread, DRAWS)
        errors[f"{data.name}_skilled"] = equal_error_rate(trials.genuine, trials.skilled)
        errors[f"{data.name}_random"] = equal_error_rate(trials.genuine, trials.random)
    return errors


def mean_error(errors: Mapping[str, float]) -> float:
    """Mean of the error rates that could be measured; 1 where none could."""
    measured = [error for error in errors.values() if not np.isnan(error)]
    return float(np.mean(measured)) if measured else 1.0


def keras_describe(network: Any, canvases: Canvases) -> Signatures:
    """The vectors that a Keras network gives canvases `(n, h, w)` uint8; training has no pieces."""
    inputs = (canvases.astype(np.float32) / 255.0)[..., None]
    vectors = network.predict(inputs, batch_size=64, verbose=0)
    return Signatures(np.asarray(vectors, np.float32))
