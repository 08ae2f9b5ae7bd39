"""The lists of an IVF index: slots and 4-bit codes, searched by FAISS and changed one at a time.

A change is prepared beside the searches, and keeps them waiting only while it copies into a list.
"""

from functools import lru_cache
from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.ivf import fine_codes
from index.ivf.file_format import Trained
from index.ivf.packed_blocks import PER_BLOCK, layout_of, resized, saved_blocks, views
from index.vectors.faiss_threads import use_one_faiss_thread
from index.vectors.rwlock import ReadersWriterLock

_faiss: Any = faiss  # Its stubs leave out what its Python layer adds.
_BEST_FIRST_WITH_RESERVOIR = 11  # FAISS's number for the way to scan.

SlotNumbers = NDArray[np.int64]
Codes = NDArray[np.uint8]


class InvertedLists:
    """Lists of slots, each slot with its code; one thread changes them, others search."""

    def __init__(self, trained: Trained) -> None:
        self.count = len(trained.centroids)
        self.lock = ReadersWriterLock()  # Searches read under it.
        self._scanner: Any = trained.coarse.scanner(trained.centroids, PER_BLOCK)
        self._scanner.implem = _BEST_FIRST_WITH_RESERVOIR
        self._onto_axes = _linear(trained.coarse.axes)
        self._coarse = _faiss.IndexPreTransform(self._onto_axes, self._scanner)
        self._fine = trained.fine.searcher()
        self._both = _faiss.IndexRefine(self._coarse, self._fine)
        self._layout = layout_of(trained.coarse.code_bytes, PER_BLOCK)

    def size(self) -> int:
        """How many slots they hold together."""
        return int(self._scanner.ntotal)

    def memory_bytes(self) -> int:
        """About how much memory they take."""
        each = self._layout.code_bytes + 8  # A list's slots are FAISS's ids, of 64 bits.
        room = self.count * self._layout.block_bytes // 2  # Half a block a list.
        return self.size() * each + room

    def imbalance(self) -> float:
        """How unlike in size they are: 1 if all are alike, more if some hold most."""
        return float(self._scanner.invlists.imbalance_factor())

    def show(self, codes: Codes) -> None:
        """Put candidates in order by fine codes (n, f) from now on, one for each slot: keep them.

        Nobody searches with those shown before when this returns.
        """
        with self.lock.writing():
            fine_codes.show(self._fine, codes)
            self._both.ntotal = len(codes)

    def search(
        self, probe: NDArray[np.float32], k: int, nprobe: int, candidates: int
    ) -> tuple[NDArray[np.float32], SlotNumbers]:
        """Return similarities (k,) and slots (k,) near a probe (1, d); hold `lock`.

        So many lists are looked into, and the best candidates put in order. Where there are fewer
        than k, -1 follows: also in place of what looks worst of all, which FAISS passes over.
        """
        use_one_faiss_thread()
        similarities, slots = self._both.search(
            probe, k, params=_search_parameters(k, nprobe, candidates)
        )
        return similarities[0], slots[0]

    def search_all(
        self, probe: NDArray[np.float32], k: int
    ) -> tuple[NDArray[np.float32], SlotNumbers]:
        """Return the k best by fine codes of all slots in all lists; hold `lock`."""
        use_one_faiss_thread()
        there = np.zeros(self._fine.ntotal, np.bool_)
        for number in range(self.count):
            there[views(self._scanner, number, self._layout)[0]] = True
        chosen = _faiss.IDSelectorBitmap(np.packbits(there, bitorder="little"))
        only = _faiss.SearchParameters(sel=chosen)
        similarities, slots = self._fine.search(probe, k, params=only)
        return similarities[0], slots[0]

    def content(self, number: int) -> tuple[SlotNumbers, Codes]:
        """Return copies of a list's slots (n,) and, as blocks of 32, of its codes."""
        slots, blocks = views(self._scanner, number, self._layout)
        return slots.copy(), self._layout.saved(blocks)[: saved_blocks(len(slots))]

    def fill(self, number: int, slots: SlotNumbers, blocks: Codes) -> None:
        """Give an empty list its content; before anyone searches."""
        held_slots, held_blocks = resized(self._scanner, number, len(slots), self._layout)
        held_slots[:], held_blocks[:] = slots, self._layout.restored(blocks)
        self._scanner.ntotal += len(slots)

    def append(self, number: int, slots: SlotNumbers, codes: Codes) -> None:
        """Add slots (n,) and their codes (n, c) to a list."""
        held, blocks = views(self._scanner, number, self._layout)
        size = len(held)
        first = size // self._layout.per_block
        last = self._layout.unpack(blocks, np.arange(first * self._layout.per_block, size))
        packed = self._layout.pack(np.concatenate([last, codes]))
        with self.lock.writing():
            held, blocks = resized(self._scanner, number, size + len(slots), self._layout)
            held[size:], blocks[first:] = slots, packed
            self._scanner.ntotal += len(slots)

    def take_out(self, number: int, gone: SlotNumbers) -> None:
        """Take slots that are there out of a list, the last of it filling the holes."""
        held, blocks = views(self._scanner, number, self._layout)
        leaving = np.isin(held, gone, assume_unique=True)
        left = int(np.count_nonzero(~leaving))
        holes = np.flatnonzero(leaving[:left])
        fillers = left + np.flatnonzero(~leaving[left:])
        moved, slots = self._layout.unpack(blocks, fillers), held[fillers]
        touched, packed = self._layout.replaced(blocks, left, holes, moved)
        with self.lock.writing():
            held[holes], blocks[touched] = slots, packed
            resized(self._scanner, number, left, self._layout)
            self._scanner.ntotal -= len(leaving) - left

    def codes_of(self, slots: SlotNumbers, numbers: NDArray[np.int16]) -> Codes:
        """Return the codes (n, c) of slots (n,) in lists (n,); all zero for one not there."""
        found = np.zeros((len(slots), self._layout.code_bytes), np.uint8)
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            held, blocks = views(self._scanner, number, self._layout)
            _, mine, theirs = np.intersect1d(slots[rows], held, return_indices=True)
            found[rows[mine]] = self._layout.unpack(blocks, theirs)
        return found


def _linear(axes: NDArray[np.float32]) -> Any:
    """Return FAISS's transformation of vectors of length d onto axes (d, e)."""
    transformation = _faiss.LinearTransform(*axes.shape, False)
    faiss.copy_array_to_vector(np.ascontiguousarray(axes.T).ravel(), transformation.A)
    transformation.is_trained = True
    return transformation


@lru_cache(maxsize=256)
def _search_parameters(k: int, nprobe: int, candidates: int) -> Any:
    lists = _faiss.SearchParametersIVF(nprobe=nprobe)
    coarse = _faiss.SearchParametersPreTransform(index_params=lists)
    # FAISS takes a factor of k, and cuts off what is behind the point of the product.
    factor = (max(k, candidates) + 0.5) / k
    return _faiss.IndexRefineSearchParameters(k_factor=factor, base_index_params=coarse)
