"""Work that goes on beside the searches, in one thread at a time."""

import threading
from collections.abc import Callable


class BackgroundTask:
    """A function to be run in a thread of its own, which does not keep the process from ending."""

    def __init__(self, work: Callable[[], None]) -> None:
        self._work = work
        self._starting = threading.Lock()
        self._thread: threading.Thread | None = None

    @property
    def started(self) -> bool:
        """Whether it was ever started."""
        return self._thread is not None

    @property
    def running(self) -> bool:
        """Whether it goes on now."""
        thread = self._thread
        return thread is not None and thread.is_alive()

    def start(self) -> None:
        """Begin, unless it goes on already."""
        with self._starting:
            if not self.running:
                self._thread = threading.Thread(target=self._work, daemon=True)
                self._thread.start()

    def join(self, patience_s: float | None = None) -> None:
        """Return when it has ended, or after so long."""
        if self._thread is not None:
            self._thread.join(patience_s)
