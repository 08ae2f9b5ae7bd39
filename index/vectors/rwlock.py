"""A readers-writer lock: many threads search at once, a change has the index for itself."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager


class ReadersWriterLock:
    """Readers share it, a writer is alone; a waiting writer goes before new readers.

    Not reentrant: a thread that reads and then asks to write waits for itself.
    """

    def __init__(self) -> None:
        mutex = threading.Lock()
        self._turn = threading.Condition(mutex)
        self._reading = _Reading(mutex, self._turn)
        self._writing = False

    def reading(self) -> "_Reading":
        """Hold it together with other readers."""
        return self._reading

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Hold it alone."""
        with self._turn:
            self._reading.writers += 1
            try:
                while self._writing or self._reading.readers:
                    self._turn.wait()
            except BaseException:  # An interrupted writer must not keep readers waiting for it.
                self._end()
                raise
            self._writing = True
        try:
            yield
        finally:
            with self._turn:
                self._writing = False
                self._end()

    def _end(self) -> None:
        self._reading.writers -= 1
        self._turn.notify_all()


class _Reading:
    """What all readers enter; every search does, and a generator would take twice as long."""

    def __init__(self, mutex: threading.Lock, turn: threading.Condition) -> None:
        self.readers = 0
        self.writers = 0  # Waiting or writing.
        self._mutex, self._turn = mutex, turn

    def __enter__(self) -> None:
        with self._mutex:
            while self.writers:
                self._turn.wait()
            self.readers += 1

    def __exit__(self, *_: object) -> None:
        with self._mutex:
            self.readers -= 1
            if self.writers and not self.readers:
                self._turn.notify_all()
