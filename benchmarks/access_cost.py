"""What it costs to know who calls: a verification with AUTH=on against one with AUTH=off, paired.

Two servers share one core and take turns, so that a slow moment of the machine slows both alike;
with AUTH=on, a request comes with a key and is counted by both limits. The second row sends an
Idempotency-Key besides, the third asks with the cookie and token of somebody signed in.
`python -m benchmarks.access_cost`.
"""

import argparse
import contextlib
import json
import os
import tempfile
from collections.abc import Iterator
from uuid import uuid4

import cv2
import numpy as np
from urllib3.filepost import encode_multipart_formdata

from benchmarks.running import BareConnection, Server, running_server
from benchmarks.verify_path import SIGNATURES, scan_png
from encoder.synthesis import synthetic_writer
from index.registry.registry import Registry
from service.auth.keys import make_key
from service.auth.people import add_user, begin_session, csrf_token

SERVER_CORE, OWN_CORE = (os.cpu_count() or 1) - 1, 0
WARM_UP = 20
SMOOTHING = 6.0  # As `benchmarks.verify_path` smooths the paper, to the bytes of a usual scan.
PLENTY = "10000000/hour"
PATH = "/v1/writers/W/verify"
WAYS = ("off", "key", "key and Idempotency-Key", "session")


def main() -> None:
    """Print the table, or its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--requests", type=int, default=300, help="how many of each to time (300)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    os.sched_setaffinity(0, {OWN_CORE})
    cv2.setNumThreads(1)
    times = measure(options.requests)
    off = np.array(times["off"])
    rows = {
        way: {
            "p50_ms": float(np.median(taken)),
            "p99_ms": float(np.percentile(taken, 99)),
            "median_of_pairs": float(np.median(np.array(taken) / off)),
        }
        for way, taken in times.items()
    }
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| who calls | p50 ms | p99 ms | against off, median of pairs |\n|---|---|---|---|")
    for way, row in rows.items():
        print(
            f"| {way} | {row['p50_ms']:.2f} | {row['p99_ms']:.2f} | {row['median_of_pairs']:.3f} |"
        )


def measure(requests: int) -> dict[str, list[float]]:
    """Milliseconds of each request, by who calls; the n-th of each were made in a row."""
    scans = [scan_png(synthetic_writer(11).genuine(n), SMOOTHING) for n in SIGNATURES]
    taken: dict[str, list[float]] = {way: [] for way in WAYS}
    with _servers(scans) as (connections, headers):
        for number in range(requests + WARM_UP):
            for way in WAYS:
                body, kind = encode_multipart_formdata({"image": ("p.png", scans[-1], "image/png")})
                more = headers[way]
                if way.endswith("Idempotency-Key"):
                    more = more | {"Idempotency-Key": str(uuid4())}
                answer = connections[way].post(PATH, body, kind, more)
                if answer.status != 200:
                    raise RuntimeError(f"{way}: {answer.status}: {answer.body.decode()[:300]}")
                if number >= WARM_UP:
                    taken[way].append(answer.milliseconds)
    return taken


@contextlib.contextmanager
def _servers(
    scans: list[bytes],
) -> Iterator[tuple[dict[str, BareConnection], dict[str, dict[str, str]]]]:
    """A connection and the headers to send, by who calls."""
    with contextlib.ExitStack() as stack:
        folder = stack.enter_context(tempfile.TemporaryDirectory())
        # Writers are enrolled with AUTH=off; then the same registry is served with AUTH=on.
        data = {"COUNTERSIGN_DATA_DIR": folder}
        with running_server(core=SERVER_CORE, variables=data) as filling:
            _enroll(filling, scans)
        guarded = stack.enter_context(
            running_server(
                core=SERVER_CORE,
                variables={
                    **data,
                    "COUNTERSIGN_AUTH": "on",
                    "COUNTERSIGN_RATE_LIMIT": PLENTY,
                    "COUNTERSIGN_VERIFY_LIMIT": PLENTY,
                },
            )
        )
        trusting = stack.enter_context(running_server(core=SERVER_CORE))
        _enroll(trusting, scans)
        with contextlib.closing(Registry(f"sqlite:///{folder}/registry.db")) as registry:
            _, key = make_key(registry, "benchmark", ["verify"], None, "benchmark")
            add_user(registry, "benchmark", "clerk", "benchmark")
            token = begin_session(registry, "benchmark", "clerk", "", "", None)
        bearer = {"Authorization": f"Bearer {key}"}
        cookie = {"Cookie": f"countersign={token}", "X-CSRF-Token": csrf_token(token)}
        headers = dict(zip(WAYS, ({}, bearer, bearer, cookie), strict=True))
        connections = {
            way: stack.enter_context(
                contextlib.closing(BareConnection((trusting if way == "off" else guarded).url))
            )
            for way in WAYS
        }
        yield connections, headers


def _enroll(server: Server, scans: list[bytes]) -> None:
    server.create_writer("W")
    images = [("images", f"{n}.png", scan) for n, scan in enumerate(scans[:-1])]
    server.post("/v1/writers/W/references", images)


if __name__ == "__main__":
    main()
