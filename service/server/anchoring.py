"""Anchors the audit chain elsewhere, in the background."""

import logging
import threading
import time

from index.errors import GalleryError
from service.audit.anchors import make_anchor, read_key, write_anchor
from service.errors import ServiceError
from service.models.live_services import LiveServices
from service.server.alone import alone

logger = logging.getLogger(__name__)

LOOK_S = 30.0
MINUTE_S = 60.0
# A process that ends waits so long for a turn that is under way.
LONGEST_TURN_S = 1.0


class Anchoring:
    """A thread of one process; of several on one data folder, one at a time anchors."""

    def __init__(self, live: LiveServices) -> None:
        self._live = live
        self._ending = threading.Event()
        self._anchored_s: float | None = None
        self._anchored_head = ""
        self._thread = threading.Thread(target=self._go_on, name="anchoring", daemon=True)

    def start(self) -> None:
        """Begin to look what is due."""
        self._thread.start()

    def close(self) -> None:
        """Take no further turn."""
        self._ending.set()
        if self._thread.is_alive():
            self._thread.join(LONGEST_TURN_S)

    def turn(self) -> None:
        """Anchor the chain if it has grown and its time has come."""
        services = self._live.current()
        with alone(services.settings.data_dir / "anchoring.lock") as first:
            if first:
                self._anchor()

    def _anchor(self) -> None:
        services, now_s = self._live.current(), time.monotonic()
        settings = services.settings
        if settings.audit_anchor is None or settings.audit_key is None:
            return
        every_s = MINUTE_S * settings.audit_anchor_every
        if self._anchored_s is not None and now_s - self._anchored_s < every_s:
            return
        anchor = make_anchor(services.registry, read_key(settings.audit_key))
        if anchor.head.sha256 != self._anchored_head:
            write_anchor(anchor, settings.audit_anchor)
            logger.info("audit chain anchored entry=%d", anchor.head.sequence)
        self._anchored_s, self._anchored_head = now_s, anchor.head.sha256

    def _go_on(self) -> None:
        pause_s = 0.0
        while not self._ending.wait(pause_s):
            pause_s = LOOK_S
            try:
                self.turn()
            except (GalleryError, ServiceError, OSError) as error:
                logger.warning("An anchor of the audit chain waits: %s", error)
