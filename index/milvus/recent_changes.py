"""What a search of a shared index may not see yet: it is taken from SQL, exactly.

A Milvus server shows what was written with a delay, unless a search waits for its clock, which
takes 200 ms and more. So a search here is answered by two: by the collection, as it was at least at
a time that has settled, and by the registry's log from there on.
"""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from index.errors import HistoryForked
from index.milvus.connection import MilvusConnection
from index.milvus.index import MilvusIndex
from index.registry.change_log import Changes, Position
from index.registry.following.lease import SharedIndex
from index.registry.registry import Registry
from index.sync.change_replay import BATCH_ROWS
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import Neighbours

# After so long a server has come to a time of its clock: on an idle one it takes up to 0.4 s. Where
# it takes longer, a search waits for it, and is as right.
SETTLED_S = 1.0
# More references than this are not searched beside the collection: it has to come nearer first.
MOST_NEWER = 4 * BATCH_ROWS


@dataclass(frozen=True)
class _Sight:
    """A collection's place in the log, and a time of the server's clock that is later than it."""

    collection: str
    position: Position
    timestamp: int
    seen_at: float


@dataclass(frozen=True, eq=False)
class View:
    """A collection at a time, and what changed since, as one index.

    `changed` (m,) int64 are the references that were put or erased since; `reference_ids` (n,)
    int64 and `vectors` (n, d) float32 those of them that are there now.
    """

    index: MilvusIndex
    changed: NDArray[np.int64]
    reference_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) its min(k, size) nearest references, nearest first.

        At most 16,383 less the m that changed come of the collection.

        Raises:
            CollectionMissing: the collection has gone.
            IndexUnavailable: the server cannot be used.
            InvalidVector: they are not finite unit vectors of the expected size.
        """
        if k < 1 or not len(self.changed):
            return self.index.search(probes, k)
        # All that changed may be among the nearest that the collection knows.
        found = self.index.search(probes, k + len(self.changed))
        return [self._merged(near, probe, k) for near, probe in zip(found, probes, strict=True)]

    def _merged(self, near: Neighbours, probe: NDArray[np.float32], k: int) -> Neighbours:
        same = ~np.isin(near.reference_ids, self.changed)
        ids = np.concatenate([near.reference_ids[same], self.reference_ids])
        cosines = np.concatenate([near.similarities[same], np.vecdot(self.vectors, probe)])
        first = np.argsort(-cosines, kind="stable")[:k]
        return Neighbours(ids[first], cosines[first])


class RecentChanges:
    """Follows the log from a place that a collection is sure to show; thread-safe.

    That place is one that SQL told before the server's clock was read: what a writer has been
    told is done bears an earlier time. Searching with that time as guarantee, the server shows all
    of it, whatever replica of its own answers, and shows newer things or not. Of those the log
    says what they are now.
    """

    def __init__(
        self,
        registry: Registry,
        server: MilvusConnection,
        model_id: str,
        read_state: Callable[[], SharedIndex],
    ) -> None:
        self._registry = registry
        self._server = server
        self._model_id = model_id
        self._read_state = read_state
        # One looks at a time, and asks the server; the others go on meanwhile with what is known.
        self._looking = threading.Lock()
        self._lock = threading.Lock()
        self._base: _Sight | None = None
        self._next: _Sight | None = None
        self._read_to: Position | None = None
        # By reference: no earlier than which revision it changed last, and its vector; None: gone.
        self._newer: dict[int, tuple[int, NDArray[np.float32] | None]] = {}
        self._view: View | None = None

    def look(self, *, at_once: bool = False) -> None:
        """Note where the collection is; done once a second, so that little is newer.

        What is noted is begun at when it has settled. With `at_once` searches begin there from now
        on, and wait for the server's clock until then.

        Raises:
            IndexUnavailable: the server cannot be used.
        """
        if not self._looking.acquire(blocking=at_once or self._base is None):
            return
        try:
            due = self._next is None or time.monotonic() - self._next.seen_at >= SETTLED_S
            if at_once or due:
                self._note(self._sight(), at_once=at_once)
        finally:
            self._looking.release()

    def view(self) -> View | None:
        """Return what shows everything committed before the call; one SELECT as a rule.

        None where there is no collection, or one that is too far behind, or of another history.

        Raises:
            IndexUnavailable: the server cannot be used.
        """
        self.look()
        found = self._read()
        if found is None:
            self.look(at_once=True)
            found = self._read()
        return found

    def _note(self, sight: _Sight | None, *, at_once: bool) -> None:
        with self._lock:
            if at_once:
                self._use(sight)
                self._next = None
                return
            if self._next is not None:
                self._use(self._next)  # It has settled.
            elif self._base is None:
                self._use(sight)
            self._next = sight

    def _sight(self) -> _Sight | None:
        state = self._read_state()
        if state.collection is None:
            return None
        timestamp = self._server.timestamp()  # After the place was read, never before.
        return _Sight(state.collection, state.position, timestamp, time.monotonic())

    def _use(self, sight: _Sight | None) -> None:
        """Begin at this place from now on; keep what was read of the log behind it."""
        base, self._base, self._view = self._base, sight, None
        if sight is None:
            self._newer, self._read_to = {}, None
            return
        revision = sight.position.revision
        goes_on = base is not None and base.position.revision <= revision
        if goes_on and self._read_to is not None and revision <= self._read_to.revision:
            self._newer = {
                reference_id: changed
                for reference_id, changed in self._newer.items()
                if changed[0] > revision
            }
        else:
            self._newer, self._read_to = {}, sight.position

    def _read(self) -> View | None:
        """Read the log to its end; None where too much is newer, or nothing is to begin at."""
        with self._lock:
            if self._base is None or self._read_to is None:
                return None
            try:
                while len(self._newer) <= MOST_NEWER and (
                    changes := self._registry.changes.since(
                        self._read_to, self._model_id, BATCH_ROWS
                    )
                ):
                    self._take(changes)
            except HistoryForked:
                self._use(None)
                return None
            if len(self._newer) > MOST_NEWER:
                return None
            if self._view is None:
                self._view = self._built(self._base)
            return self._view

    def _take(self, changes: Changes) -> None:
        revision, self._view = changes.position.revision, None
        self._newer |= dict.fromkeys(changes.touched.tolist(), (revision, None))
        if len(changes.vectors):
            vectors = leading(changes.vectors, self._server.dimension)
            for reference_id, vector in zip(changes.reference_ids.tolist(), vectors, strict=True):
                self._newer[reference_id] = (revision, vector)
        self._read_to = changes.position

    def _built(self, base: _Sight) -> View:
        there = {name: vector for name, (_, vector) in self._newer.items() if vector is not None}
        vectors = np.empty((len(there), self._server.dimension), dtype=np.float32)
        for row, vector in enumerate(there.values()):
            vectors[row] = vector
        return View(
            MilvusIndex(self._server, base.collection, base.timestamp),
            np.array(list(self._newer), dtype=np.int64),
            np.array(list(there), dtype=np.int64),
            vectors,
        )
