"""Connections and transactions of the registry: all that differs between databases is here."""

import os
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from enum import IntEnum
from pathlib import Path
from typing import TypeVar

from sqlalchemy import (
    URL,
    ColumnElement,
    Connection,
    Double,
    Engine,
    cast,
    create_engine,
    event,
    extract,
    func,
    literal,
    make_url,
    text,
)
from sqlalchemy.engine.interfaces import DBAPIConnection, DBAPICursor
from sqlalchemy.exc import (
    ArgumentError,
    DatabaseError,
    DataError,
    IntegrityError,
    NotSupportedError,
    ProgrammingError,
)
from sqlalchemy.exc import TimeoutError as PoolTimeoutError
from sqlalchemy.pool import ConnectionPoolEntry

from index.errors import RegistryFull, RegistryUnavailable
from index.registry.disk.database_file import DatabaseFile
from index.registry.name_search import translate

BUSY_TIMEOUT_S = 30
# How long an erasure tries to cut off the log itself, and each try keeps writers waiting.
CUT_OFF_PATIENCE_S = 0.1
_LOG_WAIT_S = 0.02
_POSTGRESQL_FULL = "53100"
Changed = TypeVar("Changed")

# These say that a statement is wrong, not that the database cannot be used.
_STATEMENT_ERRORS = (DataError, IntegrityError, NotSupportedError, ProgrammingError)


class WriteLock(IntEnum):
    """What a writing transaction holds alone until it commits, so that order is commit order.

    SQLite has one lock for everything; PostgreSQL takes the advisory lock of this number.
    """

    GALLERY = 0x436E7401
    DECISIONS = 0x436E7402
    SCHEMA = 0x436E7403
    LEASES = 0x436E7404
    AUDIT = 0x436E7405
    ACCESS = 0x436E7406


