"""Brings a backup back into an empty place: all of it, or nothing.

It is verified first, upgraded where it is older, and erasures that came after it are repeated
before anybody can read it. Indexes begin anew where they cannot know what they missed.
"""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, delete, inspect, make_url, text

from index.backup.archive import BackupManifest, BackupReader, Progress, file_sha256, sync_folder
from index.backup.make import (
    SQLITE_PART,
    columns_of,
    driver_connection,
    part_of,
    tables_of,
)
from index.backup.tombstones import ErasureList, Repeated, repeat_erasures
from index.errors import BackupUnusable, PlaceTaken, TombstonesUnusable
from index.registry.audit.chain import AuditEvent, append
from index.registry.database import Database, WriteLock
from index.registry.schema import SharedIndexRow
from index.registry.schema_version import bring_to, head_revision, is_known
from index.vectors.private_file import private_opener

_LAST_NUMBER = text("SELECT setval(:name, :last)")


@dataclass(frozen=True)
class Restored:
    """A registry that was brought back, and what was erased of it again."""

    manifest: BackupManifest
    schema: str
    repeated: Repeated


@dataclass(frozen=True)
class Restoring:
    """What is brought back: the backup, the erasures since, and who asks for it."""

    backup: BackupReader
    erasures: Sequence[ErasureList]
    caller: str
    sha256: str


def restore_backup(
    path: Path, url: str, erasures: Sequence[ErasureList], caller: str, progress: Progress
) -> Restored:
    """Bring the backup at `path` back into the database of `url`, which must be empty.

    Raises:
        BackupUnusable: it is damaged, a newer version made it, or it is of another database.
        TombstonesUnusable: the erasures are another registry's.
        PlaceTaken: there is something already.
        RegistryUnavailable: the database cannot be used.
        OSError: a file cannot be read or written.
    """
    with BackupReader(path) as backup:
        manifest = backup.manifest
        _require_restorable(manifest, make_url(url))
        for one in erasures:
            _require_of(manifest, one)
        restoring = Restoring(backup, erasures, caller, file_sha256(path))
        if manifest.database == "sqlite":
            file = Path(str(make_url(url).database))
            require_no_file(file)
            backup.verify(progress)
            repeated = _into_file(restoring, file, progress)
        else:
            backup.verify(progress)
            repeated = _into_server(restoring, url, progress)
        return Restored(manifest, head_revision(), repeated)


def require_no_file(file: Path) -> None:
    """Return when there is no registry in a file; one without a single table is none.

    Raises:
        PlaceTaken: there is one, or something else.
    """
    beside = [file.with_name(f"{file.name}{end}") for end in ("-wal", "-journal")]
    for path in beside:
        if path.exists() and path.stat().st_size:
            raise PlaceTaken(f"there is {path}")
    if not file.exists() or (file.is_file() and _has_no_table(file)):
        return
    raise PlaceTaken(f"there is {file}")


def _has_no_table(file: Path) -> bool:
    try:
        with closing(sqlite3.connect(f"{file.absolute().as_uri()}?mode=ro", uri=True)) as found:
            return not found.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
    except sqlite3.Error:
        return False


def _require_restorable(manifest: BackupManifest, url: URL) -> None:
    if not is_known(manifest.schema):
        raise BackupUnusable(
            f"it has schema {manifest.schema!r}, which this version does not know, expected "
            f"{head_revision()!r} or an older one: version {manifest.software} of Countersign "
            "made it; restore it with that version or a newer one"
        )
    if manifest.database != url.get_backend_name():
        raise BackupUnusable(
            f"it is of a database of {manifest.database}, and COUNTERSIGN_DATABASE_URL names one "
            f"of {url.get_backend_name()}; name one of {manifest.database}"
        )


def _require_of(manifest: BackupManifest, erasures: ErasureList) -> None:
    if erasures.registry_id != manifest.registry_id:
        raise TombstonesUnusable(
            f"it is of the registry {erasures.registry_id!r}, expected that of the backup, "
            f"{manifest.registry_id!r}"
        )


