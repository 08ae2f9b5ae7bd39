"""Removes what was kept for its time: query images, decisions; the audit chain says what went."""

from collections.abc import Callable
from datetime import datetime

from sqlalchemy import Connection

from index.registry.audit import chain, erasing
from index.registry.audit.erasing import Changed
from index.registry.database import Database, WriteLock

ACTOR = "server"


class Retention:
    """Purges of one registry; every method is one transaction, of some hundred rows at most."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def purge_images(self, before: datetime) -> int:
        """Remove query images of decisions from before a time; return how many went."""
        changed = self._purge("queries", lambda one: erasing.purge_images(one, before))
        return len(changed.without_image)

    def purge_decisions(self, before: datetime) -> int:
        """Remove decisions from before a time; return how many rows went, reviews included."""
        changed = self._purge("decisions", lambda one: erasing.purge_decisions(one, before))
        return len(changed.removed)

    def erase_after_holds(self) -> int:
        """Go on with erasures that met holds which are over; return of how many rows."""
        return len(self._purge("held", erasing.erase_after_holds).replaced)

    def _purge(self, what: str, purge: Callable[[Connection], Changed]) -> Changed:
        with self._database.write(WriteLock.DECISIONS) as connection:
            changed = purge(connection)
            if changed:
                details = {"what": what, **changed.details()}
                chain.append(connection, chain.AuditEvent("purge.done", ACTOR, details=details))
        if changed:
            self._database.cut_off_log()
        return changed
