"""`countersign backup` and `countersign restore`: the whole registry in one file, and back."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.arguments import FILE, NEW_FILE
from service.cli.failures import fail
from service.cli.output import following, json_option, note, print_json, show
from service.cli.session import caller


@click.command()
@click.argument("file", type=NEW_FILE)
@json_option
def backup(file: Path, as_json: bool) -> None:
    """Back the registry up into the new FILE, while servers go on.

    All in it is of one moment: writers, references, models, decisions, the audit chain, keys'
    hashes. What was acknowledged before the start is in it. FILE is read back before it gets its
    name, is never written over another, and only its owner can read it: it holds personal data.
    While it runs, an erasure on SQLite may say that it is incomplete.

    The vector index is not in it; it is built anew from the registry. Nor are settings.

    \b
    Examples:
      countersign backup /mnt/backups/countersign-monday.zip
      countersign backup registry.zip --json | jq -r .sha256
    """
    from service.backup.backups import back_up, put_on_record
    from service.composition import prepare_folders
    from service.settings import read_settings

    settings = read_settings()
    prepare_folders(settings)
    with following() as progress:
        made = back_up(settings, file, progress)
    kept_off_record = put_on_record(settings, made, caller())
    manifest = made.manifest
    if as_json:
        told = {"file": str(file), "bytes": made.bytes, "sha256": made.sha256}
        about = {
            "schema": manifest.schema,
            "registry_id": manifest.registry_id,
            "made_at": manifest.made_at,
            "revision": manifest.revision,
            "rows": dict(manifest.rows),
            "on_record": kept_off_record is None,
        }
        print_json({**told, **about})
    else:
        show(
            f"Backed up {manifest.rows['writers']} writers, "
            f"{manifest.rows['signature_references']} references and {manifest.rows['decisions']} "
            f"decisions, at revision {manifest.revision}, to {click.format_filename(file)} "
            f"({made.bytes / 2**20:.1f} MiB), and read it back. It holds personal data.",
            f"sha256 {made.sha256}",
        )
    if kept_off_record:
        note(f"The backup is whole, but it could not be put on record: {kept_off_record}")


@click.command()
@click.argument("file", type=FILE)
@click.option(
    "--erasures",
    "lists",
    type=FILE,
    multiple=True,
    help="A list of `countersign erasures export`: who is on it does not come back. Repeatable.",
)
@click.option(
    "--without-erasures",
    "without",
    is_flag=True,
    help="Restore without a list: who was erased after the backup comes back.",
)
@json_option
def restore(file: Path, lists: tuple[Path, ...], without: bool, as_json: bool) -> None:
    """Restore a backup FILE into an empty place.

    The place is the data folder or the database that the settings name; a registry that is there
    is never touched. FILE is verified first, and upgraded if it is of an older version. Whoever was
    erased after the backup must not come back: hand over the last list that `countersign erasures
    export` wrote, or say that there is none.

    \b
    Examples:
      countersign restore monday.zip --erasures erasures.json
      countersign restore monday.zip --without-erasures --json
    """
    from service.backup.backups import bring_back
    from service.composition import prepare_folders
    from service.settings import read_settings

    if bool(lists) == without:
        fail(
            "Who was erased after the backup must not come back: give the last list that "
            "`countersign erasures export` wrote with --erasures FILE, or, if nobody was erased "
            "or no list is left, --without-erasures; one of the two."
        )
    settings = read_settings()
    prepare_folders(settings)
    with following() as progress:
        done = bring_back(settings, file, lists, caller(), progress)
    rows, repeated = done.manifest.rows, done.repeated
    if as_json:
        print_json(
            {
                "made_at": done.manifest.made_at,
                "registry_id": done.manifest.registry_id,
                "from": done.manifest.schema,
                "to": done.schema,
                "rows": dict(rows),
                "erased_again": {"writers": repeated.writers, "references": repeated.references},
            }
        )
        return
    show(
        f"Restored {rows['writers']} writers, {rows['signature_references']} references and "
        f"{rows['decisions']} decisions, as they were on {done.manifest.made_at}.",
        f"Erased again: {repeated.writers} writers and {repeated.references} references.",
    )
    if done.manifest.schema != done.schema:
        note(f"The schema was upgraded from {done.manifest.schema} to {done.schema}.")
    note("Run `countersign doctor` before you serve it.")
