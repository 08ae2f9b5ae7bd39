"""Runs a model in a serving process, on ONNX Runtime: canvases in, signatures out."""

import copy
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, Self

import numpy as np
import onnxruntime
from numpy.typing import NDArray

from encoder.errors import ArtifactError
from encoder.imaging.acquire import Acquisition, acquire
from encoder.imaging.decode import ImageLimits
from encoder.imaging.region import Region
from encoder.inference.artifact import Artifact, read_artifact
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.distinctiveness import Cohort
from encoder.scoring.local_descriptors import SHAPE_SIZE, Pieces, choose_pieces
from encoder.scoring.templates import Signatures

# So many canvases stay in a core's cache from layer to layer; 32 take up to half as long again.
BATCH = 4
PLACES = 128  # Rows and columns that a piece's eight bits can name.


class Encoder:
    """One model, loaded: images become signatures to compare. Threads may share it."""

    def __init__(self, artifact: Artifact, threads: int = 1) -> None:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = threads
        options.inter_op_num_threads = 1
        try:
            self._session = onnxruntime.InferenceSession(
                artifact.network, options, providers=["CPUExecutionProvider"]
            )
        except Exception as error:
            raise ArtifactError(
                f"The network of model {artifact.name!r} cannot be run by ONNX Runtime "
                f"{onnxruntime.__version__}."
            ) from error
        self._artifact = artifact
        _require_pieces_fit(self._session, artifact.name)

    @property
    def name(self) -> str:
        """The model's name, for people."""
        return self._artifact.name

    @property
    def model_id(self) -> str:
        """sha256 of network and preparation, hexadecimal: equal ids give equal embeddings."""
        return self._artifact.model_id

    @property
    def dimension(self) -> int:
        """Length of the embeddings."""
        return self._artifact.dimension

    @property
    def index_dimension(self) -> int:
        """How many leading elements of the embeddings an index needs to find candidates."""
        return int(self.manifest.get("index_dimension", self.dimension))

    @property
    def canvas_size(self) -> tuple[int, int]:
        """Height and width of the canvases it takes, px."""
        return self._artifact.canvas_size

    @property
    def rule(self) -> DecisionRule:
        """How its similarities become verdicts."""
        return self._artifact.rule

    def with_rule(self, rule: DecisionRule) -> Self:
        """The same model, already loaded, that decides by another rule."""
        other = copy.copy(self)
        other._artifact = replace(self._artifact, rule=rule)
        return other

    @property
    def cohort(self) -> Cohort | None:
        """Marks that anyone can make, to compare with; None where the model has none."""
        return self._artifact.cohort

    @property
    def knows_pieces(self) -> bool:
        """Whether it describes pieces of strokes besides the vectors."""
        return len(self._session.get_outputs()) > 1

    @property
    def manifest(self) -> Mapping[str, Any]:
        """All that is known of the model."""
        return self._artifact.manifest

    def acquire(
        self, data: bytes, limits: ImageLimits | None = None, region: Region | None = None
    ) -> Acquisition:
        """Read and prepare one image, or a region of it, for this model.

        Raises:
            ImageError: the file cannot be read, is over the limits, or shows no usable signature.
        """
        return acquire(data, self.canvas_size, limits, region)

    def describe(self, canvases: NDArray[np.uint8]) -> Signatures:
        """What the network sees in canvases `(n, height, width)` uint8, 0..255: n signatures.

        Raises:
            ValueError: the canvases are of another size or dtype.
        """
        if canvases.shape[1:] != self.canvas_size:
            raise ValueError(
                f"expected canvases (n, {self.canvas_size[0]}, {self.canvas_size[1]}), "
                f"got {canvases.shape}"
            )
        if canvases.dtype != np.uint8:
            raise ValueError(f"expected uint8 canvases, got {canvases.dtype}")
        return run_network(self._session, canvases)


def run_network(session: onnxruntime.InferenceSession, canvases: NDArray[np.uint8]) -> Signatures:
    """What an exported network sees in canvases `(n, height, width)` uint8 of its size.

    Its first output is the vectors, its second, where it has one, the pieces of strokes.
    """
    dimension = session.get_outputs()[0].shape[1]
    vectors = np.empty((len(canvases), dimension), np.float32)
    pieces: list[Pieces] | None = [] if len(session.get_outputs()) > 1 else None
    name = session.get_inputs()[0].name
    for start in range(0, len(canvases), BATCH):
        part = canvases[start : start + BATCH]
        inputs = (part.astype(np.float32) * np.float32(1 / 255))[..., None]
        seen = session.run(None, {name: inputs})
        vectors[start : start + BATCH] = seen[0]
        if pieces is not None:
            pieces += map(choose_pieces, seen[1])
    return Signatures(vectors, None if pieces is None else tuple(pieces))


def _require_pieces_fit(session: onnxruntime.InferenceSession, name: str) -> None:
    """Refuse a network whose pieces cannot be kept: of another form, or at places past 127."""
    for output in session.get_outputs()[1:2]:
        match output.shape:
            case _, rows, columns, size if size == SHAPE_SIZE + 1 and max(rows, columns) <= PLACES:
                continue
        raise ArtifactError(
            f"The network of model {name!r} gives pieces of the form {output.shape}; expected "
            f"(n, rows, columns, {SHAPE_SIZE + 1}), with at most {PLACES} rows and columns. "
            "Export it again."
        )


def load_encoder(folder: Path | None = None, threads: int = 1) -> Encoder:
    """Load a model folder, the shipped one by default.

    Args:
        folder: with `manifest.json` and `network.onnx`.
        threads: for one inference; a server with several worker threads does best with 1.

    Raises:
        ArtifactError: the folder is missing, damaged or foreign.
    """
    return Encoder(read_artifact(folder), threads)
