"""Who is enrolled: making, finding, renaming and erasing writers.

`Writers` gives each question and change a transaction of its own; the functions below it take the
connection of a transaction that somebody else begins and commits.
"""

import base64
import binascii
import hashlib
import json
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, Row, Select, bindparam, delete, func, insert, select, update

from index.errors import (
    InvalidCursor,
    InvalidWriter,
    UnknownWriter,
    WriterChanged,
    WriterExists,
)
from index.registry import change_log, models
from index.registry import references as reference_rows
from index.registry.access import kept_answers
from index.registry.audit import chain, erasing
from index.registry.audit.chain import ANYBODY, AuditEvent
from index.registry.audit.erasing import HeldDecision
from index.registry.database import Database, WriteLock, lock_also
from index.registry.disk import erasures
from index.registry.disk.subjects import new_token
from index.registry.identifiers import (
    MAX_NAME_LENGTH,
    WRITER_ID_EXPECTED,
    is_clean_text,
    is_writer_id,
)
from index.registry.name_search import matches, search_text
from index.registry.references import NewReference, Reference
from index.registry.schema import EmbeddingRow, ReferenceRow, WriterRow

VERSION_DIGITS = 32


@dataclass(frozen=True)
class Writer:
    """Someone enrolled; `created_at` is aware, in UTC."""

    writer_id: str
    name: str
    reference_count: int
    created_at: datetime


@dataclass(frozen=True)
class NewEnrollment:
    """A writer to enroll in bulk, known or not, with a reference to add if there is one."""

    writer_id: str
    name: str
    reference: NewReference | None = None


@dataclass(frozen=True)
class WriterPage:
    """Some writers in the order of their ids; `next_cursor` is None on the last page."""

    writers: tuple[Writer, ...]
    next_cursor: str | None


@dataclass(frozen=True)
class ErasedWriter:
    """An erasure: how many references went, its entry on the audit chain, and what stays held."""

    reference_count: int
    entry: int
    held: tuple[HeldDecision, ...] = ()


