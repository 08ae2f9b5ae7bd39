"""`countersign db`: show or upgrade the schema of the registry's database."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.cli.failures import EXIT_NO, fail
from service.cli.output import following, json_option, note, print_json, show
from service.cli.session import caller

if TYPE_CHECKING:
    from service.backup.before_upgrade import Upgraded
    from service.settings import Settings


@click.group("db")
def db_group() -> None:
    """Look after the schema of the registry's database.

    \b
    Examples:
      countersign db upgrade
      countersign db current
    """


@db_group.command()
@click.option(
    "--backup/--no-backup",
    default=True,
    help="Back the registry up first, if there is something to upgrade.",
)
@json_option
def upgrade(backup: bool, as_json: bool) -> None:
    """Bring the database to the schema of this version.

    Makes a new database if there is none. Nothing happens if the schema is there already, so this
    is safe before every start. An older registry is backed up first, into the folder `backups` of
    the data folder, which keeps the last three of these backups.

    \b
    Examples:
      countersign db upgrade
      COUNTERSIGN_DATA_DIR=/srv/countersign countersign db upgrade --json
    """
    from service.settings import read_settings

    done = upgrade_database(read_settings(), backup=backup)
    before, after = done.before, done.after
    if as_json:
        kept = None if done.backup is None else str(done.backup)
        print_json({"from": before, "to": after, "backup": kept})
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


def upgrade_database(settings: Settings, *, backup: bool = True) -> Upgraded:
    """Upgrade the database of the settings; back it up first, and tell where."""
    from index.errors import BackupNotMade
    from service.backup.before_upgrade import upgrade_with_backup
    from service.composition import prepare_folders

    prepare_folders(settings)
    try:
        with following() as progress:
            done = upgrade_with_backup(settings, caller(), progress, backup=backup)
    except BackupNotMade as error:
        fail(
            f"{error} The database was left as it is. `countersign db upgrade --no-backup` does "
            "without; back the registry up in another way before."
        )
    if done.backup is not None:
        note(f"The registry was backed up before the upgrade: {click.format_filename(done.backup)}")
    return done
