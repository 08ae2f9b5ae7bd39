"""Who may be measured with which model: the protocols, and the writers each leaves to a model."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from encoder.datasets.folder import Canvases, list_writers
from encoder.datasets.splits import SPLITS
from encoder.errors import TrainingDataError
from encoder.inference.encoder import Encoder
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.templates import Signatures

EvaluationProtocol = Literal["holdout", "crossval", "zeroshot"]
LEAST_WRITERS = 2  # A random forgery is another writer's signature.
PROTOCOLS: tuple[EvaluationProtocol, ...] = get_args(EvaluationProtocol)


@dataclass(frozen=True)
class Fold:
    """Writers of a folder, by name, whom one model may be measured on."""

    encoder: Encoder
    writer_ids: tuple[str, ...]
    held_out: bool

    @property
    def rule(self) -> DecisionRule:
        """The model's own rule."""
        return self.encoder.rule

    def describe(self, canvases: Canvases) -> Signatures:
        """Describe canvases as `Encoder.describe` does."""
        return self.encoder.describe(canvases)


def plan_folds(
    folder: Path, encoders: Sequence[Encoder], protocol: EvaluationProtocol
) -> list[Fold]:
    """Share out a folder's writers among models, none to a model that was trained on them.

    `holdout` takes one model and the writers whom it held out of training, or all writers where
    it was not trained on a data set of the folder's name. `crossval` takes several models and
    gives each writer to the one that held him out. `zeroshot` takes the one model that was neither
    trained nor calibrated on that data set at all, and all writers.

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
    strangers = [encoder for encoder in encoders if name not in _data_sets(encoder)]
    if len(strangers) != 1:
        raise TrainingDataError(
            "The protocol zeroshot needs exactly one model that was neither trained nor calibrated "
            f"on {name}; {len(strangers)} of the {len(encoders)} named were not. Export one "
            "without it, or use holdout."
        )
    return [Fold(strangers[0], tuple(present), held_out=True)]


def _data_sets(encoder: Encoder) -> set[str]:
    """All that the model was trained, chosen or calibrated on, by name."""
    training = encoder.manifest.get("training", {})
    calibrated = encoder.manifest.get("calibrated_on") or {}
    return {
        *training.get("splits", {}),
        *training.get("calibrated_on", ()),
        *([calibrated["data"]] if calibrated else []),
    }


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
