"""A model switched and rolled back under load: failed requests, latencies, and what is answered.

A registry of 10,000 references of invented writers, a server with two processes, and threads that
verify and identify over HTTP without a pause, while `countersign reencode`, `model switch` and
`model rollback` run as they would in operation. `python -m benchmarks.model_switch`.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter, sleep
from typing import Any

import numpy as np
import urllib3

from benchmarks.running import running_server
from encoder.calibration.model_update import OWN_FACTS
from encoder.inference.artifact import (
    KERAS_NETWORK,
    NETWORK,
    SHIPPED,
    read_artifact,
    write_artifact,
)
from encoder.synthesis import encode_png, synthetic_writer
from index.registry.schema_version import upgrade
from service.composition import open_registry, prepare_folders
from service.settings import read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

REFERENCES_EACH = 5
PROBED = 40
QUIET_S = 8.0  # How long each state without a command is watched.
CHANGE_OVER_S = 2.0  # From the end of the command on.
PATIENCE_S = 60.0


@dataclass(frozen=True)
class Asked:
    """One request: when it began, what it took, and what came."""

    start_s: float
    milliseconds: float
    kind: str
    writer_id: str
    failed: str | None
    model_id: str = ""
    verdict: str = ""
    right: bool = False  # A match for verify, the right writer first for identify.


def signature(writer: int, number: int) -> bytes:
    """The PNG of an invented writer's genuine signature."""
    return encode_png(synthetic_writer(writer + 1).genuine(number))