class Database:
    """One process's connections to one database; build it after a fork, never before."""

    def __init__(self, url: str, *, foreign_keys: bool = True) -> None:
        parsed = _supported(url)
        self._sqlite = parsed.get_backend_name() == "sqlite"
        self._engine = _engine(parsed)
        self.file: DatabaseFile | None = None
        if self._sqlite:
            _create_private(str(parsed.database))
            self.file = DatabaseFile(Path(str(parsed.database)))

            @event.listens_for(self._engine, "connect")
            def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
                _prepare_sqlite(connection, foreign_keys)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for single SELECTs, each of which sees the newest commit."""
        with _database_errors(self.file), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, lock: WriteLock = WriteLock.GALLERY) -> Iterator[Connection]:
        """Give the one writing transaction there is; it commits at the end, durably."""
        if self.file is not None:
            self.file.require_same()
        with _database_errors(self.file), self._engine.begin() as connection:
            if self._sqlite:
                # The write lock is taken before anything is read: a transaction that starts
                # reading and writes later can fail instead of waiting.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            lock_also(connection, lock)
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection whose SELECTs all see the database as it is at the first of them.

        Others write meanwhile; SQLite's log grows until it ends, and `cut_off_log` cannot do so.
        """
        with _database_errors(self.file), self._engine.connect() as connection:
            if self._sqlite:
                connection.exec_driver_sql("BEGIN")
            else:
                connection.execution_options(
                    isolation_level="REPEATABLE READ", postgresql_readonly=True
                )
            yield connection

    def clock_s(self) -> ColumnElement[float]:
        """Return the expression for now: Unix time in seconds by the database's clock."""
        if self._sqlite:
            return (func.julianday("now") - literal(2440587.5)) * literal(86400.0)
        return cast(extract("epoch", func.clock_timestamp()), Double)

    def write_despite_full(self, change: Callable[[Connection], Changed]) -> Changed:
        """Make a change that gives room in the end, also on a full disk: the reserve goes for it.

        Raises:
            RegistryFull: the reserve is gone already, or is too small.
        """
        try:
            with self.write() as connection:
                return change(connection)
        except RegistryFull:
            if self.file is None or not self.file.release_reserve():
                raise
        with self.write() as connection:
            return change(connection)

    def cut_off_log(self, patience_s: float = CUT_OFF_PATIENCE_S) -> bool:
        """Bring what the log holds to the main file, and empty it; return whether that was done.

        On SQLite, no file holds rows that were deleted before: `secure_delete` has overwritten
        them, and the log was the last place that had them. Readers that hold the log are not waited
        for, since every writer would wait with them.
        """
        if self.file is None:
            return False
        give_up_at = time.monotonic() + patience_s
        while True:
            try:
                with closing(sqlite3.connect(self.file.path, timeout=_LOG_WAIT_S)) as connection:
                    busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
            except sqlite3.Error:
                return False  # A full disk, for one.
            if not busy or time.monotonic() > give_up_at:
                return not busy
            time.sleep(0.01)

    def outside_transactions(self, statement: str) -> None:
        """Run a statement that may not be in a transaction, as PostgreSQL's VACUUM."""
        with _database_errors(None), self._engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").execute(text(statement))

    def require_usable(self) -> None:
        """Return when there is the file that was opened, and room to write; SQLite alone has one.

        Raises:
            RegistryReplaced: the file was removed or replaced.
            RegistryFull: the disk is full.
        """
        if self.file is not None:
            self.file.require_same()
            self.file.require_room()

    def close(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()


def lock_also(connection: Connection, lock: WriteLock) -> None:
    """Take one more lock in a writing transaction; all must take them in the same order."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(lock)})


def _supported(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise RegistryUnavailable(
            "The database URL cannot be read; expected one like sqlite:///path/to/registry.db."
        ) from error
    backend = parsed.get_backend_name()
    if backend not in {"sqlite", "postgresql"}:
        raise RegistryUnavailable(
            f"Expected a database URL of sqlite or postgresql, got one of {backend}."
        )
    named = parsed.database or ""
    # SQLite also takes `file:` addresses, which can say that they mean a database in memory.
    if backend == "sqlite" and (named in {"", ":memory:"} or named.startswith("file:")):
        raise RegistryUnavailable(
            "The registry must outlive the process: expected sqlite:///path/to/registry.db, "
            "got a database in memory."
        )
    return parsed


def _engine(url: URL) -> Engine:
    sqlite = url.get_backend_name() == "sqlite"
    try:
        return create_engine(
            url,
            # A message with parameters would carry names and images into a log.
            hide_parameters=True,
            pool_size=16,
            max_overflow=48,
            pool_timeout=BUSY_TIMEOUT_S,
            connect_args={"timeout": BUSY_TIMEOUT_S} if sqlite else {},
        )
    except (ImportError, ArgumentError) as error:
        raise RegistryUnavailable(
            f"The driver of {url.drivername!r} is not installed. Install it, or name another in "
            "the database URL, such as postgresql+psycopg://user@host/name."
        ) from error


def _create_private(path: str) -> None:
    """Make the file, if there is none, for its owner alone: SQLite would let everyone read it.

    SQLite gives its log the mode of the file, and says itself what keeps it from opening either.
    """
    with suppress(OSError):
        os.close(os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


@contextmanager
def _database_errors(file: DatabaseFile | None) -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise RegistryUnavailable(
            f"No database connection became free in {BUSY_TIMEOUT_S} s; try again."
        ) from error
    except DatabaseError as error:
        if isinstance(error, _STATEMENT_ERRORS):
            raise
        if _says_full(error.orig, file):
            raise RegistryFull(
                f"The disk that the registry is on is full: {error.orig}. Nothing was changed."
            ) from error
        raise RegistryUnavailable(
            f"The registry's database cannot be used: {error.orig}"
        ) from error


def _says_full(error: BaseException | None, file: DatabaseFile | None) -> bool:
    """Whether a driver's error comes of a full disk; SQLite has several words for that."""
    if getattr(error, "sqlstate", None) == _POSTGRESQL_FULL:
        return True
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF
    if code == sqlite3.SQLITE_FULL:
        return True
    return code in {sqlite3.SQLITE_IOERR, sqlite3.SQLITE_CANTOPEN} and bool(file and file.is_full())


def _prepare_sqlite(connection: DBAPIConnection, foreign_keys: bool) -> None:
    # The driver begins no transaction by itself; `write` does, with the lock it wants.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        _switch_to_wal(cursor)
        connection.create_function("translate", 3, translate, deterministic=True)
        cursor.execute(f"PRAGMA foreign_keys = {'ON' if foreign_keys else 'OFF'}")
        cursor.execute("PRAGMA secure_delete = ON")
        # Acknowledged means on disk: a commit waits for fsync, 0.2 ms here. NORMAL would save
        # that and lose the last commits with the power.
        cursor.execute("PRAGMA synchronous = FULL")
    finally:
        cursor.close()


def _switch_to_wal(cursor: DBAPICursor) -> None:
    # Two processes that switch a new file at once can collide, and SQLite does not wait then.
    give_up_at = time.monotonic() + BUSY_TIMEOUT_S
    while True:
        try:
            cursor.execute("PRAGMA journal_mode = WAL")
        except sqlite3.OperationalError as error:
            if "locked" not in str(error) or time.monotonic() > give_up_at:
                raise
            time.sleep(0.02)
        else:
            return
