"""The notebook that Countersign started from, run as it was, and measured by our protocol.

Its faults are kept: the grey image itself, with its background, stretched to a square; pairs of
genuine signatures alone; a fifth of the *pairs* held back, so that both parts show the same images;
only the first image of a pair varied, mirror images among the variations; labels of the wrong sign
for the loss. What is other: nobody of the encoder's first test fold is trained on, or nothing could
be measured; a pair is two numbers, not two images; arithmetic is in bfloat16; the optimizer is
Keras's own, for the legacy one is gone; the embedding, which it never took out, is.
`python -m benchmarks.original_notebook ../shared/signatures/cedar
../shared/signatures/bhsig260_bengali`
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
from encoder.evaluation.evaluate import Effort, measure
from encoder.evaluation.pooling import EmbeddedFold
from encoder.evaluation.stress.hog_baseline import HOG_SPREAD
from encoder.evaluation.trials import EmbeddedWriter
from encoder.networks.losses import ContrastiveLoss
from encoder.networks.notebook_network import (
    NOTEBOOK_CANVAS,
    notebook_base_network,
    siamese,
    with_unit_output,
)
from encoder.scoring.templates import Signatures
from encoder.training.train import DEVELOPMENT_SHARE

PAIRS_OF_EACH_KIND = 2834  # The notebook's, after it had dropped most pairs of two writers.
BATCH = 32
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
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    keras.utils.set_random_seed(42)
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
    with redirect_stdout(sys.stderr):  # Keras tells its progress there.
        network = train(seen, options.epochs)
    sets = [
        {"folder": folder.name, **_measured(network, folder, part["test"])}
        for folder, part in parts.items()
    ]
    answer = {"epochs": options.epochs, "sets": sets}
    print(json.dumps(answer, indent=1) if options.json else "\n".join(_rows(sets)))


def train(writers: Sequence[Path], epochs: int) -> Any:
    """Train as the notebook did, on the genuine signatures of some writers."""
    by_writer = [_read(sorted(writer.glob("genuine_*"))) for writer in writers]
    images = np.concatenate(by_writer)
    pairs = _balanced([len(part) for part in by_writer], np.random.default_rng(42))
    order = np.random.default_rng(42).permutation(len(pairs.same))
    held_back, rest = np.split(order, [round(HELD_BACK * len(order))])
    model = siamese(notebook_base_network())
    # Labels are 1 for the same writer; the loss wants 0 for them.
    model.compile(optimizer=keras.optimizers.Adam(1e-4), loss=ContrastiveLoss())
    model.fit(
        _varied(images, pairs, rest),
        steps_per_epoch=len(rest) // BATCH,
        epochs=epochs,
        validation_data=(_taken(images, pairs, held_back), pairs.same[held_back]),
        callbacks=[
            keras.callbacks.EarlyStopping("val_loss", patience=5, restore_best_weights=True),
            keras.callbacks.ReduceLROnPlateau("val_loss", factor=0.5, patience=2, min_lr=1e-5),
        ],
        verbose=2,
    )
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


def _varied(images: Images, pairs: Pairs, chosen: NDArray[np.intp]) -> Iterator[Any]:
    """Batches without end, the first image of each pair varied, mirrored ones among them."""
    variations = ImageDataGenerator(
        rotation_range=20,
        width_shift_range=0.2,
        height_shift_range=0.2,
        shear_range=0.2,
        zoom_range=0.2,
        horizontal_flip=True,
        fill_mode="nearest",
    )
    rng = np.random.default_rng(42)
    while True:
        order = rng.permutation(chosen)
        for start in range(0, len(order) - BATCH + 1, BATCH):
            batch = order[start : start + BATCH]
            first, second = _taken(images, pairs, batch)
            first = np.stack([variations.random_transform(image) for image in first])
            yield (first, second), pairs.same[batch]


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
    return {"writers": len(writers), **measure([EmbeddedFold(writers, HOG_SPREAD)], Effort())}


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
