"""What a verify request costs on one core, by stage, beside ONNX Runtime alone on the network.

The server has one core to itself and tells in each answer how long its stages took
(`timed_server`); requests come over one kept-alive connection, each with a boundary of its own as
programs send it, in turns with ONNX Runtime alone on the other core, so that a slow moment of the
machine slows all alike. `python -m benchmarks.verify_path`.
"""

import argparse
import contextlib
import json
import os
from collections.abc import Callable
from time import perf_counter

import cv2
import numpy as np
import onnxruntime
from numpy.typing import NDArray
from urllib3.filepost import encode_multipart_formdata

from benchmarks.running import Answer, BareConnection, Server, running_server
from benchmarks.timed_server import HEADER
from encoder.inference.artifact import read_artifact
from encoder.inference.encoder import load_encoder
from encoder.synthesis import encode_png, synthetic_writer

SERVER_CORE, OWN_CORE = (os.cpu_count() or 1) - 1, 0
SCAN_PX = (300, 600)  # height, width
SIGNATURES = (0, 1, 2, 3, 5, 4)  # Of one writer: five references, and last the query signature.
WARM_UP = 20
# CEDAR's scans have 0.19 bytes a pixel (35 kB each), for their paper is smoother than a synthetic
# one's. The paper of the first scan is smoothed to that density; the other stays as it was drawn.
SCANS = {"smooth paper": 6.0, "noisy paper": 0.0}  # Strength of the smoothing, in grey levels.

Times = dict[str, list[float]]


def main() -> None:
    """Print the table, or its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=500, help="how many of each to time (500)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {OWN_CORE})
    cv2.setNumThreads(1)
    scans = {name: _scans(strength) for name, strength in SCANS.items()}
    sizes = {name: len(drawn[-1]) for name, drawn in scans.items()}
    times = measure(scans, options.requests)
    rows = {
        stage: {
            name: np.percentile(times[name][stage], (50, 99)).round(3).tolist() for name in scans
        }
        for stage in times[next(iter(scans))]
    }
    if options.json:
        print(json.dumps({"scan_bytes": sizes, "milliseconds_p50_p99": rows}, indent=1))
        return
    _print_table(rows, sizes)


def measure(scans: dict[str, list[bytes]], requests: int) -> dict[str, Times]:
    """Milliseconds of every stage, of the whole request, and of ONNX Runtime alone, by scan.

    `scans` are a writer's references and, as the last, the query signature. Stages of one request
    add up to it; each percentile is of a stage by itself.
    """
    with (
        running_server(core=SERVER_CORE, program="benchmarks.timed_server") as server,
        contextlib.closing(BareConnection(server.url)) as connection,
    ):
        paths = {name: _enroll(server, number, scans[name]) for number, name in enumerate(scans)}
        alone = {name: _network_alone(scans[name][-1]) for name in scans}
        taken: dict[str, Times] = {name: {} for name in scans}
        for number in range(requests + WARM_UP):
            for name, path in paths.items():
                body, kind = encode_multipart_formdata(
                    {"image": ("probe.png", scans[name][-1], "image/png")}
                )
                stages = _stages(connection.post(path, body, kind))
                stages["ONNX Runtime alone"] = _timed(alone[name])
                if number >= WARM_UP:
                    for stage, milliseconds in stages.items():
                        taken[name].setdefault(stage, []).append(milliseconds)
    return taken


def _stages(answer: Answer) -> dict[str, float]:
    """Split a request's time by the stages that the server told."""
    if answer.status != 200:
        raise RuntimeError(f"expected a verification, got {answer.status}: {answer.body.decode()}")
    told = {}
    for one in answer.headers[HEADER.lower()].split(", "):
        name, _, milliseconds = one.partition(";dur=")
        told[name] = float(milliseconds)
    return {
        "decode": told["decode"],
        "clean": told["acquire"] - told["decode"],
        "embed: ONNX Runtime": told["run"],
        "embed: the rest": told["describe"] - told["run"],
        "score and record": told["verify"] - told["acquire"] - told["describe"] - told["do_commit"],
        "commit to disk": told["do_commit"],
        "HTTP: the application": told["application"] - told["verify"],
        "HTTP: the connection": answer.milliseconds - told["application"],
        "the request": answer.milliseconds,
    }


def _enroll(server: Server, number: int, scans: list[bytes]) -> str:
    """Create a writer with all scans but the last; the address to verify at."""
    server.create_writer(f"W{number}")
    images = [("images", f"{n}.png", scan) for n, scan in enumerate(scans[:-1])]
    server.post(f"/v1/writers/W{number}/references", images)
    return f"/v1/writers/W{number}/verify"


def _network_alone(scan: bytes) -> Callable[[], object]:
    """The limit: the network on this scan, prepared once, with one thread."""
    canvas = load_encoder().acquire(scan).canvas[None]
    inputs = (canvas.astype(np.float32) / 255)[..., None]
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(read_artifact().network, options)
    name = session.get_inputs()[0].name
    return lambda: session.run(None, {name: inputs})


def _scans(smoothing: float) -> list[bytes]:
    """PNGs of one writer's signatures: the references, and last the query signature."""
    writer = synthetic_writer(11)
    return [scan_png(writer.genuine(n), smoothing) for n in SIGNATURES]


def scan_png(gray: NDArray[np.uint8], smoothing: float) -> bytes:
    """A drawn signature as the PNG of a scan of SCAN_PX, its paper smoothed to a density."""
    scaled = cv2.resize(gray, SCAN_PX[::-1], interpolation=cv2.INTER_AREA)
    if smoothing:
        scaled = cv2.fastNlMeansDenoising(scaled, None, smoothing)
    return encode_png(np.asarray(scaled, np.uint8))


def _print_table(rows: dict[str, dict[str, list[float]]], sizes: dict[str, int]) -> None:
    heads = [
        f"{name}, {size / 1000:.0f} kB: {p}"
        for name, size in sizes.items()
        for p in ("p50 ms", "p99 ms")
    ]
    print(f"| stage | {' | '.join(heads)} |\n|---|{'---|' * len(heads)}")
    for stage, row in rows.items():
        print(
            f"| {stage} | {' | '.join(f'{number:.2f}' for name in sizes for number in row[name])} |"
        )
    for name, size in sizes.items():
        over = rows["the request"][name][0] - rows["ONNX Runtime alone"][name][0]
        density = size / (SCAN_PX[0] * SCAN_PX[1])
        print(
            f"\n{name} ({size:,} bytes, {density:.3f} a pixel): {over:.2f} ms over the limit, "
            f"{rows['commit to disk'][name][0]:.2f} ms of it the wait for the disk (p50)."
        )


def _timed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return (perf_counter() - start) * 1e3


if __name__ == "__main__":
    main()
