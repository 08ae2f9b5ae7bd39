"""Makes the cohort of a model: marks that anyone can make, by invented hands.

    python -m encoder.training.cohort MODEL

gives one to a model folder whose manifest lists none, or another; an export gives one to every
model.
"""

import argparse
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoder.errors import FailureToAcquire
from encoder.evaluation.trials import EmbeddedWriter
from encoder.imaging.acquire import acquire
from encoder.inference.artifact import put_cohort
from encoder.inference.encoder import load_encoder
from encoder.scoring.distinctiveness import Cohort
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png
from encoder.synthesis.simple_marks import KINDS, simple_mark

HANDS = 40
FIRST_HAND = 2_000_000  # Far from the writers of the demo, of the tests and of training.
# Of each kind every hand makes one mark, of these more: there are more ways to make one.
OWN_SIMILARITY = "own_similarity"  # Where the manifest says how alike one person's signatures are,
OWN = 0.61637  # and what it is where it does not: the shipped model's, on its development writers.
SEVERAL = {"zigzag": 2, "initials": 4, "letters": 8}


def own_similarity(writers: Sequence[EmbeddedWriter]) -> float:
    """How alike the genuine signatures of one person are: a cosine, the median of data sets' means.

    Every data set counts the same, however many writers it has, and one that mixes pens and media
    moves little. OWN where nobody has two.
    """
    means: defaultdict[str, list[float]] = defaultdict(list)
    for writer in writers:
        vectors, count = writer.genuine.vectors, len(writer.genuine)
        if count > 1:
            pairs = float((vectors @ vectors.T).sum()) - float((vectors**2).sum())
            means[writer.data_set].append(pairs / (count * (count - 1)))
    return float(np.median([np.mean(of_set) for of_set in means.values()])) if means else OWN


def make_cohort(
    describe: Callable[[NDArray[np.uint8]], Signatures],
    canvas_size: tuple[int, int],
    own: float,
    hands: int = HANDS,
) -> Cohort:
    """The cohort of a model, the same each time.

    Args:
        describe: what the network sees in canvases `(n, h, w)`.
        canvas_size: height and width of the canvases, px.
        own: how alike the signatures of one person are on the mean, a cosine.
        hands: how many make the marks, 2 or more.
    """
    vectors, kinds, by = [], [], []
    for hand in range(hands):
        for kind in KINDS:
            for number in range(SEVERAL.get(kind, 1)):
                scan = simple_mark(kind, FIRST_HAND + hand, number)
                try:
                    canvas = acquire(encode_png(scan), canvas_size).canvas
                except FailureToAcquire:
                    continue  # Some strokes are refused; nobody is compared with what is.
                vectors.append(describe(canvas[None]).vectors)
                kinds.append(kind)
                by.append(hand)
    return Cohort.of(np.concatenate(vectors), kinds, by, own)


def main() -> None:
    """Make a cohort for a model folder and put it there; the model's id stays as it is."""
    parser = argparse.ArgumentParser(description="Give a model folder its cohort of simple marks.")
    parser.add_argument("model", type=Path, help="a model folder")
    folder = parser.parse_args().model
    encoder = load_encoder(folder)
    own = float(encoder.manifest.get(OWN_SIMILARITY, OWN))
    put_cohort(folder, make_cohort(encoder.describe, encoder.canvas_size, own).as_bytes())


if __name__ == "__main__":
    main()
