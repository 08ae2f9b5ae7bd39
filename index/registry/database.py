"""Connections and transactions of the registry: all that differs between databases is here."""

import os
import sqlite3
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from enum import IntEnum

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

from index.errors import ErasureIncomplete, RegistryUnavailable

BUSY_TIMEOUT_S = 30

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


class Database:
    """One process's connections to one database; build it after a fork, never before."""

    def __init__(self, url: str, *, foreign_keys: bool = True) -> None:
        parsed = _supported(url)
        self._sqlite = parsed.get_backend_name() == "sqlite"
        self._engine = _engine(parsed)
        if self._sqlite:
            _create_private(str(parsed.database))

            @event.listens_for(self._engine, "connect")
            def prepare(connection: DBAPIConnection, _entry: ConnectionPoolEntry) -> None:
                _prepare_sqlite(connection, foreign_keys)

    @contextmanager
    def read(self) -> Iterator[Connection]:
        """Give a connection for single SELECTs, each of which sees the newest commit."""
        with _database_errors(), self._engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self, lock: WriteLock = WriteLock.GALLERY) -> Iterator[Connection]:
        """Give the one writing transaction there is; it commits at the end, durably."""
        with _database_errors(), self._engine.begin() as connection:
            if self._sqlite:
                # The write lock is taken before anything is read: a transaction that starts
                # reading and writes later can fail instead of waiting.
                connection.exec_driver_sql("BEGIN IMMEDIATE")
            else:
                connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": int(lock)})
            yield connection

    @contextmanager
    def snapshot(self) -> Iterator[Connection]:
        """Give a connection whose SELECTs all see the database as it is at the first of them.

        Others write meanwhile; SQLite's log grows until it ends, and `purge_erased` waits for it.
        """
        with _database_errors(), self._engine.connect() as connection:
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

    def purge_erased(self) -> None:
        """Make sure that no file of the database still holds rows that were deleted.

        SQLite: secure_delete has overwritten them, and cutting off the write-ahead log brings that
        to the main file. PostgreSQL keeps dead rows until its own VACUUM.

        Raises:
            ErasureIncomplete: other readers hold the log for BUSY_TIMEOUT_S.
        """
        if not self._sqlite:
            return
        give_up_at = time.monotonic() + BUSY_TIMEOUT_S
        while time.monotonic() < give_up_at:
            with self.read() as connection:
                row = connection.exec_driver_sql("PRAGMA wal_checkpoint(TRUNCATE)").one()
            busy, _, _ = row
            if not busy:
                return
            # SQLite waits for readers by itself, but not for another process that does the same.
            time.sleep(0.01)
        raise ErasureIncomplete(
            "The rows are erased, but another program is reading the database and keeps its log, "
            "which may still hold them. Close it; the next erasure cuts the log off."
        )

    def close(self) -> None:
        """Close the pool's connections."""
        self._engine.dispose()


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
def _database_errors() -> Iterator[None]:
    try:
        yield
    except PoolTimeoutError as error:
        raise RegistryUnavailable(
            f"No database connection became free in {BUSY_TIMEOUT_S} s; try again."
        ) from error
    except DatabaseError as error:
        if isinstance(error, _STATEMENT_ERRORS):
            raise
        raise RegistryUnavailable(
            f"The registry's database cannot be used: {error.orig}"
        ) from error


def _prepare_sqlite(connection: DBAPIConnection, foreign_keys: bool) -> None:
    # The driver begins no transaction by itself; `write` does, with the lock it wants.
    connection.isolation_level = None
    cursor = connection.cursor()
    try:
        _switch_to_wal(cursor)
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
