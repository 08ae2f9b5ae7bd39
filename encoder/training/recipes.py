"""The recipes: all that decides how a network is trained."""

from dataclasses import dataclass

from encoder.datasets.augment import NOTEBOOK_VARIATION, Variation
from encoder.networks.lean_network import LEAN_CANVAS
from encoder.networks.notebook_network import NOTEBOOK_CANVAS


@dataclass(frozen=True)
class Recipe:
    """All that decides how a network is trained.

    Attributes:
        images: signatures in a batch (the notebook's batch counts pairs).
        steps: batches an epoch.
        learning_rate: at its highest; `cosine` lets it fall along a cosine to nothing after a
            warm-up, otherwise it is halved when the monitored value stops falling.
        dtype_policy: bfloat16 is twice as fast on processors that have it; the lean network's
            fixed layers keep to float32.
        synthetic_writers: how many synthetic writers to train on besides.
        monitor: what is to fall from epoch to epoch, on development writers: the mean of their
            equal error rates, or the loss of a fixed set of their pairs. The network is kept where
            it is lowest.
        patience: epochs without a lower value of it before training stops.
    """

    name: str
    canvas_size: tuple[int, int]
    images: int
    steps: int
    epochs: int
    learning_rate: float
    cosine: bool
    patience: int
    monitor: str
    variation: Variation
    dtype_policy: str = "mixed_bfloat16"
    synthetic_writers: int = 0


RECIPES = {
    # The notebook's run with its faults mended: batch 32, Adam 1e-4, 20 epochs, early stopping
    # after 5 without a lower loss of the pairs held back, learning rate halved after 2, best
    # network kept. 141 steps are its 4534 pairs.
    "notebook": Recipe(
        name="notebook",
        canvas_size=NOTEBOOK_CANVAS,
        images=32,
        steps=141,
        epochs=20,
        learning_rate=1e-4,
        cosine=False,
        patience=5,
        monitor="val_loss",
        variation=NOTEBOOK_VARIATION,
    ),
    # One short epoch, for the projections start where training has yet to find anything better: on
    # people it was not trained on, longer runs were never ahead of the start by more than chance.
    "lean": Recipe(
        name="lean",
        canvas_size=LEAN_CANVAS,
        images=96,
        steps=40,
        epochs=1,
        learning_rate=3e-4,
        cosine=True,
        patience=2,
        monitor="development_error",
        variation=Variation(),
        dtype_policy="float32",
    ),
}
