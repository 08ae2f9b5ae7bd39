"""The lists of an IVF index: slots and 4-bit codes, scanned by FAISS and changed one at a time.

A change is prepared beside the searches, and keeps them waiting only while it copies into a list.
"""

from typing import Any

import faiss
import numpy as np
from numpy.typing import NDArray

from index.blocks import PER_BLOCK, layout_of, resized, views
from index.openmp import one_thread
from index.rwlock import ReadersWriterLock
from index.scan_codes import ScanCodes

_BEST_FIRST_WITH_RESERVOIR = 11  # FAISS's number for the way to scan.

Slots = NDArray[np.int64]
Codes = NDArray[np.uint8]


class Lists:
    """So many lists of slots, each slot with its code; one thread changes them, others search."""

    def __init__(self, codes: ScanCodes, count: int) -> None:
        self.count = count
        self.lock = ReadersWriterLock()  # Searches read under it.
        self._scanner: Any = codes.scanner(count, PER_BLOCK)
        self._scanner.implem = _BEST_FIRST_WITH_RESERVOIR
        self._layout = layout_of(codes.code_bytes)

    def size(self) -> int:
        """How many slots they hold together."""
        return int(self._scanner.ntotal)

    def memory_bytes(self) -> int:
        """About how much memory they take."""
        each = self._layout.code_bytes + 8  # A list's slots are FAISS's ids, of 64 bits.
        room = self.count * PER_BLOCK // 2 * self._layout.code_bytes  # Half a block a list.
        return self.size() * each + room

    def scan(self, projected: NDArray[np.float32], numbers: Slots, most: int) -> Slots:
        """Return the slots (at most `most`) that look best in lists (n,); hold `lock`.

        `projected` is the probe (2c,) on the axes of the codes. FAISS passes over what looks worst
        of all, so where it finds too few, everything in these lists is returned.
        """
        one_thread()
        asked = faiss.SearchParametersIVF()
        asked.nprobe = len(numbers)
        similarities, slots = np.empty(most, np.float32), np.empty(most, np.int64)
        nearness = np.zeros(len(numbers), np.float32)  # Of centroids: these codes want none.
        arrays = (projected, numbers, nearness, similarities, slots)
        at = [faiss.swig_ptr(array) for array in arrays]
        self._scanner.search_preassigned_c(1, at[0], most, *at[1:], False, asked)
        if slots[-1] >= 0:
            return slots
        held = [views(self._scanner, one, self._layout)[0] for one in numbers.tolist()]
        return np.concatenate(held)

    def content(self, number: int) -> tuple[Slots, Codes]:
        """Return copies of a list's slots (n,) and blocks."""
        slots, blocks = views(self._scanner, number, self._layout)
        return slots.copy(), blocks.copy()

    def fill(self, number: int, slots: Slots, blocks: Codes) -> None:
        """Give an empty list its content; before anyone searches."""
        held_slots, held_blocks = resized(self._scanner, number, len(slots), self._layout)
        held_slots[:], held_blocks[:] = slots, blocks
        self._scanner.ntotal += len(slots)

    def append(self, number: int, slots: Slots, codes: Codes) -> None:
        """Add slots (n,) and their codes (n, c) to a list."""
        held, blocks = views(self._scanner, number, self._layout)
        size = len(held)
        first = size // PER_BLOCK
        last = self._layout.unpack(blocks, np.arange(first * PER_BLOCK, size))
        packed = self._layout.pack(np.concatenate([last, codes]))
        with self.lock.writing():
            held, blocks = resized(self._scanner, number, size + len(slots), self._layout)
            held[size:], blocks[first:] = slots, packed
            self._scanner.ntotal += len(slots)

    def take_out(self, number: int, gone: Slots) -> None:
        """Take slots out of their list, the last of it filling the holes."""
        held, blocks = views(self._scanner, number, self._layout)
        leaving = np.isin(held, gone, assume_unique=True)
        left = len(held) - len(gone)
        holes = np.flatnonzero(leaving[:left])
        fillers = left + np.flatnonzero(~leaving[left:])
        moved, slots = self._layout.unpack(blocks, fillers), held[fillers]
        touched, packed = self._layout.replaced(blocks, left, holes, moved)
        with self.lock.writing():
            held[holes], blocks[touched] = slots, packed
            resized(self._scanner, number, left, self._layout)
            self._scanner.ntotal -= len(gone)

    def codes_of(self, slots: Slots, numbers: NDArray[np.int16]) -> Codes:
        """Return the codes (n, c) of slots (n,) in lists (n,); all zero for one not there."""
        found = np.zeros((len(slots), self._layout.code_bytes), np.uint8)
        for number in np.unique(numbers).tolist():
            rows = np.flatnonzero(numbers == number)
            held, blocks = views(self._scanner, number, self._layout)
            _, mine, theirs = np.intersect1d(slots[rows], held, return_indices=True)
            found[rows[mine]] = self._layout.unpack(blocks, theirs)
        return found
