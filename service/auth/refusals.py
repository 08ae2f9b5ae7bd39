"""Counts who was turned away, and writes sums to the audit chain: no flood can fill it."""

import logging
import threading
import time
from collections import Counter

from index.errors import GalleryError
from index.registry.audit.chain import AuditEvent
from index.registry.registry import Registry

logger = logging.getLogger(__name__)

EVERY_S = 60.0
KEYS, SIGN_INS = "key.refused", "sign-in.failed"


class Refusals:
    """What one process turned away since it last wrote; one entry a minute and kind at most."""

    def __init__(self, registry: Registry) -> None:
        self._registry = registry
        self._lock = threading.Lock()
        self._counts: dict[str, Counter[str]] = {}
        self._wrote_s = -EVERY_S

    def count(self, kind: str, reason: str) -> None:
        """Count a refusal; `reason` is a code, never about a person."""
        with self._lock:
            self._counts.setdefault(kind, Counter())[reason] += 1
        self.settle()

    def settle(self) -> None:
        """Write what was counted, if that was not done within the last minute."""
        if self._counts and time.monotonic() - self._wrote_s >= EVERY_S:
            self.close()

    def close(self) -> None:
        """Write what was counted."""
        with self._lock:
            counts, self._counts = self._counts, {}
            self._wrote_s = time.monotonic()
        for kind, by_reason in counts.items():
            event = AuditEvent(kind, "server", outcome="refused", details=dict(by_reason))
            try:
                self._registry.audit.append(event)
            except GalleryError as error:
                logger.warning("Refusals could not be written to the audit chain: %s", error)
                with self._lock:
                    self._counts.setdefault(kind, Counter()).update(by_reason)
