"""The index for large galleries: a quick look at many, a closer one at few (FAISS IVF fast scan).

The first goes through the lists nearest to the probe, by 4-bit codes of pairs of elements, many at
once; the second puts the best few hundred in order by `fine` codes. What comes back is near, not
exact: whoever needs scores computes them from the registry. `training` makes a new one, `slots`
knows where a reference is, `blocks` the form of the lists, `ivf_file` the form on disk.
"""

import threading
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Self

import faiss
import numpy as np
from numpy.typing import NDArray

from index import freed, ivf_file
from index.blocks import PER_BLOCK, layout_of, resized, views
from index.errors import DuplicateReference, InvalidVector, SnapshotUnusable
from index.ivf_file import Codes, Ids, Part, Trained
from index.openmp import one_thread
from index.rwlock import ReadersWriterLock
from index.slots import Slots
from index.values import Hit
from index.vectors import unit_vectors

# A list as near as this to the nearest may hold a vector: sums are rounded by up to so much.
_SAME_SIMILARITY = 1e-4
# Of the pairs of elements of a vector: rounding may put so many into the code beside.
_OTHERWISE_ROUNDED = 0.1


@dataclass(frozen=True)
class Tuning:
    """How far a search looks, and what that reached when it was measured.

    `candidates`: how many the first look hands to the second; `recall`: share of the 10 exactly
    nearest that were among the neighbours fetched; `size`: how many references there were then.
    """

    nprobe: int
    candidates: int
    recall: float
    recall_of_nearest: float
    size: int


