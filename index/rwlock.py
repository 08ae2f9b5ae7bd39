"""A readers-writer lock: many threads search at once, a change has the index for itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadersWriterLock:
    """Readers share it, a writer is alone; a waiting writer goes before new readers.

    Not reentrant: a thread that reads and then asks to write waits for itself.
    """

    def __init__(self) -> None:
        self._turn = threading.Condition()
        self._readers = 0
        self._waiting_writers = 0
        self._writing = False

    @contextmanager
    def reading(self) -> Iterator[None]:
        """Hold it together with other readers."""
        with self._turn:
            while self._writing or self._waiting_writers:
                self._turn.wait()
            self._readers += 1
        try:
            yield
        finally:
            with self._turn:
                self._readers -= 1
                if not self._readers:
                    self._turn.notify_all()

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold it alone."""
        with self._turn:
            self._waiting_writers += 1
            try:
                while self._writing or self._readers:
                    self._turn.wait()
            finally:  # An interrupted writer must not keep readers waiting for it.
                self._waiting_writers -= 1
            self._writing = True
        try:
            yield
        finally:
            with self._turn:
                self._writing = False
                self._turn.notify_all()