def enroll(data_dir: Path, references: int) -> None:
    """Enroll invented writers straight into a registry; those who are there already stay."""
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(data_dir)})
    prepare_folders(settings)
    upgrade(settings.database_url)
    with (
        open_registry(settings) as (registry, encoder),
        ThreadPoolExecutor(os.cpu_count()) as pool,
    ):

        def one(writer: int) -> None:
            if registry.writers.knows(f"W-{writer}"):
                return
            uploads = [Upload(f"{n}.png", signature(writer, n)) for n in range(REFERENCES_EACH)]
            create_writer(f"W-{writer}", "", uploads, encoder=encoder, registry=registry)

        for _ in pool.map(one, range(references // REFERENCES_EACH)):
            pass


def write_other_model(folder: Path) -> None:
    """The shipped network with its rotation disturbed, exported anew: nearly the same answers."""
    import keras  # noqa: PLC0415  # Not where another model is given.

    from encoder.training.export import to_onnx  # noqa: PLC0415

    network = keras.saving.load_model(SHIPPED / KERAS_NETWORK, compile=False)
    layer = network.get_layer("rotation")
    (kernel,) = layer.get_weights()
    noise = np.random.default_rng(0).standard_normal(kernel.shape).astype(np.float32)
    layer.set_weights([kernel + 0.5 * noise / np.sqrt(len(kernel))])
    facts = {k: v for k, v in read_artifact().manifest.items() if k not in OWN_FACTS}
    write_artifact(folder, {NETWORK: to_onnx(network)}, {**facts, "name": "other"})


class Callers:
    """Threads that ask without a pause; `asked` grows while they do."""

    def __init__(self, url: str, writers: int) -> None:
        self.asked: list[Asked] = []
        chosen = np.random.default_rng(0).choice(writers, min(PROBED, writers), replace=False)
        self._probes = [(f"W-{w}", signature(int(w), REFERENCES_EACH)) for w in chosen]
        self._url, self._http = url, urllib3.PoolManager(maxsize=16, retries=False)

    @contextmanager
    def calling(self, threads: int) -> Iterator[None]:
        """Verify in half of the threads and identify in the others, until the block ends."""
        ended = threading.Event()

        def ask(thread: int) -> None:
            kind = ("verify", "identify")[thread % 2]
            row = thread
            while not ended.is_set():
                self.asked.append(self._ask(kind, *self._probes[row % len(self._probes)]))
                row += 1

        with ThreadPoolExecutor(threads) as pool:
            running = [pool.submit(ask, thread) for thread in range(threads)]
            try:
                yield
            finally:
                ended.set()
            for one in running:
                one.result()

    def _ask(self, kind: str, writer_id: str, image: bytes) -> Asked:
        path = f"/v1/writers/{writer_id}/verify" if kind == "verify" else "/v1/identify"
        start = perf_counter()
        try:
            answer = self._http.request(
                "POST", self._url + path, fields={"image": ("probe.png", image, "image/png")}
            )
        except urllib3.exceptions.HTTPError as error:
            return Asked(start, 0.0, kind, writer_id, type(error).__name__)
        taken = (perf_counter() - start) * 1e3
        if answer.status != 200:
            return Asked(start, taken, kind, writer_id, answer.data.decode()[:300])
        said = json.loads(answer.data)
        best = said.get("candidates") or [{"writer_id": None}]
        right = said["verdict"] == "match" if kind == "verify" else (
            best[0]["writer_id"] == writer_id
        )  # fmt: skip
        return Asked(
            start, taken, kind, writer_id, None, said["model"]["id"], said["verdict"], right
        )


def measure(
    data_dir: Path, model: Path, writers: int, threads: int
) -> tuple[dict[str, list[Asked]], dict[str, Any]]:
    """Switch and roll back under load; all that was asked, by what went on, and the commands' own.

    A phase `X: change-over` is the two seconds after the command X ended; what was asked in the
    rest of the time that commands took is in `X`.
    """
    variables = {"COUNTERSIGN_DATA_DIR": str(data_dir), "COUNTERSIGN_WORKERS": "2"}
    spans: list[tuple[str, float, float]] = []
    said: dict[str, Any] = {}
    with running_server(variables=variables) as server:
        callers = Callers(server.url, writers)
        with callers.calling(threads):
            sleep(QUIET_S / 2)  # Until everything is warm.
            _watch("before", spans)
            commands = {
                "reencode": ("reencode", "--model", str(model)),
                "switch": ("model", "switch", "other"),
                "rollback": ("model", "rollback"),
            }
            for name, arguments in commands.items():
                start = perf_counter()
                answer = _run(data_dir, *arguments)
                end = perf_counter()
                said[name] = {"seconds": round(end - start, 2), **answer}
                spans.append((name, start, end))
                if name != "reencode":
                    sleep(CHANGE_OVER_S)
                    spans.append((f"{name}: change-over", end, end + CHANGE_OVER_S))
                    said[name]["changed_over_s"] = _changed(callers, answer["active"]["id"], end)
                _watch(f"after {name}", spans)
    asked = {
        phase: [one for one in callers.asked if start <= one.start_s < end]
        for phase, start, end in spans
    }
    said["failed"] = [one.failed for one in callers.asked if one.failed]
    said["requests"] = len(callers.asked)
    return asked, said


def _watch(phase: str, spans: list[tuple[str, float, float]]) -> None:
    start = perf_counter()
    sleep(QUIET_S)
    spans.append((phase, start, perf_counter()))


def _changed(callers: Callers, model_id: str, end: float) -> float:
    """Seconds from the command's end until the last answer of the model from before began."""
    give_up_at = perf_counter() + PATIENCE_S
    while any(one.model_id != model_id for one in callers.asked[-50:]):
        if perf_counter() > give_up_at:
            raise RuntimeError(f"the server did not change over within {PATIENCE_S:.0f} s")
        sleep(0.05)
    late = [one.start_s for one in callers.asked if one.model_id not in {model_id, ""}]
    return round(max(0.0, max(late) - end), 3)


def _run(data_dir: Path, *arguments: str) -> dict[str, Any]:
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *arguments, "--json"],
        env={**os.environ, "COUNTERSIGN_DATA_DIR": str(data_dir)},
        stdout=subprocess.PIPE,
        check=True,
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    return answer


def rows(asked: dict[str, list[Asked]]) -> list[dict[str, Any]]:
    """For each phase and kind: requests, failures, latencies, share of right answers, models."""
    made = []
    for phase, requests in asked.items():
        by_kind: dict[str, list[Asked]] = defaultdict(list)
        for one in requests:
            by_kind[one.kind].append(one)
        for kind, some in sorted(by_kind.items(), reverse=True):
            taken = [one.milliseconds for one in some]
            p50, p99, most = np.percentile(taken, (50, 99, 100)).round(1).tolist()
            models = Counter(one.model_id[:8] for one in some)
            right = round(100 * sum(one.right for one in some) / len(some), 1)
            failed = sum(one.failed is not None for one in some)
            made.append(
                {"phase": phase, "kind": kind, "requests": len(some), "failed": failed}
                | {"p50_ms": p50, "p99_ms": p99, "max_ms": most}
                | {"right_percent": right, "models": dict(models)}
            )
    return made


def main(arguments: Sequence[str] | None = None) -> None:
    """Print the table, or all as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--threads", type=int, default=4, help="callers; half of them identify")
    parser.add_argument(
        "--model", type=Path, help="named `other`; made with Keras if there is none"
    )
    parser.add_argument("--folder", type=Path, help="keeps the registry, for another run")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        data_dir, model = folder / "data", options.model or folder / "other"
        if not model.exists():
            write_other_model(model)
        enroll(data_dir, options.references)
        writers = options.references // REFERENCES_EACH
        asked, said = measure(data_dir, model, writers, options.threads)
        compared = _run(data_dir, "model", "compare", read_artifact().model_id[:12], "other")
    table = rows(asked)
    if options.json:
        print(json.dumps({"phases": table, "commands": said, "compared": compared}, indent=1))
        return
    names = list(table[0])
    print(f"| {' | '.join(names)} |\n|{'---|' * len(names)}")
    for row in table:
        print(f"| {' | '.join(str(value) for value in row.values())} |")
    print(json.dumps({"commands": said, "compared": compared}, indent=1))
    if said["failed"]:
        raise SystemExit(f"{len(said['failed'])} of {said['requests']} requests failed.")


if __name__ == "__main__":
    main()