class Writers:
    """Who is enrolled; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def create(
        self,
        writer_id: str,
        name: str,
        model_id: str | None = None,
        references: Sequence[NewReference] = (),
        *,
        actor: str = ANYBODY,
    ) -> tuple[Writer, list[Reference]]:
        """Enroll a writer, with references under a model if there are any: all or nothing.

        Who did so, `actor`, is put on the audit chain with it; as by every change below.

        Raises:
            InvalidWriter: the id or the name cannot be kept.
            WriterExists: somebody is enrolled under this id already.
            UnknownModel: the registry has no such model.
            ModelChanged: another model is active now.
            DuplicateReference: the writer has this very image already.
            InvalidVector: they are not finite unit vectors of the expected size.
            InvalidPieces: they are more bytes than are kept, or not one for each reference.
        """
        with self._database.write() as connection:
            create(connection, writer_id, name)
            added: list[Reference] = []
            if references:
                if model_id is None:
                    raise ValueError("Expected the model that encoded the references, got None.")
                added = reference_rows.add(connection, writer_id, model_id, references)
            details = {"references": [one.reference_id for one in added]}
            entry = AuditEvent("writer.enrolled", actor, subject=writer_id, details=details)
            chain.append(connection, entry)
            return get(connection, writer_id), added

    def get(self, writer_id: str) -> Writer:
        """Return a writer.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
        """
        with self._database.read() as connection:
            return get(connection, writer_id)

    def knows(self, writer_id: str) -> bool:
        """Whether somebody is enrolled under this id."""
        with self._database.read() as connection:
            return exists(connection, writer_id)

    def names_of(self, writer_ids: Collection[str]) -> dict[str, str]:
        """Return id -> name of those of these writers who are enrolled; thousands at most."""
        with self._database.read() as connection:
            return names_of(connection, writer_ids)

    def page(
        self, cursor: str | None = None, limit: int = 50, search: str | None = None
    ) -> WriterPage:
        """Return a page of writers in the order of their ids; first whoever's id `search` is.

        Every word of `search` is found anywhere in id or name, in any order, whatever the case and
        the accents; `cursor` is an earlier page's `next_cursor`.

        Raises:
            InvalidCursor: the cursor is not an earlier page's.
        """
        with self._database.read() as connection:
            return page(connection, cursor, limit, search)

    def version(self, writer_id: str) -> str:
        """Return what names a writer as they are now: another name or reference changes it.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
        """
        with self._database.read() as connection:
            return version(connection, writer_id)

    def rename(
        self,
        writer_id: str,
        name: str,
        *,
        versions: Collection[str] | None = None,
        actor: str = ANYBODY,
    ) -> Writer:
        """Give a writer another name; where `versions` came, only if they are as one of these.

        Raises:
            InvalidWriter: the id or the name cannot be kept.
            UnknownWriter: nobody is enrolled under this id.
            WriterChanged: they are not as expected.
        """
        with self._database.write() as connection:
            require_version(connection, writer_id, versions)
            rename(connection, writer_id, name)
            chain.append(connection, AuditEvent("writer.renamed", actor, subject=writer_id))
            return get(connection, writer_id)

    def erase(
        self,
        writer_id: str,
        *,
        versions: Collection[str] | None = None,
        actor: str = ANYBODY,
    ) -> ErasedWriter:
        """Erase a writer with all references for good, and take them out of the decisions.

        Where `versions` came, only if they are as one of these.

        The rows are gone when this returns. The bytes are too, unless a reader holds the log: then
        `Registry.purge` finishes it. The snapshots of indexes are for `Gallery.forget_snapshots`.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
            WriterChanged: they are not as expected.
        """

        def change(connection: Connection) -> ErasedWriter:
            require_version(connection, writer_id, versions)
            return erase(connection, writer_id, actor)

        erased = self._database.write_despite_full(change)
        self._database.cut_off_log()
        return erased

    def enroll_many(
        self, model_id: str, enrollments: Sequence[NewEnrollment], *, actor: str = ANYBODY
    ) -> int:
        """Enroll some thousands at most, of whatever writers, all or none; return what was new.

        Unknown writers are created, and images that a writer has already are passed over: the work
        can be repeated.

        Raises:
            InvalidWriter: the id or the name cannot be kept.
            UnknownModel: the registry has no such model.
            InvalidVector: they are not finite unit vectors of the expected size.
            InvalidPieces: they are more bytes than are kept, or not one for each reference.
        """
        names: dict[str, str] = {}
        for one in enrollments:
            names[one.writer_id] = names.get(one.writer_id) or one.name
        new = [(one.writer_id, one.reference) for one in enrollments if one.reference]
        with self._database.write() as connection:
            created = enroll_missing(connection, names)
            added = reference_rows.add_in_bulk(connection, model_id, new)
            if created or added:
                details = {"writers": created, "references": added}
                chain.append(connection, AuditEvent("gallery.imported", actor, details=details))
            return added


_NAMED = select(WriterRow.writer_id, WriterRow.name).where(
    WriterRow.writer_id.in_(bindparam("writer_ids", expanding=True))
)


def create(connection: Connection, writer_id: str, name: str) -> None:
    """Enroll a writer without references.

    Raises:
        InvalidWriter: the id or the name cannot be kept.
        WriterExists: somebody is enrolled under this id already.
    """
    _check(writer_id, name)
    if exists(connection, writer_id):
        raise WriterExists(writer_id)
    connection.execute(
        insert(WriterRow).values(
            writer_id=writer_id,
            name=name,
            search_text=search_text(writer_id, name),
            created_at=datetime.now(UTC),
            erasure_token=new_token(),
        )
    )


def names_of(connection: Connection, writer_ids: Collection[str]) -> dict[str, str]:
    """Return id -> name of those of these writers who are enrolled; some thousands at a time."""
    rows = connection.execute(_NAMED, {"writer_ids": list(writer_ids)}).all()
    return {row.writer_id: row.name for row in rows}


def enroll_missing(connection: Connection, names: Mapping[str, str]) -> int:
    """Enroll those of these writers, id -> name, who are unknown; name those who have no name.

    Returns how many were unknown. A name that somebody has already stays. For some thousands at
    a time.

    Raises:
        InvalidWriter: the id or the name cannot be kept.
    """
    known = names_of(connection, names)
    created_at = datetime.now(UTC)
    new = [
        {
            "writer_id": writer_id,
            "name": name,
            "search_text": search_text(writer_id, name),
            "created_at": created_at,
            "erasure_token": new_token(),
        }
        for writer_id, name in names.items()
        if writer_id not in known
    ]
    for row in new:
        _check(str(row["writer_id"]), str(row["name"]))
    if new:
        connection.execute(insert(WriterRow), new)
    for writer_id, name in names.items():
        if name and known.get(writer_id) == "":
            rename(connection, writer_id, name)
    return len(new)


def exists(connection: Connection, writer_id: str) -> bool:
    """Whether somebody is enrolled under this id."""
    found = connection.execute(
        select(WriterRow.writer_id).where(WriterRow.writer_id == writer_id)
    ).first()
    return found is not None


def get(connection: Connection, writer_id: str) -> Writer:
    """Return a writer.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
    """
    row = connection.execute(_writers().where(WriterRow.writer_id == writer_id)).first()
    if row is None:
        raise UnknownWriter(writer_id)
    return _writer(row)


def version(connection: Connection, writer_id: str) -> str:
    """Return what names a writer as they are now: another name or reference changes it.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
    """
    writer = get(connection, writer_id)
    own = select(ReferenceRow.reference_id).where(ReferenceRow.writer_id == writer_id)
    ids = sorted(connection.execute(own).scalars())
    named = [writer_id, writer.name, writer.created_at.isoformat(), ids]
    return hashlib.sha256(json.dumps(named).encode()).hexdigest()[:VERSION_DIGITS]


def require_version(
    connection: Connection, writer_id: str, versions: Collection[str] | None
) -> None:
    """Refuse a change of a writer who is not as whoever asks for it has seen them.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
        WriterChanged: they are as none of `versions`.
    """
    if versions is not None and version(connection, writer_id) not in versions:
        raise WriterChanged(writer_id)


def page(connection: Connection, cursor: str | None, limit: int, search: str | None) -> WriterPage:
    """Return up to `limit` writers after the cursor who have every word of `search`.

    Whoever's id it is comes first, the others in the order of their ids.

    Raises:
        InvalidCursor: the cursor is not an earlier page's.
    """
    if limit < 1:
        raise ValueError(f"Expected a limit of at least 1, got {limit}.")
    after = None if cursor is None else _after(cursor)
    query = _writers().order_by(WriterRow.writer_id).limit(limit + 1)
    rows: list[Row[str, str, datetime, int]] = []
    if search:
        named = _named_by(search)
        rows = _named_writers(connection, named, after)
        query = query.where(
            matches(WriterRow.search_text, search), WriterRow.writer_id.not_in(named)
        )
        # They come before all others, and so does a cursor that stands on one of them.
        after = None if after in named else after
    if after is not None:
        query = query.where(WriterRow.writer_id > after)
    rows += connection.execute(query).all()
    shown = tuple(_writer(row) for row in rows[:limit])
    return WriterPage(shown, _cursor(shown[-1].writer_id) if len(rows) > limit else None)


def rename(connection: Connection, writer_id: str, name: str) -> None:
    """Give a writer another name.

    Raises:
        InvalidWriter: the id or the name cannot be kept.
        UnknownWriter: nobody is enrolled under this id.
    """
    _check(writer_id, name)
    changed = connection.execute(
        update(WriterRow)
        .where(WriterRow.writer_id == writer_id)
        .values(name=name, search_text=search_text(writer_id, name))
    )
    if not changed.rowcount:
        raise UnknownWriter(writer_id)


def erase(connection: Connection, writer_id: str, actor: str = ANYBODY) -> ErasedWriter:
    """Delete a writer, the references and their embeddings, and take them out of the decisions.

    The audit chain keeps its entries, and forgets whom they were about. Decisions under a hold stay
    whole until it ends.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
    """
    if not exists(connection, writer_id):
        raise UnknownWriter(writer_id)
    erasures.note_writer(connection, writer_id, erasing.image_traces(connection, writer_id))
    own = select(ReferenceRow.reference_id).where(ReferenceRow.writer_id == writer_id)
    reference_ids = list(connection.execute(own).scalars())
    digests = list(reference_rows.sha256_to_id(connection, writer_id))
    with models.counted(connection, [writer_id]):
        connection.execute(delete(EmbeddingRow).where(EmbeddingRow.reference_id.in_(own)))
        connection.execute(delete(ReferenceRow).where(ReferenceRow.writer_id == writer_id))
    kept_answers.forget(connection, writer_id)
    connection.execute(delete(WriterRow).where(WriterRow.writer_id == writer_id))
    change_log.log_erasures(connection, reference_ids)
    lock_also(connection, WriteLock.DECISIONS)
    decisions = erasing.erase_writer(connection, writer_id, digests)
    details = {
        **decisions.details(),
        chain.FORGOTTEN: chain.forget(connection, writer_id),
        "references": len(reference_ids),
        "held": len(decisions.held),
    }
    entry = chain.append(connection, AuditEvent("writer.erased", actor, details=details))
    return ErasedWriter(len(reference_ids), entry, tuple(decisions.held))


def _writers() -> Select[str, str, datetime, int]:
    count = (
        select(func.count())
        .where(ReferenceRow.writer_id == WriterRow.writer_id)
        .correlate(WriterRow)
        .scalar_subquery()
        .label("reference_count")
    )
    return select(WriterRow.writer_id, WriterRow.name, WriterRow.created_at, count)


def _writer(row: Row[str, str, datetime, int]) -> Writer:
    writer_id, name, created_at, reference_count = row
    return Writer(writer_id, name, reference_count, created_at)


def _check(writer_id: str, name: str) -> None:
    if not is_writer_id(writer_id):
        raise InvalidWriter(f"Writer id: {WRITER_ID_EXPECTED}; {writer_id[:80]!r} came.")
    if len(name) > MAX_NAME_LENGTH:
        raise InvalidWriter(
            f"Expected a name of at most {MAX_NAME_LENGTH} characters, got {len(name)}."
        )
    if not is_clean_text(name):
        raise InvalidWriter("Expected a name without control characters; remove them.")


def _named_by(search: str) -> list[str]:
    """Return the ids that a search may be, the likeliest first."""
    name = search.strip()
    return list(
        dict.fromkeys(one for one in (name, name.upper(), name.lower()) if is_writer_id(one))
    )


def _named_writers(
    connection: Connection, named: list[str], after: str | None
) -> list[Row[str, str, datetime, int]]:
    """Return those of these ids who are enrolled, in this order; none again after a cursor."""
    if after is not None:
        named = named[named.index(after) + 1 :] if after in named else []
    rows = connection.execute(_writers().where(WriterRow.writer_id.in_(named))).all()
    return sorted(rows, key=lambda row: named.index(row.writer_id))


def _cursor(writer_id: str) -> str:
    return base64.urlsafe_b64encode(writer_id.encode()).decode().rstrip("=")


def _after(cursor: str) -> str:
    try:
        writer_id = base64.urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4)).decode("ascii")
    except (binascii.Error, ValueError) as error:
        raise InvalidCursor from error
    if not is_writer_id(writer_id):
        raise InvalidCursor
    return writer_id
