"""The notebook that Countersign started from, run as it was, and measured by our protocol.

Its faults are kept: the grey image itself, with its background, stretched to a square; pairs of
genuine signatures alone; a fifth of the *pairs* held back, so that both parts show the same images;
only the first image of a pair varied, mirror images among the variations; labels of the wrong sign
for the loss. What is other: nobody of the encoder's first test fold is trained on, or nothing could
be measured; a pair is two numbers, not two images; arithmetic is in bfloat16; the optimizer is
Keras's own, for the legacy one is gone; the weights measured are the best ones, which it saved,
even where it did not stop early; the embedding, which it never took out, is. `python -m
benchmarks.original_notebook ../shared/signatures/cedar ../shared/signatures/bhsig260_bengali`
goes on with what `--run` holds: an interrupted run ends as one that was not.
"""

import argparse
import json
import sys
from collections.abc import Iterator, Sequence
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras.src.legacy.preprocessing.image import ImageDataGenerator
from numpy.typing import NDArray

from encoder.datasets.folder import list_writers
from encoder.datasets.splits import Holdout, split_writers
from encoder.errors import TrainingDataError
from encoder.evaluation.evaluate import Effort, measure
from encoder.evaluation.pooling import EmbeddedFold
from encoder.evaluation.trials import PLAIN, EmbeddedWriter
from encoder.networks.losses import ContrastiveLoss
from encoder.networks.notebook_network import (
    NOTEBOOK_CANVAS,
    notebook_base_network,
    siamese,
    with_unit_output,
)
from encoder.scoring.templates import Signatures
from encoder.training.batches import EpochBatches
from encoder.training.checkpoints import DevelopmentProgress, RunState
from encoder.training.train import (
    DEVELOPMENT_SHARE,
    claim_run_folder,
    fit_epochs,
    make_repeatable,
)

PAIRS_OF_EACH_KIND = 2834  # The notebook's, after it had dropped most pairs of two writers.
BATCH = 32
SEED = 42
LEARNING_RATE = 1e-4
PATIENCE = 5
HELD_BACK = 0.2
Images = NDArray[np.float32]  # (n, 128, 128, 1), white 1


@dataclass(frozen=True)
class Pairs:
    """Numbers of two images each `(n, 2)`, and whether one writer signed both `(n,)`."""

    images: NDArray[np.intp]
    same: NDArray[np.float32]


