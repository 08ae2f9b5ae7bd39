"""Tells the first thumbnail of a page from the others: all of them are one look at a writer."""

import threading
import time
from collections import OrderedDict

PAGE_S = 60.0  # A page loads its thumbnails within that time.
MOST = 10_000  # Looks that are remembered; of more, the oldest count anew.


class Thumbnails:
    """The looks of the last minute, of one process; thread-safe."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._seen_s: OrderedDict[tuple[str, str], float] = OrderedDict()

    def begins(self, caller: str, writer_id: str) -> bool:
        """Whether this is the first thumbnail of a writer that somebody sees for a minute."""
        now_s, look = time.monotonic(), (caller, writer_id)
        with self._lock:
            seen_s = self._seen_s.get(look)
            if seen_s is not None and now_s - seen_s < PAGE_S:
                return False
            self._seen_s[look] = now_s
            self._seen_s.move_to_end(look)
            if len(self._seen_s) > MOST:
                self._seen_s.popitem(last=False)
            return True
