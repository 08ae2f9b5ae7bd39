"""The vector indexes that `index_scale` measures, each behind the same few methods.

Countersign's own are used as the gallery uses them; the others from their own packages, where these
are installed. Nothing is measured here.
"""

import sqlite3
from collections.abc import Sequence
from dataclasses import replace
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from index import training
from index.flat import FlatIndex
from index.growth import KINDS
from index.ivf import IvfIndex
from index.reference_index import ReferenceIndex
from index.snapshot import Origin, SnapshotFolder
from index.values import Position

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]
_BATCH = 50_000
_THREADS = 2


class Engine(Protocol):
    """One index: ids and unit vectors in, ids of the nearest out."""

    settings: Sequence[int]  # From quick to thorough; what a search is given.

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe."""

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""

    def remove(self, ids: Ids) -> None:
        """Take some out."""

    def save(self, folder: Path) -> None:
        """Put it on disk."""

    def load(self, folder: Path) -> None:
        """Begin again from what is on disk."""


class Own:
    """What the two of Countersign share: snapshots with checksum, as a start reads them."""

    settings: Sequence[int] = (0,)
    index: ReferenceIndex

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        self.index.add(ids, vectors)

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        self.index.remove(ids)

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:  # noqa: ARG002  # Exact.
        """Return up to k ids near a (1, d) probe."""
        return [hit.reference_id for hit in self.index.search(probe, k)[0]]

    def save(self, folder: Path) -> None:
        """Write a snapshot."""
        SnapshotFolder(folder).save(self.index, self._origin(), Position(1, 1))

    def load(self, folder: Path) -> None:
        """Read the snapshot, its checksum first."""
        self.index, _ = SnapshotFolder(folder).load(KINDS, self._origin())

    def _origin(self) -> Origin:
        return Origin("benchmark", "benchmark", self.index.dimension)


class Flat(Own):
    """Countersign's exact index."""

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        self.index = FlatIndex(vectors.shape[1])
        for start in range(0, len(ids), _BATCH):
            self.index.add(ids[start : start + _BATCH], vectors[start : start + _BATCH])


