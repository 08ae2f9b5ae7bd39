"""Tells of each process's index at intervals, so that whichever is asked can tell of all."""

import threading

from service.models.live_services import LiveServices
from service.observability.installation import tell_of_index
from service.observability.metrics import Metrics

EACH_S = 10.0
END_S = 1.0


class Publishing:
    """A thread of one process."""

    def __init__(self, live: LiveServices, metrics: Metrics) -> None:
        self._live = live
        self._metrics = metrics
        self._ending = threading.Event()
        self._thread = threading.Thread(target=self._go_on, name="publishing", daemon=True)

    def start(self) -> None:
        """Begin to tell."""
        self._thread.start()

    def close(self) -> None:
        """Tell no more."""
        self._ending.set()
        self._thread.join(END_S)

    def _go_on(self) -> None:
        while True:
            tell_of_index(self._live.latest(), self._metrics)
            if self._ending.wait(EACH_S):
                return
