"""Deletes in the background what is older than it has to be."""

import logging
import threading
from datetime import UTC, datetime

from encoder.errors import EncoderError
from index.errors import GalleryError
from service.errors import ServiceError
from service.models.live_services import LiveServices
from service.retention.purges import purge_expired
from service.server.alone import alone

logger = logging.getLogger(__name__)

PAUSE_S = 3600.0
LONGEST_STEP_S = 2.0


class Retaining:
    """A thread of one process; of several on one data folder, one at a time deletes."""

    def __init__(self, live: LiveServices, pause_s: float = PAUSE_S) -> None:
        self._live = live
        self._pause_s = pause_s
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="retaining", daemon=True)

    def start(self) -> None:
        """Begin at once, and look again every hour."""
        self._thread.start()

    def close(self) -> None:
        """Take no further turn; one that is under way can be given up, for each deletes whole."""
        self._ending.set()
        self._thread.join(LONGEST_STEP_S)

    def turn(self) -> dict[str, int]:
        """Delete what has had its time; return how many of each kind."""
        services = self._live.current()
        with alone(services.settings.data_dir / "retention.lock") as first:
            if not first:
                return {}
            return purge_expired(services.settings, services.registry, datetime.now(UTC))

    def _go_on(self) -> None:
        while True:
            try:
                self.turn()
            except (GalleryError, EncoderError, ServiceError, OSError) as error:
                logger.warning("What has had its time waits to be deleted: %s", error)
            if self._ending.wait(self._pause_s):
                return
