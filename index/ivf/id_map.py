"""Where an IVF index keeps what it knows of each reference: its id, its list and its fine code.

A slot is a row number that FAISS's lists hold instead of an id. Ids are found by a sorted order of
the slots (5 bytes a reference), and a small dict of what came since they were last sorted: FAISS's
own hash map would take 40 bytes a reference, a Python set 60.
"""

from typing import Any

import numpy as np
from numpy.typing import NDArray

_GONE = -1
_SORT_FROM = 4096
_ROOM = 8  # An eighth more, whenever it is full.
# Every so many-th id, in order, is kept a second time, for a search to begin at: a power of two.
_APART = 16

Ids = NDArray[np.int64]
SlotNumbers = NDArray[np.int64]
Codes = NDArray[np.uint8]


class IdMap:
    """Reference id -> slot -> list and fine code; one thread changes it, others may read `codes`.

    The arrays are replaced when they grow, so that a reader keeps what it has begun with.
    """

    def __init__(self, ids: Ids, lists: NDArray[np.int16], codes: Codes) -> None:
        """Take ids (n,), lists (n,) and fine codes (n or more, c), which are not copied.

        Slots are their row numbers.
        """
        self._used = len(ids)
        self.ids, self.lists = _grown(ids, len(codes)), _grown(lists, len(codes))
        self.codes = codes
        self._recent: dict[int, int] = {}
        self._free: list[int] = []
        self._sort()

    def memory_bytes(self) -> int:
        """About how much memory this takes."""
        arrays = (self.ids, self.lists, self.codes, self._order)
        return sum(int(array[: self._used].nbytes) for array in arrays)

    def reference_ids(self) -> Ids:
        """Return all ids (n,), ascending."""
        if self._recent:
            self._sort()
        ids: Ids = self.ids[self._order[self.lists[self._order] != _GONE]]
        return ids

    def slots_of(self, reference_ids: Ids) -> SlotNumbers:
        """Return the slots (n,) of references (n,); -1 for one that is not there."""
        found = np.full(len(reference_ids), _GONE, np.int64)
        if self._order.size:
            slots = self._order[self._places_of(reference_ids)]
            there = (self.ids[slots] == reference_ids) & (self.lists[slots] != _GONE)
            found[there] = slots[there]
        if self._recent:  # Where none of those in order are.
            rows = np.flatnonzero(found == _GONE)
            wanted = reference_ids[rows].tolist()
            found[rows] = [self._recent.get(one, _GONE) for one in wanted]
        return found

    def some(self, count: int) -> SlotNumbers:
        """Return the slots of up to so many references, drawn at random, the same each time."""
        random = np.random.default_rng(0)
        drawn: SlotNumbers = random.integers(0, max(self._used, 1), min(count, self._used))
        there: SlotNumbers = drawn[self.lists[drawn] != _GONE]
        return there

    def put(self, reference_ids: Ids, lists: NDArray[np.int16], codes: Codes) -> SlotNumbers:
        """Keep references (n,) that are not there yet; return their slots (n,)."""
        if len(self._recent) > max(_SORT_FROM, self._used // 32):
            self._sort()
        count = len(reference_ids)
        reused = [self._free.pop() for _ in range(min(count, len(self._free)))]
        end = self._used + count - len(reused)
        self._make_room(end)
        slots = np.array([*reused, *range(self._used, end)], dtype=np.int64)
        self._used = end
        self.ids[slots], self.lists[slots], self.codes[slots] = reference_ids, lists, codes
        self._recent.update(zip(reference_ids.tolist(), slots.tolist(), strict=True))
        return slots

    def drop(self, slots: SlotNumbers) -> None:
        """Forget what is in slots (n,) that no list holds any more; its code is overwritten."""
        self.lists[slots] = _GONE
        self.codes[slots] = 0
        for slot, reference_id in zip(slots.tolist(), self.ids[slots].tolist(), strict=True):
            # What is in the sorted order keeps its id, and its slot, until that is made anew.
            if self._recent.pop(reference_id, None) is not None:
                self._free.append(slot)

    def detach(self) -> None:
        """Copy codes that lie in a file."""
        if isinstance(self.codes, np.memmap):
            own = np.empty(self.codes.shape, np.uint8)
            own[: self._used] = self.codes[: self._used]
            self.codes = own

    def _places_of(self, reference_ids: Ids) -> NDArray[np.int64]:
        """Return where in the sorted order references (n,) are if they are anywhere in it.

        From the mark before each it is halved on: four looks at memory are enough where a look at
        all up to the next mark would be sixteen.
        """
        marks = np.searchsorted(self._marks, reference_ids, side="right") - 1
        places = np.maximum(marks, 0) * _APART
        step = _APART // 2
        while step:
            further = np.minimum(places + step, len(self._order) - 1)
            not_behind = self.ids[self._order[further]] <= reference_ids
            places = np.where(not_behind, further, places)
            step //= 2
        return places

    def _sort(self) -> None:
        there = np.flatnonzero(self.lists[: self._used] != _GONE)
        order = there[np.argsort(self.ids[there], kind="stable")].astype(np.int32)
        self._free = np.flatnonzero(self.lists[: self._used] == _GONE).tolist()
        self.ids[self._free] = _GONE
        self._order, self._marks, self._recent = order, self.ids[order[::_APART]], {}

    def _make_room(self, end: int) -> None:
        if end <= len(self.ids):
            return
        room = with_room(end)
        grown = (_grown(old, room) for old in (self.ids, self.lists, self.codes))
        self.ids, self.lists, self.codes = grown  # All, or none where there is no memory.


def with_room(count: int) -> int:
    """Return how many rows are kept for so many references."""
    return count + count // _ROOM + 1


def _grown(old: NDArray[Any], room: int) -> NDArray[Any]:
    new = np.empty((room, *old.shape[1:]), old.dtype)
    new[: len(old)] = old
    return new
