"""Backs the registry up before its schema is changed, and keeps the last few of these backups."""

import logging
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from index.backup.archive import Progress
from index.backup.make import BackupMade
from index.registry.schema_version import current_revision, head_revision, is_known, upgrade
from service.backup.backups import back_up, put_on_record
from service.settings import Settings

logger = logging.getLogger(__name__)

KEPT = 3
# They hold who is erased meanwhile, and an upgrade that is older than this is not undone.
LONGEST_KEPT = timedelta(days=30)
# What a backup that was killed left behind.
LEFT_BEHIND = timedelta(days=1)
_PATTERN = "before-*.zip"
_PARTIAL_PATTERN = ".*.partial-*"


@dataclass(frozen=True)
class Upgraded:
    """The schema before and after, and the backup that was made in between; None without one."""

    before: str | None
    after: str
    backup: Path | None


def upgrade_with_backup(
    settings: Settings, caller: str, progress: Progress, *, backup: bool = True
) -> Upgraded:
    """Bring the database to this version's schema; back it up before, if it has another.

    Raises:
        BackupNotMade: the schema is left as it is then.
        SchemaMismatch: a newer version made the database.
        RegistryUnavailable: the database cannot be used.
        OSError: the backup cannot be written.
    """
    before = current_revision(settings.database_url)
    made: BackupMade | None = None
    path: Path | None = None
    if backup and before is not None and before != head_revision() and is_known(before):
        path = _new_path(settings.backup_dir, before)
        made = back_up(settings, path, progress)
    after = upgrade(settings.database_url)
    if made is not None:
        if kept := put_on_record(settings, made, caller):
            logger.warning("The backup is there, but could not be put on record: %s", kept)
        remove_old(settings.backup_dir)
    return Upgraded(before, after, path)


def remove_old(folder: Path) -> int:
    """Remove all but the last few backups that were made before upgrades; return how many.

    Raises:
        OSError: one cannot be removed.
    """
    # The time is in the name, after the schema, which only rises.
    old = sorted(folder.glob(_PATTERN), key=lambda path: path.stem.rpartition("-")[2])[:-KEPT]
    for path in old:
        path.unlink(missing_ok=True)
    return len(old)


def remove_expired(folder: Path, now: datetime) -> int:
    """Remove such backups as are older than a month, and what was left of any; return how many.

    Raises:
        OSError: one cannot be removed.
    """
    expired = [
        *_older(folder, _PATTERN, now - LONGEST_KEPT),
        *_older(folder, _PARTIAL_PATTERN, now - LEFT_BEHIND),
    ]
    for path in expired:
        path.unlink(missing_ok=True)
    return len(expired)


def _older(folder: Path, pattern: str, moment: datetime) -> list[Path]:
    return [path for path in folder.glob(pattern) if path.stat().st_mtime < moment.timestamp()]


def _new_path(folder: Path, schema: str) -> Path:
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    moment = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%fZ")
    return folder / f"before-upgrade-of-{schema}-{moment}.zip"