def _into_file(restoring: Restoring, file: Path, progress: Progress) -> Repeated:
    partial = file.with_name(f".{file.name}.restoring-{os.getpid()}")
    beside = [partial.with_name(f"{partial.name}{end}") for end in ("-wal", "-shm")]
    try:
        _extract(restoring.backup, partial, progress)
        # Alembic wants no foreign keys; what is erased here goes with all that points to it.
        database = Database(str(URL.create("sqlite", database=str(partial))), foreign_keys=False)
        try:
            with database.write(WriteLock.SCHEMA) as connection:
                bring_to(connection, "head")
                repeated = _settle(connection, restoring)
            emptied = database.cut_off_log()
        finally:
            database.close()
        if not emptied or any(path.exists() and path.stat().st_size for path in beside):
            raise BackupUnusable("another program has opened the new file while it was restored")
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        require_no_file(file)
        partial.replace(file)
        sync_folder(file.parent)
    finally:
        for path in (partial, *beside):
            with suppress(FileNotFoundError):
                path.unlink()
    return repeated


def _extract(backup: BackupReader, target: Path, progress: Progress) -> None:
    if SQLITE_PART not in backup.manifest.parts:
        raise BackupUnusable(f"it has no part {SQLITE_PART!r}")
    total, done = backup.manifest.parts[SQLITE_PART].bytes, 0
    with open(target, "xb", opener=private_opener) as file:
        for chunk in backup.chunks(SQLITE_PART):
            file.write(chunk)
            done += len(chunk)
            progress("Restoring", done, total)


def _into_server(restoring: Restoring, url: str, progress: Progress) -> Repeated:
    """Make schema and rows in one transaction: whoever looks meanwhile sees an empty database."""
    database = Database(url)
    manifest = restoring.backup.manifest
    try:
        with database.write(WriteLock.SCHEMA) as connection:
            if inspect(connection).get_table_names():
                raise PlaceTaken("the database has tables")
            bring_to(connection, manifest.schema)
            _copy_rows(connection, restoring.backup, progress)
            for sequence, last in manifest.sequences.items():
                connection.execute(_LAST_NUMBER, {"name": sequence, "last": last})
            bring_to(connection, "head")
            return _settle(connection, restoring)
    finally:
        database.close()


def _copy_rows(connection: Connection, backup: BackupReader, progress: Progress) -> None:
    tables = tables_of(connection)
    if {part_of(table.name) for table in tables} != set(backup.manifest.parts):
        raise BackupUnusable("its tables are not those of its schema")
    for table in reversed(tables):
        connection.execute(delete(table))  # What the first step of the schema put there.
    own = driver_connection(connection)
    done, total = 0, sum(backup.manifest.rows.values())
    for table in tables:
        statement = f'COPY "{table.name}" ({columns_of(table)}) FROM STDIN (FORMAT BINARY)'
        with own.cursor() as cursor, cursor.copy(statement) as copied:
            for chunk in backup.chunks(part_of(table.name)):
                copied.write(chunk)
        done += backup.manifest.rows.get(table.name, 0)
        progress("Restoring", done, total)


def _settle(connection: Connection, restoring: Restoring) -> Repeated:
    """Do what has to be done before anybody reads: repeat erasures, and have shared indexes anew.

    A shared index may hold what came after the backup, which its place in the log would not tell.
    """
    connection.execute(delete(SharedIndexRow))
    given = [one for listed in restoring.erasures for one in listed.tombstones]
    repeated = repeat_erasures(connection, given)
    manifest = restoring.backup.manifest
    details = {
        "backup_sha256": restoring.sha256,
        "made_at": manifest.made_at,
        "revision": manifest.revision,
        "erased_writers": repeated.writers,
        "erased_references": repeated.references,
    }
    append(connection, AuditEvent("restore.done", restoring.caller, details=details))
    return repeated
