"""Who may be measured with which model: the protocols, and the writers each leaves to a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Literal, get_args

import numpy as np
from numpy.typing import NDArray

from encoder.datasets.folder import Canvases, DataSet, list_writers
from encoder.datasets.splits import SPLITS
from encoder.errors import TrainingDataError
from encoder.evaluation.embed import embed_data_set
from encoder.inference.encoder import Encoder
from encoder.scoring.centring import Centre, centre_of
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.templates import Signatures

EvaluationProtocol = Literal["holdout", "crossval", "zeroshot"]
GALLERY_REFERENCES = 5  # Of each writer of a data set, at most: what a gallery would hold.
LEAST_WRITERS = 2  # A random forgery is another writer's signature.
PROTOCOLS: tuple[EvaluationProtocol, ...] = get_args(EvaluationProtocol)


@dataclass(frozen=True)
class Fold:
    """Writers of a folder, by name, whom one model may be measured on.

    With a centre, the model is measured as adapted to it.
    """

    encoder: Encoder
    writer_ids: tuple[str, ...]
    held_out: bool
    centre: Centre | None = None

    @cached_property
    def rule(self) -> DecisionRule:
        """What is measured: the model's own rule, or the one adapted to the centre."""
        if self.centre is None:
            return self.encoder.rule
        return self.encoder.centred_rule.adapted_to(self.centre)

    def describe(self, canvases: Canvases) -> Signatures:
        """Describe canvases as `Encoder.describe` does, and take off the rule's centre."""
        return self.rule.centred(self.encoder.describe(canvases))


def adapted(fold: Fold, data: DataSet) -> Fold:
    """The fold, its model adapted to its own writers as if they were the gallery.

    The centre is of up to five genuine signatures of each, drawn by a fixed seed. No forgery has a
    part in it; some of the signatures are probes in one draw or another.
    """
    some = [
        replace(w, genuine=w.genuine[drawn(len(w.genuine), number)], forged=w.forged[:0])
        for number, w in enumerate(data.writers)
    ]
    embedded = embed_data_set(fold.encoder.describe, DataSet(data.name, tuple(some)))
    centre = centre_of((writer.genuine.vectors for writer in embedded), fold.encoder.dimension)
    return replace(fold, centre=centre)


def drawn(count: int, number: int, seed: int = 0) -> NDArray[np.intp]:
    """Which of `count` genuine signatures the gallery holds of writer `number`, at most five."""
    return np.random.default_rng([seed, number]).permutation(count)[:GALLERY_REFERENCES]


def plan_folds(
    folder: Path, encoders: Sequence[Encoder], protocol: EvaluationProtocol
) -> list[Fold]:
    """Share out a folder's writers among models, none to a model that was trained on them.

    `holdout` takes one model and the writers whom it held out of training, or all writers where
    it was not trained on a data set of the folder's name. `crossval` takes several models and
    gives each writer to the one that held him out. `zeroshot` takes the one model that was not
    trained on that data set at all, and all writers.

    Raises:
        TrainingDataError: the models do not fit the protocol, or too few writers are left.
    """
    present = list_writers(folder)
    plans = {"holdout": _hold_out, "crossval": _cross_validate, "zeroshot": _zero_shot}
    folds = plans[protocol](folder.resolve().name, present, encoders)
    for fold in folds:
        if len(fold.writer_ids) < LEAST_WRITERS:
            raise TrainingDataError(
                f"{folder} holds {len(present)} writers, of whom {len(fold.writer_ids)} can be "
                f"measured on with model {fold.encoder.name}; two or more are needed. Writers that "
                "the model was trained on are left out."
            )
    return folds


def unprotected_fold(folder: Path, encoder: Encoder) -> list[Fold]:
    """All writers of a folder for one model, also those it was trained on; this flatters it."""
    return [Fold(encoder, tuple(list_writers(folder)), held_out=False)]


def _hold_out(name: str, present: Sequence[str], encoders: Sequence[Encoder]) -> list[Fold]:
    if len(encoders) != 1:
        raise TrainingDataError(
            f"The protocol holdout measures one model; {len(encoders)} came. Use crossval for the "
            "models of several folds."
        )
    split = _split(encoders[0], name)
    names = present if split is None else [w for w in present if w in split["test"]]
    return [Fold(encoders[0], tuple(names), held_out=split is not None)]


def _cross_validate(name: str, present: Sequence[str], encoders: Sequence[Encoder]) -> list[Fold]:
    tests = [
        (encoder, set(split["test"]))
        for encoder in encoders
        if (split := _split(encoder, name)) is not None
    ]
    scorers = {w: [encoder for encoder, test in tests if w in test] for w in present}
    for count, what in ((0, "no model"), (2, "several models")):
        wrong = [w for w, found in scorers.items() if min(len(found), 2) == count]
        if wrong:
            raise TrainingDataError(
                f"The protocol crossval needs each writer of {name} held out by exactly one "
                f"model; {len(wrong)} of {len(present)} are by {what}, {wrong[0]!r} among them. "
                f"Name one model for each fold ({len(tests)} of the {len(encoders)} named were "
                "trained on this data set)."
            )
    return [
        Fold(encoder, tuple(w for w in present if w in test), held_out=True)
        for encoder, test in tests
    ]


def _zero_shot(name: str, present: Sequence[str], encoders: Sequence[Encoder]) -> list[Fold]:
    strangers = [encoder for encoder in encoders if _split(encoder, name) is None]
    if len(strangers) != 1:
        raise TrainingDataError(
            f"The protocol zeroshot needs exactly one model that was not trained on {name}; "
            f"{len(strangers)} of the {len(encoders)} named were not. Train one without it, or use "
            "holdout."
        )
    return [Fold(strangers[0], tuple(present), held_out=True)]


def _split(encoder: Encoder, name: str) -> Mapping[str, Sequence[str]] | None:
    """The model's split of the data set `name`; None where it was not trained on it.

    Raises:
        TrainingDataError: a writer is in its test split and in another.
    """
    split = encoder.manifest.get("training", {}).get("splits", {}).get(name)
    if split is None:
        return None
    parts: dict[str, list[str]] = {part: list(split.get(part, ())) for part in SPLITS}
    both = set(parts["test"]) & {*parts["train"], *parts["development"]}
    if both:
        raise TrainingDataError(
            f"Model {encoder.name} says of writer {min(both)!r} of {name} that it was both trained "
            "on and held out; train it anew."
        )
    return parts
