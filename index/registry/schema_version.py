"""The database's schema: which one there is, which one is needed, and the way there.

The steps themselves are in the package `migrations`, which Alembic runs; no alembic.ini is read.
"""

from importlib.resources import files

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection

from index.errors import SchemaMismatch
from index.registry.database import Database, WriteLock

UPGRADE = "Run `countersign db upgrade`, then start again."
UPDATE = (
    "A newer version of Countersign made it: install that version; `countersign db upgrade` goes "
    "forward only."
)


def head_revision() -> str:
    """Return the schema that this version works with."""
    head = _scripts().get_current_head()
    if head is None:
        raise RuntimeError("The package migrations holds no steps; install Countersign again.")
    return head


def current_revision(url: str) -> str | None:
    """Return the schema of the database at `url`; None where there is none yet.

    Raises:
        RegistryUnavailable: the database cannot be opened.
    """
    database = Database(url)
    try:
        with database.read() as connection:
            return schema_of(connection)
    finally:
        database.close()


def upgrade(url: str) -> str:
    """Bring the database at `url` to this version's schema, or leave it as it was.

    Safe to run from several processes at once: the second waits and finds nothing to do. Returns
    the schema.

    Raises:
        SchemaMismatch: a newer version made the database.
    """
    # Alembic changes an SQLite table by copying and dropping it. With foreign keys on, the drop
    # would delete every row that points there; the switch has no effect inside a transaction.
    database = Database(url, foreign_keys=False)
    try:
        with database.write(WriteLock.SCHEMA) as connection:
            _require_known(schema_of(connection))
            bring_to(connection, "head")
    finally:
        database.close()
    return head_revision()


def require_current(url: str) -> None:
    """Return when the database has this version's schema.

    Raises:
        SchemaMismatch: it has another.
    """
    found, expected = current_revision(url), head_revision()
    _require_known(found)
    if found != expected:
        raise SchemaMismatch(found, expected, UPGRADE)


def schema_of(connection: Connection) -> str | None:
    """Return the schema of a database; None where there is none yet."""
    return MigrationContext.configure(connection).get_current_revision()


def bring_to(connection: Connection, schema: str) -> None:
    """Run the steps up to a schema, or up to `head`, in the caller's transaction.

    On SQLite it must be a connection without foreign keys.
    """
    config = _config()
    config.attributes["connection"] = connection
    command.upgrade(config, schema)


def is_known(schema: str) -> bool:
    """Whether this version or an earlier one made the schema, so that it can be upgraded."""
    return schema in {script.revision for script in _scripts().walk_revisions()}


def _require_known(found: str | None) -> None:
    if found is not None and not is_known(found):
        raise SchemaMismatch(found, head_revision(), UPDATE)


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    # Alembic reads % as the start of a variable.
    config.set_main_option("script_location", str(files("migrations")).replace("%", "%%"))
    return config
