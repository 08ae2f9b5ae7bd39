"""Which list of an IVF index holds each reference, in 12 bytes a reference; no vectors.

Two arrays sorted by id, and a small dict of what came since they were last merged: FAISS's own
hash map takes 40 bytes a reference, a Python set 60.
"""

import numpy as np
from numpy.typing import NDArray

_GONE = -1
_MERGE_FROM = 4096


class Places:
    """Reference id -> number of the list that holds it; not thread-safe."""

    def __init__(
        self,
        reference_ids: NDArray[np.int64] | None = None,
        lists: NDArray[np.int32] | None = None,
    ) -> None:
        self._ids = np.empty(0, np.int64) if reference_ids is None else reference_ids
        self._lists = np.empty(0, np.int32) if lists is None else lists
        self._recent: dict[int, int] = {}
        order = np.argsort(self._ids, kind="stable")
        self._ids, self._lists = self._ids[order], self._lists[order]

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        self._merge()
        return self._ids.copy()

    def lists_of(self, reference_ids: NDArray[np.int64]) -> NDArray[np.int32]:
        """Return the lists (n,) of references (n,); -1 for one that is not there."""
        found = np.full(len(reference_ids), _GONE, dtype=np.int32)
        if self._ids.size:
            at, same = self._find(reference_ids)
            found[same] = self._lists[at[same]]
        if self._recent:
            for row, reference_id in enumerate(reference_ids.tolist()):
                found[row] = self._recent.get(reference_id, found[row])
        return found

    def put(self, reference_ids: NDArray[np.int64], lists: NDArray[np.int32]) -> None:
        """Take note of references (n,) that are not there yet."""
        self._recent.update(zip(reference_ids.tolist(), lists.tolist(), strict=True))
        if len(self._recent) > max(_MERGE_FROM, len(self._ids) // 32):
            self._merge()

    def drop(self, reference_ids: NDArray[np.int64]) -> None:
        """Forget references (n,) that are there."""
        later = [one for one in reference_ids.tolist() if self._recent.pop(one, None) is None]
        if later:
            at, _ = self._find(np.array(later, dtype=np.int64))
            self._lists[at] = _GONE

    def _find(self, reference_ids: NDArray[np.int64]) -> tuple[NDArray[np.intp], NDArray[np.bool_]]:
        at = np.minimum(np.searchsorted(self._ids, reference_ids), len(self._ids) - 1)
        return at, self._ids[at] == reference_ids

    def _merge(self) -> None:
        count = len(self._recent)
        there = self._lists != _GONE
        ids = np.concatenate(
            [self._ids[there], np.fromiter(self._recent.keys(), np.int64, count=count)]
        )
        lists = np.concatenate(
            [self._lists[there], np.fromiter(self._recent.values(), np.int32, count=count)]
        )
        order = np.argsort(ids, kind="stable")
        self._ids, self._lists, self._recent = ids[order], lists[order], {}
