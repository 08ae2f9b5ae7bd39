"""One process's view of an index that many processes share on a Milvus server.

SQL is the truth here too. A thread of each process drains the log into the collection when nobody
else does. A search takes what the collection may not show yet from the log: see `recent_changes`.
"""

import logging
import threading
import time
from collections.abc import Callable
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from index.errors import (
    CollectionMissing,
    ErasureIncomplete,
    GalleryError,
    IndexBehind,
    IndexUnavailable,
    LeaseLost,
)
from index.milvus.address import MilvusAddress
from index.milvus.connection import MilvusConnection
from index.milvus.index import MilvusIndex
from index.milvus.recent_changes import RecentChanges, View
from index.milvus.sync_worker import SyncResult, SyncWorker
from index.registry.change_log import Position
from index.registry.following.lease import LEASE_S, SharedIndex
from index.registry.registry import Registry
from index.sync.background_task import BackgroundTask
from index.sync.consistency import CheckReport, Difference, ErasureReport, compare_all, compare_some
from index.sync.gallery_interface import OpenReport
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import Neighbours

T = TypeVar("T")
logger = logging.getLogger(__name__)

# How long a request waits for the revision that it needs before it is answered 503.
REVISION_WAIT_S = 5.0
# How often an idle process looks whether there is something to drain.
_LOOK_S = 1.0
_CLOSE_WAIT_S = 5.0


