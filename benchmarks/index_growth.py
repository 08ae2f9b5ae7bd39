"""A gallery that grows past the size where its index changes, while four threads search it.

A registry of 199,000 references of signature-like vectors gets 2,000 more, ten at a time, through
the registry as enrollment does it. Threads search without a pause; their slowest searches are
reported apart for the time before, for a control in which a new index is made and thrown away, for
the time while it is made in earnest, and around the change-over. What the change-over costs is what
the last has over the control: both have the same work beside the same searches.
`python -m benchmarks.index_growth`.
"""

import argparse
import hashlib
import json
import tempfile
import threading
from pathlib import Path
from time import monotonic, perf_counter, sleep
from typing import Any

import numpy as np
from numpy.typing import NDArray

from benchmarks.signature_like import gallery
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.sync.local_gallery import LocalGallery
from index.sync.rebuild_policy import build
from index.vectors.vector_index import RecallTarget
from service.decisions.identify import neighbours_fetched

FETCHED = neighbours_fetched()  # As many near references as an identification asks for.

MODEL = "a" * 64
AT_ONCE, WRITER_SIZE = 10, 1000
TARGET = RecallTarget(FETCHED)
AROUND_S = 1.0
CALM_S = 5.0
CHANGE_WAIT_S = 900.0


class Searcher(threading.Thread):
    """Searches until told to stop, and keeps when each search began and how long it took."""

    def __init__(
        self, opened: LocalGallery, probes: NDArray[np.float32], stop: threading.Event
    ) -> None:
        super().__init__()
        self.times: list[tuple[float, float]] = []
        self.failed = 0
        self._gallery, self._probes, self._stop_asked = opened, probes, stop

    def run(self) -> None:
        """Search; an answer that is not whole counts as failed, an error ends the thread."""
        row = 0
        while not self._stop_asked.is_set():
            start = perf_counter()
            self.failed += 1  # Taken back below; stays where the search raises.
            found = self._gallery.search(self._probes[row : row + 1], FETCHED)[0]
            self.times.append((start, perf_counter() - start))
            self.failed -= len(found) == FETCHED
            row = (row + 1) % len(self._probes)


def measure(folder: Path, start_size: int, end_size: int, threads: int) -> dict[str, Any]:
    """Grow a gallery from one size to the other and report the latencies, ms."""
    vectors, probes = gallery(end_size, seed=1, probes=500)
    url = f"sqlite:///{folder / 'registry.db'}"
    upgrade(url)
    registry = Registry(url)
    registry.models.register(MODEL, "benchmark", vectors.shape[1])
    for start in range(0, start_size, WRITER_SIZE):
        _enroll(registry, start, vectors[start : min(start + WRITER_SIZE, start_size)])
    opened = LocalGallery(
        registry, MODEL, vectors.shape[1], folder / "snapshots", start_size + 1000, TARGET
    )
    opened.open()
    stop = threading.Event()
    searchers = [Searcher(opened, np.roll(probes, 100 * n, 0), stop) for n in range(threads)]
    for searcher in searchers:
        searcher.start()
    sleep(CALM_S)
    marks = {"control": perf_counter()}
    maker = threading.Thread(
        target=build, args=(registry, MODEL, vectors.shape[1], start_size, TARGET)
    )
    maker.start()
    maker.join()
    marks["growing"] = perf_counter()
    enrolling = _grow(registry, vectors, start_size)
    marks |= _wait_for_change(opened)
    sleep(CALM_S)
    stop.set()
    for searcher in searchers:
        searcher.join()
    clean = opened.check().clean
    report = {
        "failed_searches": sum(searcher.failed for searcher in searchers),
        "clean": clean,
        "kind": opened.stats()["kind"],
        "recall": opened.stats()["recall"],
        "making_the_index_s": marks["changed"] - marks["growing"],
        "enroll_p50_ms": float(np.median(enrolling) * 1000),
        **_by_phase([one for searcher in searchers for one in searcher.times], marks),
    }
    opened.close()
    registry.close()
    return report


def _enroll(registry: Registry, first: int, vectors: NDArray[np.float32]) -> None:
    references = []
    for number, vector in enumerate(vectors, first):
        image = str(number).encode()
        sha256 = hashlib.sha256(image).hexdigest()
        references.append(NewReference(image, "image/png", image, sha256, {}, vector))
    registry.writers.create(f"W-{first}", "", MODEL, references)


def _grow(registry: Registry, vectors: NDArray[np.float32], start_size: int) -> list[float]:
    times = []
    for first in range(start_size, len(vectors), AT_ONCE):
        start = perf_counter()
        _enroll(registry, first, vectors[first : first + AT_ONCE])
        times.append(perf_counter() - start)
        sleep(0.01)
    return times


def _wait_for_change(opened: LocalGallery) -> dict[str, float]:
    give_up_at = monotonic() + CHANGE_WAIT_S
    while opened.stats()["kind"] == "flat":
        if monotonic() > give_up_at:
            raise TimeoutError(f"The index did not change within {CHANGE_WAIT_S:.0f} s.")
        sleep(0.002)
    return {"changed": perf_counter()}


def _by_phase(times: list[tuple[float, float]], marks: dict[str, float]) -> dict[str, Any]:
    begun, took = (np.array(column) for column in zip(*times, strict=True))
    took *= 1000
    changed = marks["changed"]
    phases = {
        "before": begun < marks["control"],
        "control": (begun >= marks["control"]) & (begun < marks["growing"]),
        "while_it_is_made": (begun >= marks["growing"]) & (begun < changed - AROUND_S),
        "around_the_change": np.abs(begun - changed) <= AROUND_S,
        "after": begun > changed + AROUND_S,
    }
    return {
        name: {
            "searches": int(chosen.sum()),
            **dict(
                zip(
                    ("p50_ms", "p99_ms", "most_ms"),
                    np.percentile(took[chosen], (50, 99, 100)).round(3).tolist(),
                    strict=True,
                )
            ),
        }
        for name, chosen in phases.items()
    }


def main() -> None:
    """Print the report as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--from", dest="start", type=int, default=199_000)
    parser.add_argument("--to", dest="end", type=int, default=201_000)
    parser.add_argument("--threads", type=int, default=4)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        report = measure(Path(folder), options.start, options.end, options.threads)
    print(json.dumps(report, indent=1))


if __name__ == "__main__":
    main()
