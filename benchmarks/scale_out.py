"""What an index that replicas share costs each replica, and how much a reference takes in SQL.

`python -m benchmarks.scale_out` drains references into a process of milvus-lite and searches them
from two galleries, as two replicas would. milvus-lite is no measure of a Milvus server, so what it
spends is told apart: a replica's own is its processor time, and the statements that it waits for.
`--database postgresql+psycopg://user@host/name` names an empty database instead of SQLite, and
`--server milvus+http://host:19530` a Milvus server instead of milvus-lite. Beside it FAISS searches
the same vectors exactly in this process.
"""

import argparse
import json
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import create_engine, text

from encoder.inference.encoder import load_encoder
from encoder.scoring.local_descriptors import PIECE_SIZE
from index.milvus.address import MilvusAddress, read_milvus_url
from index.milvus.recent_changes import SETTLED_S
from index.milvus.shared_gallery import SharedGallery
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.vectors.flat_index import FlatIndex
from index.vectors.unit_vectors import leading
from service.decisions.identify import neighbours_fetched

FETCHED = neighbours_fetched()  # As many near references as an identification asks for.
PER_WRITER = 5
PIECES = np.random.default_rng(0).bytes(120 * PIECE_SIZE)  # As many as a real signature has.
START_TIMEOUT_S = 60.0
KEPT = 20  # How many writers later a writer is erased.


def main() -> None:
    """Measure, and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--references", type=int, default=10_000)
    parser.add_argument("--searches", type=int, default=200)
    parser.add_argument("--database", help="URL of an empty database; SQLite by default")
    parser.add_argument("--server", help="URL of a Milvus server; milvus-lite by default")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        if given.server:
            address = read_milvus_url(given.server)
        else:
            address = stack.enter_context(milvus_lite(Path(folder)))
        url = given.database or f"sqlite:///{folder}/registry.db"
        upgrade(url)
        with closing(Registry(url)) as here, closing(Registry(url)) as there:
            print(json.dumps(measure(url, (here, there), address, given), indent=2))


def measure(
    url: str,
    registries: tuple[Registry, Registry],
    address: MilvusAddress,
    given: argparse.Namespace,
) -> dict[str, Any]:
    """Return the figures; times are medians and 99th percentiles in milliseconds."""
    here = registries[0]
    encoder = load_encoder(None)
    here.models.register(encoder.model_id, encoder.name, encoder.dimension)
    vectors = unit(given.references, encoder.dimension)
    before = database_bytes(url)
    for start in range(0, given.references, PER_WRITER):
        enroll(here, encoder.model_id, f"W-{start}", vectors[start : start + PER_WRITER])
    found: dict[str, Any] = {
        "database": url.partition(":")[0],
        "references": given.references,
        "sql_bytes_per_reference_without_image": round(
            (database_bytes(url) - before) / given.references
        ),
        "vector_bytes_in_index": 4 * encoder.index_dimension,
    }
    both = [
        SharedGallery(one, encoder.model_id, encoder.index_dimension, address) for one in registries
    ]
    with closing(both[0]), closing(both[1]):
        wall, cpu = time.perf_counter(), time.process_time()
        both[0].open()
        cpu, wall = time.process_time() - cpu, time.perf_counter() - wall
        found["fill_references_per_s"] = round(given.references / wall)
        found["fill_replica_cpu_s_per_million"] = round(cpu / given.references * 1e6, 1)
        both[1].open()
        time.sleep(2 * SETTLED_S)
        found |= searches(both[1], vectors, given.searches)
        found["search_ms_faiss"] = spread(faiss_searches(vectors, encoder.index_dimension, given))
        found["search_ms_while_another_enrolls_and_erases"] = spread(
            searches_while_changed(here, both[1], encoder.model_id, given.searches)
        )
        found["up_to_date_check_ms"] = spread(timed(both[1].catch_up, given.searches))
        found["enrolled_here_found_there_ms"] = spread(
            visibility(here, both[1], encoder.model_id, given.searches)
        )
    return found


def searches(gallery: SharedGallery, vectors: NDArray[np.float32], count: int) -> dict[str, Any]:
    """Search for one probe after another, with nothing to wait for."""
    probes = iter(vectors)
    cpu = time.process_time()
    times = timed(lambda: gallery.search(next(probes)[np.newaxis], FETCHED), count)
    cpu = time.process_time() - cpu
    return {"search_ms": spread(times), "search_replica_cpu_ms": cpu / count * 1e3}


def faiss_searches(
    vectors: NDArray[np.float32], dimension: int, given: argparse.Namespace
) -> list[float]:
    """Search the same vectors in this process."""
    index = FlatIndex(dimension)
    part = leading(vectors, dimension)
    index.add(np.arange(1, len(part) + 1), part)
    probes = iter(part)
    return timed(lambda: index.search(next(probes)[np.newaxis], FETCHED), given.searches)


class OtherReplica(threading.Thread):
    """Enrolls ten writers a second, and erases as many."""

    def __init__(self, registry: Registry, model_id: str) -> None:
        super().__init__()
        self.there: dict[int, NDArray[np.float32]] = {}
        self.gone: set[int] = set()
        self.stop = threading.Event()
        self._registry = registry
        self._model_id = model_id

    def run(self) -> None:
        """Change the gallery until it is stopped."""
        dimension = registry_dimension(self._registry, self._model_id)
        for number, vector in enumerate(unit(10_000, dimension, seed=2)):
            if self.stop.wait(0.1):
                return
            enroll(self._registry, self._model_id, f"C-{number}", vector[np.newaxis])
            added = self._registry.references.of_writer(f"C-{number}")[0].reference_id
            self.there[added] = vector
            if number >= KEPT:
                oldest = next(iter(self.there))
                del self.there[oldest]
                self._registry.writers.erase(f"C-{number - KEPT}")
                self.gone.add(oldest)


def searches_while_changed(
    registry: Registry, gallery: SharedGallery, model_id: str, count: int
) -> list[float]:
    """Search for what another replica enrolled last, while it enrolls and erases.

    Raises:
        RuntimeError: what was enrolled was not found first, or what was erased was found; or the
            other replica failed.
    """
    other = OtherReplica(registry, model_id)
    other.start()
    times: list[float] = []
    try:
        while len(times) < count and other.is_alive():
            if other.stop.wait(0.02) or not other.there:
                continue
            erased, (newest, vector) = set(other.gone), list(other.there.items())[-1]
            start = time.perf_counter()
            near = gallery.search(vector[np.newaxis], FETCHED)[0].reference_ids.tolist()
            times.append((time.perf_counter() - start) * 1e3)
            if erased & set(near) or near[0] != newest:
                raise RuntimeError("What was enrolled was not found, or what was erased was.")
    finally:
        other.stop.set()
        other.join()
    if len(times) < count:
        raise RuntimeError("The other replica no longer changes anything.")
    return times


def visibility(
    registry: Registry, gallery: SharedGallery, model_id: str, count: int
) -> list[float]:
    """Enroll through one replica's registry, and search at once in the other's index."""
    times = []
    for number, vector in enumerate(unit(count, registry_dimension(registry, model_id), seed=1)):
        enroll(registry, model_id, f"V-{number}", vector[np.newaxis])
        start = time.perf_counter()
        near = gallery.search(vector[np.newaxis], 1)[0]
        times.append((time.perf_counter() - start) * 1e3)
        if near.similarities[0] < 0.99:
            raise RuntimeError("What was enrolled was not found.")
    return times


def registry_dimension(registry: Registry, model_id: str) -> int:
    """Return the length of the model's vectors in SQL."""
    return int(registry.embeddings.vectors_after(model_id, 0, 1)[1].shape[1])


