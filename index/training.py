"""How an IVF index is made for a gallery: centroids from a sample, lists filled, recall measured.

It reads the registry twice, in batches, beside whatever else goes on; who swaps the result in is
for the gallery.
"""

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.follow import Followed, batches
from index.ivf import IvfIndex, Tuning
from index.openmp import one_thread
from index.registry import Registry

RECALL = 0.999
# A caller fetches at least so many neighbours and scores them exactly (`service.identify`). So what
# counts is whether the nearest are among them, not in which order the codes put them.
FETCHED = 50
NEAREST = 10

_LEAST_LISTS, _MOST_LISTS = 16, 8192
_POINTS_PER_LIST = 40
_ITERATIONS = 6
_PROBES = 500


@dataclass(frozen=True)
class Sample:
    """Vectors (n, d) to train on, and references held back as probes: ids (p,), vectors (p, d)."""

    vectors: NDArray[np.float32]
    probe_ids: NDArray[np.int64]
    probes: NDArray[np.float32]


class ExactNeighbours:
    """The nearest others of the held-back references, found by looking at every vector."""

    def __init__(self, sample: Sample) -> None:
        self._sample = sample
        self._heap = faiss.ResultHeap(len(sample.probe_ids), NEAREST + 1, keep_max=True)

    def see(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Look at the next vectors (n, d) of the gallery."""
        one_thread()
        k = min(NEAREST + 1, len(vectors))
        similarities, rows = faiss.knn(
            self._sample.probes, vectors, k, metric=faiss.METRIC_INNER_PRODUCT
        )
        self._heap.add_result(similarities, reference_ids[rows])

    def recall(self, index: IvfIndex) -> float:
        """Return the share of these neighbours that the index fetches; the probe is none."""
        hits = index.search(self._sample.probes, FETCHED + 1)
        wanted = found = 0
        for own, row, hit_row in zip(self._sample.probe_ids, self._heap.I, hits, strict=True):
            others = [one for one in row.tolist() if one not in (-1, own)][:NEAREST]
            wanted += len(others)
            found += len(set(others) & {hit.reference_id for hit in hit_row})
        return found / wanted if wanted else 1.0

    def finish(self) -> None:
        """Put the neighbours in order: everything was seen."""
        self._heap.finalize()


def train(registry: Registry, model_id: str, dimension: int, size: int) -> Followed:
    """Return a filled and tuned IVF index for a gallery of about `size`; `follow` it before use.

    Memory grows with the lists, and with the index itself, twice while it is made compact.
    """
    one_thread()
    lists = lists_for(size)
    sample = _sample(registry, model_id, dimension, lists * _POINTS_PER_LIST / max(size, 1))
    index = untuned(sample.vectors, lists)
    exact = ExactNeighbours(sample)
    position = registry.head()
    for reference_ids, vectors in batches(registry, model_id, dimension):
        index.add(reference_ids, vectors)
        exact.see(reference_ids, vectors)
    exact.finish()
    index.compact()
    tune(index, exact, RECALL)
    return Followed(index, position)


def lists_for(size: int) -> int:
    """Return how many lists a gallery of this size is divided into: about 4 times its root."""
    wanted = round(math.log2(max(4.0 * math.sqrt(size), 1.0)))
    return min(max(1 << wanted, _LEAST_LISTS), _MOST_LISTS)


def untuned(vectors: NDArray[np.float32], list_count: int) -> IvfIndex:
    """Return an empty index whose centroids and codes are fitted to vectors (n, d).

    It looks into all lists until it is tuned.
    """
    one_thread()
    dimension = vectors.shape[1]
    if not len(vectors):  # All were erased meanwhile.
        vectors = np.eye(1, dimension, dtype=np.float32)
    count = min(list_count, len(vectors))
    quantizer: Any = faiss.IndexFlatIP(dimension)
    index = faiss.IndexIVFScalarQuantizer(
        quantizer, dimension, count, faiss.ScalarQuantizer.QT_8bit, faiss.METRIC_INNER_PRODUCT, True
    )
    quantizer.this.disown()
    index.own_fields = True
    index.cp.niter = _ITERATIONS
    index.cp.min_points_per_centroid = 1  # FAISS would print a warning.
    index.train(vectors)
    return IvfIndex(index, Tuning(count, 1.0, 0))


def tune(index: IvfIndex, exact: ExactNeighbours, recall: float) -> None:
    """Give the index the fewest lists per search, to an eighth, that reach the recall asked for.

    Where even all lists do not reach it, searches look into all.
    """
    size = index.size()
    reached: dict[int, float] = {}

    def recall_with(nprobe: int) -> float:
        index.tuning = Tuning(nprobe, 1.0, size)
        reached[nprobe] = exact.recall(index)
        return reached[nprobe]

    steps = list(_steps(int(index.details()["lists"])))
    # More lists never find less, so there is one place where it begins to be enough.
    place = bisect.bisect_left(steps, recall, hi=len(steps) - 1, key=recall_with)
    nprobe = steps[place]
    found = reached[nprobe] if nprobe in reached else recall_with(nprobe)
    index.tuning = Tuning(nprobe, found, size)


def _steps(most: int) -> Iterator[int]:
    nprobe = 1
    while nprobe < most:
        yield nprobe
        nprobe += max(1, nprobe // 8)
    yield most


def _sample(registry: Registry, model_id: str, dimension: int, share: float) -> Sample:
    """Draw a share of the references at random, and hold some of them back."""
    random = np.random.default_rng(0)
    ids, drawn = [np.empty(0, np.int64)], [np.empty((0, dimension), np.float32)]
    for reference_ids, vectors in batches(registry, model_id, dimension):
        chosen = random.random(len(reference_ids)) < share
        ids.append(reference_ids[chosen])
        drawn.append(vectors[chosen])
    all_ids, vectors = np.concatenate(ids), np.concatenate(drawn)
    order = random.permutation(len(all_ids))
    held_back, rest = np.split(order, [min(_PROBES, len(order) // 4)])
    return Sample(vectors[rest], all_ids[held_back], vectors[held_back])
