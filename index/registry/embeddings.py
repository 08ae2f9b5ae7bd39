"""Embeddings in SQL: the references of a claim, and what re-encoding and rebuilding read.

`Embeddings` gives each question and change a transaction of its own; the functions below it take
the connection of a transaction that somebody else begins and commits.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from operator import attrgetter
from typing import Any

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, Row, Select, and_, bindparam, exists, insert, null, select

from index.errors import InvalidPieces, InvalidVector, NoReferences, UnknownWriter
from index.registry import change_log, models
from index.registry.database import Database
from index.registry.schema import EmbeddingRow, ReferenceRow, WriterRow
from index.vectors.unit_vectors import from_bytes, to_bytes, unit_vectors


@dataclass(frozen=True)
class Claim:
    """A writer's references under one model: ids (r,) int64 and unit vectors (r, d) float32.

    `pieces` are those of the r references; None where they were not asked for, or where the model
    kept none of any one of them.
    """

    writer_id: str
    name: str
    reference_ids: NDArray[np.int64]
    vectors: NDArray[np.float32]
    pieces: tuple[bytes, ...] | None = None


class Embeddings:
    """What models have made of the references; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def claim(self, writer_id: str, model_id: str) -> Claim:
        """Return what a claim is compared with.

        Raises:
            UnknownWriter: nobody is enrolled under this id.
            NoReferences: the writer is known, but has nothing to compare with.
        """
        with self._database.read() as connection:
            return claim(connection, writer_id, model_id)

    def claims(
        self, writer_ids: Collection[str], model_id: str, *, with_pieces: bool = False
    ) -> dict[str, Claim]:
        """Return the claims of those of these writers who can be compared with; pieces if asked."""
        with self._database.read() as connection:
            return claims(connection, writer_ids, model_id, with_pieces=with_pieces)

    def missing(
        self, model_id: str, limit: int, after: int = 0
    ) -> list[tuple[int, bytes, Mapping[str, Any]]]:
        """Return (reference_id, image, quality) of references that the model has yet to see.

        In the order of their ids, from the one after the id `after` on.
        """
        with self._database.read() as connection:
            return without_vector(connection, model_id, limit, after)

    def put(
        self,
        model_id: str,
        reference_ids: Sequence[int],
        vectors: NDArray[np.float32],
        pieces: Sequence[bytes | None] | None,
    ) -> int:
        """Add a model's vectors (n, d), and n pieces, of references; return how many were new.

        Erased references, and those that have a vector of this model, are passed over.

        Raises:
            UnknownModel: the registry has no such model.
            InvalidVector: they are not finite unit vectors of the expected size.
            InvalidPieces: they are more bytes than are kept, or not one for each reference.
        """
        with self._database.write() as connection:
            return put(connection, model_id, reference_ids, vectors, pieces)

    def vectors_after(
        self, model_id: str, reference_id: int, limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the next ids (n,) and vectors (n, d) after a reference, in the order of ids."""
        with self._database.read() as connection:
            return vectors_after(connection, model_id, reference_id, limit)

    def vectors_of(
        self, model_id: str, reference_ids: Collection[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids (n,) and vectors (n, d) of those of these references the model has seen."""
        with self._database.read() as connection:
            return vectors_of(connection, model_id, reference_ids)


MAX_PIECES_BYTES = 64 * 1024  # Of one signature: several times what any model keeps.


def _claimed(pieces: Any) -> Select[str, str, int, bytes, bytes | None]:
    return (
        select(
            WriterRow.writer_id,
            WriterRow.name,
            ReferenceRow.reference_id,
            EmbeddingRow.vector,
            pieces,
        )
        .select_from(WriterRow)
        .outerjoin(ReferenceRow, ReferenceRow.writer_id == WriterRow.writer_id)
        .outerjoin(
            EmbeddingRow,
            and_(
                EmbeddingRow.reference_id == ReferenceRow.reference_id,
                EmbeddingRow.model_id == bindparam("model_id"),
            ),
        )
        .order_by(WriterRow.writer_id, ReferenceRow.reference_id)
    )


# Statements of the request path are built once: building one costs more than running it.
# A list of parameters is spelled out anew for each execution; one writer needs none.
_ONE_CLAIMED = _claimed(EmbeddingRow.pieces).where(WriterRow.writer_id == bindparam("writer_id"))
_AMONG = WriterRow.writer_id.in_(bindparam("writer_ids", expanding=True))
_SOME_CLAIMED = _claimed(EmbeddingRow.pieces).where(_AMONG)
_SOME_CLAIMED_BY_VECTORS = _claimed(null().label("pieces")).where(_AMONG)
_OWNERS = select(ReferenceRow.reference_id, ReferenceRow.writer_id).where(
    ReferenceRow.reference_id.in_(bindparam("reference_ids", expanding=True))
)


def claim(connection: Connection, writer_id: str, model_id: str) -> Claim:
    """Return what a claim to be this writer is compared with, in one SELECT.

    Raises:
        UnknownWriter: nobody is enrolled under this id.
        NoReferences: the writer is known, but has nothing to compare with.
    """
    rows = connection.execute(_ONE_CLAIMED, {"writer_id": writer_id, "model_id": model_id}).all()
    if not rows:
        raise UnknownWriter(writer_id)
    found = _claim(rows)
    if not found.reference_ids.size:
        raise NoReferences(writer_id)
    return found


def claims(
    connection: Connection, writer_ids: Collection[str], model_id: str, *, with_pieces: bool
) -> dict[str, Claim]:
    """Return the claims of those of these writers who can be compared with, in one SELECT.

    Without pieces, which are more bytes than the vectors, their claims have None.
    """
    query = _SOME_CLAIMED if with_pieces else _SOME_CLAIMED_BY_VECTORS
    rows = connection.execute(query, {"writer_ids": list(writer_ids), "model_id": model_id})
    by_writer = groupby(rows.all(), key=attrgetter("writer_id"))
    found = ((writer_id, _claim(list(rows))) for writer_id, rows in by_writer)
    return {writer_id: own for writer_id, own in found if own.reference_ids.size}


def _claim(rows: Sequence[Row[str, str, int | None, bytes | None, bytes | None]]) -> Claim:
    embedded = [row for row in rows if row.vector is not None]
    pieces = tuple(row.pieces for row in embedded if row.pieces is not None)
    return Claim(
        writer_id=rows[0].writer_id,
        name=rows[0].name,
        reference_ids=np.array([row.reference_id for row in embedded], dtype=np.int64),
        vectors=from_bytes([row.vector for row in embedded]),
        pieces=pieces if embedded and len(pieces) == len(embedded) else None,
    )


def writers_of(connection: Connection, reference_ids: Collection[int]) -> dict[int, str]:
    """Return reference_id -> writer_id of those of these references that are there."""
    owners: dict[int, str] = {}
    for some in _portions(reference_ids):
        rows = connection.execute(_OWNERS, {"reference_ids": some}).all()
        owners.update((row.reference_id, row.writer_id) for row in rows)
    return owners


def without_vector(
    connection: Connection, model_id: str, limit: int, after: int
) -> list[tuple[int, bytes, Mapping[str, Any]]]:
    """Return (reference_id, image, quality) of references that the model has yet to see.

    Up to `limit` of them, in the order of their ids, from the one after the id `after` on.
    """
    rows = connection.execute(
        select(ReferenceRow.reference_id, ReferenceRow.image, ReferenceRow.quality)
        .where(
            ReferenceRow.reference_id > after,
            ~exists().where(
                EmbeddingRow.reference_id == ReferenceRow.reference_id,
                EmbeddingRow.model_id == model_id,
            ),
        )
        .order_by(ReferenceRow.reference_id)
        .limit(limit)
    ).all()
    return [(row.reference_id, row.image, row.quality) for row in rows]


def put(
    connection: Connection,
    model_id: str,
    reference_ids: Sequence[int],
    vectors: NDArray[np.float32],
    pieces: Sequence[bytes | None] | None,
) -> int:
    """Add a model's vectors (n, d) of references enrolled before; return how many were new.

    `pieces` are those of each; None where the model keeps none. References that were erased
    meanwhile, or that have a vector of this model, are passed over: the work can be repeated.

    Raises:
        UnknownModel: the registry has no such model.
        InvalidVector: they are not finite unit vectors of the expected size.
        InvalidPieces: they are more bytes than are kept, or not one for each reference.
    """
    checked = unit_vectors(vectors, models.dimension_of(connection, model_id))
    if len(reference_ids) != len(checked):
        raise InvalidVector(
            f"Expected a vector for each reference, got {len(checked)} for {len(reference_ids)}."
        )
    own = [None] * len(reference_ids) if pieces is None else pieces
    if len(own) != len(reference_ids):
        raise InvalidPieces(
            f"Expected pieces of each reference, got {len(own)} for {len(reference_ids)}."
        )
    owners = writers_of(connection, reference_ids)
    have = set(vectors_of(connection, model_id, reference_ids)[0].tolist())
    fresh = [
        row
        for row, reference_id in enumerate(reference_ids)
        if reference_id in owners and reference_id not in have
    ]
    if fresh:
        with models.counted(connection, set(owners.values())):
            insert_vectors(
                connection,
                model_id,
                [int(reference_ids[row]) for row in fresh],
                checked[fresh],
                [own[row] for row in fresh],
            )
    return len(fresh)


def insert_vectors(
    connection: Connection,
    model_id: str,
    reference_ids: Sequence[int],
    vectors: NDArray[np.float32],
    pieces: Sequence[bytes | None],
) -> None:
    """Write checked vectors (n, d) with their pieces and say so in the log; count yourself.

    Raises:
        InvalidPieces: they are more bytes than are kept, or not one for each reference.
    """
    _require_small(pieces)
    rows = [
        {
            "reference_id": reference_id,
            "model_id": model_id,
            "vector": to_bytes(vector),
            "pieces": own,
        }
        for reference_id, vector, own in zip(reference_ids, vectors, pieces, strict=True)
    ]
    connection.execute(insert(EmbeddingRow), rows)
    change_log.log_puts(connection, model_id, reference_ids)


def vectors_after(
    connection: Connection, model_id: str, reference_id: int, limit: int
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return the next ids (n,) and vectors (n, d) after a reference, in the order of ids."""
    query = (
        _vectors(model_id)
        .where(EmbeddingRow.reference_id > reference_id)
        .order_by(EmbeddingRow.reference_id)
        .limit(limit)
    )
    return _arrays(connection.execute(query).all())


def vectors_of(
    connection: Connection, model_id: str, reference_ids: Collection[int]
) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    """Return ids (n,) and vectors (n, d) of those of these references that the model has seen."""
    rows: list[Row[int, bytes]] = []
    for some in _portions(reference_ids):
        query = _vectors(model_id).where(EmbeddingRow.reference_id.in_(some))
        rows += connection.execute(query).all()
    return _arrays(rows)


def _require_small(pieces: Sequence[bytes | None]) -> None:
    largest = max((len(own) for own in pieces if own is not None), default=0)
    if largest > MAX_PIECES_BYTES:
        raise InvalidPieces(
            f"Expected at most {MAX_PIECES_BYTES} bytes of pieces of one signature, got {largest}; "
            "pack them as the model's encoder does."
        )


def _vectors(model_id: str) -> Select[int, bytes]:
    return select(EmbeddingRow.reference_id, EmbeddingRow.vector).where(
        EmbeddingRow.model_id == model_id
    )


def _arrays(rows: Sequence[Row[int, bytes]]) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
    reference_ids = np.array([row.reference_id for row in rows], dtype=np.int64)
    return reference_ids, from_bytes([row.vector for row in rows])


def _portions(reference_ids: Collection[int]) -> Iterator[list[int]]:
    # A statement takes 32,766 parameters in SQLite, 65,535 in PostgreSQL.
    ids = list(reference_ids)
    for start in range(0, len(ids), 10_000):
        yield ids[start : start + 10_000]
