"""`countersign erase`: erase a writer for good, and write down what proves it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO

import click

from service.cli.arguments import NEW_FILE, writer_argument
from service.cli.failures import fail
from service.cli.output import json_option, note, print_json, show
from service.cli.session import caller, open_services


@click.command()
@writer_argument
@click.option(
    "--proof", "path", type=NEW_FILE, help="Write what was erased when to this new file, as JSON."
)
@click.option("--yes", is_flag=True, help="Erase without asking.")
@json_option
def erase(writer_id: str, path: Path | None, yes: bool, as_json: bool) -> None:
    """Erase WRITER for good, with all references.

    Rows, images and vectors go at once, and their bytes from the registry's files as soon as nobody
    reads these. Decisions stay, without name and image. Backups are not reached: run `countersign
    erasures export` afterwards, so that a restore does not bring the writer back.

    The proof lists the references by number and by the hash of their image, and says how far the
    erasure is purged and where the chains stood. It holds no image and no name; keep it as long as
    somebody may ask.

    \b
    Examples:
      countersign erase C-1001
      countersign erase C-1001 --proof erased-C-1001.json --yes
    """
    from service.writers.erasure_proof import erase_with_proof

    with new_file(path) as file, open_services() as services:
        count = services.registry.writers.get(writer_id).reference_count
        if not yes:
            click.confirm(
                f"Erase {writer_id} with {count} references for good?", abort=True, err=True
            )
        proof = erase_with_proof(
            writer_id,
            registry=services.registry,
            gallery=services.gallery,
            settings=services.settings,
            caller=caller(),
        )
        if file is not None:
            file.write(json.dumps(proof, indent=2) + "\n")
    purged = proof["erasure"]["state"] == "purged"
    if as_json:
        print_json(proof)
    else:
        show(f"Erased {writer_id} with {proof['reference_count']} references.")
        if purged:
            show("Nothing of it was found in the registry's files.")
    if not purged:
        note(
            "Something of it may still be on disk, since a program reads the registry; a server "
            f"goes on with it. `countersign index check --erased {writer_id}` says how far it is."
        )
    if kept := proof["backups_before_upgrades"]:
        note(
            f"{kept} backups made before upgrades, in {services.settings.backup_dir}, may hold it; "
            "they are deleted after 30 days, or delete them now."
        )
    note("Other backups may hold it too: run `countersign erasures export`.")


@contextmanager
def new_file(path: Path | None) -> Iterator[IO[str] | None]:
    """Make a private file before anything is erased; take it away again if nothing was."""
    if path is None:
        yield None
        return
    try:
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        fail(f"{click.format_filename(path)} exists already; name another file for the proof.")
    with os.fdopen(handle, "w", encoding="utf-8") as file:
        try:
            yield file
        except BaseException:
            path.unlink(missing_ok=True)
            raise
        file.flush()
        os.fsync(file.fileno())
