"""Other libraries' vector indexes in memory, as `index_scale` measures them where they install."""

import sys
from collections.abc import Sequence
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.index_engines import THREADS, Ids, Vectors


class Hnswlib:
    """hnswlib: a graph of float32 vectors; what is deleted stays in it, marked."""

    settings: Sequence[int] = (50, 100, 200, 400, 800, 1600, 3200)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        self._new(vectors.shape[1])
        self.index.init_index(len(ids) + 2000, M=16, ef_construction=200)
        self.index.add_items(vectors, ids, num_threads=THREADS)

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
        self.index.add(ids.astype(np.uint64), vectors, threads=THREADS)

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


class Scann:
    """ScaNN: partitions, 4-bit anisotropic codes, and exact scores of the best; never changes."""

    settings: Sequence[int] = (100, 200, 400, 800, 1600, 3200)

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        # Its operator for TensorFlow wants one version of it, and is not needed here.
        sys.modules["tensorflow"] = None  # type: ignore[assignment]
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
