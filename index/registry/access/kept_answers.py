"""Answers to requests that a caller may send again: the second time gets the first one's.

They may hold names and pictures, so they go with whomever they tell of, and after a day.
"""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import ColumnElement, Connection, delete, func, insert, literal, or_, select, update

from index.registry.database import Database, WriteLock
from index.registry.schema import IdempotencyKeyRow

KEPT = timedelta(hours=24)
# A request that was begun so long ago and not answered was lost with its process.
LOST_AFTER = timedelta(minutes=10)


@dataclass(frozen=True)
class Request:
    """A request that may come again: whose, under which key, and the hash of what it asks.

    `writer_id` is whom it is about, if that is known before it is answered.
    """

    caller: str
    key: str
    sha256: str
    writer_id: str | None


@dataclass(frozen=True)
class KeptAnswer:
    """What a key stands for: the hash of the first request, and its answer; None while it runs."""

    request_sha256: str
    status: int | None
    body: bytes | None


class KeptAnswers:
    """The answers that are given again; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def begin(self, request: Request) -> KeptAnswer | None:
        """Note that a request runs, unless its key stands for one already: then return that."""
        now = datetime.now(UTC)
        with self._database.write(WriteLock.ACCESS) as connection:
            own = _own(request)
            over = or_(
                IdempotencyKeyRow.created_at <= now - KEPT,
                IdempotencyKeyRow.status.is_(None)
                & (IdempotencyKeyRow.created_at <= now - LOST_AFTER),
            )
            connection.execute(delete(IdempotencyKeyRow).where(own, over))
            row = connection.execute(_SELECT.where(own)).first()
            if row is not None:
                return KeptAnswer(row.request_sha256, row.status, row.body)
            connection.execute(
                insert(IdempotencyKeyRow).values(
                    caller=request.caller,
                    idempotency_key=request.key,
                    request_sha256=request.sha256,
                    writer_id=request.writer_id,
                    created_at=now,
                )
            )
            return None

    def finish(self, request: Request, status: int, body: bytes) -> None:
        """Keep the answer to a request that ran, unless somebody was erased meanwhile."""
        with self._database.write(WriteLock.ACCESS) as connection:
            connection.execute(
                update(IdempotencyKeyRow)
                .where(_own(request), IdempotencyKeyRow.status.is_(None))
                .values(status=status, body=body)
            )

    def abandon(self, request: Request) -> None:
        """Forget a request that was refused: when it comes again, it runs again."""
        with self._database.write(WriteLock.ACCESS) as connection:
            connection.execute(
                delete(IdempotencyKeyRow).where(_own(request), IdempotencyKeyRow.status.is_(None))
            )


_SELECT = select(IdempotencyKeyRow.request_sha256, IdempotencyKeyRow.status, IdempotencyKeyRow.body)


def forget(connection: Connection, writer_id: str) -> None:
    """Erase the answers that are about a writer, or tell of them.

    Those of requests that run are not kept when they come: they may tell of the writer too.
    """
    connection.execute(
        delete(IdempotencyKeyRow).where(
            or_(
                IdempotencyKeyRow.writer_id == writer_id,
                IdempotencyKeyRow.status.is_(None),
                _holds(connection, writer_id.encode()),
            )
        )
    )


def _own(request: Request) -> ColumnElement[bool]:
    return (IdempotencyKeyRow.caller == request.caller) & (
        IdempotencyKeyRow.idempotency_key == request.key
    )


def _holds(connection: Connection, text: bytes) -> ColumnElement[bool]:
    """Whether a body holds some bytes; an id within another's is found too, and does no harm."""
    if connection.dialect.name == "postgresql":
        # Both as text that spells each byte alike: bytes have no function of this kind.
        spelt = func.encode(IdempotencyKeyRow.body, "hex")
        return func.strpos(spelt, text.hex()) > 0
    return func.instr(IdempotencyKeyRow.body, literal(text)) > 0