def main() -> None:
    """Train, measure, print the rates as a table or as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folders", type=Path, nargs="+")
    parser.add_argument("--epochs", type=int, default=20, help="the notebook's are 20")
    parser.add_argument("--run", type=Path, default=Path("runs/original-notebook"))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    make_repeatable(SEED)
    keras.config.set_dtype_policy("mixed_bfloat16")
    parts = {
        folder: split_writers(list_writers(folder), DEVELOPMENT_SHARE, Holdout(), seed=0)
        for folder in options.folders
    }
    seen = [
        folder / name
        for folder, part in parts.items()
        for name in (*part["train"], *part["development"])
    ]
    try:
        with redirect_stdout(sys.stderr):  # Keras tells its progress there.
            network, state = train(seen, options.run, options.epochs)
    except TrainingDataError as error:
        sys.exit(str(error))
    sets = [
        {"folder": folder.name, **_measured(network, folder, part["test"])}
        for folder, part in parts.items()
    ]
    answer = {"epochs": state.epoch, "best_epoch": state.best_epoch, "sets": sets}
    print(json.dumps(answer, indent=1) if options.json else "\n".join(_rows(sets)))


def train(writers: Sequence[Path], run_folder: Path, epochs: int) -> tuple[Any, RunState]:
    """Train as the notebook did, on the genuine signatures of some writers.

    Returns:
        The network of the epoch with the lowest loss of the pairs held back, and how the run ended.

    Raises:
        TrainingDataError: the run folder holds a run of other writers or another number of epochs.
    """
    facts = {"epochs": epochs, "writers": [f"{w.parent.name}/{w.name}" for w in writers]}
    claim_run_folder(run_folder, facts, resume=True)
    by_writer = [_read(sorted(writer.glob("genuine_*"))) for writer in writers]
    images = np.concatenate(by_writer)
    pairs = _balanced([len(part) for part in by_writer], np.random.default_rng(SEED))
    order = np.random.default_rng(SEED).permutation(len(pairs.same))
    held_back, rest = np.split(order, [round(HELD_BACK * len(order))])
    state = RunState.read(run_folder)
    if state.started:
        model = keras.saving.load_model(state.last)
    else:
        model = siamese(notebook_base_network())
        # Labels are 1 for the same writer; the loss wants 0 for them.
        model.compile(optimizer=keras.optimizers.Adam(LEARNING_RATE), loss=ContrastiveLoss())
    fit_epochs(
        model,
        VariedPairs(images, pairs, rest),
        DevelopmentProgress([], state, _embedding, PATIENCE, monitor="val_loss"),
        epochs=epochs,
        plateau=LEARNING_RATE,
        held_back=(_taken(images, pairs, held_back), pairs.same[held_back]),
    )
    return keras.saving.load_model(run_folder / "best.keras", compile=False), state


def _embedding(model: Any) -> Any:
    return with_unit_output(model.get_layer("notebook_base_network"))


def _balanced(signatures: Sequence[int], rng: np.random.Generator) -> Pairs:
    """As many pairs of one writer as of two, drawn from all that there are."""
    writer = np.repeat(np.arange(len(signatures)), signatures)
    first, second = np.triu_indices(len(writer), k=1)
    same = writer[first] == writer[second]
    chosen = np.concatenate(
        [
            rng.choice(np.flatnonzero(kind), PAIRS_OF_EACH_KIND, replace=False)
            for kind in (~same, same)
        ]
    )
    return Pairs(np.stack([first, second], axis=1)[chosen], same[chosen].astype(np.float32))


class VariedPairs(EpochBatches):
    """Pairs in a new order each epoch, the first image of each varied, mirrored ones among them."""

    def __init__(self, images: Images, pairs: Pairs, chosen: NDArray[np.intp]) -> None:
        """`chosen`: numbers of the pairs to train on; those that fill no batch are left over."""
        super().__init__(len(chosen) // BATCH, SEED)
        self.images = images
        self.pairs = pairs
        self.chosen = chosen
        self.variations = ImageDataGenerator(
            rotation_range=20,
            width_shift_range=0.2,
            height_shift_range=0.2,
            shear_range=0.2,
            zoom_range=0.2,
            horizontal_flip=True,
            fill_mode="nearest",
        )

    def batch(self, index: int) -> tuple[Any, Any]:
        """Batch number `index` of the epoch: two times images `(32, 128, 128, 1)`, labels."""
        order = np.random.default_rng([self.seed, self.epoch]).permutation(self.chosen)
        batch = order[index * BATCH : (index + 1) * BATCH]
        first, second = _taken(self.images, self.pairs, batch)
        seeds = np.random.default_rng([self.seed, self.epoch, index]).integers(2**32, size=BATCH)
        varied = [
            self.variations.random_transform(image, seed=int(seed))
            for image, seed in zip(first, seeds, strict=True)
        ]
        return (np.stack(varied), second), self.pairs.same[batch]


def _taken(images: Images, pairs: Pairs, chosen: NDArray[np.intp]) -> tuple[Images, Images]:
    return images[pairs.images[chosen, 0]], images[pairs.images[chosen, 1]]


def _read(paths: Sequence[Path]) -> Images:
    """Grey images stretched to the network's square, as Keras's `load_img` reads them."""
    read = [
        keras.utils.img_to_array(
            keras.utils.load_img(path, target_size=NOTEBOOK_CANVAS, color_mode="grayscale")
        )
        for path in paths
    ]
    return np.stack(read).astype(np.float32) / 255.0 if read else np.zeros((0, *NOTEBOOK_CANVAS, 1))


def _measured(network: Any, folder: Path, names: Sequence[str]) -> dict[str, Any]:
    writers = []
    for name in names:
        genuine, forged = (
            network.predict(_read(sorted((folder / name).glob(kind))), verbose=0)
            for kind in ("genuine_*", "forged_*")
        )
        described = (Signatures(genuine), Signatures(forged))
        writers.append(EmbeddedWriter(name, name, *described, folder.name))
    return {"writers": len(writers), **measure([EmbeddedFold(writers, PLAIN)], Effort())}


def _rows(sets: Sequence[dict[str, Any]]) -> Iterator[str]:
    yield "| data set | references | skilled EER | random EER | FNMR at FMR 1% skilled | rank-1 |"
    yield "|---|---|---|---|---|---|"
    names = ("eer_skilled", "eer_random", "fnmr_at_fmr_1%_skilled", "rank_1")
    for one in sets:
        for references, row in one["results"].items():
            rates = " | ".join(f"{100 * row[name]:.1f} %" for name in names)
            yield f"| {one['folder']} | {references} | {rates} |"


if __name__ == "__main__":
    main()
