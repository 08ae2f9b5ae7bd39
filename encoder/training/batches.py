"""Streams training batches from prepared canvases; no list of pairs ever exists. Loads Keras."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
from numpy.typing import NDArray

from encoder.datasets.augment import Variation, vary
from encoder.datasets.folder import DataSet, WriterSamples
from encoder.errors import TrainingDataError

Generator = np.random.Generator

LEAST_GENUINE = 3  # One is held out, and two or more are its references.
FORGED_SHARE = 0.5  # Of the pairs that differ, where there are forgeries.


@dataclass(frozen=True)
class BatchPlan:
    """How batches are drawn: `steps` an epoch, `images` in each, all random by `seed`."""

    images: int
    steps: int
    seed: int
    variation: Variation
    genuine_each: int = 6
    forged_each: int = 2


class EpochBatches(keras.utils.PyDataset):  # type: ignore[misc]
    """Batch i of epoch e depends on the seed, e and i alone: a resumed run goes on as it would.

    A class of this gives batch i of the present epoch in `batch(i)`.
    """

    def __init__(self, steps: int, seed: int, epoch: int = 0) -> None:
        """`steps`: batches of an epoch."""
        super().__init__()
        self.steps = steps
        self.seed = seed
        self.epoch = epoch
        self.first = 0

    def begin(self, epoch: int, step: int) -> None:
        """Go on with an epoch from one of its batches."""
        self.epoch, self.first = epoch, step

    def __len__(self) -> int:
        return self.steps - self.first

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        return self.batch(self.first + index)

    def batch(self, index: int) -> tuple[Any, Any]:
        """Batch number `index` of the whole epoch."""
        raise NotImplementedError


class _Batches(EpochBatches):
    """Batches of pairs or claims of data sets."""

    def __init__(self, sets: Sequence[DataSet], plan: BatchPlan, epoch: int = 0) -> None:
        super().__init__(plan.steps, plan.seed, epoch)
        self.sets = [able for data in sets if (able := _able(data)).writers]
        if sum(len({w.group for w in data.writers}) for data in self.sets) <= 1:
            raise TrainingDataError(
                "Training needs two people or more with three genuine signatures or more each."
            )
        people = np.array([len({w.group for w in data.writers}) for data in self.sets])
        # Large sets come more often, but far less than they are larger.
        self.weights = people**0.25 / np.sum(people**0.25)
        self.plan = plan

    def _generator(self, index: int) -> Generator:
        return np.random.default_rng([self.plan.seed, self.epoch, index])

    def _vary(self, canvases: Sequence[NDArray[np.uint8]], rng: Generator) -> NDArray[np.float32]:
        varied = np.stack([vary(canvas, self.plan.variation, rng) for canvas in canvases])
        return (varied.astype(np.float32) / 255.0)[..., None]


class ClaimBatches(_Batches):
    """Batches of some genuine and forged signatures of some writers of one data set.

    Each item is `(n, h, w, 1)` float32 canvases and `(n, 2)` int32 labels for `ClaimLoss`. Writers
    of one batch come from one data set, and where several wrote the same text, from few texts:
    telling scanners or scripts apart would be too easy.
    """

    def batch(self, index: int) -> tuple[Any, Any]:
        """Batch number `index` of the epoch."""
        rng = self._generator(index)
        data = self.sets[int(rng.choice(len(self.sets), p=self.weights))]
        forgeries = any(len(writer.forged) for writer in data.writers)
        genuine_each = self.plan.genuine_each if forgeries else 4
        each = genuine_each + (self.plan.forged_each if forgeries else 0)
        canvases: list[NDArray[np.uint8]] = []
        labels: list[tuple[int, int]] = []
        writers = _draw_writers(data, max(2, self.plan.images // each), rng)
        for number, writer in enumerate(writers):
            for samples, wanted, forged in (
                (writer.genuine, genuine_each, 0),
                (writer.forged, each - genuine_each, 1),
            ):
                chosen = _draw(len(samples), wanted, rng)
                canvases.extend(samples[chosen])
                labels.extend([(number, forged)] * len(chosen))
        return self._vary(canvases, rng), np.array(labels, np.int32)


class PairBatches(_Batches):
    """Pairs of signatures, half of one writer, half not (other writers', or skilled forgeries).

    Each item is a pair of `(n, h, w, 1)` float32 canvases and `(n, 1)` float32 labels, 0 for the
    same writer and 1 for different ones.
    """

    def batch(self, index: int) -> tuple[Any, Any]:
        """Batch number `index` of the epoch."""
        rng = self._generator(index)
        first, second, labels = [], [], []
        writers = [writer for data in self.sets for writer in data.writers]
        for number in range(self.plan.images):
            writer = writers[rng.integers(len(writers))]
            one, other = rng.choice(len(writer.genuine), 2, replace=False)
            first.append(writer.genuine[one])
            different = number % 2
            labels.append(float(different))
            if not different:
                second.append(writer.genuine[other])
            elif len(writer.forged) and rng.random() < FORGED_SHARE:
                second.append(writer.forged[rng.integers(len(writer.forged))])
            else:
                second.append(_another_writers(writer, writers, rng))
        pair = (self._vary(first, rng), self._vary(second, rng))
        return pair, np.array(labels, np.float32)[:, None]


def _able(data: DataSet) -> DataSet:
    """The writers with enough genuine signatures to hold one out and compare with the others."""
    return data.only([w.writer_id for w in data.writers if len(w.genuine) >= LEAST_GENUINE])


def _another_writers(
    writer: WriterSamples, writers: Sequence[WriterSamples], rng: Generator
) -> NDArray[np.uint8]:
    other = writer
    while other.group == writer.group:
        other = writers[int(rng.integers(len(writers)))]
    return np.asarray(other.genuine[rng.integers(len(other.genuine))])


def _draw_writers(data: DataSet, count: int, rng: Generator) -> list[WriterSamples]:
    texts = sorted({writer.text for writer in data.writers})
    chosen = rng.choice(texts, min(len(texts), max(1, count // 6)), replace=False)
    able = [w for w in data.writers if w.text in chosen]
    return [able[i] for i in rng.permutation(len(able))[:count]]


def _draw(available: int, wanted: int, rng: Generator) -> NDArray[np.intp]:
    """Numbers of samples, without repeats as far as there are enough; none where none are."""
    if not available:
        return np.zeros(0, np.intp)
    return np.resize(rng.permutation(available), wanted) if wanted else np.zeros(0, np.intp)
