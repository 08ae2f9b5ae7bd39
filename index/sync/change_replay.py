"""How an index gets to where the registry is: from a place in the change log, or from nothing."""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.registry.change_log import Position
from index.registry.registry import Registry
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import LocalIndex

# Large enough that a long catch-up is bound by FAISS and not by statements; 512 KB of vectors.
BATCH_ROWS = 1000
_REBUILD_ROWS = 5000


@dataclass(frozen=True)
class Replayed:
    """An index that holds at least every change up to `position`; what is newer may be in it."""

    index: LocalIndex
    position: Position
    rows: int = 0
    erasures: int = 0


def replay(registry: Registry, replayed: Replayed, model_id: str) -> Replayed:
    """Apply what is newer in the registry, until nothing is; one thread at a time may do this.

    Returns the new place, with the rows of the log applied now and the erasures among them.
    Applying a change twice does no harm.

    Raises:
        HistoryForked: the registry no longer holds the revision that an index stands on.
    """
    index, position = replayed.index, replayed.position
    rows = erasures = 0
    while changes := registry.changes.since(position, model_id, BATCH_ROWS):
        if changes.erasures:
            index.detach()
        index.remove(changes.touched)
        if changes.reference_ids.size:
            index.add(changes.reference_ids, leading(changes.vectors, index.dimension))
        position = changes.position
        rows += changes.rows
        erasures += changes.erasures
        if changes.rows < BATCH_ROWS:
            break
    return Replayed(index, position, rows, erasures)


def fill(registry: Registry, index: LocalIndex, model_id: str) -> Replayed:
    """Fill an empty index with every vector of the model; `replay` to it before it is used.

    The place is where the log was before the first vector was read: changes made while this
    runs are applied by `replay`, some for the second time.
    """
    position = registry.changes.head()
    for reference_ids, vectors in batches(registry, model_id, index.dimension):
        index.add(reference_ids, vectors)
    return Replayed(index, position)


def batches(
    registry: Registry, model_id: str, dimension: int
) -> Iterator[tuple[NDArray[np.int64], NDArray[np.float32]]]:
    """Give all ids (n,) and leading vectors (n, dimension) of the model, some at a time."""
    last = 0
    while True:
        reference_ids, vectors = registry.embeddings.vectors_after(model_id, last, _REBUILD_ROWS)
        if not reference_ids.size:
            return
        yield reference_ids, leading(vectors, dimension)
        last = int(reference_ids[-1])
