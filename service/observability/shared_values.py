"""Keeps the metrics of all processes of a server in files of one folder, so that any can tell them.

Each worker writes files of its own, named for its place among the workers: the one that replaces a
killed worker takes its place, and counts on from where it was. What is true of a living process
alone (gauges whose mode begins with `live`) goes when the process goes.
"""

import fcntl
import logging
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Any

from prometheus_client import values
from prometheus_client.mmap_dict import MmapedDict, mmap_key
from prometheus_client.multiprocess import mark_process_dead

logger = logging.getLogger(__name__)

FOLDER = "metrics"
LOCK = "in-use"
# A file has all of its room from its start: a page that a full disk cannot give ends a process. So
# much holds some five thousand numbers, a multiple of what there are.
FILE_BYTES = 2**20
_HEAD_BYTES = 8
_AROUND_KEY_BYTES = 32  # Its length, its padding, the number and its time.


@contextmanager
def folder_of_metrics(data_dir: Path) -> Iterator[Path]:
    """Give a new, empty folder that only its owner can look into; it is gone afterwards.

    What servers that were killed have left behind is removed; those that run hold their locks. On a
    full disk it lies elsewhere.
    """
    folder = _made_in(data_dir / FOLDER)
    lock = _locked(folder)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
        os.close(lock)


def share_values(folder: Path, place: int) -> None:
    """Have this process keep its metrics in the folder, as the worker of this place.

    Call it after the fork and before the metrics are made: they are made to be shared or not.
    """
    forget_living(folder, place)
    files: dict[str, _File] = {}
    lock = Lock()

    class SharedValue:
        """A number in a file of this process; what prometheus-client makes its metrics of."""

        _multiprocess = True

        def __init__(
            self, typ: str, *known_as: Any, multiprocess_mode: str = "", **_more: object
        ) -> None:
            """`known_as`: the metric, the sample, names and values of its labels, its help."""
            kind = f"{typ}_{multiprocess_mode}" if typ == "gauge" else typ
            self._key = mmap_key(*known_as)
            with lock:
                if kind not in files:
                    files[kind] = _File(folder / f"{kind}_{place}.db")
                self._file = files[kind]
                self._value = self._file.read(self._key)

        def inc(self, amount: float) -> None:
            with lock:
                self._value += amount
                self._file.write(self._key, self._value)

        def set(self, value: float, _timestamp: float | None = None) -> None:
            with lock:
                self._value = value
                self._file.write(self._key, value)

        def get(self) -> float:
            with lock:
                return float(self._value)

        def set_exemplar(self, _exemplar: object) -> None:
            """Keep none: the files have no place for it."""

        def get_exemplar(self) -> None:
            """There is none."""

    values.ValueClass = SharedValue  # Where the library looks.


def forget_living(folder: Path, place: int) -> None:
    """Take leave of a worker: what is true of living processes alone is not true of it."""
    mark_process_dead(place, str(folder))  # type: ignore[no-untyped-call]


class _File:
    """A worker's numbers of one kind, by their keys; what there is no room for is not shared."""

    def __init__(self, path: Path) -> None:
        self._known: set[str] = set()
        self._left_bytes = FILE_BYTES - _HEAD_BYTES
        self._numbers: Any = None
        try:
            self._numbers = _opened(path)
        except OSError as error:
            logger.warning("Metrics of this process are not told of: %s.", error.strerror)
            return
        for key, _value, _timestamp in self._numbers.read_all_values():
            self._admit(key.rstrip())

    def read(self, key: str) -> float:
        """Return a number; 0 where it is new."""
        if self._numbers is None or not (key in self._known or self._admit(key)):
            return 0.0
        return float(self._numbers.read_value(key)[0])

    def write(self, key: str, value: float) -> None:
        """Keep a number that was read before."""
        if key in self._known:
            self._numbers.write_value(key, value, 0.0)

    def _admit(self, key: str) -> bool:
        needed = len(key.encode()) + _AROUND_KEY_BYTES
        if needed > self._left_bytes:
            return False
        self._left_bytes -= needed
        self._known.add(key)
        return True


def _opened(path: Path) -> Any:
    """Open a worker's file; a new one comes to be whole, for others read at any time.

    Raises:
        OSError: there is no room for it.
    """
    open_file: Any = MmapedDict  # It is not annotated.
    if path.exists():
        return open_file(str(path))
    unfinished = path.with_suffix(".new")
    try:
        with unfinished.open("wb") as file:
            os.posix_fallocate(file.fileno(), 0, FILE_BYTES)
        opened = open_file(str(unfinished))
        unfinished.rename(path)
    except OSError:
        unfinished.unlink(missing_ok=True)
        raise
    return opened


def _made_in(parent: Path) -> Path:
    """Make a folder that is its owner's alone."""
    try:
        parent.mkdir(mode=0o700, exist_ok=True)
        for left in parent.iterdir():
            _remove_unused(left)
        return Path(tempfile.mkdtemp(dir=parent))
    except OSError as error:
        folder = Path(tempfile.mkdtemp(prefix="countersign-"))
        logger.warning("%s cannot hold metrics (%s); %s does.", parent, error.strerror, folder)
        return folder


def _locked(folder: Path) -> int:
    """Lock a folder for as long as this process or one that it forks lives."""
    handle = os.open(folder / LOCK, os.O_RDWR | os.O_CREAT, 0o600)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        os.close(handle)
        raise
    return handle


def _remove_unused(folder: Path) -> None:
    with suppress(BlockingIOError, FileNotFoundError, NotADirectoryError):
        handle = _locked(folder)
        shutil.rmtree(folder, ignore_errors=True)
        os.close(handle)
