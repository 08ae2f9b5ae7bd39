"""Turns a training run into a model folder: ONNX checked against Keras, calibrated, described.

Loading this loads Keras.
"""

import csv
import io
import json
import re
import tempfile
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime

from encoder.calibration.familiarity import MEASURED_GALLERIES, MeasuredGalleries
from encoder.calibration.fit import fit_rule
from encoder.datasets.folder import read_folder
from encoder.errors import ArtifactError, TrainingDataError
from encoder.evaluation.embed import embed_data_set
from encoder.evaluation.evaluate import evaluate_writers
from encoder.imaging.acquire import PREPROCESSING_ID
from encoder.inference.artifact import (
    COHORT,
    KERAS_NETWORK,
    MANIFEST,
    NETWORK,
    checked_files,
    read_manifest,
    write_artifact,
)
from encoder.inference.encoder import run_network
from encoder.networks import losses, notebook_network  # noqa: F401 - registers what saved networks refer to.
from encoder.networks.lean_network import blocks_of, with_pieces
from encoder.training.cohort import OWN_SIMILARITY, make_cohort, own_similarity

MAX_DIFFERENCE = 1e-4  # Of any output, ONNX Runtime's from Keras's.
INDEX_DIMENSION = 128  # Leading elements of an embedding that an index finds candidates by.


def export(
    run_folder: Path, model_folder: Path, data_folders: Sequence[Path], *, keep_keras: bool = True
) -> Path:
    """Write the best network of a training run as a model folder.

    Args:
        run_folder: of `train`; or a model folder, whose network and id stay while its rule is
            fitted anew.
        model_folder: to write; a model already there is replaced.
        data_folders: to calibrate on. Of the data sets of the run, the development writers do,
            and the test writers tell its errors; of others, all writers do.
        keep_keras: also keep the Keras network, to train on from.

    Raises:
        TrainingDataError: the run is unfinished, or too little is left to calibrate on.
        ArtifactError: ONNX Runtime's outputs differ from Keras's by more than 1e-4; or the model
            folder is damaged, holds no Keras network, or is of another preparation of images.
    """
    source = _read_model(run_folder) if (run_folder / MANIFEST).exists() else _read_run(run_folder)
    run, network = source.facts, source.network
    by_name = {folder.resolve().name: folder for folder in data_folders}
    splits = {name: split for name, split in run["splits"].items() if name in by_name}
    height, width = network.input_shape[1:3]
    sets = {
        part: [
            read_folder(by_name[name], (height, width), split[part])
            for name, split in splits.items()
        ]
        for part in ("development", "test")
    }
    unseen = [folder for name, folder in by_name.items() if name not in run["splits"]]
    describe = partial(run_network, _session(source.onnx))
    writers = {
        part: {data.name: embed_data_set(describe, data) for data in read}
        for part, read in sets.items()
    }
    development = [writer for of_set in writers["development"].values() for writer in of_set]
    for folder in unseen:
        development += embed_data_set(describe, read_folder(folder, (height, width)))
    blocks = blocks_of(network)
    fitted = fit_rule(development, blocks)
    measured = MeasuredGalleries.of(development, fitted.rule.scoring, fitted.levels)
    own = own_similarity(development)
    facts = {
        "name": model_folder.name,
        "canvas_size": [height, width],
        "dimension": network.output_shape[-1],
        "index_dimension": min(INDEX_DIMENSION, network.output_shape[-1]),
        "parameters": network.count_params(),
        "training": {
            **run,
            "data": [{"name": n, "terms": _terms(f)} for n, f in sorted(by_name.items())],
            "calibrated_on": sorted(by_name),
        },
        "metrics": {
            part: {n: evaluate_writers(of, fitted.rule.scoring) for n, of in of_part.items()}
            for part, of_part in writers.items()
        },
        "blocks": blocks.as_dict(),
        "decision": fitted.rule.as_dict(),
        "unseen": fitted.unseen,
        MEASURED_GALLERIES: measured.as_dict(),
        OWN_SIMILARITY: round(own, 5),
    }
    cohort = make_cohort(describe, (height, width), own)
    files = {NETWORK: source.onnx, COHORT: cohort.as_bytes()}
    if keep_keras:
        files[KERAS_NETWORK] = source.keras
    write_artifact(model_folder, files, facts)
    return model_folder


