"""Writes the networks whose cost `encoder_cost` measures, each in every form in which it runs.

The shipped one is read from its model folder; the notebook's and one of SigNet's size are built
with random weights, since what a weight is does not change what it costs. Loads Keras.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras
import numpy as np
import onnxruntime
from keras import layers
from numpy.typing import NDArray
from onnxruntime.quantization import (
    CalibrationDataReader,
    QuantFormat,
    QuantType,
    quant_pre_process,
    quantize_static,
)

from encoder.imaging.acquire import acquire
from encoder.inference.artifact import read_artifact
from encoder.networks.notebook_network import notebook_base_network
from encoder.synthesis import encode_png, synthetic_writer
from encoder.training.export import to_onnx

SIGNET_CANVAS = (150, 220)
FIRST_WRITER = 30_000
SIGNATURES_EACH = 4


@dataclass(frozen=True)
class CostedNetwork:
    """One network in one form: the file to run, and the canvases `(n, h, w, 1)` for it.

    Attributes:
        fp32: the same network unquantised, where this one is quantised.
    """

    name: str
    path: Path
    inputs: Path
    fp32: Path | None = None


def write_networks(folder: Path, writers: int) -> list[CostedNetwork]:
    """Write all networks, and canvases of so many synthetic writers to run them on."""
    shipped = read_artifact()
    (folder / "shipped.onnx").write_bytes(shipped.network)
    sizes = {"shipped": shipped.canvas_size}
    for name, network in (
        ("notebook", notebook_base_network()),
        ("SigNet-sized", signet_sized_network()),
    ):
        (folder / f"{name}.onnx").write_bytes(to_onnx(network))
        network.save(folder / f"{name}.keras")
        sizes[name] = network.input_shape[1:3]
    made = []
    for name, size in sizes.items():
        inputs = folder / f"{name}.npy"
        np.save(inputs, synthetic_canvases(size, writers))
        plain = folder / f"{name}.onnx"
        made.append(CostedNetwork(f"{name}, ONNX Runtime fp32", plain, inputs))
        made.append(
            CostedNetwork(f"{name}, ONNX Runtime int8", quantised(plain, inputs), inputs, plain)
        )
    made.insert(
        2,
        CostedNetwork(
            "shipped, ONNX Runtime, dense layers int8",
            quantised(folder / "shipped.onnx", folder / "shipped.npy", dense_only=True),
            folder / "shipped.npy",
            folder / "shipped.onnx",
        ),
    )
    keras_form = CostedNetwork(
        "notebook, Keras predict", folder / "notebook.keras", folder / "notebook.npy"
    )
    return [*made, keras_form]


def signet_sized_network(canvas_size: tuple[int, int] = SIGNET_CANVAS) -> Any:
    """A network of the shape of SigNet (Hafemann, Sabourin and Oliveira 2017), untrained.

    Returns:
        A `keras.Model` of 15.8 million parameters that gives `(n, 2048)`.
    """
    inputs = keras.Input((*canvas_size, 1), name="canvas")
    x = _convolved(inputs, 96, 11, strides=4, padding="valid")
    x = layers.MaxPooling2D(3, 2)(x)
    x = layers.MaxPooling2D(3, 2)(_convolved(x, 256, 5))
    for width in (384, 384, 256):
        x = _convolved(x, width, 3)
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    for _ in range(2):
        x = layers.Dense(2048, use_bias=False)(x)
        x = layers.Activation("relu")(layers.BatchNormalization()(x))
    return keras.Model(inputs, x, name="signet_sized_network")


def synthetic_canvases(size: tuple[int, int], writers: int) -> NDArray[np.float32]:
    """Four signatures each of people who never were, `(4 * writers, h, w, 1)` float32 0 to 1."""
    canvases = [
        acquire(encode_png(writer.genuine(number)), size).canvas
        for writer in map(synthetic_writer, range(FIRST_WRITER, FIRST_WRITER + writers))
        for number in range(SIGNATURES_EACH)
    ]
    return (np.stack(canvases).astype(np.float32) / np.float32(255))[..., None]


def quantised(network: Path, inputs: Path, *, dense_only: bool = False) -> Path:
    """Write a network as static int8 (QDQ), calibrated on the first half of its canvases.

    Args:
        network: the ONNX file.
        inputs: the `.npy` file of canvases.
        dense_only: quantise products with learned weights alone, all else staying float32.
    """
    prepared = network.with_suffix(".prepared.onnx")
    quant_pre_process(network, prepared, skip_symbolic_shape=True)
    written = network.with_suffix(".dense.onnx" if dense_only else ".int8.onnx")
    canvases = np.load(inputs)
    quantize_static(
        prepared,
        written,
        _Calibration(_input_name(network), canvases[: len(canvases) // 2]),
        quant_format=QuantFormat.QDQ,
        per_channel=True,
        activation_type=QuantType.QUInt8,
        weight_type=QuantType.QInt8,
        op_types_to_quantize=["MatMul", "Gemm"] if dense_only else None,
        extra_options={"MatMulConstBOnly": dense_only},
    )
    return written


def similarity_changes(network: CostedNetwork) -> NDArray[np.float64]:
    """How far each similarity (cosine) between the canvases not calibrated on is from fp32's."""
    canvases = np.load(network.inputs)
    canvases = canvases[len(canvases) // 2 :]
    pairs = np.triu_indices(len(canvases), 1)
    now, before = (
        _similarities(path, canvases)[pairs] for path in (network.path, network.fp32) if path
    )
    return np.abs(now - before)


def _similarities(network: Path, canvases: NDArray[np.float32]) -> NDArray[np.float64]:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    name = session.get_inputs()[0].name
    vectors = np.concatenate(
        [session.run(None, {name: canvases[n : n + 1]})[0] for n in range(len(canvases))]
    ).astype(np.float64)
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return np.asarray(vectors @ vectors.T)


def _convolved(x: Any, width: int, size: int, strides: int = 1, padding: str = "same") -> Any:
    x = layers.Conv2D(width, size, strides=strides, padding=padding, use_bias=False)(x)
    return layers.Activation("relu")(layers.BatchNormalization()(x))


def _input_name(network: Path) -> str:
    session = onnxruntime.InferenceSession(network, providers=["CPUExecutionProvider"])
    return str(session.get_inputs()[0].name)


class _Calibration(CalibrationDataReader):  # type: ignore[misc]
    """Gives the canvases one by one."""

    def __init__(self, name: str, canvases: NDArray[np.float32]) -> None:
        self._batches: Iterator[dict[str, NDArray[np.float32]]] = (
            {name: canvas[None]} for canvas in canvases
        )

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._batches, None)
