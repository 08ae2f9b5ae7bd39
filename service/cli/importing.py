"""`countersign import`: shows the progress and the outcome of a bulk import."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import FOLDER
from service.cli.enrolling import show_refusals
from service.cli.failures import EXIT_INTERRUPTED, EXIT_NO
from service.cli.output import json_option, note, print_json, progress_bar, show, table, watched
from service.cli.session import open_registry
from service.errors import Refusal

if TYPE_CHECKING:
    from service.importing import ImportedBatch

CSV_FILE = click.Path(dir_okay=False, writable=True, path_type=Path)


@dataclass
class Tally:
    """What an import has come to so far; `complete` once every file was looked at."""

    files: int
    skipped: int
    refused: list[Refusal] = field(default_factory=list)
    looked_at: int = 0
    enrolled: int = 0
    already_there: int = 0

    @property
    def complete(self) -> bool:
        """Whether every file was looked at."""
        return self.looked_at == self.files

    def add(self, batch: ImportedBatch) -> None:
        """Count a batch that is stored."""
        self.looked_at += batch.files
        self.enrolled += batch.enrolled
        self.already_there += batch.already_there
        self.refused += batch.refused


@click.command("import")
@click.argument("folder", type=FOLDER)
@click.option("--refusals", metavar="FILE.csv", type=CSV_FILE, help="Write what was refused here.")
@click.option(
    "--batch-size",
    metavar="FILES",
    type=click.IntRange(1, 256),
    default=32,
    show_default=True,
    help="How many files to embed and store at a time.",
)
@json_option
@click.pass_context
def import_folder(
    ctx: click.Context, folder: Path, refusals: Path | None, batch_size: int, as_json: bool
) -> None:
    """Enroll a FOLDER of writers, in bulk.

    It holds a folder of reference images for each writer. The folders' names are the writers'
    ids. Files whose names start with "forged" are skipped. What has been stored stays stored,
    even if the power fails; run the same command again to go on: images that are references
    already are passed over. The exit code is 1 if anything was refused.

    \b
    Examples:
      countersign import scans/
      countersign import scans/ --refusals refused.csv
      countersign import scans/ --json | jq .enrolled
    """
    from service.importing import import_images, survey

    found = survey(folder)
    tally = Tally(len(found.images), found.skipped, list(found.refused))
    try:
        with open_registry() as (_, registry, encoder):
            batches = import_images(
                found.images, encoder=encoder, registry=registry, batch_size=batch_size
            )
            with closing(batches):
                _follow(batches, tally)
    except KeyboardInterrupt:
        note("Interrupted. What is enrolled stays; run the same command again to go on.")
    if refusals:
        _write_refusals(refusals, tally.refused)
    _report(tally, as_json=as_json)
    if not tally.complete:
        ctx.exit(EXIT_INTERRUPTED)
    ctx.exit(EXIT_NO if tally.refused else 0)


def _follow(batches: Iterable[ImportedBatch], tally: Tally) -> None:
    """Count the batches as they are stored, and show how far it is."""
    with progress_bar() as bar:
        task = bar.add_task("Enrolling", total=tally.files)
        for batch in batches:
            tally.add(batch)
            bar.advance(task, batch.files)
            if not watched():
                note(
                    f"{tally.looked_at} of {tally.files} files: {tally.enrolled} enrolled, "
                    f"{tally.already_there} already there, {len(tally.refused)} refused"
                )


def _write_refusals(path: Path, refused: Sequence[Refusal]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "code", "reason"))
        rows.writerows((one.filename, one.code, one.reason) for one in refused)


def _report(tally: Tally, *, as_json: bool) -> None:
    if as_json:
        answer = {
            "complete": tally.complete,
            "files": tally.files,
            "enrolled": tally.enrolled,
            "already_there": tally.already_there,
            "skipped": tally.skipped,
            "refused": [asdict(one) for one in tally.refused],
        }
        print_json(answer)
        return
    counts = (
        ("enrolled", tally.enrolled),
        ("already there", tally.already_there),
        ("refused", len(tally.refused)),
        ("skipped", tally.skipped),
        ("not looked at", tally.files - tally.looked_at),
    )
    show(table(("files", "#count"), counts))
    show_refusals(tally.refused)