def to_onnx(network: Any) -> bytes:
    """The network as ONNX, pieces of strokes and all, its outputs checked against Keras's.

    Raises:
        ArtifactError: they differ by more than 1e-4.
    """
    network = with_pieces(network)
    shape = (4, *network.input_shape[1:3])
    canvases = np.random.default_rng(0).integers(0, 256, shape, dtype=np.uint8)
    inputs = (canvases.astype(np.float32) / 255.0)[..., None]
    expected = network(inputs, training=False)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / NETWORK
        network.export(str(path), format="onnx", verbose=False)
        content = path.read_bytes()
    session = _session(content)
    found = session.run(None, {session.get_inputs()[0].name: inputs})
    pairs = zip(found, expected if len(found) > 1 else [expected], strict=True)
    difference = max(float(np.abs(ours - np.asarray(theirs)).max()) for ours, theirs in pairs)
    if not difference <= MAX_DIFFERENCE:
        raise ArtifactError(
            f"The exported network differs from Keras's by {difference:.1e}; at most "
            f"{MAX_DIFFERENCE:.0e} is allowed."
        )
    return content


def _session(content: bytes) -> onnxruntime.InferenceSession:
    return onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])


def _in_float32(network: Any) -> Any:
    """The same network and weights without mixed precision, which ONNX Runtime would keep."""
    config = json.loads(re.sub(r'"mixed_bfloat16"', '"float32"', json.dumps(network.get_config())))
    plain = keras.Model.from_config(config)
    plain.set_weights(network.get_weights())
    return plain


def _keras_bytes(network: Any) -> bytes:
    """The network as a `.keras` archive, compressed, which Keras itself does not do."""
    saved, packed = io.BytesIO(), io.BytesIO()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / KERAS_NETWORK
        network.save(path)
        saved.write(path.read_bytes())
    with zipfile.ZipFile(saved) as source, zipfile.ZipFile(packed, "w") as target:
        for name in source.namelist():
            target.writestr(name, source.read(name), zipfile.ZIP_DEFLATED, compresslevel=9)
    return packed.getvalue()


@dataclass(frozen=True)
class _Source:
    """What is exported: what is known of its training, and the network, as Keras and as ONNX."""

    facts: Mapping[str, Any]
    network: Any
    onnx: bytes
    keras: bytes


def _read_model(folder: Path) -> _Source:
    """A model folder with a Keras network: network and id stay, the rule is fitted anew."""
    manifest = read_manifest(folder)
    if manifest.get("preprocessing_sha256") != PREPROCESSING_ID:
        raise ArtifactError(
            f"{folder} was made for another preparation of images than this version's; train "
            "again, or export it with the version it was made with."
        )
    if KERAS_NETWORK not in manifest.get("files", {}):
        raise ArtifactError(
            f"{folder} holds no {KERAS_NETWORK}; a model exported without it cannot be exported "
            "again."
        )
    files = checked_files(folder, manifest["files"])
    network = keras.saving.load_model(folder / KERAS_NETWORK, compile=False)
    return _Source(manifest["training"], network, files[NETWORK], files[KERAS_NETWORK])


def _read_run(run_folder: Path) -> _Source:
    try:
        run: dict[str, Any] = json.loads((run_folder / "run.json").read_text(encoding="utf-8"))
    except OSError as error:
        raise TrainingDataError(
            f"{run_folder} holds no training run; expected run.json and best.keras."
        ) from error
    if run.get("preprocessing_sha256") != PREPROCESSING_ID:
        raise TrainingDataError(
            f"The run in {run_folder} was trained on images prepared in another way than this "
            "version's; train again, or export it with the version it was trained with."
        )
    if not (run_folder / "best.keras").exists():
        raise TrainingDataError(f"The run in {run_folder} has not finished an epoch yet.")
    run["state"] = json.loads((run_folder / "state.json").read_text(encoding="utf-8"))
    run["log"] = _read_log(run_folder)
    network = _in_float32(keras.saving.load_model(run_folder / "best.keras", compile=False))
    return _Source(run, network, to_onnx(network), _keras_bytes(network))


def _read_log(run_folder: Path) -> list[dict[str, float]]:
    """What was logged after each epoch: loss and errors on development writers, by name."""
    with (run_folder / "log.csv").open(newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file))
    numbers = [{k: v for k, v in row.items() if v not in {"NA", "nan"}} for row in rows]
    return [{name: round(float(value), 6) for name, value in row.items()} for row in numbers]


def _terms(folder: Path) -> str:
    """The licence terms that the data set's SOURCE.md states, in its own words."""
    source = folder / "SOURCE.md"
    if source.exists():
        for line in source.read_text(encoding="utf-8").splitlines():
            if line.startswith("- Terms:"):
                return line.removeprefix("- Terms:").strip()
    return "not stated"
