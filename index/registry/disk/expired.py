"""Deletes rows for their age, where that is all there is to say of them."""

from datetime import datetime

from sqlalchemy import delete, select, tuple_

from index.registry.database import Database
from index.registry.schema import IdempotencyKeyRow

DELETED_AT_ONCE = 1000


class Expired:
    """Rows whose time is over; every method is one transaction, and keeps others waiting briefly.

    Each deletes a thousand rows at most and returns how many: go on until there are none.
    """

    def __init__(self, database: Database) -> None:
        self._database = database

    def idempotency_keys(self, before: datetime) -> int:
        """Delete the answers that were kept for repeated requests from before a moment."""
        key = (IdempotencyKeyRow.caller, IdempotencyKeyRow.idempotency_key)
        old = select(*key).where(IdempotencyKeyRow.created_at < before).limit(DELETED_AT_ONCE)
        with self._database.write() as connection:
            found = [tuple(row) for row in connection.execute(old)]
            if found:
                connection.execute(delete(IdempotencyKeyRow).where(tuple_(*key).in_(found)))
        return len(found)
