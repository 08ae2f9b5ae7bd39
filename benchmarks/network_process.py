"""Runs one network in a process of its own and times it on request, for `encoder_cost`.

Says on standard output, in JSON, how much memory it takes once it has embedded a first canvas; then
answers each line `batch runs` with the milliseconds of that many runs. Loads Keras only to run a
`.keras` file. `python -m benchmarks.network_process NETWORK INPUTS.npy THREADS`.
"""

import importlib
import json
import sys
from collections.abc import Callable
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from numpy.typing import NDArray

Run = Callable[[NDArray[np.float32]], Any]


def main() -> None:
    """Embed once, then as often as is asked."""
    path, threads = Path(sys.argv[1]), int(sys.argv[3])
    inputs = np.load(sys.argv[2])
    run = _keras(path) if path.suffix == ".keras" else _onnx(path, threads)
    run(inputs[:1])
    print(json.dumps({"resident_mib": _resident_mib()}), flush=True)
    for line in sys.stdin:
        batch, runs = map(int, line.split())
        print(json.dumps(_milliseconds(run, inputs, batch, runs)), flush=True)


def _milliseconds(run: Run, inputs: NDArray[np.float32], batch: int, runs: int) -> list[float]:
    taken = []
    for number in range(runs):
        part = np.take(inputs, range(number * batch, (number + 1) * batch), axis=0, mode="wrap")
        start = perf_counter()
        run(part)
        taken.append((perf_counter() - start) * 1e3)
    return taken


def _onnx(path: Path, threads: int) -> Run:
    """The network as `encoder.inference.encoder` runs it."""
    onnxruntime = importlib.import_module("onnxruntime")
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        path.read_bytes(), options, providers=["CPUExecutionProvider"]
    )
    name = session.get_inputs()[0].name
    return lambda canvases: session.run(None, {name: canvases})


def _keras(path: Path) -> Run:
    """`model.predict`, as a notebook would call it."""
    network = importlib.import_module("keras").saving.load_model(path, compile=False)
    return lambda canvases: network.predict(canvases, batch_size=len(canvases), verbose=0)


def _resident_mib() -> float:
    status = Path("/proc/self/status").read_text(encoding="ascii")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


if __name__ == "__main__":
    main()
