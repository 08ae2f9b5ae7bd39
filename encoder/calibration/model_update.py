"""Model folders whose decision rule is fitted anew.

They are written beside the old one, or in its place.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from encoder.calibration.familiarity import MeasuredGalleries
from encoder.calibration.refit import Change, recalibrate
from encoder.datasets.folder import list_writers, read_folder
from encoder.errors import ArtifactError, TrainingDataError
from encoder.evaluation.embed import embed_data_set
from encoder.inference.artifact import (
    COHORT,
    KERAS_NETWORK,
    MANIFEST,
    NETWORK,
    SHIPPED,
    read_artifact,
    replace_facts,
    write_artifact,
)
from encoder.inference.encoder import Encoder
from encoder.inference.unseen_errors import OWN_COUNTS, own_counts
from encoder.scoring.decision_rule import DecisionRule

OWN_FACTS = ("format", "files", "preprocessing_sha256", "sha256")  # `write_artifact` states them.


@dataclass(frozen=True)
class Recalibration:
    """A rule fitted anew: the facts to put into the manifest, and what became of each value.

    `facts["calibrated_on"]` says what it rests on and keeps the rule before it.
    """

    facts: Mapping[str, Any]
    changes: Sequence[Change]

    @property
    def moved(self) -> bool:
        """Whether anything could be fitted anew."""
        return any(not change.kept_because for change in self.changes)


def fit_on_folder(folder: Path, encoder: Encoder) -> Recalibration:
    """Fit a model's rule anew on a folder of writers, without those it was trained on.

    Raises:
        TrainingDataError: the folder cannot be used, or holds nobody else.
    """
    name = folder.resolve().name
    split = encoder.manifest.get("training", {}).get("splits", {}).get(name, {})
    names = [w for w in list_writers(folder) if w not in set(split.get("train", ()))]
    if not names:
        raise TrainingDataError(f"Model {encoder.name} was trained on everyone in {folder}.")
    data = read_folder(folder, encoder.canvas_size, names)
    writers = embed_data_set(encoder.describe, data)
    measured = MeasuredGalleries.from_manifest(encoder.manifest)
    # What rests on forgeries enough is not moved by fewer.
    may_move = measured is not None and not own_counts(encoder.manifest)
    levels = measured.levels if measured is not None and may_move else None
    rule, changes = recalibrate(encoder.rule, writers, levels)
    about = {
        "data": name,
        "writers": len(writers),
        "genuine": sum(len(writer.genuine) for writer in writers),
        "forged": sum(len(writer.forged) for writer in writers),
        "failures_to_acquire": data.refused,
        OWN_COUNTS: _own_counts(rule, changes),
        "model_id": encoder.model_id,
        "former": {
            "decision": encoder.manifest["decision"],
            "calibrated_on": encoder.manifest.get("calibrated_on"),
        },
    }
    return Recalibration({"decision": rule.as_dict(), "calibrated_on": about}, changes)


def _own_counts(rule: DecisionRule, changes: Sequence[Change]) -> list[int]:
    """Numbers of references for which the default `match` rests on the user's forgeries alone."""
    what = f"{rule.default_operating_point} match"
    return [
        one.references
        for one in changes
        if one.what == what and not one.kept_because and one.share == 1.0
    ]


def write_beside(model: Path, target: Path, facts: Mapping[str, Any]) -> None:
    """Write the model again as `target`, with other facts in its manifest.

    Raises:
        ArtifactError: there is a model in `target` already.
    """
    require_free(target)
    manifest = read_artifact(model).manifest
    kept = {key: value for key, value in manifest.items() if key not in OWN_FACTS}
    names = [one for one in (NETWORK, KERAS_NETWORK, COHORT) if one in manifest["files"]]
    files = {name: (model / name).read_bytes() for name in names}
    write_artifact(target, files, {**kept, **facts, "name": target.resolve().name})


def require_free(target: Path) -> None:
    """Refuse a folder to write to that holds a model.

    Raises:
        ArtifactError: there is a model in `target` already.
    """
    if (target / MANIFEST).exists():
        raise ArtifactError(f"{target} holds a model already; name another folder.")


def write_in_place(model: Path, facts: Mapping[str, Any]) -> None:
    """Put the facts into the model's own manifest.

    Raises:
        ArtifactError: it is the model that ships with this package.
    """
    _refuse_shipped(model)
    read_artifact(model)
    replace_facts(model, facts)


def undo(model: Path) -> Mapping[str, Any]:
    """Give a model back the rule from before its last calibration; return what that rested on.

    Raises:
        ArtifactError: its rule is the one it was exported with.
    """
    about = read_artifact(model).manifest.get("calibrated_on")
    if about is None:
        raise ArtifactError(f"{model} decides by the rule that it was exported with.")
    _refuse_shipped(model)
    replace_facts(model, about["former"])
    return dict(about)


def _refuse_shipped(model: Path) -> None:
    if model.resolve() == SHIPPED.resolve():
        raise ArtifactError(
            "The model that ships with Countersign is not written to: an update would replace it. "
            "Write the calibrated one into a folder of its own, and use it with COUNTERSIGN_MODEL."
        )
