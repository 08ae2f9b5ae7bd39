"""Deletes what is older than it has to be: each kind of thing by a small function of its own.

A new kind is a function and a line in PURGES.
"""

import logging
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta

from index.errors import GalleryError
from index.registry.access.kept_answers import KEPT
from index.registry.audit.chain import AuditEvent
from index.registry.registry import Registry
from service.backup.before_upgrade import remove_expired
from service.settings import Settings

logger = logging.getLogger(__name__)

CALLER = "retention"


def queries(settings: Settings, registry: Registry, now: datetime) -> int:
    """Delete query images older than COUNTERSIGN_KEEP_QUERIES; their hashes stay."""
    before = now - timedelta(days=settings.keep_queries)
    return _until_none(lambda: registry.retention.purge_images(before))


def erased_after_holds(_settings: Settings, registry: Registry, _now: datetime) -> int:
    """Go on with erasures that met holds which are over."""
    return _until_none(registry.retention.erase_after_holds)


def decisions(settings: Settings, registry: Registry, now: datetime) -> int:
    """Delete decisions older than COUNTERSIGN_KEEP_DECISIONS, but for those under a hold."""
    if settings.keep_decisions is None:
        return 0
    before = now - timedelta(days=settings.keep_decisions)
    return _until_none(lambda: registry.retention.purge_decisions(before))


def idempotency_keys(_settings: Settings, registry: Registry, now: datetime) -> int:
    """Delete the answers kept for requests that a caller may repeat, after a day."""
    return _until_none(lambda: registry.expired.idempotency_keys(now - KEPT))


def backups(settings: Settings, _registry: Registry, now: datetime) -> int:
    """Delete backups made before upgrades, after a month: they hold who was erased since."""
    return remove_expired(settings.backup_dir, now)


PURGES: Mapping[str, Callable[[Settings, Registry, datetime], int]] = {
    "queries": queries,
    "erased after holds": erased_after_holds,
    "decisions": decisions,
    "idempotency_keys": idempotency_keys,
    "backups": backups,
}
# Of these, the registry itself puts on the audit chain which rows went.
ON_RECORD = frozenset({"queries", "erased after holds", "decisions"})


def purge_expired(settings: Settings, registry: Registry, now: datetime) -> dict[str, int]:
    """Delete whatever has had its time, and put on record how much; what fails waits.

    Returns how many of each kind, without those of which there were none.

    Raises:
        RegistryUnavailable: it cannot be put on record.
    """
    done: dict[str, int] = {}
    for kind, purge in PURGES.items():
        try:
            if count := purge(settings, registry, now):
                done[kind] = count
        except (GalleryError, OSError) as error:
            logger.warning("Expired %s wait to be deleted: %s", kind, error)
    if told := {kind: count for kind, count in done.items() if kind not in ON_RECORD}:
        registry.audit.append(AuditEvent("purge.done", CALLER, details=told))
    if done:
        logger.info("deleted for their age: %s", done)
    return done


def _until_none(delete_some: Callable[[], int]) -> int:
    total = 0
    while count := delete_some():
        total += count
    return total