class IvfIndex:
    """References in lists of neighbours; see ReferenceIndex for what each method promises.

    One change at a time is prepared beside the searches, and keeps them waiting only while it
    copies into one list.
    """

    kind = "ivf"

    def __init__(self, trained: Trained, tuning: Tuning, parts: Iterable[Part] = ()) -> None:
        """Take over what was trained, and the lists if there are any yet."""
        self.tuning = tuning
        self.dimension: int = trained.scan.d
        self._trained = trained
        self._scan = trained.scan
        self._layout = layout_of(self._scan.code_size)
        self._centroids: NDArray[np.float32] = self._scan.quantizer.reconstruct_n(
            0, self._scan.nlist
        )
        self._slots = self._filled(parts)
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
        numbers, codes = self._coded(checked)
        fine = self._trained.fine.encode(checked)
        with self._changing:
            known = ids[self._slots.slots_of(ids) >= 0]
            if known.size:
                raise DuplicateReference(int(known.min()))
            # Before they are in a list: a search that finds a slot there finds its fine code here.
            slots = self._slots.put(ids, numbers.astype(np.int16), fine)
            order = np.argsort(numbers, kind="stable")
            found, starts = np.unique(numbers[order], return_index=True)
            for number, rows in zip(found.tolist(), np.split(order, starts[1:]), strict=True):
                self._append(number, slots[rows], codes[rows])

    def remove(self, reference_ids: NDArray[np.int64]) -> int:
        """Take references out and return how many there were."""
        wanted = np.unique(np.asarray(reference_ids, dtype=np.int64))
        with self._changing:
            slots = self._slots.slots_of(wanted)
            gone = slots[slots >= 0]
            numbers = self._slots.lists[gone]
            for number in np.unique(numbers).tolist():
                self._take_out(number, gone[numbers == number])
            self._slots.drop(gone)
        return len(gone)

    def search(self, probes: NDArray[np.float32], k: int) -> list[list[Hit]]:
        """Return for each probe of (n, d) its min(k, size) nearest references, as far as seen.

        More lists are looked into where those of the tuning hold fewer than k.
        """
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        checked = unit_vectors(probes, self.dimension)
        one_thread()
        rotated = checked @ self._trained.rotation
        with self._lock.reading():
            found = min(k, self.size())
            if not found or not len(checked):
                return [[] for _ in checked]
            candidates = self._candidates(rotated, found)
            return [
                self._in_order(probe, row[row >= 0], found)
                for probe, row in zip(checked, candidates, strict=True)
            ]

    def size(self) -> int:
        """How many references there are."""
        return int(self._scan.ntotal)

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        with self._changing:
            return self._slots.reference_ids()

    def holds(
        self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether (n,) each vector is held, to one step of the codes, in a list nearest to it.

        One step, and a tenth of the 4-bit codes, since another build of FAISS may round otherwise.
        """
        one_thread()
        with self._changing:
            slots = self._slots.slots_of(reference_ids)
            if reference_ids.size and slots.min() < 0:
                raise KeyError(int(reference_ids[slots.argmin()]))
            numbers = self._slots.lists[slots].astype(np.int64)
            fine, codes = self._slots.codes[slots], self._codes_of(slots, numbers)
        whole = np.ascontiguousarray(vectors, dtype=np.float32)
        rotated = whole @ self._trained.rotation
        steps = self._trained.fine.steps_apart(fine, self._trained.fine.encode(whole))
        expected = self._encoded(rotated, numbers)
        other = ((codes ^ expected) & 15 != 0).astype(float) + (codes >> 4 != expected >> 4)
        near = other.mean(axis=1) <= 2 * _OTHERWISE_ROUNDED if len(whole) else np.empty(0, bool)
        own = np.einsum("ij,ij->i", rotated, self._centroids[numbers])
        best = self._scan.quantizer.search(rotated, 1)[0][:, 0]
        right: NDArray[np.bool_] = (steps <= 1) & near & (own >= best - _SAME_SIMILARITY)
        return right

    def memory_bytes(self) -> int:
        """About how much memory the index takes."""
        each = self._layout.code_bytes + 8  # A list's ids are FAISS's, of 64 bits.
        room = self._scan.nlist * PER_BLOCK // 2 * self._layout.code_bytes  # Half a block a list.
        fixed = 2 * int(self._centroids.nbytes) + room
        return self.size() * int(each) + self._slots.memory_bytes() + int(fixed)

    def details(self) -> dict[str, int | float]:
        """Return the recall reached, and how."""
        return {
            "recall": self.tuning.recall,
            "recall_of_nearest": self.tuning.recall_of_nearest,
            "lists": self._scan.nlist,
            "nprobe": self.tuning.nprobe,
            "candidates": self.tuning.candidates,
            "tuned_at_size": self.tuning.size,
        }

    def save(self, path: Path) -> None:
        """Write a copy to a file, list by list; searches and changes go on.

        What changes meanwhile may or may not be in it.
        """
        ivf_file.save(path, self._trained, asdict(self.tuning), self._copied_lists())

    @classmethod
    def load(cls, path: Path, dimension: int) -> Self:
        """Read what `save` wrote; raises SnapshotUnusable for anything else."""
        with ivf_file.opened(path, dimension) as (trained, facts, parts):
            try:
                tuning = Tuning(**facts)
            except TypeError as error:
                raise SnapshotUnusable(f"{path.name} does not say how it is searched") from error
            index = cls(trained, tuning, parts)
        if not np.diff(index.reference_ids()).all():
            raise SnapshotUnusable(f"{path.name} holds a reference twice")
        freed.give_back()
        return index

    def compacted(self) -> Self:
        """Return a copy in which what is near lies together, without room to grow."""
        trained = replace(self._trained, scan=ivf_file.without_lists(self._scan))
        compact = type(self)(trained, self.tuning, self._copied_lists())
        freed.give_back()
        return compact

    def _candidates(self, rotated: NDArray[np.float32], found: int) -> NDArray[np.int64]:
        """Return slots (n, c) of at least `found` candidates each, padded with -1."""
        asked = faiss.SearchParametersIVF()
        asked.nprobe = self.tuning.nprobe
        most = min(max(found, self.tuning.candidates), self.size())
        while True:
            slots: NDArray[np.int64] = self._scan.search(rotated, most, params=asked)[1]
            if asked.nprobe >= self._scan.nlist or np.all(slots[:, found - 1] >= 0):
                return slots
            asked.nprobe = min(4 * asked.nprobe, self._scan.nlist)

    def _in_order(self, probe: NDArray[np.float32], slots: Ids, found: int) -> list[Hit]:
        """Return the best of the candidates in slots (c,), by their fine codes."""
        codes = self._slots.codes.take(slots, axis=0)
        similarities = self._trained.fine.similarities(probe, codes)
        best = np.argpartition(-similarities, found - 1)[:found]
        best = best[np.argsort(-similarities[best], kind="stable")]
        ids = self._slots.ids[slots[best]]
        return list(map(Hit, ids.tolist(), similarities[best].tolist()))

    def _coded(self, checked: NDArray[np.float32]) -> tuple[NDArray[np.int64], Codes]:
        """Return the lists (n,) that vectors (n, d) belong to, and their 4-bit codes (n, c)."""
        rotated = checked @ self._trained.rotation
        numbers: NDArray[np.int64] = self._scan.quantizer.assign(rotated, 1)[:, 0]
        return numbers, self._encoded(rotated, numbers)

    def _encoded(self, rotated: NDArray[np.float32], numbers: NDArray[np.int64]) -> Codes:
        codes = np.empty((len(rotated), self._layout.code_bytes), np.uint8)
        pointers = [faiss.swig_ptr(array) for array in (rotated, numbers, codes)]
        self._scan.encode_vectors(len(rotated), *pointers)
        return codes

    def _append(self, number: int, slots: Ids, codes: Codes) -> None:
        ids, blocks = views(self._scan, number, self._layout)
        size = len(ids)
        first = size // PER_BLOCK
        last = self._layout.unpack(blocks, np.arange(first * PER_BLOCK, size))
        packed = self._layout.pack(np.concatenate([last, codes]))
        with self._lock.writing():
            ids, blocks = resized(self._scan, number, size + len(slots), self._layout)
            ids[size:], blocks[first:] = slots, packed
            self._scan.ntotal += len(slots)

    def _take_out(self, number: int, gone: Ids) -> None:
        """Take slots out of their list, the last of it filling the holes."""
        ids, blocks = views(self._scan, number, self._layout)
        leaving = np.isin(ids, gone, assume_unique=True)
        left = len(ids) - len(gone)
        holes = np.flatnonzero(leaving[:left])
        fillers = left + np.flatnonzero(~leaving[left:])
        moved, slots = self._layout.unpack(blocks, fillers), ids[fillers]
        touched, packed = self._layout.replaced(blocks, left, holes, moved)
        with self._lock.writing():
            ids[holes], blocks[touched] = slots, packed
            resized(self._scan, number, left, self._layout)
            self._scan.ntotal -= len(gone)

    def _codes_of(self, slots: Ids, numbers: NDArray[np.int64]) -> Codes:
        """Return the 4-bit codes (n, c) that are in the lists; all zero for one that is not."""
        found = np.zeros((len(slots), self._layout.code_bytes), np.uint8)
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            ids, blocks = views(self._scan, number, self._layout)
            _, mine, theirs = np.intersect1d(slots[rows], ids, return_indices=True)
            found[rows[mine]] = self._layout.unpack(blocks, theirs)
        return found

    def _filled(self, parts: Iterable[Part]) -> Slots:
        """Fill FAISS's lists, and return the slots that they hold, numbered list by list."""
        all_ids = [np.empty(0, np.int64)]
        all_codes = [np.empty((0, self._trained.fine.code_bytes), np.uint8)]
        sizes, start = [], 0
        for number, (ids, fine, blocks) in enumerate(parts):
            slots, held = resized(self._scan, number, len(ids), self._layout)
            slots[:], held[:] = np.arange(start, start + len(ids)), blocks
            start += len(ids)
            sizes.append(len(ids))
            all_ids.append(ids)
            all_codes.append(fine)
        self._scan.ntotal = start
        lists = np.repeat(np.arange(len(sizes), dtype=np.int16), sizes)
        return Slots(np.concatenate(all_ids), lists, np.concatenate(all_codes))

    def _copied_lists(self) -> Iterator[Part]:
        for number in range(self._scan.nlist):
            with self._changing:
                slots, blocks = views(self._scan, number, self._layout)
                copied = self._slots.ids[slots], self._slots.codes[slots], blocks.copy()
            yield copied
