"""Makes a backup while others write: the registry at one moment, read back before it counts.

SQLite is copied by its own means for that, page by page under one reading transaction; PostgreSQL
by COPY in one transaction of REPEATABLE READ.
"""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, MetaData, Table, inspect, text

from index.backup.archive import (
    CHUNK_BYTES,
    FORMAT,
    BackupManifest,
    BackupReader,
    BackupWriter,
    Progress,
    file_sha256,
    new_backup,
)
from index.errors import BackupNotMade, BackupUnusable, RegistryUnavailable
from index.registry import change_log
from index.registry.database import Database
from index.registry.schema_version import schema_of
from index.vectors.private_file import make_private

SQLITE_PART = "registry.db"
VERSION_TABLE = "alembic_version"
_PAGES = 1024


@dataclass(frozen=True)
class BackupMade:
    """A backup that was read back, with the size and sha256 of its file."""

    manifest: BackupManifest
    bytes: int
    sha256: str


def make_backup(url: str, path: Path, software: str, progress: Progress) -> BackupMade:
    """Copy the registry of a database into the new file at `path`, for its owner alone.

    What was acknowledged before the start is in it. The schema may be an older one.

    Raises:
        BackupNotMade: saying what keeps it; nothing is left at `path` then.
        RegistryUnavailable: the database cannot be read.
        OSError: the file cannot be written.
    """
    database = Database(url)
    try:
        with new_backup(path) as (writer, partial):
            with database.snapshot() as connection:
                manifest = _facts(connection, software)
                if database.file is not None:
                    _copy_sqlite(connection, writer, partial, progress)
                else:
                    _copy_postgresql(connection, writer, manifest, progress)
            writer.finish(manifest)
            _read_back(partial, progress)
            whole = replace(manifest, parts=writer.parts)
            return BackupMade(whole, partial.stat().st_size, file_sha256(partial))
    finally:
        database.close()


def part_of(table: str) -> str:
    """Return the part that holds a table of PostgreSQL."""
    return f"tables/{table}.copy"


def driver_connection(connection: Connection) -> Any:
    """Return psycopg's own connection, which knows COPY.

    Raises:
        RegistryUnavailable: the URL names another driver.
    """
    if connection.dialect.driver != "psycopg":
        raise RegistryUnavailable(
            "Backups of PostgreSQL are copied by the driver psycopg; write the database's URL as "
            "postgresql+psycopg://user@host/name."
        )
    return connection.connection.driver_connection


def columns_of(table: Table) -> str:
    """Return a table's columns in the order in which they are copied, quoted."""
    return ", ".join(f'"{name}"' for name in sorted(column.name for column in table.columns))


def tables_of(connection: Connection) -> list[Table]:
    """Return the tables that are there, each after those that it points to."""
    found = MetaData()
    found.reflect(connection)
    return [table for table in found.sorted_tables if table.name != VERSION_TABLE]


def _facts(connection: Connection, software: str) -> BackupManifest:
    schema = schema_of(connection)
    if schema is None:
        raise BackupNotMade(
            "there is no registry yet: `countersign db upgrade` makes one, or set "
            "COUNTERSIGN_DATA_DIR or COUNTERSIGN_DATABASE_URL to the one that is meant"
        )
    head = change_log.head(connection)
    last = "SELECT sha256 FROM decisions ORDER BY sequence DESC LIMIT 1"
    tables = sorted(set(inspect(connection).get_table_names()) - {VERSION_TABLE})
    return BackupManifest(
        format=FORMAT,
        software=software,
        database=connection.dialect.name,
        schema=schema,
        registry_id=change_log.registry_id(connection),
        made_at=datetime.now(UTC).isoformat(timespec="seconds"),
        revision=head.revision,
        mark=head.mark,
        decisions_sha256=connection.execute(text(last)).scalar_one_or_none(),
        rows={name: _count(connection, name) for name in tables},
        sequences=_sequences(connection),
    )


def _count(connection: Connection, table: str) -> int:
    return int(connection.execute(text(f'SELECT count(*) FROM "{table}"')).scalar_one())  # noqa: S608  # A name of the schema.


def _sequences(connection: Connection) -> dict[str, int]:
    """Return the last numbers given out, so that none is given out again; SQLite has a table."""
    if connection.dialect.name == "sqlite":
        return {}
    query = "SELECT sequencename, last_value FROM pg_sequences WHERE schemaname = current_schema()"
    return {row[0]: row[1] for row in connection.execute(text(query)) if row[1] is not None}


def _copy_sqlite(
    connection: Connection, writer: BackupWriter, partial: Path, progress: Progress
) -> None:
    size = int(connection.execute(text("SELECT page_size FROM pragma_page_size")).scalar_one())
    size *= int(connection.execute(text("SELECT page_count FROM pragma_page_count")).scalar_one())
    free = shutil.disk_usage(partial.parent).free
    if free < 2 * size:
        raise BackupNotMade(
            f"{partial.parent} has {free // 2**20} MiB free, and {2 * size // 2**20} MiB are "
            "needed while it is made, half of it to stay"
        )
    copy = partial.with_name(f"{partial.name}-db")
    try:
        make_private(copy)
        _copy_pages(connection, copy, progress)
        writer.add(SQLITE_PART, _pieces(copy, progress))
    finally:
        for path in (copy, copy.with_name(f"{copy.name}-journal")):
            path.unlink(missing_ok=True)


def _copy_pages(connection: Connection, copy: Path, progress: Progress) -> None:
    def tell(_status: int, remaining: int, total: int) -> None:
        progress("Copying", total - remaining, total)

    source: Any = connection.connection.driver_connection
    with closing(sqlite3.connect(copy)) as target:
        # The reading transaction is open: a change elsewhere does not make it begin anew.
        source.backup(target, pages=_PAGES, progress=tell, sleep=0)
        # One file, without a log beside it.
        target.execute("PRAGMA journal_mode = DELETE")
        (found,) = target.execute("PRAGMA quick_check(1)").fetchone()
    if found != "ok":
        raise BackupNotMade(
            f"the registry's file is damaged ({found}); restore the last backup that was made "
            "before, and keep the file to look into"
        )


def _pieces(path: Path, progress: Progress) -> Iterator[bytes]:
    total, done = path.stat().st_size, 0
    with path.open("rb") as file:
        while chunk := file.read(CHUNK_BYTES):
            done += len(chunk)
            progress("Writing", done, total)
            yield chunk


def _copy_postgresql(
    connection: Connection, writer: BackupWriter, manifest: BackupManifest, progress: Progress
) -> None:
    own = driver_connection(connection)
    done, total = 0, sum(manifest.rows.values())
    for table in tables_of(connection):
        statement = f'COPY "{table.name}" ({columns_of(table)}) TO STDOUT (FORMAT BINARY)'
        with own.cursor() as cursor, cursor.copy(statement) as copied:
            writer.add(part_of(table.name), (bytes(chunk) for chunk in copied))
        done += manifest.rows[table.name]
        progress("Copying", done, total)


def _read_back(partial: Path, progress: Progress) -> None:
    try:
        with BackupReader(partial) as reader:
            reader.verify(progress)
    except BackupUnusable as error:
        raise BackupNotMade(f"what was written cannot be read back: {error}") from error
