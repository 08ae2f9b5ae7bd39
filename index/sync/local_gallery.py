"""One process's index of the gallery: it follows the registry, and can be lost without loss.

SQL is the truth. What is here is derived from it, saved to make a start quick, and rebuilt whenever
the saved copy cannot be trusted.
"""

import logging
import threading
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from index.errors import (
    ErasureIncomplete,
    GalleryError,
    HistoryForked,
    SnapshotNotSaved,
    SnapshotUnusable,
)
from index.registry.change_log import START, Position
from index.registry.registry import Registry
from index.sync.background_task import BackgroundTask
from index.sync.change_replay import Replayed, replay
from index.sync.consistency import CheckReport, ErasureReport, compare_all, compare_some
from index.sync.gallery_interface import OpenReport
from index.sync.rebuild_policy import KINDS, build, outgrown
from index.sync.snapshot import Origin, SnapshotFolder
from index.vectors.flat_index import FlatIndex
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import Neighbours, RecallTarget

logger = logging.getLogger(__name__)

# A start replays what is newer than the snapshot, some 20 us a change; a save writes everything.
# So one is due after this many changes, or a quarter of the gallery where that is more.
SAVE_AFTER_CHANGES = 10_000
_CLOSE_WAIT_S = 5.0


class LocalGallery:
    """The index of one model's embeddings in one process; thread-safe.

    Build it after a fork, never before. Threads search side by side; one at a time follows the
    registry. Processes of one host may share `snapshot_dir`. `dimension` may be less than that of
    the registry's vectors: the index then knows their leading elements only. From `ivf_from`
    references on it is approximate, and tuned to the target.
    """

    def __init__(
        self,
        registry: Registry,
        model_id: str,
        dimension: int,
        snapshot_dir: Path,
        ivf_from: int,
        target: RecallTarget,
    ) -> None:
        self._registry = registry
        self._model_id = model_id
        self._origin = Origin(registry.registry_id(), model_id, dimension)
        self._ivf_from, self._target = ivf_from, target
        self._folder = SnapshotFolder(snapshot_dir)
        # Replaced as a whole: a thread that reads it sees an index and a place that fit.
        self._replayed = Replayed(FlatIndex(dimension), START)
        self._replaying = threading.Lock()
        self._saved: Position | None = None
        self._save_counts_from = 0
        self._saving = BackgroundTask(self._save_or_warn)
        self._growing = BackgroundTask(self._grow_or_warn)

    def open(self) -> OpenReport:
        """Load the snapshot, or rebuild from the registry; then apply what is newer.

        A snapshot that cannot be trusted is reported and replaced, and never ends the start.
        """
        try:
            index, position = self._folder.load(KINDS, self._origin)
            with self._replaying:
                replayed = replay(self._registry, Replayed(index, position), self._model_id)
                self._replayed = replayed
        except SnapshotUnusable as error:
            return self._open_rebuilt(error.reason)
        except HistoryForked as error:
            return self._open_rebuilt(
                f"it stands on revision {error.revision}, which is not in this registry's log: "
                "was the registry restored from a backup?"
            )
        self._saved = position
        self._save_counts_from = position.revision
        if replayed.erasures:
            # The process that erased did not live to remove this snapshot.
            self._save_or_warn()
        self._grow_when_due()
        return OpenReport("snapshot", None, replayed.rows)

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) its nearest references, at most k, nearest first.

        Probes may be as long as the registry's vectors, or as the index's. What was enrolled before
        the call, by whatever process, is found.

        Raises:
            InvalidVector: they are not finite unit vectors of the expected size.
        """
        self.catch_up()
        return self._replayed.index.search(leading(probes, self._origin.dimension), k)

    def catch_up(self) -> int:
        """Apply what is newer in the registry; return the number of changes. One SELECT if none."""
        if self._registry.changes.head() == self._replayed.position:
            return 0
        with self._replaying:
            replayed = self._replay()
        self._save_when_due(replayed)
        self._grow_when_due()
        return replayed.rows

    def save_snapshot(self) -> None:
        """Write the index to disk, unless what is there is as new.

        Raises:
            SnapshotNotSaved: it could not be written to disk.
        """
        with self._folder.locked():
            # Under the lock, and caught up: a snapshot never brings back what was erased before.
            self.catch_up()
            replayed = self._replayed
            if self._saved == replayed.position == self._folder.position():
                return
            self._folder.save(replayed.index, self._origin, replayed.position)
            self._saved = replayed.position
            self._save_counts_from = replayed.position.revision

    def forget_snapshots(self) -> None:
        """Remove the snapshot from disk: call it after an erasure, before saying that it is done.

        A save that was under way in any process of this host has ended before this returns, and
        every later one starts by applying the erasure. A process that began with the file keeps it,
        without a name, until it has applied the erasure too.

        Raises:
            ErasureIncomplete: rows are erased, but a copy of them may still be on disk.
        """
        try:
            with self._folder.locked():
                self._folder.forget()
                self._saved = None
                self._save_counts_from = self._replayed.position.revision
        except (OSError, SnapshotNotSaved) as error:
            raise ErasureIncomplete(
                "The rows are erased, but the index's snapshot on disk, which may still hold "
                "vectors of them, cannot be removed. Make its folder writable and repeat."
            ) from error

    def check(self) -> CheckReport:
        """Compare the index with the registry, vector for vector; searches go on, changes wait."""
        with self._replaying:
            index = self._replay().index
            found = compare_all(self._registry, index, self._model_id)
            # The registry may have changed under the walk. What still differs when the index has
            # caught up, and nothing has changed since, is a fault.
            settled = False
            while found.reference_ids() and not settled:
                self._replayed = replay(self._registry, self._replayed, self._model_id)
                found = compare_some(self._registry, index, self._model_id, found.reference_ids())
                settled = self._registry.changes.head() == self._replayed.position
            return found.report(index, self._replayed.position.revision)

    def check_erased(self) -> ErasureReport:
        """Look for references that were ever erased, in the index and in the file on disk."""
        erased = self._registry.changes.erased_references()
        self.catch_up()
        held, saved, reason = self._replayed.index.reference_ids(), np.empty(0, np.int64), None
        try:
            saved = self._folder.load(KINDS, self._origin)[0].reference_ids()
        except SnapshotUnusable as error:
            reason = error.reason
        return ErasureReport(
            erased=len(erased),
            in_index=tuple(np.intersect1d(erased, held).tolist()),
            in_snapshot=tuple(np.intersect1d(erased, saved).tolist()),
            snapshot=reason,
        )

    def rebuild(self) -> None:
        """Build the index anew from the registry, then replace the old one and its snapshot."""
        with self._replaying:
            self._replayed = self._built()
        self._saved = None
        self._save_or_warn()

    def stats(self) -> dict[str, int | float | str | None]:
        """Return what an operator wants to know: kind, recall, sizes and revisions."""
        replayed, saved = self._replayed, self._folder.position()
        return {
            "kind": replayed.index.kind,
            "size": replayed.index.size(),
            "dimension": replayed.index.dimension,
            "revision": replayed.position.revision,
            "snapshot_revision": None if saved is None else saved.revision,
            "memory_bytes": replayed.index.memory_bytes(),
            **replayed.index.details(),
        }

    def close(self) -> None:
        """Save what is new, so that the next start is quick; close it before the registry."""
        # It may have minutes to go, and what it makes can be made again.
        self._growing.join(_CLOSE_WAIT_S)
        self._saving.join()
        self._save_or_warn()

    def _replay(self) -> Replayed:
        """Bring the index to where the registry is; the caller holds `_replaying`."""
        try:
            self._replayed = replay(self._registry, self._replayed, self._model_id)
        except HistoryForked as error:
            logger.warning("%s The index is rebuilt.", error)
            self._replayed = self._built()
        return self._replayed

    def _built(self) -> Replayed:
        return build(
            self._registry,
            self._model_id,
            self._origin.dimension,
            self._ivf_from,
            self._target,
        )

    def _open_rebuilt(self, reason: str) -> OpenReport:
        logger.info("The index is rebuilt from the registry: %s.", reason)
        self.rebuild()
        return OpenReport("rebuilt", reason, self._replayed.index.size())

    def _save_when_due(self, replayed: Replayed) -> None:
        due = max(SAVE_AFTER_CHANGES, replayed.index.size() // 4)
        if replayed.position.revision - self._save_counts_from < due or self._saving.running:
            return
        self._save_counts_from = replayed.position.revision
        self._saving.start()

    def _grow_when_due(self) -> None:
        index = self._replayed.index
        if outgrown(index, self._ivf_from, self._target) or index.may_have_drifted():
            self._growing.start()

    def _grow_or_warn(self) -> None:
        """Make the index that the size asks for beside the one that answers, then change over.

        Unless it is due for no more than a look at whether it has drifted, and has not.
        """
        index = self._replayed.index
        if not outgrown(index, self._ivf_from, self._target) and not index.has_drifted():
            return
        try:
            grown = self._built()
            with self._replaying:
                self._replayed = replay(self._registry, grown, self._model_id)
        except GalleryError as error:
            logger.warning("%s The index stays as it is until the next change.", error)
            return
        logger.info("The index is now of the kind %s.", grown.index.kind)
        self._saved = None
        self._save_or_warn()

    def _save_or_warn(self) -> None:
        # Without a snapshot nothing is lost but time at the next start.
        try:
            self.save_snapshot()
        except GalleryError as error:
            logger.warning("%s The next start rebuilds it.", error)
