"""Rows whose time is over or soon will be: found, and deleted where that is all there is to it."""

from datetime import datetime

from sqlalchemy import delete, select, tuple_

from index.registry.database import Database
from index.registry.schema import ApiKeyRow, IdempotencyKeyRow

DELETED_AT_ONCE = 1000


class Expired:
    """Rows whose time is over; every method is one transaction, and a short one."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def keys_at(self, moment: datetime) -> list[tuple[str, datetime]]:
        """Return name and end of the keys, not revoked, that will have expired at a moment."""
        query = (
            select(ApiKeyRow.name, ApiKeyRow.expires_at)
            .where(ApiKeyRow.expires_at <= moment, ApiKeyRow.revoked_at.is_(None))
            .order_by(ApiKeyRow.expires_at)
        )
        with self._database.read() as connection:
            return [(name, ends) for name, ends in connection.execute(query) if ends is not None]

    def idempotency_keys(self, before: datetime) -> int:
        """Delete answers kept for repeated requests since before a moment; return how many.

        A thousand at most: go on until there are none.
        """
        key = (IdempotencyKeyRow.caller, IdempotencyKeyRow.idempotency_key)
        old = select(*key).where(IdempotencyKeyRow.created_at < before).limit(DELETED_AT_ONCE)
        with self._database.write() as connection:
            found = [tuple(row) for row in connection.execute(old)]
            if found:
                connection.execute(delete(IdempotencyKeyRow).where(tuple_(*key).in_(found)))
        return len(found)
