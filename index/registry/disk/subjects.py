"""By what an erasure knows what it erased, so that it can be repeated on a backup: its subject.

A subject is a hash of the random token that a writer has from the enrollment on. The token goes
with the writer, so nobody can guess from a subject who it was, not even by trying every writer's
id. A backup has the token still, and with it whose subject it is.
"""

import hashlib
import secrets
from collections.abc import Iterator

from sqlalchemy import Connection, Row, Select, select

from index.errors import UnknownWriter
from index.registry.schema import ReferenceRow, RegistryRow, WriterRow

TOKEN_BYTES = 16

_WRITERS = select(WriterRow.writer_id, WriterRow.created_at, WriterRow.erasure_token)
_REFERENCES = select(
    ReferenceRow.reference_id,
    ReferenceRow.sha256,
    WriterRow.writer_id,
    WriterRow.created_at,
    WriterRow.erasure_token,
).join(WriterRow, WriterRow.writer_id == ReferenceRow.writer_id)


def new_token() -> bytes:
    """Return the token of a writer who is being enrolled."""
    return secrets.token_bytes(TOKEN_BYTES)


def subject_of_writer(connection: Connection, writer_id: str) -> str:
    """Return the subject of a writer: 64 hexadecimal digits.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
    """
    for subject, _ in _of_writers(connection, _WRITERS.where(WriterRow.writer_id == writer_id)):
        return subject
    raise UnknownWriter(writer_id)


def subject_of_reference(connection: Connection, reference_id: int) -> str:
    """Return the subject of one reference; the image's own hash is in it, and nobody keeps that."""
    query = _REFERENCES.where(ReferenceRow.reference_id == reference_id)
    (found,) = _of_references(connection, query)
    return found[0]


def all_writers(connection: Connection) -> dict[str, str]:
    """Return subject -> writer_id of all who are enrolled."""
    return dict(_of_writers(connection, _WRITERS))


def all_references(connection: Connection) -> dict[str, tuple[str, int]]:
    """Return subject -> (writer_id, reference_id) of all references."""
    return dict(_of_references(connection, _REFERENCES))


def _of_writers(
    connection: Connection, query: Select[*tuple[object, ...]]
) -> Iterator[tuple[str, str]]:
    registry_id = connection.execute(select(RegistryRow.registry_id)).scalar_one()
    for row in connection.execute(query):
        yield _hash(b"writer", _secret(registry_id, row)), row.writer_id


def _of_references(
    connection: Connection, query: Select[*tuple[object, ...]]
) -> Iterator[tuple[str, tuple[str, int]]]:
    registry_id = connection.execute(select(RegistryRow.registry_id)).scalar_one()
    for row in connection.execute(query):
        subject = _hash(
            b"reference",
            _secret(registry_id, row),
            str(row.reference_id).encode(),
            row.sha256.encode(),
        )
        yield subject, (row.writer_id, row.reference_id)


def _secret(registry_id: str, row: Row[*tuple[object, ...]]) -> bytes:
    """Return what nobody knows of a writer once the row is gone."""
    if row.erasure_token is not None:
        return bytes(row.erasure_token)
    # Enrolled before there were tokens: the microsecond of it is all that could be guessed at.
    moment = row.created_at.isoformat(timespec="microseconds")
    return _hash(b"older", registry_id.encode(), row.writer_id.encode(), moment.encode()).encode()


def _hash(*parts: bytes) -> str:
    # No part can run into the next: each goes in with its length.
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(4, "big") + part)
    return digest.hexdigest()