class SharedGallery:
    """What `LocalGallery` is to an index of its own, for one on a server; thread-safe.

    Build it after a fork, never before. It keeps nothing on this host's disk.
    """

    def __init__(
        self, registry: Registry, model_id: str, dimension: int, address: MilvusAddress
    ) -> None:
        self._registry = registry
        self._model_id = model_id
        self._server = MilvusConnection(address, f"{registry.registry_id()}_{model_id}", dimension)
        self._worker = SyncWorker(registry, self._server, model_id)
        self._recent = RecentChanges(registry, self._server, model_id, self._worker.state)
        self._working = threading.Lock()
        self._wanted = threading.Event()
        self._closing = threading.Event()
        self._keeping_up = BackgroundTask(self._keep_up)

    def open(self) -> OpenReport:
        """Bring the index to where the registry is, or wait for who does; then keep it there.

        Where there is none, it is made, however long that takes.

        Raises:
            IndexUnavailable: the server cannot be used.
        """
        told = False
        while (result := self._turn()) is None:
            if not told:
                logger.info("Another process drains the shared index; the start waits for it.")
                told = True
            time.sleep(0.1)
        self._recent.look()
        self._keeping_up.start()
        if result.rebuilt is None:
            return OpenReport("shared", None, result.rows)
        return OpenReport("rebuilt", result.rebuilt, result.rows)

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) its nearest references, at most k, nearest first.

        What was enrolled before the call, by whatever process, is found.

        Raises:
            InvalidVector: they are not finite unit vectors of the expected size.
            IndexBehind: the index does not come there within REVISION_WAIT_S.
            IndexUnavailable: the server cannot be used.
        """
        part = leading(probes, self._server.dimension)
        try:
            return self._up_to_now().search(part, k)
        except CollectionMissing:
            # Made anew by another process a moment ago; or gone, and then a turn makes it.
            self._wake()
            self._recent.look(at_once=True)
            return self._up_to_now().search(part, k)

    def catch_up(self) -> int:
        """Wait until the index is where the registry is; return by how many changes it was behind.

        Raises:
            IndexBehind: the index does not come there within REVISION_WAIT_S.
        """
        needed = self._registry.changes.head()
        before = self._worker.state().position.revision
        self._reached(needed)
        return max(0, needed.revision - before)

    def save_snapshot(self) -> None:
        """Do nothing: the server keeps the index."""

    def forget_snapshots(self) -> None:
        """Return when no search finds what was erased; call it before saying that it is done.

        The server cleans its files by itself, later.

        Raises:
            ErasureIncomplete: rows are erased, but a copy of them may still be on disk.
        """
        try:
            self.catch_up()
        except IndexUnavailable as error:
            raise ErasureIncomplete(
                "The rows are erased, but the shared index, which may still hold vectors of them, "
                "has not come to this. They are taken out of it as soon as it can be reached."
            ) from error

    def check(self) -> CheckReport:
        """Compare the index with the registry, vector for vector; nothing waits meanwhile."""
        found: Difference | None = None
        while True:
            head = self._registry.changes.head()
            index = self._index(self._reached(head))
            try:
                found = self._compare(index, found)
            except KeyError:
                continue  # Erased while it was looked at.
            # What differs while nothing changes is a fault.
            if not found.reference_ids() or self._registry.changes.head() == head:
                break
        return found.report(index, head.revision)

    def check_erased(self) -> ErasureReport:
        """Look for references that were ever erased in the index; there is no snapshot."""
        erased = self._registry.changes.erased_references()
        held = self._index(self._reached(self._registry.changes.head())).reference_ids()
        return ErasureReport(
            erased=len(erased),
            in_index=tuple(np.intersect1d(erased, held).tolist()),
            in_snapshot=(),
            snapshot="the index is a server's",
        )

    def rebuild(self) -> None:
        """Make the index anew from the registry beside the old one, then let it answer."""
        give_up_at = time.monotonic() + 2 * LEASE_S
        while True:
            with self._working:
                if self._worker.rebuild() is not None:
                    return
            if time.monotonic() > give_up_at:
                raise IndexUnavailable(
                    "Another process is writing to the shared index, perhaps making it anew. "
                    "Let it end, then repeat."
                )
            time.sleep(0.1)

    def stats(self) -> dict[str, int | float | str | None]:
        """Return what an operator wants to know: kind, sizes, revision, and where it is."""
        state = self._worker.state()
        index = self._index(state)
        return {
            "kind": index.kind,
            "size": index.size(),
            "dimension": index.dimension,
            "revision": state.position.revision,
            "snapshot_revision": None,
            "memory_bytes": index.memory_bytes(),
            **index.details(),
        }

    def close(self) -> None:
        """Stop draining and let go of the server; close it before the registry."""
        self._closing.set()
        self._wanted.set()
        # What it leaves half done, another process goes on with when the lease has run out.
        self._keeping_up.join(_CLOSE_WAIT_S)
        self._server.close()

    def _index(self, state: SharedIndex) -> MilvusIndex:
        if state.collection is None:
            raise IndexUnavailable("The shared index is not made yet; try again in a moment.")
        return MilvusIndex(self._server, state.collection)

    def _reached(self, needed: Position) -> SharedIndex:
        """Wait until the index has come to `needed`.

        Raises:
            IndexBehind: it does not come there within REVISION_WAIT_S.
        """

        def there() -> SharedIndex | None:
            state = self._worker.state()
            return state if _is_at(state, needed) else None

        return self._awaited(there, needed)

    def _up_to_now(self) -> View:
        """Return what shows all that was enrolled and erased before the call.

        Raises:
            IndexBehind: the collection does not come near enough within REVISION_WAIT_S.
        """
        found = self._recent.view()
        if found is not None:
            return found
        return self._awaited(self._recent.view, self._registry.changes.head())

    def _awaited(self, ask: Callable[[], T | None], needed: Position) -> T:
        give_up_at = time.monotonic() + REVISION_WAIT_S
        pause_s = 0.002
        while (answer := ask()) is None:
            if time.monotonic() > give_up_at:
                reached = self._worker.state().position.revision
                raise IndexBehind(needed.revision, reached, REVISION_WAIT_S)
            self._wake()
            time.sleep(pause_s)
            pause_s = min(2 * pause_s, 0.05)
        return answer

    def _compare(self, index: MilvusIndex, before: Difference | None) -> Difference:
        if before is None:
            return compare_all(self._registry, index, self._model_id)
        return compare_some(self._registry, index, self._model_id, before.reference_ids())

    def _turn(self) -> SyncResult | None:
        with self._working:
            return self._worker.turn()

    def _wake(self) -> None:
        """Ask for a turn in the background; an error that nobody foresaw may have ended it."""
        self._wanted.set()
        if self._keeping_up.started:
            self._keeping_up.start()

    def _keep_up(self) -> None:
        furthest, must = 0, False
        while True:
            must = self._wanted.wait(_LOOK_S) or must
            self._wanted.clear()
            if self._closing.is_set():
                return
            try:
                state, head = self._worker.state(), self._registry.changes.head()
                # A place that goes back is that of a registry restored from a backup.
                if must or state.position != head or state.position.revision < furthest:
                    self._turn()
                    must = False
                furthest = self._worker.state().position.revision
                self._recent.look()
            except LeaseLost as error:
                # Its last batch may have been late: the next turn looks where the index stands.
                logger.warning("%s", error)
                must = True
            except GalleryError as error:
                logger.warning("%s It is tried again.", error)
                self._closing.wait(_LOOK_S)


def _is_at(state: SharedIndex, needed: Position) -> bool:
    return state.collection is not None and state.position.revision >= needed.revision
