"""Brings a shared index to where the registry is, one batch after another, under the lease.

A batch may be written twice, or begun and left by a process that was killed: what it puts and
takes out, by id, is the same again, and only then does the row in SQL move on.
"""

import logging
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from index.errors import CollectionMissing, HistoryForked
from index.milvus.connection import MilvusConnection
from index.milvus.index import MilvusIndex
from index.registry.change_log import START, Position
from index.registry.following.lease import SharedIndex
from index.registry.registry import Registry
from index.sync.change_replay import BATCH_ROWS, batches
from index.vectors.unit_vectors import leading

logger = logging.getLogger(__name__)


@dataclass(frozen=True)
class SyncResult:
    """What a turn at draining did: rows of the log applied, and why the index was made anew."""

    rows: int
    rebuilt: str | None = None


class SyncWorker:
    """One process's way of draining the log into a server's collections; for one thread at a time.

    While one process drains, the others wait for the revision they need: see `shared_gallery`.
    """

    def __init__(self, registry: Registry, server: MilvusConnection, model_id: str) -> None:
        self._registry = registry
        self._server = server
        self._model_id = model_id
        self._lease = registry.lease(model_id, server.address.identity)
        self._unfinished = False

    def state(self) -> SharedIndex:
        """Return how far the index has come, whoever drains; one SELECT."""
        return self._lease.read()

    def turn(self) -> SyncResult | None:
        """Work until nothing is newer; None when another process is at it.

        An index that is not there, or stands on another history, is made anew from the registry.

        Raises:
            IndexUnavailable: the server cannot be used.
            LeaseLost: this process was too slow.
        """
        return self._under_lease(self._go_on)

    def rebuild(self) -> SyncResult | None:
        """Make the index anew from the registry; None when another process is writing to it."""
        return self._under_lease(
            lambda state: self._make(self._looked_at(state)[0], "it was asked for")
        )

    def _under_lease(self, work: Callable[[SharedIndex], SyncResult]) -> SyncResult | None:
        state = self._lease.take()
        if state is None:
            return None
        try:
            self._unfinished = False
            if self._lease.taken_over:
                # What was being made and left may hold vectors that are erased by now.
                self._server.drop_others(state.collection)
            return work(state)
        finally:
            # A lease that runs out tells whoever takes it next to look for remains.
            if not self._unfinished:
                self._lease.give_back()

    def _go_on(self, state: SharedIndex) -> SyncResult:
        found, fault = self._looked_at(state)
        if found.collection is None:
            return self._make(found, fault)
        index = MilvusIndex(self._server, found.collection)
        rows = self._replay(index, found.position)
        if not rows and found != state:
            self._lease.advance(found)
        return SyncResult(rows)

    def _looked_at(self, state: SharedIndex) -> tuple[SharedIndex, str]:
        """Return the state by the collection's own word; without one, and why, where it is unfit.

        That goes before SQL's: a batch may have been written and not yet been told of, or be the
        late writing of a process that had lost the lease.
        """
        if state.collection is None:
            return state, "there was none yet"
        try:
            position = MilvusIndex(self._server, state.collection).position()
            self._registry.changes.since(position, self._model_id, 1)
        except CollectionMissing as error:
            return SharedIndex(None, START), str(error)
        except HistoryForked as error:
            return SharedIndex(None, START), (
                f"it stands on revision {error.revision}, which is not in this registry's log: "
                "was the registry restored from a backup?"
            )
        return SharedIndex(state.collection, position), ""

    def _replay(self, index: MilvusIndex, position: Position) -> int:
        """Apply what is newer than `position`; return the rows of the log.

        Raises:
            HistoryForked: the registry no longer holds the revision that an index stands on.
        """
        rows = 0
        while changes := self._registry.changes.since(position, self._model_id, BATCH_ROWS):
            # Taken out first: the place in the log is written with what is put, and promises both.
            index.remove(np.setdiff1d(changes.touched, changes.reference_ids))
            vectors = changes.vectors
            if len(vectors):
                vectors = leading(vectors, index.dimension)
            position = changes.position
            index.put(changes.reference_ids, vectors, position)
            self._lease.advance(SharedIndex(index.collection, position))
            rows += changes.rows
        return rows

    def _make(self, state: SharedIndex, reason: str) -> SyncResult:
        """Fill a new collection beside the one that answers, then let it answer.

        The old one is drained on meanwhile, so that nobody waits and nothing erased stays in it.
        """
        logger.info("The shared index is made anew from the registry: %s.", reason.rstrip("."))
        old = None if state.collection is None else MilvusIndex(self._server, state.collection)
        position = self._registry.changes.head()
        self._unfinished = True
        new = MilvusIndex(self._server, self._server.create())
        count = 0
        for reference_ids, vectors in batches(self._registry, self._model_id, new.dimension):
            new.put(reference_ids, vectors)
            count += len(reference_ids)
            state = self._carry(old, state)
        none = np.empty((0, new.dimension), dtype=np.float32)
        new.put(np.empty(0, dtype=np.int64), none, position)
        self._lease.advance(SharedIndex(new.collection, position))
        self._replay(new, position)
        self._server.drop_others(new.collection)
        self._unfinished = False
        return SyncResult(count, reason)

    def _carry(self, old: MilvusIndex | None, state: SharedIndex) -> SharedIndex:
        """Keep the lease, and the old index up to date while the new one is filled."""
        if old is not None:
            self._replay(old, state.position)
            state = self._lease.read()
        self._lease.advance(state)
        return state
