"""Keeps the metrics of all processes of a server in files of one folder, so that any can tell them.

Each worker writes files of its own, named for its place among the workers: the one that replaces a
killed worker takes its place, and counts on from where it was. What is true of a living process
alone (gauges whose mode begins with `live`) goes when the process goes.
"""

import fcntl
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

FOLDER = "metrics"
LOCK = "in-use"


@contextmanager
def folder_of_metrics(data_dir: Path) -> Iterator[Path]:
    """Give a new, empty folder that only its owner can look into; it is gone afterwards.

    What servers that were killed have left behind is removed; those that run hold their locks.
    """
    parent = data_dir / FOLDER
    parent.mkdir(mode=0o700, exist_ok=True)
    for left in parent.iterdir():
        _remove_unused(left)
    folder = Path(tempfile.mkdtemp(dir=parent))  # Its owner's alone, by its mode.
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
    files: dict[str, Any] = {}
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
                    files[kind] = _opened(folder / f"{kind}_{place}.db")
                self._file = files[kind]
                self._value, self._timestamp = self._file.read_value(self._key)

        def inc(self, amount: float) -> None:
            with lock:
                self._value += amount
                self._file.write_value(self._key, self._value, 0.0)

        def set(self, value: float, timestamp: float | None = None) -> None:
            with lock:
                self._value = value
                self._file.write_value(self._key, value, timestamp or 0.0)

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


def _opened(path: Path) -> Any:
    """Open a worker's file; a new one comes to be whole, for others read at any time."""
    open_file: Any = MmapedDict  # It is not annotated.
    if path.exists():
        return open_file(str(path))
    unfinished = path.with_suffix(".new")
    unfinished.unlink(missing_ok=True)
    opened = open_file(str(unfinished))
    unfinished.rename(path)
    return opened


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
