"""What an embedding costs: the shipped network, the notebook's and one of SigNet's size.

Each network runs in processes of its own, on one core and on two, as fp32 and as static int8
calibrated on synthetic signatures; the notebook's also as Keras runs it. They take turns, so that a
slow moment of the machine slows all alike: the ratios count. A canvas is prepared beforehand; cold
start is from the start of a fresh process to its first embedding, on one core, and memory what is
resident then. `python -m benchmarks.encoder_cost`.
"""

import argparse
import contextlib
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.costed_networks import CostedNetwork, similarity_changes, write_networks

BATCH = 32
SINGLES_A_ROUND = 10
Process = subprocess.Popen[str]


def main() -> None:
    """Print the table, or its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=30, help="turns of each network (30)")
    parser.add_argument("--starts", type=int, default=5, help="fresh processes of each (5)")
    parser.add_argument("--writers", type=int, default=20, help="synthetic writers (20)")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        networks = write_networks(Path(folder), options.writers)
        result = {
            "load_average_before": os.getloadavg()[0],
            "networks": measure(networks, options.rounds, options.starts),
            "similarity_changes": changes(networks),
        }
    print(json.dumps(result, indent=1)) if options.json else _print_tables(result)


def measure(networks: Sequence[CostedNetwork], rounds: int, starts: int) -> dict[str, Any]:
    """Times, memory and size by network; times by number of cores."""
    rows: dict[str, Any] = {
        network.name: {"file_mb": network.path.stat().st_size / 1e6, "cores": {}}
        for network in networks
    }
    fresh: dict[str, list[tuple[float, float]]] = {network.name: [] for network in networks}
    for _ in track(range(starts), "Starting fresh processes", transient=True):
        for network in networks:
            fresh[network.name].append(_cold_start(network))
    for name, figures in fresh.items():
        rows[name]["cold_start_s"], rows[name]["resident_mib"] = np.median(figures, axis=0).tolist()
    for cores in (1, 2):
        for name, row in _in_turns(networks, cores, rounds).items():
            rows[name]["cores"][str(cores)] = row
    return rows


def changes(networks: Sequence[CostedNetwork]) -> dict[str, dict[str, float]]:
    """How far quantising moves similarities between synthetic signatures, by quantised network."""
    found = {}
    for network in networks:
        if network.fp32:
            moved = similarity_changes(network)
            found[network.name] = {"median": float(np.median(moved)), "worst": float(moved.max())}
    return found


def _in_turns(
    networks: Sequence[CostedNetwork], cores: int, rounds: int
) -> dict[str, dict[str, float]]:
    singles: dict[str, list[float]] = {network.name: [] for network in networks}
    batches: dict[str, list[float]] = {network.name: [] for network in networks}
    with contextlib.ExitStack() as stack:
        processes = {
            network.name: stack.enter_context(_running(network, cores)) for network in networks
        }
        for process in processes.values():
            _answer(process)
            _asked(process, BATCH, 1)
        for _ in track(range(rounds), f"Taking turns, cores: {cores}", transient=True):
            for name, process in processes.items():
                # The first of a turn finds cold caches, and is not counted.
                singles[name] += _asked(process, 1, 1 + SINGLES_A_ROUND)[1:]
                batches[name] += _asked(process, BATCH, 1)
    rows = {}
    for name, taken in singles.items():
        p50, p99 = np.percentile(taken, (50, 99)).tolist()
        rate = BATCH * 1e3 / float(np.median(batches[name]))
        rows[name] = {"ms_p50": p50, "ms_p99": p99, "images_per_s": rate}
    return rows


def _cold_start(network: CostedNetwork) -> tuple[float, float]:
    """Seconds to the first embedding, and MiB resident then."""
    start = perf_counter()
    with _running(network, 1) as process:
        resident_mib = float(_answer(process)["resident_mib"])
        return perf_counter() - start, resident_mib


@contextlib.contextmanager
def _running(network: CostedNetwork, cores: int) -> Iterator[Process]:
    program = [sys.executable, "-m", "benchmarks.network_process"]
    threads = {"TF_NUM_INTRAOP_THREADS": str(cores), "TF_NUM_INTEROP_THREADS": "1"}
    process = subprocess.Popen(
        [*program, str(network.path), str(network.inputs), str(cores)],
        env={**os.environ, **threads, "TF_CPP_MIN_LOG_LEVEL": "3"},
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        cwd=Path(__file__).parents[1],
    )
    # At once: its threads, started later, inherit it.
    os.sched_setaffinity(process.pid, sorted(os.sched_getaffinity(0))[-cores:])
    with process:
        yield process
        process.terminate()


def _asked(process: Process, batch: int, runs: int) -> list[float]:
    """The milliseconds of so many runs on a batch."""
    if process.stdin:
        process.stdin.write(f"{batch} {runs}\n")
        process.stdin.flush()
    return [float(milliseconds) for milliseconds in _answer(process)]


def _answer(process: Process) -> Any:
    line = process.stdout.readline() if process.stdout else ""
    if not line:
        raise RuntimeError(f"{process.args!r} ended with status {process.wait()}")
    return json.loads(line)


def _print_tables(result: dict[str, Any]) -> None:
    heads = ["p50 ms", "p99 ms", "images/s"]
    columns = [f"{head}, {cores}" for cores in ("1 core", "2 cores") for head in heads]
    print(f"| network | {' | '.join(columns)} | cold start | memory | file |")
    print(f"|---|{'---|' * (len(columns) + 3)}")
    for name, row in result["networks"].items():
        cells = [
            f"{cost['ms_p50']:.2f} | {cost['ms_p99']:.2f} | {cost['images_per_s']:.0f}"
            for cost in row["cores"].values()
        ]
        print(
            f"| {name} | {' | '.join(cells)} | {row['cold_start_s']:.2f} s "
            f"| {row['resident_mib']:.0f} MiB | {row['file_mb']:.1f} MB |"
        )
    print(f"\nImages/s are of batches of {BATCH}; load average before: ", end="")
    print(f"{result['load_average_before']:.1f}.\n")
    print("| quantised | median change of a similarity | worst change |\n|---|---|---|")
    for name, moved in result["similarity_changes"].items():
        print(f"| {name} | {moved['median']:.4f} | {moved['worst']:.4f} |")
    print("\nOf the networks with random weights these changes say nothing about accuracy.")


if __name__ == "__main__":
    main()
