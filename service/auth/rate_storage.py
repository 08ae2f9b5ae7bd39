"""Counts of limits in the registry, as a storage of the library `limits`: no other server needed.

Each process counts in memory and adds to the registry in batches: once a second while it is asked,
and whenever one count has grown by ten. So a request costs no writing of its own, and a limit is
exceeded by ten requests for each process at most. What a process has not added yet when it ends, a
second's worth, is lost.
"""

import hashlib
import logging
import threading
import time
from dataclasses import dataclass
from typing import Any

from limits.storage import Storage

from index.errors import GalleryError
from index.registry.access.rate_counts import Count, RateCounts

logger = logging.getLogger(__name__)

SCHEME = "registry"
SETTLE_EVERY_S = 1.0
SETTLE_AFTER = 10


@dataclass
class _Entry:
    """What this process knows of a count: what all have settled, and what it has yet to."""

    settled: int
    pending: int
    expires_at_s: float


class RegistryStorage(Storage):
    """A storage for fixed windows; thread-safe."""

    STORAGE_SCHEME = [SCHEME]  # noqa: RUF012  # The library's own declaration.

    def __init__(self, uri: str | None = None, *, counts: RateCounts, **options: Any) -> None:
        super().__init__(uri, **options)
        self._counts = counts
        self._lock = threading.Lock()
        self._entries: dict[str, _Entry] = {}
        self._settled_at_s = time.monotonic()

    @property
    def base_exceptions(self) -> type[Exception]:
        """What the library may wrap."""
        return GalleryError

    def incr(self, key: str, expiry: int, amount: int = 1) -> int:
        """Count, and return how often it was asked in this window."""
        self._known(key)
        now_s = time.time()
        with self._lock:
            entry = self._entries.get(key)
            if entry is None or entry.expires_at_s <= now_s:
                entry = self._entries[key] = _Entry(0, 0, now_s + expiry)
            entry.pending += amount
            counted = entry.settled + entry.pending
            many = entry.pending >= SETTLE_AFTER
            due = many or time.monotonic() - self._settled_at_s >= SETTLE_EVERY_S
        if due:
            self.settle()
            with self._lock:
                counted = max(counted, entry.settled + entry.pending)
        return counted

    def get(self, key: str) -> int:
        """Return how often it was asked in this window."""
        entry = self._known(key)
        return 0 if entry is None else entry.settled + entry.pending

    def get_expiry(self, key: str) -> float:
        """Return when the window ends, in Unix time."""
        entry = self._known(key)
        return time.time() if entry is None else entry.expires_at_s

    def check(self) -> bool:
        """Whether the storage can be used; the registry says that for itself."""
        return True

    def reset(self) -> int | None:
        """Forget nothing: other processes count too."""
        return None

    def clear(self, key: str) -> None:
        """Forget a count."""
        with self._lock:
            self._entries.pop(key, None)
        self._counts.clear(_sha256(key))

    def settle(self) -> None:
        """Add what was counted here to the registry, and learn what others counted."""
        with self._lock:
            self._settled_at_s = time.monotonic()
            now_s = time.time()
            self._entries = {
                key: one for key, one in self._entries.items() if one.expires_at_s > now_s
            }
            batch = {key: (one, one.pending) for key, one in self._entries.items() if one.pending}
            for entry, pending in batch.values():
                entry.settled, entry.pending = entry.settled + pending, entry.pending - pending
        if not batch:
            return
        more = {_sha256(key): Count(n, entry.expires_at_s) for key, (entry, n) in batch.items()}
        try:
            totals = self._counts.add(more)
        except GalleryError as error:
            # Limits then hold in each process for itself, until the registry can be written to.
            logger.warning("Counts of limits could not be added to the registry: %s", error)
            with self._lock:
                for entry, pending in batch.values():
                    entry.settled, entry.pending = entry.settled - pending, entry.pending + pending
            return
        with self._lock:
            for key, (entry, _) in batch.items():
                total = totals[_sha256(key)]
                entry.settled = max(entry.settled, total.count)
                entry.expires_at_s = total.expires_at_s

    def _known(self, key: str) -> _Entry | None:
        """Return what is known of a count; one that is new here is looked up."""
        with self._lock:
            entry = self._entries.get(key)
            if entry is not None and entry.expires_at_s > time.time():
                return entry
        try:
            held = self._counts.get(_sha256(key))
        except GalleryError as error:
            logger.warning("Counts of limits could not be read: %s", error)
            return None
        if held is None:
            return None
        with self._lock:
            found = _Entry(held.count, 0, held.expires_at_s)
            entry = self._entries.get(key)
            if entry is None or entry.expires_at_s <= time.time():
                self._entries[key] = found
            return self._entries[key]


def _sha256(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
