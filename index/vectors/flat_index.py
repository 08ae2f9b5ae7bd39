"""The exact index: every search looks at every vector (FAISS IDMap2,Flat, inner product)."""

from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from index.errors import DuplicateReference, InvalidVector, SnapshotNotSaved, SnapshotUnusable
from index.vectors.faiss_threads import use_one_faiss_thread
from index.vectors.private_file import make_private
from index.vectors.rwlock import ReadersWriterLock
from index.vectors.unit_vectors import unit_vectors
from index.vectors.vector_index import NO_NEIGHBOURS, Neighbours, RecallTarget

# A vector's place in FAISS's id list and its hash map, and in our set: about so much, as measured.
_BYTES_PER_ID = 110


class FlatIndex:
    """References in memory, found exactly; see VectorIndex for what each method promises."""

    kind = "flat"

    def __init__(self, dimension: int) -> None:
        self.dimension = dimension
        self._lock = ReadersWriterLock()
        self._faiss: Any = faiss.IndexIDMap2(faiss.IndexFlatIP(dimension))
        # FAISS takes the same id twice and cannot say whether it has one.
        self._present: set[int] = set()

    def add(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add ids (n,) and unit vectors (n, d), all or none."""
        ids = np.ascontiguousarray(reference_ids, dtype=np.int64)
        checked = unit_vectors(vectors, self.dimension)
        if ids.shape != (len(checked),):
            raise InvalidVector(
                f"Expected one id for each of {len(checked)} vectors, got {ids.shape}."
            )
        new = set(ids.tolist())
        if len(new) != len(ids):
            raise DuplicateReference(None)
        if not new:
            return
        with self._lock.writing():
            known = new & self._present
            if known:
                raise DuplicateReference(min(known))
            use_one_faiss_thread()
            self._faiss.add_with_ids(checked, ids)
            self._present |= new

    def remove(self, reference_ids: NDArray[np.int64]) -> int:
        """Take references out and return how many there were."""
        with self._lock.writing():
            gone = self._present.intersection(reference_ids.tolist())
            # Taking out reads the whole index, so nothing is asked of FAISS for nothing.
            if gone:
                use_one_faiss_thread()
                self._faiss.remove_ids(np.fromiter(gone, dtype=np.int64, count=len(gone)))
                self._present -= gone
            return len(gone)

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) its min(k, size) nearest references."""
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        checked = unit_vectors(probes, self.dimension)
        with self._lock.reading():
            # Asked for more than there are, FAISS fills up with id -1.
            found = min(k, len(self._present))
            if not found or not len(checked):
                return [NO_NEIGHBOURS] * len(checked)
            use_one_faiss_thread()
            similarities, ids = self._faiss.search(checked, found)
        return list(map(Neighbours, ids, similarities))

    def size(self) -> int:
        """How many references there are."""
        return len(self._present)

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        with self._lock.reading():
            ids = np.fromiter(self._present, dtype=np.int64, count=len(self._present))
        ids.sort()
        return ids

    def holds(
        self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether (n,) the vectors are held byte for byte.

        Raises:
            KeyError: a reference is not there; its id is the argument.
        """
        if not reference_ids.size:
            return np.empty(0, dtype=np.bool_)
        with self._lock.reading():
            for reference_id in reference_ids.tolist():
                if reference_id not in self._present:
                    raise KeyError(reference_id)
            use_one_faiss_thread()
            held = self._faiss.reconstruct_batch(reference_ids)
        # As integers: bytes are compared, so that 0.0 and -0.0 differ and NaN equals itself.
        same: NDArray[np.bool_] = np.all(held.view(np.uint32) == vectors.view(np.uint32), axis=1)
        return same

    def memory_bytes(self) -> int:
        """About how much memory the index takes."""
        return self.size() * (4 * self.dimension + _BYTES_PER_ID)

    def details(self) -> dict[str, int | float]:
        """Return the recall: every reference is looked at."""
        return {"recall": 1.0}

    def detach(self) -> None:
        """Do nothing: what was loaded is a copy."""

    def suits(self, target: RecallTarget) -> bool:  # noqa: ARG002  # All is found.
        """Return True: it finds everything."""
        return True

    def may_have_drifted(self) -> bool:
        """Return False: it was made for no gallery in particular."""
        return False

    def has_drifted(self) -> bool:
        """Return False."""
        return False

    def save(self, path: Path) -> None:
        """Write a consistent copy to a file; searches go on, changes wait."""
        try:
            with self._lock.reading():
                make_private(path)
                faiss.write_index(self._faiss, str(path))
        except (OSError, RuntimeError) as error:
            raise SnapshotNotSaved(f"{path.name} could not be written") from error

    @classmethod
    def load(cls, path: Path, dimension: int) -> Self:
        """Read what `save` wrote.

        Raises:
            SnapshotUnusable: the file holds anything else.
        """
        try:
            loaded: Any = faiss.read_index(str(path))
        except RuntimeError as error:
            raise SnapshotUnusable(f"{path.name} is not an index that FAISS can read") from error
        if not isinstance(loaded, faiss.IndexIDMap2):
            raise SnapshotUnusable(f"{path.name} is not an index of the kind {cls.kind}")
        inner = faiss.downcast_index(loaded.index)
        if (
            not isinstance(inner, faiss.IndexFlat)
            or inner.metric_type != faiss.METRIC_INNER_PRODUCT
        ):
            raise SnapshotUnusable(f"{path.name} is not an index of the kind {cls.kind}")
        if loaded.d != dimension:
            raise SnapshotUnusable(f"its vectors are {loaded.d} long, expected {dimension}")
        present = set(faiss.vector_to_array(loaded.id_map).tolist())
        if len(present) != loaded.ntotal:
            raise SnapshotUnusable(f"{path.name} holds a reference twice")
        index = cls(dimension)
        index._faiss = loaded
        index._present = present
        return index
