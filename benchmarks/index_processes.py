"""How soon the processes of one host have an index of lists from a snapshot, and in what memory.

All load the same snapshot, one after the other, and search; those before stay. What loading and
searching added to a process is its own, or shared with another process. Linux only.
`python -m benchmarks.index_processes`.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from benchmarks.memory import private_and_shared_bytes
from benchmarks.signature_like import gallery
from index.ivf.build import POINTS_PER_LIST, lists_for, untuned
from index.ivf.recall_probes import NEAREST
from index.ivf.search_params import SearchParams, Tuned
from index.registry.change_log import START
from index.sync.rebuild_policy import KINDS
from index.sync.snapshot import Origin, SnapshotFolder
from service.decisions.identify import neighbours_fetched

FETCHED = neighbours_fetched()  # As many near references as an identification asks for.

_ORIGIN = Origin("of a benchmark", "none", 128)
_BATCH = 20_000
_PROBES = 2000
_CANDIDATES = 512
_TOLD = ("private_bytes_per_reference", "shared_bytes_per_reference")


def save(size: int, folder: Path) -> None:
    """Make an index of so many and save it; it looks into a third of its lists."""
    vectors, probes = gallery(size, seed=1, probes=_PROBES)
    lists = lists_for(len(vectors))
    drawn = np.random.default_rng(0).permutation(len(vectors))[: lists * POINTS_PER_LIST]
    index = untuned(vectors[drawn], lists)
    for start in range(0, len(vectors), _BATCH):
        ids = np.arange(start, min(start + _BATCH, len(vectors)))
        index.add(ids, vectors[ids])
    params = SearchParams.at_once(lists // 3, _CANDIDATES, NEAREST)
    index.tuned = Tuned(params, 1.0, 1.0, len(vectors))  # As it were: nothing is measured.
    snapshots = SnapshotFolder(folder)
    with snapshots.locked():
        snapshots.save(index.compacted(), _ORIGIN, START)
    np.save(folder / "probes.npy", probes)


def one(folder: Path) -> None:
    """Load the snapshot and search; say what that took, and again what is held, when asked to."""
    probes = np.load(folder / "probes.npy")
    before, start = private_and_shared_bytes(), perf_counter()
    index = SnapshotFolder(folder).load(KINDS, _ORIGIN)[0]
    ready = perf_counter() - start
    for row in range(len(probes)):
        index.search(probes[row : row + 1], FETCHED)
    print(ready, flush=True)
    for _ in sys.stdin:
        added = np.subtract(private_and_shared_bytes(), before) / index.size()
        print(json.dumps(added.tolist()), flush=True)


def measure(folder: Path, most: int) -> None:
    """Start one process after the other, and print what each number of them holds."""
    command = [sys.executable, "-m", "benchmarks.index_processes", "--one", str(folder)]
    pipe = subprocess.PIPE
    processes: list[Any] = []  # A process's streams may be None, for all that mypy knows.

    def answer(process: Any) -> Any:
        return json.loads(process.stdout.readline())

    try:
        for count in range(1, most + 1):
            processes.append(subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True))
            row = {"processes": count, "ready_s": round(answer(processes[-1]), 3)}
            added = []
            for process in processes:
                process.stdin.write("\n")
                process.stdin.flush()
                added.append(answer(process))
            row |= zip(_TOLD, np.mean(added, axis=0).round(1).tolist(), strict=True)
            print(json.dumps(row), flush=True)
    finally:
        for process in processes:
            process.communicate()


def main() -> None:
    """Make the index, then measure; prints a line for each number of processes."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--size", type=int, default=1_000_000, help="references")
    parser.add_argument("--processes", type=int, default=4, help="at most")
    parser.add_argument("--one", type=Path, help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        one(given.one)
        return
    with tempfile.TemporaryDirectory() as folder:
        save(given.size, Path(folder))
        measure(Path(folder), given.processes)


if __name__ == "__main__":
    main()
