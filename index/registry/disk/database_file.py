"""The file that SQLite keeps a registry in: is it still the same, and is there room to write?

A server that goes on with a file which was removed or replaced would acknowledge what nobody finds
again. A full disk must not keep anyone from erasing, so a reserve is kept to let go of.
"""

import os
import shutil
from contextlib import suppress
from pathlib import Path

from index.errors import RegistryFull, RegistryReplaced

# Less than this is a full disk: an enrollment of large images, and the log that it goes through.
LEAST_FREE_BYTES = 16 * 2**20
# What erasing a writer of some hundred scans takes in the log.
RESERVE_BYTES = 32 * 2**20
_FULL = "The disk that the registry is on is full."


class DatabaseFile:
    """A database's file as it was when the process opened it; thread-safe."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.log = path.with_name(f"{path.name}-wal")
        self._reserve = path.with_name(f"{path.name}-reserve")
        self._identity = self._found()

    def require_same(self) -> None:
        """Return when the path still leads to the file that the process opened.

        Raises:
            RegistryReplaced: it leads to another, or nowhere.
        """
        found = self._found()
        if self._identity is None:
            self._identity = found
        if found != self._identity:
            what = "removed" if found is None else "replaced by another"
            raise RegistryReplaced(
                f"The registry's file {self.path} was {what} while this process had it open. "
                "Nothing is written to what was left of it. Put the right file there, and restart."
            )

    def require_room(self) -> None:
        """Return when there is room to write.

        Raises:
            RegistryFull: there is not, or nothing can be written there.
        """
        probe = self.path.with_name(f".{self.path.name}-probe-{os.getpid()}")
        try:
            # A quota, or a disk that has become read-only, shows only when something is written.
            handle = os.open(probe, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.write(handle, bytes(2**16))
                os.fdatasync(handle)
            finally:
                os.close(handle)
        except OSError as error:
            raise RegistryFull(f"{_FULL} Nothing can be written: {error.strerror}.") from error
        finally:
            with suppress(OSError):
                probe.unlink()
        if self.is_full():
            raise RegistryFull(f"{_FULL} Less than {LEAST_FREE_BYTES // 2**20} MiB are free.")

    def is_full(self) -> bool:
        """Whether there is too little room to go on; not where there is no folder."""
        if not self.path.parent.is_dir():
            return False
        return shutil.disk_usage(self.path.parent).free < LEAST_FREE_BYTES

    def keep_reserve(self) -> bool:
        """Set the reserve aside, unless it is there or the disk is nearly full; whether it is."""
        with suppress(FileNotFoundError):
            if self._reserve.stat().st_size == RESERVE_BYTES:
                return True
        if shutil.disk_usage(self.path.parent).free < LEAST_FREE_BYTES + RESERVE_BYTES:
            return False
        try:
            handle = os.open(self._reserve, os.O_WRONLY | os.O_CREAT, 0o600)
            try:
                os.posix_fallocate(handle, 0, RESERVE_BYTES)
            finally:
                os.close(handle)
        except OSError:
            self.release_reserve()
            return False
        return True

    def release_reserve(self) -> bool:
        """Let go of the reserve; return whether there was one."""
        try:
            self._reserve.unlink()
        except OSError:
            return False
        return True

    def _found(self) -> tuple[int, int] | None:
        try:
            found = self.path.stat()
        except OSError:
            return None
        return found.st_dev, found.st_ino
