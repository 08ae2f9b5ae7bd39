"""`countersign erasures`: the list by which a restore erases again what was erased."""

from __future__ import annotations

import os
from pathlib import Path

import click

from service.cli.arguments import NEW_FILE
from service.cli.failures import fail
from service.cli.output import json_option, note, print_json, show
from service.cli.session import open_registry_alone


@click.group("erasures")
def erasures_group() -> None:
    """Keep the list of erasures, which a restore wants.

    \b
    Examples:
      countersign erasures export erasures.json
    """


@erasures_group.command("export")
@click.argument("file", type=NEW_FILE)
@click.option("--replace", is_flag=True, help="Replace FILE if it is there, as a whole.")
@json_option
def export_list(file: Path, replace: bool, as_json: bool) -> None:
    """Write the list of all erasures to FILE, for `countersign restore`.

    It holds no name, no id and no image: only hashes of random numbers that were erased with the
    person, by which a backup from before finds whom it must not bring back. Write it after each
    erasure, or every hour, to another disk than the registry's.

    \b
    Examples:
      countersign erasures export /mnt/backups/erasures.json --replace
      countersign erasures export erasures.json --json
    """
    from index.backup.archive import sync_folder
    from index.vectors.private_file import make_private
    from service.backup.backups import erasures_so_far

    if file.exists() and not replace:
        fail(f"{click.format_filename(file)} exists already; add --replace, or name another.")
    with open_registry_alone() as (_, registry):
        listed = erasures_so_far(registry)
        total, _ = registry.erasures.count()
    # Whole or not there: half a list would bring people back.
    partial = file.with_name(f".{file.name}.partial-{os.getpid()}")
    try:
        make_private(partial)
        with partial.open("w", encoding="utf-8") as written:
            written.write(listed.as_json())
            written.flush()
            os.fsync(written.fileno())
        partial.replace(file)
        sync_folder(file.parent)
    finally:
        partial.unlink(missing_ok=True)
    unknown = total - len(listed.tombstones)
    if as_json:
        told = {"file": str(file), "registry_id": listed.registry_id}
        print_json({**told, "erasures": len(listed.tombstones), "left_out": unknown})
    else:
        show(f"Wrote {len(listed.tombstones)} erasures to {click.format_filename(file)}.")
    if unknown:
        note(
            f"{unknown} erasures were made by an older version, which kept nothing to repeat them "
            "by. Delete the backups from before them."
        )
