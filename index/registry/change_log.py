"""The append-only log of what changed in the gallery, which every index follows.

`ChangeLog` gives each question and change a transaction of its own; the functions below it take the
connection of a transaction that somebody else begins and commits.
"""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, and_, insert, select

from index.errors import HistoryForked
from index.registry.database import Database
from index.registry.schema import EmbeddingRow, RegistryRow, RevisionRow
from index.vectors.unit_vectors import from_bytes


@dataclass(frozen=True)
class Position:
    """A place in the change log; `mark` is the random number written with that revision.

    Two histories of one registry (before and after a restored backup) can share a revision
    number, but not its mark.
    """

    revision: int
    mark: int


START = Position(revision=0, mark=0)


@dataclass(frozen=True)
class Changes:
    """What an index must apply to get to `position`: first take out, then put in.

    `touched` (m,) int64 are the references that were put or erased; `reference_ids` (n,) int64
    and `vectors` (n, d) float32 those of them that are in the registry now. `rows` counts the
    lines of the log read, `erasures` those of them that erased.
    """

    position: Position
    touched: NDArray[np.int64]
    reference_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    rows: int
    erasures: int


class ChangeLog:
    """The log that every index follows; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def head(self) -> Position:
        """Return the newest place in the change log."""
        with self._database.read() as connection:
            return head(connection)

    def revision(self) -> int:
        """Return the newest revision; 0 before the first change."""
        return self.head().revision

    def since(self, position: Position, model_id: str, limit: int) -> Changes | None:
        """Return what an index at `position` must apply next, or None; one SELECT.

        Raises:
            HistoryForked: the log is not the one that `position` came from.
        """
        with self._database.read() as connection:
            return changes_since(connection, position, model_id, limit)

    def erased_references(self) -> NDArray[np.int64]:
        """Return the ids (n,) of all references that were ever erased, ascending."""
        with self._database.read() as connection:
            return erased_references(connection)


# Run before every search, so built once: building a statement costs more than running it.
_HEAD = (
    select(RevisionRow.revision, RevisionRow.mark).order_by(RevisionRow.revision.desc()).limit(1)
)


def log_puts(connection: Connection, model_id: str, reference_ids: Iterable[int]) -> None:
    """Append that these references have an embedding of this model now."""
    _append(connection, "put", model_id, reference_ids)


def log_erasures(connection: Connection, reference_ids: Iterable[int]) -> None:
    """Append that these references are gone, for every model."""
    _append(connection, "erase", None, reference_ids)


def _append(
    connection: Connection, kind: str, model_id: str | None, reference_ids: Iterable[int]
) -> None:
    mark = secrets.randbits(63)
    rows = [
        {"mark": mark, "kind": kind, "reference_id": reference_id, "model_id": model_id}
        for reference_id in reference_ids
    ]
    if rows:
        connection.execute(insert(RevisionRow), rows)


def registry_id(connection: Connection) -> str:
    """Return the name that this registry was given when its database was made."""
    return connection.execute(select(RegistryRow.registry_id)).scalar_one()


def head(connection: Connection) -> Position:
    """Return the newest place in the log."""
    row = connection.execute(_HEAD).first()
    return START if row is None else Position(row.revision, row.mark)


def erased_references(connection: Connection) -> NDArray[np.int64]:
    """Return the ids (n,) of all references that were ever erased, ascending."""
    rows = connection.execute(
        select(RevisionRow.reference_id).where(RevisionRow.kind == "erase").distinct()
    ).scalars()
    return np.sort(np.fromiter(rows, dtype=np.int64))


def changes_since(
    connection: Connection, position: Position, model_id: str, limit: int
) -> Changes | None:
    """Return up to `limit` lines of the log after `position`, or None when there are none.

    One SELECT. It reads the line at `position` too, which shows that the log is still the one that
    was read before. Vectors are those of now: a reference that was put and is erased by a later
    line is only in `touched`.

    Raises:
        HistoryForked: the log is not the one that `position` came from.
    """
    rows = connection.execute(
        select(
            RevisionRow.revision,
            RevisionRow.mark,
            RevisionRow.kind,
            RevisionRow.reference_id,
            RevisionRow.model_id,
            EmbeddingRow.vector,
        )
        .outerjoin(
            EmbeddingRow,
            and_(
                EmbeddingRow.reference_id == RevisionRow.reference_id,
                EmbeddingRow.model_id == RevisionRow.model_id,
                EmbeddingRow.model_id == model_id,
            ),
        )
        .where(RevisionRow.revision >= position.revision)
        .order_by(RevisionRow.revision)
        .limit(limit + 1)
    ).all()
    if position != START:
        if not rows or (rows[0].revision, rows[0].mark) != (position.revision, position.mark):
            raise HistoryForked(position.revision)
        rows = rows[1:]
    elif len(rows) > limit:
        rows = rows[:limit]
    if not rows:
        return None
    vectors = {row.reference_id: row.vector for row in rows if row.vector is not None}
    # What another model put says nothing about this model's embedding.
    touched = [row.reference_id for row in rows if row.model_id in {None, model_id}]
    return Changes(
        position=Position(rows[-1].revision, rows[-1].mark),
        touched=np.unique(np.array(touched, dtype=np.int64)),
        reference_ids=np.array(list(vectors), dtype=np.int64),
        vectors=from_bytes(list(vectors.values())),
        rows=len(rows),
        erasures=sum(row.kind == "erase" for row in rows),
    )
