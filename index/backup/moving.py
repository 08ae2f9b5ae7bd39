"""Copies all rows of a registry in SQLite into an empty one in PostgreSQL, with their numbers."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, Table, delete, func, insert, select, text

from index.backup.archive import Progress
from index.registry.schema import Base

# Each may have an image of some megabytes.
ROWS_AT_ONCE = 20

_NUMBERS = text("SELECT name, seq FROM sqlite_sequence")
_GO_ON_AFTER = text("SELECT setval(pg_get_serial_sequence(:table, :column), :last)")


def move_rows(source: Connection, target: Connection, progress: Progress) -> None:
    """Copy every row; both must have this version's schema, and the target nothing else.

    Numbers that were given out already are not given out again.
    """
    tables = Base.metadata.sorted_tables
    for table in reversed(tables):
        target.execute(delete(table))  # What the first step of the schema put there.
    total = sum(_count(source, table) for table in tables)
    done = 0
    for table in tables:
        for batch in _batches(source, table):
            target.execute(insert(table), batch)
            done += len(batch)
            progress("Restoring", done, total)
    for name, last in source.execute(_NUMBERS):
        (column,) = Base.metadata.tables[name].primary_key.columns
        target.execute(_GO_ON_AFTER, {"table": name, "column": column.name, "last": last})


def _count(connection: Connection, table: Table) -> int:
    return int(connection.execute(select(func.count()).select_from(table)).scalar_one())


def _batches(source: Connection, table: Table) -> Iterator[Sequence[Mapping[str, Any]]]:
    found = source.execution_options(yield_per=ROWS_AT_ONCE).execute(select(table))
    for rows in found.mappings().partitions():
        yield [dict(row) for row in rows]
