"""The second phase of an erasure: brings the bytes off the disk, and proves that they are gone.

It never waits for a reader, and so keeps nobody waiting: what cannot be done now is done later.
"""

import logging
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

from sqlalchemy import Connection, LargeBinary, bindparam, text

from index.errors import GalleryError
from index.registry.database import Database
from index.registry.disk.erasures import Erasure, Erasures
from index.registry.disk.search import search_files
from index.registry.disk.traces import Found

logger = logging.getLogger(__name__)

# What is kept may hold the same bytes: another's scan of one form, a name that others have, a query
# image that came since or is under a hold, what a reviewer wrote.
_HELD = text(
    "SELECT EXISTS (SELECT 1 FROM writers WHERE instr(CAST(name AS BLOB), :found)"
    " OR instr(CAST(search_text AS BLOB), :found))"
    " OR EXISTS (SELECT 1 FROM signature_references WHERE instr(image, :found)"
    " OR instr(cleaned_png, :found) OR instr(CAST(filename AS BLOB), :found))"
    " OR EXISTS (SELECT 1 FROM embeddings WHERE instr(vector, :found) OR instr(pieces, :found))"
    " OR EXISTS (SELECT 1 FROM decision_images WHERE instr(image, :found))"
    " OR EXISTS (SELECT 1 FROM reviews WHERE instr(CAST(comment AS BLOB), :found)"
    " OR instr(CAST(reason AS BLOB), :found))"
).bindparams(bindparam("found", type_=LargeBinary))
_TABLES = (
    "writers, signature_references, embeddings, idempotency_keys, decisions, decision_details, "
    "decision_images, decision_mentions, reviews, audit_names"
)
_OLD_READERS = text(
    "SELECT count(*) FROM pg_stat_activity WHERE datname = current_database()"
    " AND pid <> pg_backend_pid() AND xact_start < :erased_at AND backend_xmin IS NOT NULL"
)


class Purge:
    """Purges what was erased from one registry's files, and from the snapshots beside them."""

    def __init__(self, database: Database, erasures: Erasures) -> None:
        self._database = database
        self._erasures = erasures

    def attempt(self, snapshots: Path, forget: Callable[[], object]) -> list[Erasure]:
        """Purge what can be purged now; return what cannot.

        `forget` takes what was erased out of the index and its snapshots, or raises a GalleryError.
        It may take as long as it takes to read the registry's file.
        """
        pending = self._erasures.pending()
        if not pending:
            return []
        try:
            forget()
        except GalleryError as error:
            logger.warning("%s", error)
            return pending
        left = self._left_in_database(pending, snapshots)
        done = [one for one in pending if one.erasure_id not in left]
        if done:
            self._erasures.purged(done)
        return [one for one in pending if one.erasure_id in left]

    def traces(self, snapshots: Path) -> list[Found]:
        """Look for what is not purged yet in all files, whatever it takes; SQLite alone has some.

        Raises:
            OSError: a file cannot be read.
        """
        return list(self._found(self._erasures.pending(), snapshots, gently=False))

    def _left_in_database(self, pending: Sequence[Erasure], snapshots: Path) -> set[int]:
        every = {one.erasure_id for one in pending}
        if self._database.file is None:
            return self._vacuum(pending)
        if not self._database.cut_off_log():
            return every
        try:
            found = list(self._found(pending, snapshots, gently=True))
        except OSError as error:
            logger.warning("Whether erased bytes are gone cannot be seen: %s", error)
            return every
        left = {one.erasure_id for one in found}
        if left:
            logger.warning("Bytes of %d erasures are still on disk.", len(left))
        return left

    def _found(
        self, pending: Sequence[Erasure], snapshots: Path, *, gently: bool
    ) -> Iterator[Found]:
        file = self._database.file
        if file is None or not pending:
            return
        paths = [file.path, file.log, *sorted(snapshots.glob("*"))]
        found = search_files(self._erasures.traces(pending), paths, gently=gently)
        with self._database.read() as connection:
            yield from (one for one in found if not _is_held(connection, one.content))

    def _vacuum(self, pending: Sequence[Erasure]) -> set[int]:
        """Have PostgreSQL clean up dead rows; return the erasures that a reader still sees."""
        with self._database.read() as connection:
            left = {
                one.erasure_id
                for one in pending
                if connection.execute(_OLD_READERS, {"erased_at": one.erased_at}).scalar_one()
            }
        if len(left) < len(pending):
            self._database.outside_transactions(f"VACUUM {_TABLES}")
        return left


def _is_held(connection: Connection, content: bytes) -> bool:
    return bool(connection.execute(_HELD, {"found": content}).scalar_one())
