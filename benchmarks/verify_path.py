"""What a verify request costs on one core, by stage, beside ONNX Runtime alone on the network.

The server has one core to itself; the stages run on the other, in turns with the requests, so that
a slow moment of the machine slows all alike. `python -m benchmarks.verify_path`.
"""

import argparse
import json
import os
import tempfile
import time
from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from urllib3.filepost import encode_multipart_formdata

from benchmarks.running import running_server
from encoder.artifact import read_artifact
from encoder.clean import clean, to_canvas
from encoder.decode import decode
from encoder.model import load_encoder
from encoder.quality import assess
from encoder.synthesis import encode_png, synthetic_writer
from index.migrate import upgrade
from index.registry import Registry
from service.enroll import create_writer
from service.uploads import Upload
from service.verify import verify

SERVER_CORE, OWN_CORE = (os.cpu_count() or 1) - 1, 0
SCAN_PX = (300, 600)  # height, width
REFERENCES = 5
WARM_UP = 20


def main() -> None:
    """Print the table, or its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=500, help="how many to time (500)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {OWN_CORE})
    cv2.setNumThreads(1)
    times = measure(options.requests)
    rows = {name: np.percentile(taken, (50, 99)).round(2).tolist() for name, taken in times.items()}
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| stage | p50 ms | p99 ms |\n|---|---|---|")
    for name, (median, worst) in rows.items():
        print(f"| {name} | {median:.2f} | {worst:.2f} |")
    limit, request = rows["ONNX Runtime alone"][0], rows["request"][0]
    print(f"\nA request takes {request - limit:.2f} ms over the limit of {limit:.2f} ms (p50).")


def measure(requests: int) -> dict[str, NDArray[np.float64]]:
    """Milliseconds `(n,)` of every stage, of the whole request, and of ONNX Runtime alone."""
    writer = synthetic_writer(11)
    scans = [_scan(writer.genuine(n)) for n in range(REFERENCES + 1)]
    with tempfile.TemporaryDirectory() as folder, running_server(core=SERVER_CORE) as server:
        server.create_writer("W1")
        images = [("images", f"{n}.png", scan) for n, scan in enumerate(scans[:-1])]
        server.post("/v1/writers/W1/references", images)
        work = _work(Path(folder), scans)
        body, kind = encode_multipart_formdata([("image", ("probe.png", scans[-1], "image/png"))])
        url = f"{server.url}/v1/writers/W1/verify"
        headers = {"Content-Type": kind}
        work["request"] = lambda: server.http.request("POST", url, body=body, headers=headers)
        taken: dict[str, list[float]] = {name: [] for name in work}
        for number in range(requests + WARM_UP):
            for name, one in work.items():  # In turns, as in a request: with nobody's data at hand.
                milliseconds = _timed(one)
                if number >= WARM_UP:
                    taken[name].append(milliseconds)
    found = {name: np.array(row) for name, row in taken.items()}
    apart = found["decode"] + found["clean"] + found["embed"]
    return {
        "decode": found["decode"],
        "clean": found["clean"],
        "embed": found["embed"],
        "score and record": np.maximum(found["story"] - apart, 0.0),
        "HTTP": np.maximum(found["request"] - found["story"], 0.0),
        "request": found["request"],
        "ONNX Runtime alone": found["limit"],
    }


def _work(folder: Path, scans: list[bytes]) -> dict[str, Callable[[], object]]:
    """What to time, in this process: stages, the story `service.verify.verify`, the limit."""
    artifact = read_artifact()
    encoder = load_encoder()
    url = f"sqlite:///{folder / 'registry.db'}"
    upgrade(url)
    registry = Registry(url)
    registry.register_model(encoder.model_id, encoder.name, encoder.dimension)
    create_writer(
        "W1",
        "",
        [Upload(None, scan) for scan in scans[:-1]],
        encoder=encoder,
        registry=registry,
    )
    probe = Upload(None, scans[-1])
    gray = decode(probe.data).gray
    canvas = encoder.acquire(probe.data).canvas[None]
    inputs = (canvas.astype(np.float32) / 255)[..., None]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(artifact.network, options)
    name = session.get_inputs()[0].name

    def cleaned() -> None:
        found = clean(gray)
        assess(found)
        to_canvas(found.ink, encoder.canvas_size)

    return {
        "decode": lambda: decode(probe.data),
        "clean": cleaned,
        "embed": lambda: encoder.embed(canvas),
        "story": lambda: verify("W1", probe, encoder=encoder, registry=registry),
        "limit": lambda: session.run(None, {name: inputs}),
    }


def _scan(gray: NDArray[np.uint8]) -> bytes:
    scaled = cv2.resize(gray, SCAN_PX[::-1], interpolation=cv2.INTER_AREA)
    return encode_png(np.asarray(scaled, np.uint8))


def _timed(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return (time.perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
