"""Watches a training run: error after each epoch, checkpoints in and after it, early stop.

Loading this loads Keras.
"""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import keras
import numpy as np

from encoder.datasets.folder import Canvases, DataSet
from encoder.evaluation.embed import embed_data_set
from encoder.evaluation.trials import PLAIN, run_trials
from encoder.metrics.error_rates import equal_error_rate
from encoder.scoring.templates import Signatures

REFERENCES = 5
DRAWS = 3
DEVELOPMENT_ERROR = "development_error"
NOTHING_MEASURED = 1.0  # The error where there is none.
EPOCH_DRAWS = 1 << 16  # More than an epoch draws.
CHECKPOINT_STEPS = 20  # Some minutes of training on a busy processor.


@dataclass
class RunState:
    """Where a run stands, as `state.json` in its folder says.

    Attributes:
        epoch: how many epochs are finished.
        step: how many batches of the epoch under way are done.
        best_error: the lowest monitored value so far.
        best_epoch: the epoch that it came after, from 1; 0 at the start.
        monitored: the monitored value after each finished epoch.
    """

    run_folder: Path
    epoch: int = 0
    step: int = 0
    best_error: float = float("inf")
    best_epoch: int = 0
    monitored: list[float] = field(default_factory=list)

    @property
    def started(self) -> bool:
        """Whether anything has been trained."""
        return bool(self.epoch or self.step)

    @property
    def last(self) -> Path:
        """The network, optimizer and all, after the last batch that was saved."""
        step = f"-{self.step}" if self.step else ""
        return self.run_folder / f"last-{self.epoch}{step}.keras"

    @classmethod
    def read(cls, run_folder: Path) -> "RunState":
        """The state that the folder holds; a new run's where it holds none."""
        path = run_folder / "state.json"
        saved = json.loads(path.read_text(encoding="utf-8")) if path.exists() else {}
        return cls(run_folder, **saved)

    def advance(self, model: Any, epoch: int, step: int = 0) -> None:
        """Save the model as of an epoch and a batch; the rename of `state.json` is the commit."""
        before = self.last
        self.epoch, self.step = epoch, step
        model.save(self.last)
        saved = {name: value for name, value in asdict(self).items() if name != "run_folder"}
        temporary = self.run_folder / "state.json.new"
        temporary.write_text(json.dumps(saved), encoding="utf-8")
        temporary.replace(self.run_folder / "state.json")
        before.unlink(missing_ok=True)

    def outworn(self, patience: int) -> bool:
        """Whether so many epochs have gone by without a better one that training stops early."""
        return self.epoch - self.best_epoch >= patience


class DevelopmentProgress(keras.callbacks.Callback):  # type: ignore[misc]
    """Measures error on development writers, keeps the best network, stops when it stays worse.

    Best and worse are by `monitor`, a name of the logs. Adds to the logs, for every data set, the
    equal error rates at 5 references against skilled and random forgeries, and `development_error`:
    the mean of both over the data sets that have them.
    """

    def __init__(
        self,
        sets: Sequence[DataSet],
        state: RunState,
        network_of: Callable[[Any], Any],
        patience: int,
        *,
        keep_start: bool = False,
        monitor: str = DEVELOPMENT_ERROR,
    ) -> None:
        """`keep_start`: whether the network as it starts may be the best; a random one may not."""
        super().__init__()
        self.sets = [data for data in sets if data.writers]
        self.state = state
        self.network_of = network_of
        self.patience = patience
        self.keep_start = keep_start
        self.monitor = monitor

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Keep the network as it starts: what trains no better than that is not the best."""
        del logs
        if self.keep_start and not self.state.started and self.state.best_error == float("inf"):
            network = self.network_of(self.model)
            self.state.best_error = mean_error(development_errors(network, self.sets))
            network.save(self.state.run_folder / "best.keras")

    def on_epoch_end(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Measure, save, and stop if it is time."""
        logs = {} if logs is None else logs
        network = self.network_of(self.model)
        if self.sets:
            errors = development_errors(network, self.sets)
            logs.update({**errors, DEVELOPMENT_ERROR: mean_error(errors)})
        error = float(logs.get(self.monitor, NOTHING_MEASURED))
        if error < self.state.best_error:
            self.state.best_error, self.state.best_epoch = error, epoch + 1
            network.save(self.state.run_folder / "best.keras")
        self.state.monitored.append(error)
        self.state.advance(self.model, epoch + 1)
        if self.state.outworn(self.patience):
            self.model.stop_training = True


