"""Brings a backup back into an empty place: all of it, or nothing.

It is verified first, upgraded where it is older, and erasures that came after it are repeated
before anybody can read it. Indexes begin anew where they cannot know what they missed.
"""

import os
import sqlite3
from collections.abc import Iterator, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

from sqlalchemy import URL, Connection, delete, inspect, make_url, text, update

from index.backup.archive import BackupManifest, BackupReader, Progress, file_sha256, sync_folder
from index.backup.make import (
    SQLITE_PART,
    columns_of,
    driver_connection,
    part_of,
    tables_of,
)
from index.backup.moving import move_rows
from index.backup.tombstones import ErasureList, Repeated, repeat_erasures
from index.errors import BackupUnusable, PlaceTaken, TombstonesUnusable
from index.registry.audit.chain import RESTORED, AuditEvent, append
from index.registry.database import Database, WriteLock
from index.registry.schema import SessionRow, SharedIndexRow, UserRow
from index.registry.schema_version import bring_to, head_revision, is_known, upgrade
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
    progress: Progress


def restore_backup(
    path: Path,
    url: str,
    erasures: Sequence[ErasureList],
    caller: str,
    progress: Progress,
    *,
    folder: Path,
) -> Restored:
    """Bring the backup at `path` back into the database of `url`, which must be empty.

    A backup of SQLite can be brought into PostgreSQL too, by way of a file in `folder`.

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
        restoring = Restoring(backup, erasures, caller, file_sha256(path), progress)
        _require_empty(url)
        backup.verify(progress)
        if make_url(url).get_backend_name() == "sqlite":
            repeated = _into_file(restoring, Path(str(make_url(url).database)))
        elif manifest.database == "sqlite":
            repeated = _from_file_into_server(restoring, url, folder)
        else:
            repeated = _into_server(restoring, url)
        return Restored(manifest, head_revision(), repeated)


def _require_empty(url: str) -> None:
    """Look before a large backup is read; what comes there meanwhile is found by the restoring."""
    if make_url(url).get_backend_name() == "sqlite":
        require_no_file(Path(str(make_url(url).database)))
        return
    with _opened(url) as database, database.read() as connection:
        _require_no_table(connection)


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
    if manifest.database == "postgresql" and url.get_backend_name() == "sqlite":
        raise BackupUnusable(
            "it is of PostgreSQL, which cannot be brought into SQLite; set "
            "COUNTERSIGN_DATABASE_URL to an empty database of PostgreSQL"
        )


def _require_of(manifest: BackupManifest, erasures: ErasureList) -> None:
    if erasures.registry_id != manifest.registry_id:
        raise TombstonesUnusable(
            f"it is of the registry {erasures.registry_id!r}, expected that of the backup, "
            f"{manifest.registry_id!r}"
        )


def _into_file(restoring: Restoring, file: Path) -> Repeated:
    require_no_file(file)
    with _extracted(restoring, file) as partial:
        # Alembic wants no foreign keys; what is erased here goes with all that points to it.
        database = Database(_url_of(partial), foreign_keys=False)
        try:
            with database.write(WriteLock.SCHEMA) as connection:
                bring_to(connection, "head")
                repeated = _settle(connection, restoring)
            emptied = database.cut_off_log()
        finally:
            database.close()
        if not emptied or any(one.exists() and one.stat().st_size for one in _beside(partial)):
            raise BackupUnusable("another program has opened the new file while it was restored")
        with partial.open("rb") as written:
            os.fsync(written.fileno())
        require_no_file(file)
        partial.replace(file)
        sync_folder(file.parent)
    return repeated


@contextmanager
def _extracted(restoring: Restoring, file: Path) -> Iterator[Path]:
    """Give SQLite's file of a backup under a name beside `file`; it is gone at the end."""
    backup = restoring.backup
    if SQLITE_PART not in backup.manifest.parts:
        raise BackupUnusable(f"it has no part {SQLITE_PART!r}")
    partial = file.with_name(f".{file.name}.restoring-{os.getpid()}")
    total, done = backup.manifest.parts[SQLITE_PART].bytes, 0
    try:
        with open(partial, "xb", opener=private_opener) as target:
            for chunk in backup.chunks(SQLITE_PART):
                target.write(chunk)
                done += len(chunk)
                restoring.progress("Restoring", done, total)
        yield partial
    finally:
        for path in (partial, *_beside(partial)):
            path.unlink(missing_ok=True)


def _beside(file: Path) -> list[Path]:
    return [file.with_name(f"{file.name}{end}") for end in ("-wal", "-shm")]


def _url_of(file: Path) -> str:
    return str(URL.create("sqlite", database=str(file)))


def _from_file_into_server(restoring: Restoring, url: str, folder: Path) -> Repeated:
    with _extracted(restoring, folder / "moving.db") as partial, _opened(url) as database:
        upgrade(_url_of(partial))
        with _opened(_url_of(partial)) as old, database.write(WriteLock.SCHEMA) as connection:
            _require_no_table(connection)
            bring_to(connection, "head")
            with old.snapshot() as rows:
                move_rows(rows, connection, restoring.progress)
            return _settle(connection, restoring)


def _into_server(restoring: Restoring, url: str) -> Repeated:
    """Make schema and rows in one transaction: whoever looks meanwhile sees an empty database."""
    manifest = restoring.backup.manifest
    with _opened(url) as database, database.write(WriteLock.SCHEMA) as connection:
        _require_no_table(connection)
        bring_to(connection, manifest.schema)
        _copy_rows(connection, restoring.backup, restoring.progress)
        for sequence, last in manifest.sequences.items():
            connection.execute(_LAST_NUMBER, {"name": sequence, "last": last})
        bring_to(connection, "head")
        return _settle(connection, restoring)


def _opened(url: str) -> closing[Database]:
    return closing(Database(url))


def _require_no_table(connection: Connection) -> None:
    if inspect(connection).get_table_names():
        raise PlaceTaken("the database has tables")


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
    Nobody is signed in, and no link sets a password: either may have ended since the backup.
    """
    connection.execute(delete(SharedIndexRow))
    connection.execute(delete(SessionRow))
    connection.execute(update(UserRow).values(link_sha256=None, link_expires_at=None))
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
    append(connection, AuditEvent(RESTORED, restoring.caller, details=details))
    return repeated
