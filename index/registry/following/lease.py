"""The lease to write to a shared index, and how far that index has come: one row in SQL.

Time is the database's, so that hosts need not agree on it. What is written to the index itself is
for `index.milvus.sync_worker`.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Update, and_, insert, select, update

from index.errors import LeaseLost
from index.registry.change_log import START, Position
from index.registry.database import Database, WriteLock
from index.registry.schema import SharedIndexRow


@dataclass(frozen=True)
class SharedIndex:
    """How far a shared index has come, and its collection; None where none was made yet."""

    collection: str | None
    position: Position


# Longer than the three requests of a batch may take.
LEASE_S = 20.0


class Lease:
    """One process's hand on the lease of one model's index on one server; for one thread at a time.

    Every taking raises the fence, a number that all writing names: who holds an older one, having
    slept past the end of the lease, changes nothing and learns of it.
    """

    def __init__(self, database: Database, model_id: str, address: str) -> None:
        self._database = database
        self._key = {"model_id": model_id, "address": address}
        self._is_ours = and_(SharedIndexRow.model_id == model_id, SharedIndexRow.address == address)
        self._state = select(
            SharedIndexRow.collection, SharedIndexRow.revision, SharedIndexRow.mark
        ).where(self._is_ours)
        self._fence: int | None = None
        self.taken_over = False

    def read(self) -> SharedIndex:
        """Return how far the index has come; one SELECT, whoever holds the lease."""
        with self._database.read() as connection:
            row = connection.execute(self._state).first()
        if row is None:
            return SharedIndex(None, START)
        return SharedIndex(row.collection, Position(row.revision, row.mark))

    def take(self) -> SharedIndex | None:
        """Take the lease for LEASE_S and return where to go on; None while another holds it.

        `taken_over` says afterwards whether the last holder had not given it back.
        """
        free = SharedIndexRow.expires_at_s <= self._database.clock_s()
        with self._database.read() as connection:
            found = connection.execute(
                select(free.label("free"), SharedIndexRow.expires_at_s).where(self._is_ours)
            ).first()
        if found is not None and not found.free:
            return None
        with self._database.write(WriteLock.LEASES) as connection:
            if found is None and connection.execute(self._state).first() is None:
                connection.execute(insert(SharedIndexRow).values(**self._key, **_NEW))
            row = connection.execute(
                update(SharedIndexRow)
                .where(self._is_ours, free)
                .values(
                    fence=SharedIndexRow.fence + 1,
                    expires_at_s=self._database.clock_s() + LEASE_S,
                )
                .returning(
                    SharedIndexRow.fence,
                    SharedIndexRow.collection,
                    SharedIndexRow.revision,
                    SharedIndexRow.mark,
                )
            ).first()
        if row is None:
            return None
        self._fence = row.fence
        self.taken_over = found is not None and found.expires_at_s > 0
        return SharedIndex(row.collection, Position(row.revision, row.mark))

    def advance(self, state: SharedIndex) -> None:
        """Write how far the index has come, and hold the lease for LEASE_S more.

        Raises:
            LeaseLost: another process has it; nothing is written then.
        """
        change = self._held().values(
            collection=state.collection,
            revision=state.position.revision,
            mark=state.position.mark,
            expires_at_s=self._database.clock_s() + LEASE_S,
        )
        with self._database.write(WriteLock.LEASES) as connection:
            if not connection.execute(change).rowcount:
                raise LeaseLost

    def give_back(self) -> None:
        """Let the next one have it at once; nothing if it is lost already."""
        change = self._held().values(expires_at_s=0.0)
        with self._database.write(WriteLock.LEASES) as connection:
            connection.execute(change)
        self._fence = None

    def _held(self) -> Update:
        return update(SharedIndexRow).where(
            self._is_ours,
            SharedIndexRow.fence == self._fence,
            SharedIndexRow.expires_at_s > self._database.clock_s(),
        )


_NEW: dict[str, Any] = {
    "collection": None,
    "revision": START.revision,
    "mark": START.mark,
    "fence": 0,
    "expires_at_s": 0.0,
}