class StepCheckpoints(keras.callbacks.Callback):  # type: ignore[misc]
    """Saves the run within an epoch, and draws dropout by seed, epoch and batch from there.

    A saved network does not say where its draws stood; drawing anew whenever one is saved, a run
    that was interrupted draws as one that was not.
    """

    def __init__(self, state: RunState, seed: int, steps: int) -> None:
        """`steps`: batches of an epoch, after the last of which nothing is saved here."""
        super().__init__()
        self.state = state
        self.seed = seed
        self.steps = steps
        self.first = 0

    def on_epoch_begin(self, epoch: int, logs: dict[str, float] | None = None) -> None:
        """Draw by the batch that the epoch begins or goes on with."""
        del logs
        self.first = self.state.step
        self._reseed(epoch, self.first)

    def on_train_batch_end(self, batch: int, logs: dict[str, float] | None = None) -> None:
        """Save every so many batches."""
        del logs
        done = self.first + batch + 1
        if done % CHECKPOINT_STEPS == 0 and done < self.steps:
            self.state.advance(self.model, self.state.epoch, done)
            self._reseed(self.state.epoch, done)

    def _reseed(self, epoch: int, step: int) -> None:
        layers = [x for x in self.model._flatten_layers() if isinstance(x, keras.layers.Dropout)]
        for number, layer in enumerate(layers):
            draws = np.array([self.seed + number, epoch * EPOCH_DRAWS + step], dtype="uint32")
            layer.seed_generator.state.assign(draws)


class HalveOnPlateau(keras.callbacks.ReduceLROnPlateau):  # type: ignore[misc]
    """Halves the learning rate when the monitored value stops falling, as the notebook did.

    Goes through the epochs before it first, so that an interrupted run has the same rates.
    """

    def __init__(self, state: RunState, monitor: str, learning_rate: float) -> None:
        """`learning_rate`: of the first epoch."""
        super().__init__(monitor, factor=0.5, patience=2, min_lr=1e-5, mode="min")
        self.state = state
        self.learning_rate = learning_rate

    def on_train_begin(self, logs: dict[str, float] | None = None) -> None:
        """Set the rate that the epochs so far lead to."""
        super().on_train_begin(logs)
        self.model.optimizer.learning_rate = self.learning_rate
        for epoch, value in enumerate(self.state.monitored):
            self.on_epoch_end(epoch, {self.monitor: value})


def development_errors(network: Any, sets: Sequence[DataSet]) -> dict[str, float]:
    """Equal error rates of a Keras network, by data set and kind of forgery."""
    errors: dict[str, float] = {}
    for data in sets:
        writers = embed_data_set(lambda canvases: keras_describe(network, canvases), data)
        # As many references as most writers can give beside a probe; others are left out.
        references = min(REFERENCES, int(np.median([len(w.genuine) for w in writers])) - 1)
        if references < 1:
            continue
        trials = run_trials(writers, references, PLAIN, DRAWS)
        errors[f"{data.name}_skilled"] = equal_error_rate(trials.genuine, trials.skilled)
        errors[f"{data.name}_random"] = equal_error_rate(trials.genuine, trials.random)
    return errors


def mean_error(errors: Mapping[str, float]) -> float:
    """Mean of the error rates that could be measured; 1 where none could."""
    measured = [error for error in errors.values() if not np.isnan(error)]
    return float(np.mean(measured)) if measured else NOTHING_MEASURED


def keras_describe(network: Any, canvases: Canvases) -> Signatures:
    """The vectors that a Keras network gives canvases `(n, h, w)` uint8; training has no pieces."""
    inputs = (canvases.astype(np.float32) / 255.0)[..., None]
    vectors = network.predict(inputs, batch_size=64, verbose=0)
    return Signatures(np.asarray(vectors, np.float32))
