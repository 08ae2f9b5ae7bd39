"""Runs the schema's steps in the transaction of `index.registry.schema_version`."""

from alembic import context

from index.registry.schema import Base

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=Base.metadata,
    # SQLite cannot alter a table in place: Alembic copies it, with all its constraints.
    render_as_batch=True,
    compare_server_default=True,
)
context.run_migrations()