class Ivf(Own):
    """Countersign's index for large galleries, trained and tuned as the gallery does it."""

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        random = np.random.default_rng(0)
        lists = training.lists_for(len(ids))
        drawn = random.permutation(len(ids))[: training.POINTS_PER_LIST * lists].copy()
        held_back, rest = np.split(drawn, [500])
        index = training.untuned(vectors[np.sort(rest)], lists)
        exact = training.ExactNeighbours(
            training.Sample(vectors[:0], ids[held_back], vectors[held_back])
        )
        for start in range(0, len(ids), _BATCH):
            part = slice(start, start + _BATCH)
            index.add(ids[part], vectors[part])
            exact.see(ids[part], vectors[part])
        exact.finish()
        self.index = index.compacted()
        del index
        training.tune(self.index, exact, training.RECALL)
        nprobe = self.index.tuning.nprobe
        # What fewer lists would find, up to what the gallery uses.
        self.settings = sorted({max(1, nprobe * part // 8) for part in (2, 3, 4, 5, 6, 7, 8)})

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe, from so many lists."""
        if isinstance(self.index, IvfIndex) and self.index.tuning.nprobe != setting:
            self.index.tuning = replace(self.index.tuning, nprobe=setting)
        return super().search(probe, k, setting)


class Hnswlib:
    """hnswlib: a graph of float32 vectors; what is deleted stays in it, marked."""

    settings: Sequence[int] = (50, 100, 200, 400, 800, 1600, 3200)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        self._new(vectors.shape[1])
        self.index.init_index(len(ids) + 2000, M=16, ef_construction=200)
        self.index.add_items(vectors, ids, num_threads=_THREADS)

    def _new(self, dimension: int) -> None:
        self.index: Any = import_module("hnswlib").Index(space="ip", dim=dimension)
        self.dimension = dimension

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe."""
        self.index.set_ef(max(setting, k))
        found: list[int] = self.index.knn_query(probe, k, num_threads=1)[0][0].tolist()
        return found

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        self.index.add_items(vectors, ids, num_threads=1)

    def remove(self, ids: Ids) -> None:
        """Mark some as deleted."""
        for one in ids.tolist():
            self.index.mark_deleted(one)

    def save(self, folder: Path) -> None:
        """Write a file."""
        self.index.save_index(str(folder / "hnswlib"))

    def load(self, folder: Path) -> None:
        """Read the file."""
        self._new(self.dimension)
        self.index.load_index(str(folder / "hnswlib"))


class Usearch:
    """usearch: a graph of 8-bit vectors."""

    settings: Sequence[int] = (50, 100, 200, 400, 800, 1600, 3200)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        module = import_module("usearch.index")
        self.index: Any = module.Index(
            ndim=vectors.shape[1], metric="ip", dtype="i8", connectivity=16, expansion_add=200
        )
        self.index.add(ids.astype(np.uint64), vectors, threads=_THREADS)

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe."""
        if self.index.expansion_search != setting:
            self.index.expansion_search = setting
        found: list[int] = self.index.search(probe[0], k, threads=1).keys.tolist()
        return found

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        self.index.add(ids.astype(np.uint64), vectors, threads=1)

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        self.index.remove(ids.astype(np.uint64), threads=1)

    def save(self, folder: Path) -> None:
        """Write a file."""
        self.index.save(str(folder / "usearch"))

    def load(self, folder: Path) -> None:
        """Read the file."""
        self.index.load(str(folder / "usearch"))


class SqliteVec:
    """sqlite-vec: an exact scan in SQLite."""

    settings: Sequence[int] = (0,)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything, in memory as the others are."""
        self._open(":memory:")
        self.database.execute(
            "CREATE VIRTUAL TABLE v USING "
            f"vec0(id INTEGER PRIMARY KEY, e float[{vectors.shape[1]}])"
        )
        self.add(ids, vectors)

    def _open(self, path: str) -> None:
        self.database = sqlite3.connect(path, check_same_thread=False)
        self.database.enable_load_extension(True)
        import_module("sqlite_vec").load(self.database)

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:  # noqa: ARG002  # Exact.
        """Return up to k ids near a (1, d) probe."""
        rows = self.database.execute(
            "SELECT id FROM v WHERE e MATCH ? AND k = ? ORDER BY distance", (probe.tobytes(), k)
        )
        return [row[0] for row in rows]

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        rows = zip(ids.tolist(), map(np.ndarray.tobytes, vectors), strict=True)
        with self.database:
            self.database.executemany("INSERT INTO v VALUES (?, ?)", rows)

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        with self.database:
            self.database.executemany("DELETE FROM v WHERE id = ?", [(i,) for i in ids.tolist()])

    def save(self, folder: Path) -> None:
        """Write a database."""
        self.database.execute("VACUUM INTO ?", (str(folder / "sqlite-vec"),))

    def load(self, folder: Path) -> None:
        """Open the database."""
        self._open(str(folder / "sqlite-vec"))


class Scann:
    """ScaNN: partitions, 4-bit anisotropic codes, and exact scores of the best; never changes."""

    settings: Sequence[int] = (100, 200, 400, 800, 1600, 3200)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        builder = import_module("scann").scann_ops_pybind.builder(vectors, 50, "dot_product")
        leaves = int(np.sqrt(len(ids)))
        self.index: Any = (
            builder.tree(num_leaves=leaves, num_leaves_to_search=leaves // 10)
            .score_ah(2, anisotropic_quantization_threshold=0.2)
            .reorder(1000)
            .build()
        )
        self.first, self.leaves = int(ids[0]), leaves

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe; the setting is how many leaves of 3200."""
        found = self.index.search(
            probe[0], k, leaves_to_search=max(1, self.leaves * setting // 3200)
        )[0]
        return (found.astype(np.int64) + self.first).tolist()  # type: ignore[no-any-return]

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Not there."""
        raise NotImplementedError

    def remove(self, ids: Ids) -> None:
        """Not there."""
        raise NotImplementedError

    def save(self, folder: Path) -> None:
        """Write a folder."""
        self.index.serialize(str(folder))

    def load(self, folder: Path) -> None:
        """Read the folder."""
        module = import_module("scann").scann_ops_pybind
        self.index = module.load_searcher(str(folder))


ENGINES: dict[str, type[Engine]] = {
    "flat": Flat,
    "ivf": Ivf,
    "hnswlib": Hnswlib,
    "usearch": Usearch,
    "sqlite-vec": SqliteVec,
    "scann": Scann,
}
PACKAGES = {name: name.replace("-", "_") for name in ENGINES if name not in {"flat", "ivf"}}
