"""The index for large galleries: a search looks into the nearest lists only (FAISS IVF,SQ8).

Each vector is kept as 8-bit codes of its difference from its list's centroid. What FAISS returns is
near, not exact: whoever needs scores computes them from the registry. `training` makes a new one,
`places` knows which list holds a reference, `ivf_file` is the form on disk.
"""

import threading
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

import faiss
import numpy as np
from numpy.typing import NDArray

from index import ivf_file
from index.errors import DuplicateReference, InvalidVector, SnapshotUnusable
from index.openmp import one_thread
from index.places import Places
from index.rwlock import ReadersWriterLock
from index.values import Hit
from index.vectors import unit_vectors

_ID_BYTES = 8
_PLACE_BYTES = 12
# A list as near as this to the nearest may hold a vector: sums are rounded by up to so much.
_SAME_SIMILARITY = 1e-4


@dataclass(frozen=True)
class Tuning:
    """How many lists a search looks into, and what that reached when it was measured.

    `recall`: share of the 10 exactly nearest that were among the neighbours fetched; `size`: how
    many references there were then.
    """

    nprobe: int
    recall: float
    size: int


class IvfIndex:
    """References in lists of neighbours; see ReferenceIndex for what each method promises.

    One change at a time is prepared beside the searches, and keeps them waiting only while it
    copies into or out of one list.
    """

    kind = "ivf"

    def __init__(self, trained: Any, tuning: Tuning, places: Places | None = None) -> None:
        """Take over a trained FAISS index, and where its references are if it has any."""
        self.tuning = tuning
        self.dimension: int = trained.d
        self._faiss = trained
        self._places = places or Places()
        self._centroids: NDArray[np.float32] = trained.quantizer.reconstruct_n(0, trained.nlist)
        self._lock = ReadersWriterLock()
        self._changing = threading.Lock()

    def add(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add ids (n,) and unit vectors (n, d), all or none."""
        ids = np.ascontiguousarray(reference_ids, dtype=np.int64)
        checked = unit_vectors(vectors, self.dimension)
        if ids.shape != (len(checked),):
            raise InvalidVector(
                f"Expected one id for each of {len(checked)} vectors, got {ids.shape}."
            )
        if len(np.unique(ids)) != len(ids):
            raise DuplicateReference(None)
        if not ids.size:
            return
        one_thread()
        numbers = self._faiss.quantizer.assign(checked, 1)[:, 0].astype(np.int64)
        with self._changing:
            known = ids[self._places.lists_of(ids) >= 0]
            if known.size:
                raise DuplicateReference(int(known.min()))
            pointers = [faiss.swig_ptr(array) for array in (checked, ids, numbers)]
            with self._lock.writing():
                self._faiss.add_core(len(ids), *pointers)
            self._places.put(ids, numbers.astype(np.int32))

    def remove(self, reference_ids: NDArray[np.int64]) -> int:
        """Take references out and return how many there were."""
        wanted = np.unique(np.asarray(reference_ids, dtype=np.int64))
        with self._changing:
            numbers = self._places.lists_of(wanted)
            there = numbers >= 0
            gone, numbers = wanted[there], numbers[there]
            for number in np.unique(numbers).tolist():
                with self._lock.writing():
                    self._take_out(number, gone[numbers == number])
            self._places.drop(gone)
        return len(gone)

    def search(self, probes: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Return for each probe of (n, d) its min(k, size) nearest references, as far as seen.

        More lists are looked into where those of the tuning hold fewer than k.
        """
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        checked = unit_vectors(probes, self.dimension)
        one_thread()
        nprobe = self.tuning.nprobe
        with self._lock.reading():
            found = min(k, self.size())
            if not found or not len(checked):
                return [[] for _ in checked]
            while True:
                asked = faiss.SearchParametersIVF()
                asked.nprobe = nprobe
                similarities, ids = self._faiss.search(checked, found, params=asked)
                if ids.min() >= 0 or nprobe >= self._faiss.nlist:
                    break
                nprobe = min(4 * nprobe, self._faiss.nlist)
        return [
            list(map(Hit, row_ids, row_similarities))
            for row_ids, row_similarities in zip(ids.tolist(), similarities.tolist(), strict=True)
        ]

    def size(self) -> int:
        """How many references there are."""
        return int(self._faiss.ntotal)

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        with self._changing:
            return self._places.reference_ids()

    def holds(
        self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether (n,) each vector is held, to one step of the quantiser, in a list nearest to it.

        One step, since another build of FAISS may round a code the other way.
        """
        one_thread()
        with self._changing:
            numbers = self._places.lists_of(reference_ids).astype(np.int64)
            if reference_ids.size and numbers.min() < 0:
                raise KeyError(int(reference_ids[numbers.argmin()]))
            held = np.empty((len(numbers), self._faiss.code_size), dtype=np.uint8)
            for number in np.unique(numbers).tolist():
                rows = np.flatnonzero(numbers == number)
                ids, codes = ivf_file.list_views(self._faiss, number)
                order = np.argsort(ids)
                held[rows] = codes[order[np.searchsorted(ids, reference_ids[rows], sorter=order)]]
        whole = np.ascontiguousarray(vectors, dtype=np.float32)
        expected = np.empty_like(held)
        pointers = [faiss.swig_ptr(array) for array in (whole, numbers, expected)]
        self._faiss.encode_vectors(len(whole), *pointers, False)
        steps = np.abs(held.astype(np.int16) - expected.astype(np.int16)).max(axis=1, initial=0)
        own = np.einsum("ij,ij->i", whole, self._centroids[numbers])
        best = self._faiss.quantizer.search(whole, 1)[0][:, 0]
        right: NDArray[np.bool_] = (steps <= 1) & (own >= best - _SAME_SIMILARITY)
        return right

    def memory_bytes(self) -> int:
        """About how much memory the index takes."""
        each = int(self._faiss.code_size) + _ID_BYTES + _PLACE_BYTES
        return self.size() * each + 2 * int(self._centroids.nbytes)

    def details(self) -> dict[str, int | float]:
        """Return the recall reached, and how."""
        return {
            "recall": self.tuning.recall,
            "lists": self._faiss.nlist,
            "nprobe": self.tuning.nprobe,
            "tuned_at_size": self.tuning.size,
        }

    def compact(self) -> None:
        """Give back the room that lists keep for growing; until it ends there are two copies."""
        with self._changing:
            fitting: Any = faiss.ArrayInvertedLists(self._faiss.nlist, self._faiss.code_size)
            for number in range(self._faiss.nlist):
                ids, codes = ivf_file.list_views(self._faiss, number)
                if ids.size:
                    fitting.add_entries(
                        number, len(ids), faiss.swig_ptr(ids), faiss.swig_ptr(codes)
                    )
            with self._lock.writing():
                self._faiss.replace_invlists(fitting, True)
                fitting.this.disown()

    def save(self, path: Path) -> None:
        """Write a copy to a file, list by list; searches and changes go on.

        What changes meanwhile may or may not be in it.
        """
        ivf_file.save(path, self._faiss, asdict(self.tuning), self._copied_lists())

    @classmethod
    def load(cls, path: Path, dimension: int) -> Self:
        """Read what `save` wrote; raises SnapshotUnusable for anything else."""
        trained, facts, ids, numbers = ivf_file.load(path, dimension)
        try:
            tuning = Tuning(**facts)
        except TypeError as error:
            raise SnapshotUnusable(f"{path.name} does not say how it is searched") from error
        return cls(trained, tuning, Places(ids, numbers))

    def _copied_lists(self) -> Iterator[ivf_file.List]:
        for number in range(self._faiss.nlist):
            with self._changing:
                ids, codes = ivf_file.list_views(self._faiss, number)
                copied = ids.copy(), codes.copy()
            yield copied

    def _take_out(self, number: int, gone: NDArray[np.int64]) -> None:
        """Take references out of their list, the last of it filling the holes."""
        ids, codes = ivf_file.list_views(self._faiss, number)
        leaving = np.isin(ids, gone, assume_unique=True)
        left = len(ids) - len(gone)
        holes = np.flatnonzero(leaving[:left])
        fillers = left + np.flatnonzero(~leaving[left:])
        ids[holes], codes[holes] = ids[fillers], codes[fillers]
        self._faiss.invlists.resize(number, left)
        self._faiss.ntotal -= len(gone)
