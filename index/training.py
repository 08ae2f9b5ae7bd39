"""How an IVF index is made for a gallery: trained on a sample, filled, and tuned to a recall.

It reads the registry twice, in batches, beside whatever else goes on; who swaps the result in is
for the gallery.
"""

import bisect
import math
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.blocks import PER_BLOCK
from index.fine import fit
from index.follow import Followed, batches
from index.ivf import IvfIndex, Tuning
from index.ivf_file import Trained
from index.openmp import one_thread
from index.registry import Registry

RECALL = 0.999
# A caller fetches at least so many neighbours and scores them exactly (`service.identify`). So what
# counts is whether the nearest are among them, not in which order the codes put them.
FETCHED = 50
NEAREST = 10

POINTS_PER_LIST = 256  # To train on.
_LEAST_LISTS, _MOST_LISTS = 16, 8192
_ITERATIONS = 6
_PROBES = 500
_CANDIDATES = (256, 512, 1024, 2048)
# One costs as much time as reading so many bytes of 4-bit codes, measured at a million references.
_BYTES_PER_CANDIDATE = 8000
_BEST_FIRST_WITH_RESERVOIR = 11  # FAISS's number for the way to scan: nearest list first.


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

    def recall(self, index: IvfIndex) -> tuple[float, float]:
        """Return the share of these neighbours that the index fetches, and of the nearest alone.

        The probe itself is none of them.
        """
        hits = index.search(self._sample.probes, FETCHED + 1)
        found, nearest = [], []
        for own, row, hit_row in zip(self._sample.probe_ids, self._heap.I, hits, strict=True):
            others = [one for one in row.tolist() if one not in (-1, own)][:NEAREST]
            fetched = {hit.reference_id for hit in hit_row}
            found += [one in fetched for one in others]
            nearest += [one in fetched for one in others[:1]]
        return _share(found), _share(nearest)

    def finish(self) -> None:
        """Put the neighbours in order: everything was seen."""
        self._heap.finalize()


def train(registry: Registry, model_id: str, dimension: int, size: int) -> Followed:
    """Return a filled and tuned IVF index for a gallery of about `size`; `follow` it before use.

    Memory grows with the lists, and with the index itself, twice while it is made compact.
    """
    one_thread()
    lists = lists_for(size)
    sample = _sample(registry, model_id, dimension, lists * POINTS_PER_LIST / max(size, 1))
    index = untuned(sample.vectors, lists)
    exact = ExactNeighbours(sample)
    position = registry.head()
    for reference_ids, vectors in batches(registry, model_id, dimension):
        index.add(reference_ids, vectors)
        exact.see(reference_ids, vectors)
    exact.finish()
    index = index.compacted()
    tune(index, exact, RECALL)
    return Followed(index, position)


def lists_for(size: int) -> int:
    """Return how many lists a gallery of this size is divided into: about an eighth of its root.

    Of a million references each then takes some 250 KB. Shorter lists would tell near from far
    better, but 4-bit codes are read twice as fast in long runs.
    """
    wanted = round(math.log2(max(math.sqrt(size) / 8.0, 1.0)))
    return min(max(1 << wanted, _LEAST_LISTS), _MOST_LISTS)


def untuned(vectors: NDArray[np.float32], list_count: int) -> IvfIndex:
    """Return an empty index whose centroids and codes are fitted to vectors (n, d).

    It looks into all lists until it is tuned.
    """
    one_thread()
    dimension = vectors.shape[1]
    if not len(vectors):  # All were erased meanwhile.
        vectors = np.eye(1, dimension, dtype=np.float32)
    rotation = _rotation(dimension)
    rotated = vectors @ rotation
    count = min(list_count, len(vectors))
    pairs = dimension if dimension % 2 else dimension // 2
    quantizer: Any = faiss.IndexFlatIP(dimension)
    scan = faiss.IndexIVFPQFastScan(
        quantizer, dimension, count, pairs, 4, faiss.METRIC_INNER_PRODUCT, PER_BLOCK
    )
    quantizer.this.disown()
    scan.own_fields = True
    scan.by_residual = False  # So that one table serves all lists.
    scan.implem = _BEST_FIRST_WITH_RESERVOIR
    scan.cp.niter = _ITERATIONS
    scan.cp.min_points_per_centroid = scan.pq.cp.min_points_per_centroid = 1  # No warnings.
    # The codes want 16 centroids each, and FAISS as many vectors.
    scan.train(np.resize(rotated, (max(len(rotated), 16), dimension)))
    return IvfIndex(
        Trained(scan, rotation, fit(vectors)), Tuning(count, _CANDIDATES[0], 1.0, 1.0, 0)
    )


def tune(index: IvfIndex, exact: ExactNeighbours, recall: float) -> None:
    """Let the index look no farther, for lists and candidates together, than the recall asks for.

    For each number of candidates, as few lists as reach it; of these the cheapest pair. Where none
    reaches it, searches look into all lists for the most candidates.
    """
    size, lists = index.size(), int(index.details()["lists"])
    steps = list(_steps(lists))
    bytes_per_list = size / lists * index.dimension / 4
    best = Tuning(lists, _CANDIDATES[-1], *_recall(index, exact, _CANDIDATES[-1], lists), size)
    least = np.inf
    for candidates in _CANDIDATES:
        recall_in = cache(partial(_recall, index, exact, candidates))
        # More lists never find less, so there is one place where it begins to be enough.
        place = bisect.bisect_left(steps, recall, key=lambda nprobe: recall_in(nprobe)[0])
        if place == len(steps):
            continue
        cost = steps[place] * bytes_per_list + candidates * _BYTES_PER_CANDIDATE
        if cost < least:
            best, least = Tuning(steps[place], candidates, *recall_in(steps[place]), size), cost
    index.tuning = best


def _recall(
    index: IvfIndex, exact: ExactNeighbours, candidates: int, nprobe: int
) -> tuple[float, float]:
    index.tuning = Tuning(nprobe, candidates, 1.0, 1.0, index.size())
    return exact.recall(index)


def _share(found: list[bool]) -> float:
    return sum(found) / len(found) if found else 1.0


def _rotation(dimension: int) -> NDArray[np.float32]:
    """Return a rotation (d, d) at random, the same for each index."""
    drawn = np.random.default_rng(0).standard_normal((dimension, dimension))
    rotation: NDArray[np.float32] = np.linalg.qr(drawn)[0].astype(np.float32)
    return rotation


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
