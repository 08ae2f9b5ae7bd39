"""How near a bulk import comes to what the encoder alone can do with the same images.

In turns, on all cores: (a) decode, clean and embed the images, which lie in memory, kept nowhere;
(b) `import_images` of the same images from a folder, into a new SQLite registry on disk, with all
that a reference needs besides: reading, hash, preview, rows, log, commits. A round's ratio is (b)'s
rate by the mean of the (a) before and after it, so that a slow moment of the machine weighs on
both. The processor's time is compared apart: it knows nothing of the disk, nor of other programs.
`--processes` also measures (a) in processes. `python -m benchmarks.bulk_import`.
"""

import argparse
import json
import os
import tempfile
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Executor, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing, contextmanager
from pathlib import Path
from time import perf_counter, process_time
from typing import Any, NamedTuple

import numpy as np

from benchmarks.verify_path import SCANS, scan_png
from encoder.inference.encoder import Encoder, load_encoder
from encoder.synthesis import synthetic_writer
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.sync.local_gallery import LocalGallery
from index.vectors.vector_index import RecallTarget
from service.decisions.identify import neighbours_fetched
from service.transfer.importing import PIECE, Imported, import_images
from service.transfer.review import review
from service.transfer.sources import open_source
from service.writers.remarks import Enrolled

EACH = 10  # Images of a writer.
IVF_FROM = 200_000


class Rate(NamedTuple):
    """Images a second of the clock, and a second of processor time."""

    per_s: float
    per_processor_s: float


SMOOTHING = SCANS["smooth paper"]


def measure(images: Sequence[bytes], rounds: int, processes: bool) -> dict[str, Any]:
    """Images a second of both sides by round, and the rounds' ratios."""
    encoder = load_encoder()
    cores = len(os.sched_getaffinity(0))
    alone: list[Rate] = []
    imported: list[Rate] = []
    reviewed: list[Rate] = []
    forked: list[Rate] = []
    with tempfile.TemporaryDirectory() as folder, ThreadPoolExecutor(cores) as threads:
        source = Path(folder) / "scans"
        _write(images, source)
        with _processes(cores, processes) as others:
            for number in range(rounds + 1):
                alone.append(_alone(images, threads, encoder))
                if others:
                    forked.append(_alone(images, others, None))
                once = _import(source, Path(folder) / f"{number}.db", encoder)
                imported.append(once[0])
                reviewed.append(once[1])
            alone.append(_alone(images, threads, encoder))
    # The first round warms caches and libraries up, and does not count.
    before, after = np.array(alone[1:-1]), np.array(alone[2:])
    ratios = np.array(imported[1:]) / ((before + after) / 2)
    result = {
        "images": len(images),
        "bytes_each": round(float(np.mean([len(one) for one in images]))),
        "cores": cores,
        "alone_per_s": [one.per_s for one in alone[1:]],
        "imported_per_s": [one.per_s for one in imported[1:]],
        "reviewed_per_s": [one.per_s for one in reviewed[1:]],
        "review_share": [
            1 / (1 + other.per_processor_s / one.per_processor_s)
            for one, other in zip(imported[1:], reviewed[1:], strict=True)
        ],
        "ratio": ratios[:, 0].tolist(),
        "processor_ratio": ratios[:, 1].tolist(),
    }
    if forked:
        result["alone_in_processes_per_s"] = [one.per_s for one in forked[1:]]
    return result


def _write(images: Sequence[bytes], folder: Path) -> None:
    for number, image in enumerate(images):
        writer = folder / f"W-{number // EACH:04d}"
        writer.mkdir(parents=True, exist_ok=True)
        (writer / f"{number % EACH}.png").write_bytes(image)


@contextmanager
def _processes(count: int, wanted: bool) -> Iterator[Executor | None]:
    if not wanted:
        yield None
        return
    with ProcessPoolExecutor(count, initializer=_load) as pool:
        yield pool


_own: list[Encoder] = []  # A process's encoder: a session cannot be sent to it.


def _load() -> None:
    _own.append(load_encoder())


def _alone(images: Sequence[bytes], pool: Executor, encoder: Encoder | None) -> Rate:
    """The encoder alone on all cores."""
    pieces = [images[start : start + PIECE] for start in range(0, len(images), PIECE)]
    with _timed(len(images)) as rate:
        done = sum(pool.map(_embed, pieces, [encoder] * len(pieces)))
    if done != len(images):
        raise RuntimeError(f"expected {len(images)} embeddings, {done} were made")
    return rate()


def _embed(images: Sequence[bytes], encoder: Encoder | None) -> int:
    used = encoder or _own[0]
    canvases = [used.acquire(one).canvas for one in images]
    return len(used.describe(np.stack(canvases)))


def _import(source: Path, database: Path, encoder: Encoder) -> tuple[Rate, Rate]:
    """An import into a new registry, from listing the folder to the last commit; and its review."""
    url = f"sqlite:///{database}"
    upgrade(url)
    with closing(Registry(url)) as registry:
        registry.models.register(encoder.model_id, encoder.name, encoder.dimension)
        count = sum(1 for _ in source.rglob("*.png"))
        with _timed(count) as rate, open_source(source) as found:
            batches = list(import_images(found.images, encoder=encoder, registry=registry))
        enrolled = sum(batch.enrolled for batch in batches)
        if enrolled != count:
            raise RuntimeError(f"expected {count} references, {enrolled} were enrolled")
        with _timed(count) as reviewed:
            references = [one for batch in batches for one in batch.references]
            _review(references, registry, encoder, database.with_suffix(""))
    return rate(), reviewed()


def _review(
    references: Sequence[Imported], registry: Registry, encoder: Encoder, snapshots: Path
) -> None:
    """Compare with everybody's references, from building the index on."""
    snapshots.mkdir()
    target = RecallTarget(fetched=neighbours_fetched())
    gallery = LocalGallery(
        registry, encoder.model_id, encoder.index_dimension, snapshots, IVF_FROM, target
    )
    with closing(gallery):
        gallery.open()
        looked_at = sum(
            one.files for one in review(references, Enrolled(encoder, registry, gallery))
        )
    if looked_at != len(references):
        raise RuntimeError(f"expected {len(references)} to be compared, {looked_at} were")


@contextmanager
def _timed(images: int) -> Iterator[Callable[[], Rate]]:
    """Time what is done inside; ask for the rate when it is done."""
    start, busy = perf_counter(), process_time()
    rates: list[Rate] = []
    yield lambda: rates[0]
    rates.append(Rate(images / (perf_counter() - start), images / (process_time() - busy)))


def scans(count: int) -> list[bytes]:
    """Scans of invented writers, EACH of every one, as dense as real ones."""
    return [
        scan_png(synthetic_writer(1000 + number // EACH).genuine(number % EACH), SMOOTHING)
        for number in range(count)
    ]


def main() -> None:
    """Print the ratio with its spread, or all numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--images", type=int, default=1600)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--processes", action="store_true")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    result = measure(scans(options.images), options.rounds, options.processes)
    if options.json:
        print(json.dumps(result, indent=1))
        return
    print(f"{result['images']} images of {result['bytes_each']} bytes, {result['cores']} cores")
    for name in (
        "alone_per_s",
        "alone_in_processes_per_s",
        "imported_per_s",
        "reviewed_per_s",
        "review_share",
        "ratio",
        "processor_ratio",
    ):
        if name in result:
            low, middle, high = np.percentile(result[name], (0, 50, 100))
            print(f"{name}: median {middle:.4g}, {low:.4g} to {high:.4g}")


if __name__ == "__main__":
    main()
