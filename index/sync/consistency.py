"""The proof that an index equals the registry: the same references, the same vectors.

The walk reads the registry in batches, and never holds a copy of it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.registry.registry import Registry
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import VectorIndex


@dataclass(frozen=True)
class CheckReport:
    """Index against registry: reference ids that are missing, too many, or of other vectors.

    An index of the kind flat or milvus is compared byte for byte; one of the kind ivf to one step
    of its 6-bit codes, and by the list that holds the reference.
    """

    missing: tuple[int, ...]
    extra: tuple[int, ...]
    different: tuple[int, ...]
    registry_count: int
    index_count: int
    kind: str
    revision: int

    @property
    def clean(self) -> bool:
        """Whether the index holds exactly what the registry holds."""
        return not (self.missing or self.extra or self.different)


@dataclass(frozen=True)
class ErasureReport:
    """What was ever erased, looked for in the index and in its snapshot on disk.

    `erased` counts the references; `snapshot` says why there was none to look into, if so.
    """

    erased: int
    in_index: tuple[int, ...]
    in_snapshot: tuple[int, ...]
    snapshot: str | None

    @property
    def clean(self) -> bool:
        """Whether nothing that was erased is held any more."""
        return not (self.in_index or self.in_snapshot)


_BATCH = 2000


@dataclass(frozen=True)
class Difference:
    """Reference ids in which index and registry differ."""

    missing: tuple[int, ...]
    extra: tuple[int, ...]
    different: tuple[int, ...]

    def reference_ids(self) -> tuple[int, ...]:
        """All of them, ascending."""
        return tuple(sorted({*self.missing, *self.extra, *self.different}))

    def report(self, index: VectorIndex, revision: int) -> CheckReport:
        """What a check of this index, caught up to the revision, has found."""
        size = index.size()
        return CheckReport(
            missing=self.missing,
            extra=self.extra,
            different=self.different,
            registry_count=size + len(self.missing) - len(self.extra),
            index_count=size,
            kind=index.kind,
            revision=revision,
        )


def compare_all(registry: Registry, index: VectorIndex, model_id: str) -> Difference:
    """Compare every vector of the model; the index must not change meanwhile."""
    in_index = index.reference_ids()
    unseen = np.ones(len(in_index), dtype=np.bool_)
    missing: list[int] = []
    different: list[int] = []
    last = 0
    while True:
        reference_ids, vectors = registry.embeddings.vectors_after(model_id, last, _BATCH)
        if not reference_ids.size:
            extra = tuple(in_index[unseen].tolist())
            return Difference(tuple(missing), extra, tuple(different))
        absent, changed = _compare(index, in_index, reference_ids, vectors)
        missing += absent
        different += changed
        unseen[np.isin(in_index, reference_ids, assume_unique=True)] = False
        last = int(reference_ids[-1])


def compare_some(
    registry: Registry, index: VectorIndex, model_id: str, suspects: Sequence[int]
) -> Difference:
    """Compare the suspects only; the index must not change meanwhile."""
    reference_ids, vectors = registry.embeddings.vectors_of(model_id, suspects)
    in_index = index.reference_ids()
    absent, changed = _compare(index, in_index, reference_ids, vectors)
    held = np.intersect1d(in_index, np.asarray(suspects, dtype=np.int64))
    extra = np.setdiff1d(held, reference_ids)
    return Difference(tuple(absent), tuple(extra.tolist()), tuple(changed))


def _compare(
    index: VectorIndex,
    in_index: NDArray[np.int64],
    reference_ids: NDArray[np.int64],
    vectors: NDArray[np.float32],
) -> tuple[list[int], list[int]]:
    """Return which of these references the index lacks, and which it has otherwise."""
    present = np.isin(reference_ids, in_index, assume_unique=True)
    held_ids = reference_ids[present]
    if not held_ids.size:
        return reference_ids.tolist(), []
    same = index.holds(held_ids, leading(vectors[present], index.dimension))
    return reference_ids[~present].tolist(), held_ids[~same].tolist()
