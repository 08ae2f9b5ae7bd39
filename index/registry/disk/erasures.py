"""The list of erasures: rows are gone at once, bytes are purged after, and this says how far it is.

A line holds no name and no number of what was erased: only traces to look for, until all is gone,
and the subject, by which the erasure can be repeated on a backup.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

from sqlalchemy import Connection, func, insert, select, update

from index.registry.database import Database
from index.registry.disk.subjects import subject_of_reference, subject_of_writer
from index.registry.disk.traces import TraceMaker
from index.registry.schema import EmbeddingRow, ErasureRow, ReferenceRow, WriterRow

IMAGE_WINDOWS = 16
PREVIEW_WINDOWS = 6
EMBEDDING_WINDOWS = 4


@dataclass(frozen=True)
class Erasure:
    """One erasure; `purged_at` is None as long as a file may hold something of it."""

    erasure_id: int
    erased_at: datetime
    reference_count: int
    purged_at: datetime | None

    @property
    def state(self) -> Literal["erased", "purged"]:
        """`erased`: no row is left. `purged`: no byte is left in the registry's files."""
        return "erased" if self.purged_at is None else "purged"


@dataclass(frozen=True)
class Tombstone:
    """What is kept of an erasure to repeat it on a backup: `subject` finds what was erased there.

    It tells nothing to whom has no such backup (`index.registry.disk.subjects`).
    """

    subject: str
    erased_at: datetime
    reference_count: int


class Erasures:
    """All erasures there were; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def newest(self, limit: int) -> list[Erasure]:
        """Return the last ones, newest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                _LISTED.order_by(ErasureRow.erasure_id.desc()).limit(limit)
            ).all()
        return [Erasure(*row) for row in rows]

    def pending(self) -> list[Erasure]:
        """Return those that are not purged yet, oldest first."""
        with self._database.read() as connection:
            rows = connection.execute(
                _LISTED.where(ErasureRow.purged_at.is_(None)).order_by(ErasureRow.erasure_id)
            ).all()
        return [Erasure(*row) for row in rows]

    def count(self) -> tuple[int, int]:
        """Return how many there were, and how many of them are not purged yet."""
        with self._database.read() as connection:
            every = connection.execute(select(func.count()).select_from(ErasureRow)).scalar_one()
            waiting = connection.execute(
                select(func.count()).select_from(ErasureRow).where(ErasureRow.purged_at.is_(None))
            ).scalar_one()
        return every, waiting

    def subject_of(self, writer_id: str) -> str:
        """Return by what an erasure of this writer will be known.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
        """
        with self._database.read() as connection:
            return subject_of_writer(connection, writer_id)

    def of_subject(self, subject: str) -> Erasure:
        """Return the erasure of a subject that was erased."""
        with self._database.read() as connection:
            row = connection.execute(_LISTED.where(ErasureRow.subject_sha256 == subject)).one()
        return Erasure(*row)

    def tombstones(self) -> list[Tombstone]:
        """Return what repeats every erasure on a backup, oldest first."""
        with self._database.read() as connection:
            return tombstones(connection)

    def traces(self, erasures: Sequence[Erasure]) -> list[tuple[int, bytes]]:
        """Return what to look for on disk of these, with the number of each."""
        ids = [one.erasure_id for one in erasures]
        with self._database.read() as connection:
            rows = connection.execute(
                select(ErasureRow.erasure_id, ErasureRow.traces).where(
                    ErasureRow.erasure_id.in_(ids)
                )
            ).all()
        return [(row.erasure_id, row.traces) for row in rows if row.traces]

    def purged(self, erasures: Sequence[Erasure]) -> None:
        """Note that nothing is left of these, and forget their traces."""
        ids = [one.erasure_id for one in erasures]
        with self._database.write() as connection:
            connection.execute(
                update(ErasureRow)
                .where(ErasureRow.erasure_id.in_(ids))
                .values(purged_at=datetime.now(UTC), traces=None)
            )


_LISTED = select(
    ErasureRow.erasure_id, ErasureRow.erased_at, ErasureRow.reference_count, ErasureRow.purged_at
)


def tombstones(connection: Connection) -> list[Tombstone]:
    """Return what repeats every erasure on a backup, oldest first; not those of older versions."""
    rows = connection.execute(
        select(ErasureRow.subject_sha256, ErasureRow.erased_at, ErasureRow.reference_count)
        .where(ErasureRow.subject_sha256.is_not(None))
        .order_by(ErasureRow.erasure_id)
    ).all()
    return [Tombstone(str(row.subject_sha256), row.erased_at, row.reference_count) for row in rows]


def keep_tombstones(connection: Connection, given: Sequence[Tombstone]) -> None:
    """Keep erasures of which nothing is here, so that a later list has them too."""
    held = {one.subject for one in tombstones(connection)}
    rows = [
        {
            "erased_at": one.erased_at,
            "reference_count": one.reference_count,
            "purged_at": datetime.now(UTC),
            "traces": None,
            "subject_sha256": one.subject,
        }
        for one in given
        if one.subject not in held
    ]
    if rows:
        connection.execute(insert(ErasureRow), rows)


def note_writer(connection: Connection, writer_id: str, images: Sequence[bytes] = ()) -> None:
    """Note that a writer is being erased, with more images; call it while the rows are there."""
    row = connection.execute(
        select(WriterRow.name, WriterRow.search_text).where(WriterRow.writer_id == writer_id)
    ).one()
    traces = TraceMaker()
    traces.of_text(row.name)
    # Under the id, which the audit trail keeps, stands the name as searches see it.
    traces.of_text(row.search_text.partition("\n")[2])
    for image in images:
        traces.of_bytes(image, IMAGE_WINDOWS)
    own = connection.execute(
        select(ReferenceRow.reference_id).where(ReferenceRow.writer_id == writer_id)
    ).scalars()
    _note(connection, traces, list(own), subject_of_writer(connection, writer_id))


def note_reference(connection: Connection, reference_id: int) -> None:
    """Note that a reference is being erased; call it while the rows are there."""
    subject = subject_of_reference(connection, reference_id)
    _note(connection, TraceMaker(), [reference_id], subject)


def _note(
    connection: Connection, traces: TraceMaker, reference_ids: Sequence[int], subject: str
) -> None:
    for reference_id in reference_ids:
        _trace_reference(connection, traces, reference_id)
    connection.execute(
        insert(ErasureRow).values(
            erased_at=datetime.now(UTC),
            reference_count=len(reference_ids),
            traces=traces.packed(),
            purged_at=None,
            subject_sha256=subject,
        )
    )


def _trace_reference(connection: Connection, traces: TraceMaker, reference_id: int) -> None:
    row = connection.execute(
        select(ReferenceRow.image, ReferenceRow.cleaned_png, ReferenceRow.filename).where(
            ReferenceRow.reference_id == reference_id
        )
    ).one()
    traces.of_bytes(row.image, IMAGE_WINDOWS)
    traces.of_bytes(row.cleaned_png, PREVIEW_WINDOWS)
    traces.of_text(row.filename)
    embedded = connection.execute(
        select(EmbeddingRow.vector, EmbeddingRow.pieces).where(
            EmbeddingRow.reference_id == reference_id
        )
    ).all()
    for one in embedded:
        traces.of_bytes(one.vector, EMBEDDING_WINDOWS)
        traces.of_bytes(one.pieces, EMBEDDING_WINDOWS)
