"""Makes a backup of the registry of the settings, and brings one back."""

from collections.abc import Sequence
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

from index.backup.archive import Progress
from index.backup.make import BackupMade, make_backup
from index.backup.restore import Restored, restore_backup
from index.backup.tombstones import ErasureList, read_erasure_list
from index.errors import GalleryError, TombstonesUnusable
from index.registry.audit.chain import AuditEvent
from index.registry.registry import Registry
from index.registry.schema_version import require_current
from service.settings import Settings
from service.version import VERSION

MADE = "backup.made"


def back_up(settings: Settings, path: Path, progress: Progress) -> BackupMade:
    """Back the registry up into the new file at `path`; `put_on_record` comes after.

    Raises:
        BackupNotMade: saying what keeps it; nothing is left at `path` then.
        RegistryUnavailable: the database cannot be read.
        OSError: the file cannot be written.
    """
    return make_backup(settings.database_url, path, VERSION, progress)


def put_on_record(settings: Settings, made: BackupMade, caller: str) -> str | None:
    """Put a backup on record; return what keeps it from being, None if it is.

    A full disk is a good reason for a backup, and no reason to call it failed.
    """
    details = {
        "sha256": made.sha256,
        "bytes": made.bytes,
        "revision": made.manifest.revision,
        "schema": made.manifest.schema,
    }
    try:
        require_current(settings.database_url)
        with closing(Registry(settings.database_url)) as registry:
            registry.audit.append(AuditEvent(MADE, caller, details=details))
    except GalleryError as error:
        return str(error)
    return None


def bring_back(
    settings: Settings, path: Path, erasures: Sequence[Path], caller: str, progress: Progress
) -> Restored:
    """Bring a backup back into the empty place of the settings, and repeat erasures on it.

    Raises:
        BackupUnusable: it is damaged, a newer version made it, or it is of another database.
        TombstonesUnusable: a list of erasures is damaged, or another registry's.
        PlaceTaken: there is something already.
        RegistryUnavailable: the database cannot be used.
        OSError: a file cannot be read or written.
    """
    lists = [_erasure_list(one) for one in erasures]
    return restore_backup(
        path, settings.database_url, lists, caller, progress, folder=settings.data_dir
    )


def erasures_so_far(registry: Registry) -> ErasureList:
    """Return the list of all erasures, as a restore takes it."""
    return ErasureList(
        registry.registry_id(), datetime.now(UTC), tuple(registry.erasures.tombstones())
    )


def _erasure_list(path: Path) -> ErasureList:
    try:
        return read_erasure_list(path.read_bytes())
    except TombstonesUnusable as error:
        raise TombstonesUnusable(f"{path}: {error.reason}") from error
