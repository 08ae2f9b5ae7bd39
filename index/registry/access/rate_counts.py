"""Counts of limits that all processes share: how often something was asked in a window of time."""

import time
from collections.abc import Mapping
from dataclasses import dataclass

from sqlalchemy import Connection, bindparam, delete, insert, select, update

from index.registry.database import Database, WriteLock
from index.registry.schema import RateCountRow


@dataclass(frozen=True)
class Count:
    """How often it was asked until now, and when the window ends, in Unix time."""

    count: int
    expires_at_s: float


class RateCounts:
    """The counts of all processes, by the hash of what is counted; every method one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def get(self, key_sha256: str) -> Count | None:
        """Return a count whose window has not ended; one lookup."""
        with self._database.read() as connection:
            return _get(connection, key_sha256)

    def add(self, more: Mapping[str, Count]) -> dict[str, Count]:
        """Add to some counts, and return what they are now.

        A window that ended, or is new, ends when `more` says. Ended ones are deleted by the way.
        """
        with self._database.write(WriteLock.ACCESS) as connection:
            connection.execute(delete(RateCountRow).where(RateCountRow.expires_at_s <= time.time()))
            return {key: _add(connection, key, one) for key, one in more.items()}

    def clear(self, key_sha256: str) -> None:
        """Forget a count."""
        with self._database.write(WriteLock.ACCESS) as connection:
            connection.execute(delete(RateCountRow).where(RateCountRow.key_sha256 == key_sha256))


_GET = select(RateCountRow.count.label("asked"), RateCountRow.expires_at_s).where(
    RateCountRow.key_sha256 == bindparam("key")
)


def _get(connection: Connection, key_sha256: str) -> Count | None:
    row = connection.execute(_GET, {"key": key_sha256}).first()
    if row is None or row.expires_at_s <= time.time():
        return None
    return Count(row.asked, row.expires_at_s)


def _add(connection: Connection, key_sha256: str, more: Count) -> Count:
    held = _get(connection, key_sha256)
    if held is None:
        values = {"count": more.count, "expires_at_s": more.expires_at_s}
        connection.execute(insert(RateCountRow).values(key_sha256=key_sha256, **values))
        return more
    total = held.count + more.count
    own = RateCountRow.key_sha256 == key_sha256
    connection.execute(update(RateCountRow).where(own).values(count=total))
    return Count(total, held.expires_at_s)
