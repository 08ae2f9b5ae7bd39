"""Builds an IVF index of a gallery: trained on a sample, filled, and tuned to a recall.

The gallery's vectors are read twice, in batches. Where they come from, and who swaps the result in,
is for `sync`.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass, replace
from functools import partial

import faiss
import numpy as np
from numpy.typing import NDArray

from index.ivf import coarse_codes, fine_codes
from index.ivf.file_format import MOST_LISTS, Trained
from index.ivf.index import IvfIndex
from index.ivf.recall_probes import NEAREST, ExactNeighbours, WritersOf
from index.ivf.search_params import SearchParams, Tuned
from index.ivf.tune import tune
from index.vectors.faiss_threads import use_one_faiss_thread
from index.vectors.vector_index import RecallTarget

Batch = tuple[NDArray[np.int64], NDArray[np.float32]]  # Ids (n,) and vectors (n, d).
Batches = Callable[[], Iterable[Batch]]  # A gallery, read from its start at every call.

POINTS_PER_LIST = 256  # To train on.
_LEAST_LISTS = 16
_ITERATIONS = 20
_CANDIDATES_UNTUNED = 256
PROBES = 12_000


@dataclass(frozen=True)
class Sample:
    """Vectors (n, d) to train on, and references held back as probes: ids (p,), vectors (p, d)."""

    vectors: NDArray[np.float32]
    probe_ids: NDArray[np.int64]
    probes: NDArray[np.float32]


def train(
    batches: Batches, size: int, dimension: int, writers_of: WritersOf, target: RecallTarget
) -> IvfIndex:
    """Return a filled and tuned IVF index for a gallery of about `size` vectors (d,).

    The gallery may change between the two readings. Memory grows with the lists, and with the index
    itself, twice while it is made compact.
    """
    lists = lists_for(size)
    sample = _sample(batches(), dimension, lists * POINTS_PER_LIST / max(size, 1))
    tuner = partial(tune, writers_of=writers_of, target=target)
    return filled(sample, lists, batches(), tuner)


def filled(
    sample: Sample,
    lists: int,
    gallery: Iterable[Batch],
    tuner: Callable[[IvfIndex, ExactNeighbours], Tuned],
) -> IvfIndex:
    """Return an index of so many lists, trained on the sample, filled and tuned.

    The references held back come in last of all, so that none is the nearest to itself.
    """
    index, exact = untuned(sample.vectors, lists), ExactNeighbours(sample.probes)
    later: list[Batch] = []
    for reference_ids, vectors in gallery:
        held_back = np.isin(reference_ids, sample.probe_ids)
        index.add(reference_ids[~held_back], vectors[~held_back])
        exact.see(reference_ids[~held_back], vectors[~held_back])
        later.append((reference_ids[held_back], vectors[held_back]))
    tuned = tuner(index, exact)
    for reference_ids, vectors in later:
        index.add(reference_ids, vectors)
    loss, imbalance = index.fit()
    index.tuned = replace(tuned, size=index.size(), loss=loss, imbalance=imbalance)
    return index.compacted()


def lists_for(size: int) -> int:
    """Return how many lists a gallery of this size is divided into: about half of its root.

    With half or twice as many a search of a million took a tenth to a fifth longer at equal recall.
    """
    wanted = round(math.log2(max(math.sqrt(size) / 2.0, 1.0)))
    return min(max(1 << wanted, _LEAST_LISTS), MOST_LISTS)


def untuned(vectors: NDArray[np.float32], list_count: int) -> IvfIndex:
    """Return an empty index whose centroids and codes are fitted to vectors (n, d).

    It looks into all lists until it is tuned.
    """
    use_one_faiss_thread()
    dimension = vectors.shape[1]
    if not len(vectors):  # All were erased meanwhile.
        vectors = np.eye(1, dimension, dtype=np.float32)
    axes = coarse_codes.axes_of(vectors)
    on_axes = np.ascontiguousarray(vectors @ axes)
    means = faiss.Kmeans(
        axes.shape[1],
        min(list_count, len(vectors)),
        niter=_ITERATIONS,
        spherical=True,
        min_points_per_centroid=1,
    )
    means.train(on_axes)
    near, numbers = means.assign(on_axes)
    # All of one length, so that the nearest is the nearest in angle; of this, little is left over.
    centroids = np.ascontiguousarray(means.centroids * near.mean(), np.float32)
    coarse = coarse_codes.fit(axes, on_axes - centroids[numbers])
    trained = Trained(centroids, coarse, fine_codes.fit(vectors))
    everything = SearchParams.at_once(len(centroids), _CANDIDATES_UNTUNED, NEAREST)
    return IvfIndex(trained, Tuned(everything, 1.0, 1.0, 0))


def _sample(gallery: Iterable[Batch], dimension: int, share: float) -> Sample:
    """Draw a share of the references at random, and hold some of them back."""
    random = np.random.default_rng(0)
    ids, drawn = [np.empty(0, np.int64)], [np.empty((0, dimension), np.float32)]
    for reference_ids, vectors in gallery:
        chosen = random.random(len(reference_ids)) < share
        ids.append(reference_ids[chosen])
        drawn.append(vectors[chosen])
    all_ids, vectors = np.concatenate(ids), np.concatenate(drawn)
    order = random.permutation(len(all_ids))
    held_back, rest = np.split(order, [min(PROBES, len(order) // 4)])
    return Sample(vectors[rest], all_ids[held_back], vectors[held_back])
