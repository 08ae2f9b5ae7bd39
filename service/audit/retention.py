"""Forgets what was kept for its time: query images, then decisions, and erasures that waited."""

from datetime import UTC, datetime, timedelta

from index.registry.registry import Registry
from service.settings import Settings


def forget_in_time(registry: Registry, settings: Settings) -> int:
    """Purge all that is due now, some hundred rows at a time; return how many rows went or changed.

    The audit chain says what went. Decisions under a hold stay.
    """
    now = datetime.now(UTC)
    images = now - timedelta(days=settings.keep_queries)
    count = 0
    while gone := registry.retention.purge_images(images):
        count += gone
    while gone := registry.retention.erase_after_holds():
        count += gone
    if settings.keep_decisions:
        decisions = now - timedelta(days=settings.keep_decisions)
        while gone := registry.retention.purge_decisions(decisions):
            count += gone
    return count