def enroll(registry: Registry, model_id: str, writer_id: str, vectors: NDArray[np.float32]) -> None:
    """Enroll a writer with references whose images are empty."""
    new = [
        NewReference(
            b"", "image/png", b"", f"{number:064x}", {"warnings": []}, vector, pieces=PIECES
        )
        for number, vector in enumerate(vectors)
    ]
    registry.writers.create(writer_id, "A Writer's Name", model_id, new)


def unit(count: int, dimension: int, seed: int = 0) -> NDArray[np.float32]:
    """Return random unit vectors (count, dimension)."""
    vectors = np.random.default_rng(seed).standard_normal((count, dimension))
    return (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)


def timed(work: Callable[[], object], count: int) -> list[float]:
    """Return how long each of `count` calls took, in milliseconds."""
    times = []
    for _ in range(count):
        start = time.perf_counter()
        work()
        times.append((time.perf_counter() - start) * 1e3)
    return times


def spread(times: list[float]) -> dict[str, float]:
    """Return median and 99th percentile."""
    return {f"p{at}": round(float(np.percentile(times, at)), 2) for at in (50, 99)}


def database_bytes(url: str) -> int:
    """Return how much disk the database takes."""
    pages = "SELECT page_count * page_size FROM pragma_page_count, pragma_page_size"
    sqlite = url.startswith("sqlite")
    engine = create_engine(url)
    with engine.connect() as connection:
        asked = text(pages if sqlite else "SELECT pg_database_size(current_database())")
        size = int(connection.execute(asked).scalar_one())
    engine.dispose()
    return size


@contextmanager
def milvus_lite(folder: Path) -> Iterator[MilvusAddress]:
    """Run milvus-lite in a process of its own."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["server", "--data-dir", str(folder / "milvus.db"), "--port", str(port)]
    process = subprocess.Popen(
        [sys.executable, "-m", "milvus_lite", *arguments], stdout=subprocess.DEVNULL
    )
    try:
        give_up_at = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < give_up_at:
            try:
                socket.create_connection(("127.0.0.1", port)).close()
                break
            except OSError:
                time.sleep(0.1)
        yield MilvusAddress(f"http://127.0.0.1:{port}", index_type="FLAT")
    finally:
        process.terminate()
        process.wait()


if __name__ == "__main__":
    main()
