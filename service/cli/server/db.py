"""`countersign db`: show or upgrade the schema of the registry's database."""

from __future__ import annotations

import click

from service.cli.failures import EXIT_NO
from service.cli.output import json_option, print_json, show


@click.group("db")
def db_group() -> None:
    """Look after the schema of the registry's database.

    \b
    Examples:
      countersign db upgrade
      countersign db current
    """


@db_group.command()
@json_option
def upgrade(as_json: bool) -> None:
    """Bring the database to the schema of this version.

    Makes a new database if there is none. Nothing happens if the schema is there already, so this
    is safe before every start.

    \b
    Examples:
      countersign db upgrade
      COUNTERSIGN_DATA_DIR=/srv/countersign countersign db upgrade --json
    """
    before, after = upgrade_database()
    if as_json:
        print_json({"from": before, "to": after})
    elif before == after:
        show(f"The database has schema {after} already.")
    else:
        show(f"Upgraded the database from {before or 'no schema'} to schema {after}.")


@db_group.command()
@json_option
@click.pass_context
def current(ctx: click.Context, as_json: bool) -> None:
    """Show the database's schema, and the one that is needed.

    The exit code is 0 if they are the same and 1 if not.

    \b
    Examples:
      countersign db current
      countersign db current --json | jq .up_to_date
    """
    from index.registry.schema_version import current_revision, head_revision
    from service.composition import prepare_folders
    from service.settings import read_settings

    settings = read_settings()
    prepare_folders(settings)
    found, expected = current_revision(settings.database_url), head_revision()
    if as_json:
        print_json({"current": found, "expected": expected, "up_to_date": found == expected})
    elif found == expected:
        show(f"The database has schema {found}, as this version expects.")
    else:
        show(
            f"The database has {f'schema {found}' if found else 'no schema'}; this version works "
            f"with {expected}. Run `countersign db upgrade`."
        )
    ctx.exit(0 if found == expected else EXIT_NO)


def upgrade_database() -> tuple[str | None, str]:
    """Upgrade the database of the settings; return its schema before and after."""
    from index.registry.schema_version import current_revision
    from index.registry.schema_version import upgrade as upgrade_schema
    from service.composition import prepare_folders
    from service.settings import read_settings

    settings = read_settings()
    prepare_folders(settings)
    before = current_revision(settings.database_url)
    return before, upgrade_schema(settings.database_url)
