"""What `index_scale` asks of a vector index, and Countersign's own, used as the gallery does it.

Those of others are in `index_libraries` and `index_databases`. Nothing is measured here.
"""

from collections.abc import Sequence
from pathlib import Path
from time import perf_counter, process_time
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from benchmarks.signature_like import writers_of
from index.ivf import build
from index.ivf.index import IvfIndex
from index.ivf.recall_probes import ExactNeighbours
from index.ivf.search_params import Tuned
from index.ivf.tune import tune
from index.registry.change_log import Position
from index.sync.rebuild_policy import KINDS
from index.sync.snapshot import Origin, SnapshotFolder
from index.vectors.flat_index import FlatIndex
from index.vectors.vector_index import RecallTarget, VectorIndex
from service.decisions.identify import neighbours_fetched

FETCHED = neighbours_fetched()  # As many near references as an identification asks for.

Ids = NDArray[np.int64]
Vectors = NDArray[np.float32]
_BATCH = 50_000
_ALL_TUNINGS_MOST = 2_000_000
THREADS = 2


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
    index: VectorIndex

    def add(self, ids: Ids, vectors: Vectors) -> None:
        """Add some."""
        self.index.add(ids, vectors)

    def remove(self, ids: Ids) -> None:
        """Take some out."""
        self.index.remove(ids)

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:  # noqa: ARG002  # Exact.
        """Return up to k ids near a (1, d) probe."""
        found: list[int] = self.index.search(probe, k)[0].reference_ids.tolist()
        return found

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
    """Countersign's index for large galleries, trained and tuned as the gallery does it.

    Its settings are tunings to each of the targets. A gallery is tuned to one, the default, which
    is the last: what the others took, for the comparison alone, is told apart.
    """

    index: IvfIndex
    aside_s: float = 0.0  # Of building it, by the clock,
    aside_cpu_s: float = 0.0  # and of the processor.
    targets: Sequence[RecallTarget] = (
        RecallTarget(FETCHED, nearest=1, recall=0.98),
        RecallTarget(FETCHED, nearest=1, recall=0.995),
        RecallTarget(FETCHED, nearest=1),
        RecallTarget(FETCHED),
    )
    settings: Sequence[int] = range(len(targets))

    def build(self, ids: Ids, vectors: Vectors) -> None:
        """Index everything."""
        order = np.random.default_rng(0).permutation(len(ids))
        held_back, others = np.split(order, [min(build.PROBES, len(ids) // 4)])
        lists = build.lists_for(len(ids))
        drawn = np.sort(others[: build.POINTS_PER_LIST * lists])
        sample = build.Sample(vectors[drawn], ids[held_back], vectors[held_back])
        parts = (slice(start, start + _BATCH) for start in range(0, len(ids), _BATCH))
        batches = ((ids[part], np.array(vectors[part])) for part in parts)
        self.index = build.filled(sample, lists, batches, self._tune)

    def _tune(self, index: IvfIndex, exact: ExactNeighbours) -> Tuned:
        # Of ten million each takes minutes.
        few = index.size() > _ALL_TUNINGS_MOST
        *others, default = self.targets[1:2] if few else self.targets
        clock, processor = perf_counter(), process_time()
        self.tuned = [tune(index, exact, writers_of, target) for target in others]
        self.aside_s, self.aside_cpu_s = perf_counter() - clock, process_time() - processor
        self.tuned.append(tune(index, exact, writers_of, default))
        self.settings = range(len(self.tuned))
        return self.tuned[-1]

    def search(self, probe: Vectors, k: int, setting: int) -> list[int]:
        """Return up to k ids near a (1, d) probe."""
        found = self.index.search(probe, k, self.tuned[setting].params)
        return found[0].reference_ids.tolist()
