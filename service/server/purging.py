"""Goes on with erasures in the background, across restarts, until nothing of them is on disk."""

import logging
import threading
import time

from encoder.errors import EncoderError
from index.errors import GalleryError
from service.errors import ServiceError
from service.models.live_services import LiveServices
from service.server.alone import alone
from service.writers.erase import forget

logger = logging.getLogger(__name__)

LOOK_S = 1.0
# A registry is read whole to see that nothing is left: that takes its time, and is not repeated at
# once where something is.
LONGEST_PAUSE_S = 5.0
PAUSE_FOR_EACH_S = 10.0


class Purging:
    """A thread of one process; of several on one data folder, one at a time purges."""

    def __init__(self, live: LiveServices) -> None:
        self._live = live
        self._ending = threading.Event()
        self._forgotten: set[int] = set()
        self._thread = threading.Thread(target=self._go_on, name="purging", daemon=True)

    def start(self) -> None:
        """Begin with what was left undone before."""
        self._thread.start()

    def close(self) -> None:
        """Take no further turn, after one that is under way, for a second at most."""
        self._ending.set()
        self._thread.join(LOOK_S)

    def turn(self) -> int:
        """Purge what can be purged now; return of how many erasures something is left."""
        services = self._live.current()
        services.registry.keep_reserve()
        pending = {one.erasure_id for one in services.registry.erasures.pending()}
        if not pending:
            return 0
        with alone(services.settings.data_dir / "purge.lock") as first:
            if not first:
                return len(pending)

            def forget_new() -> None:
                # A snapshot that is saved after this holds nothing of them.
                if pending - self._forgotten:
                    forget(services.gallery)
                    self._forgotten |= pending

            left = services.registry.purge.attempt(services.settings.snapshot_dir, forget_new)
        self._forgotten &= {one.erasure_id for one in left}
        return len(left)

    def _go_on(self) -> None:
        pause_s = 0.0
        while not self._ending.wait(pause_s):
            started_s = time.monotonic()
            left = 0
            try:
                left = self.turn()
            except (GalleryError, EncoderError, ServiceError, OSError) as error:
                logger.warning("Erasures wait to be purged: %s", error)
            took_s = time.monotonic() - started_s
            pause_s = min(2 * pause_s, LONGEST_PAUSE_S) if left and pause_s else LOOK_S
            pause_s = max(pause_s, PAUSE_FOR_EACH_S * took_s if left else 0.0)
