"""Checks of the machine: room on the disk, who can read what, and the clock."""

import ctypes
import os
import shutil
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy.engine import make_url

from index.registry.disk.database_file import LEAST_FREE_BYTES
from service.doctor.finding import Finding, Installation, failure, ok, warning

CLOCKS_APART_S = 2.0
AHEAD = timedelta(minutes=1)
# A backup before an upgrade takes twice the registry while it is made.
COPIES = 2
_OTHERS = 0o077
_SHOWN = 3
_MIB = 2**20
# What the kernel says of a clock that nothing sets, and how large the structure is that it fills.
_NOT_SYNCHRONISED = 5
_TIMEX_BYTES = 512


def disk(installation: Installation) -> Iterator[Finding]:
    """Is there room to go on, and for a backup before the next upgrade?"""
    file = database_file(installation)
    folder = installation.settings.data_dir if file is None else file.parent
    while not folder.exists() and folder != folder.parent:
        folder = folder.parent
    free = shutil.disk_usage(folder).free
    size = file.stat().st_size if file is not None and file.exists() else 0
    said = f"{free // _MIB} MiB are free in {folder}"
    if free < LEAST_FREE_BYTES:
        remedy = "Make room: nothing can be enrolled or decided. Erasing still works."
        yield failure("disk", said, remedy)
    elif free < LEAST_FREE_BYTES + COPIES * size:
        yield warning(
            "disk",
            f"{said}; a backup before an upgrade wants {COPIES * size // _MIB} MiB",
            "Make room, or move the data folder to a larger disk.",
        )
    else:
        yield ok("disk", said)


def permissions(installation: Installation) -> Iterator[Finding]:
    """Is everything its owner's alone, and this account's?"""
    paths = [one for one in _own(installation) if one.exists()]
    foreign = [one for one in paths if one.stat().st_uid != os.geteuid()]
    readable = [one for one in paths if one.stat().st_mode & _OTHERS]
    if foreign and os.geteuid() != 0:
        yield failure(
            "permissions",
            f"another account owns {_some(foreign)}",
            "Run Countersign as one account, and give it the data folder: chown -R.",
        )
    elif readable:
        yield warning(
            "permissions",
            f"others can read {_some(readable)}, which hold signatures",
            "Take it from them: chmod -R go= on the data folder.",
        )
    else:
        yield ok("permissions", f"{len(paths)} files and folders are their owner's alone")


def clock(installation: Installation) -> Iterator[Finding]:
    """Does the clock agree with the database's, with what was written, and with the world?"""
    apart_s = abs(installation.registry.clock_s() - datetime.now(UTC).timestamp())
    newest = _newest(installation)
    if newest is not None and newest > installation.now + AHEAD:
        yield failure(
            "clock",
            f"it says {installation.now:%F %T} UTC, and the newest entry is of {newest:%F %T}",
            "Set the clock, and have it synchronised: entries would be out of order.",
        )
    elif apart_s > CLOCKS_APART_S:
        yield warning(
            "clock",
            f"it is {apart_s:.0f} s from the database's",
            "Have both machines synchronise their clocks (NTP).",
        )
    elif _is_unsynchronised():
        yield warning(
            "clock",
            f"it says {installation.now:%F %T} UTC, and nothing synchronises it",
            "Have it synchronised (chrony or systemd-timesyncd): decisions are dated by it.",
        )
    else:
        yield ok("clock", f"it says {installation.now:%F %T} UTC")


def database_file(installation: Installation) -> Path | None:
    """Return SQLite's file; None with another database."""
    url = make_url(installation.settings.database_url)
    return Path(str(url.database)) if url.get_backend_name() == "sqlite" else None


def _own(installation: Installation) -> Iterator[Path]:
    settings = installation.settings
    yield settings.data_dir
    for folder in (settings.snapshot_dir, settings.backup_dir):
        yield folder
        yield from folder.glob("*")
    file = database_file(installation)
    if file is not None:
        yield from file.parent.glob(f"{file.name}*")


def _some(paths: list[Path]) -> str:
    more = f" and {len(paths) - _SHOWN} more" if len(paths) > _SHOWN else ""
    return ", ".join(map(str, paths[:_SHOWN])) + more


def _newest(installation: Installation) -> datetime | None:
    entry = installation.registry.audit.latest()
    decided_at = installation.registry.decisions.newest_at()
    moments = [decided_at, None if entry is None else entry.created_at]
    return max((one for one in moments if one is not None), default=None)


def _is_unsynchronised() -> bool:
    """Whether the kernel says that nothing sets its clock; where it says nothing, it may be set."""
    try:
        asked = ctypes.CDLL(None, use_errno=True).adjtimex
    except (OSError, AttributeError):
        return False
    return bool(asked(ctypes.create_string_buffer(_TIMEX_BYTES)) == _NOT_SYNCHRONISED)
