"""`countersign import`: enroll the writers of a folder, a zip or a manifest."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import REPORT, SOURCE
from service.cli.failures import EXIT_INTERRUPTED, EXIT_NO
from service.cli.output import json_option, note, print_json, progress_bar, show, table, watched
from service.cli.session import open_registry
from service.cli.writers.enroll import show_refusals

if TYPE_CHECKING:
    from service.transfer.importing import ImportedBatch
    from service.transfer.sources.files import FileRefusal

refused_option = click.option(
    "--refused", metavar="FILE.csv", type=REPORT, help="Write what was refused here."
)
INTERRUPTED = "Interrupted. What is enrolled stays; run the same command again to go on."


@dataclass
class Tally:
    """What an import has come to so far; `complete` once every file was looked at."""

    files: int
    skipped: int = 0
    refused: list[FileRefusal] = field(default_factory=list)
    looked_at: int = 0
    enrolled: int = 0
    already_there: int = 0

    @property
    def complete(self) -> bool:
        """Whether every file was looked at."""
        return self.looked_at == self.files

    @property
    def exit_code(self) -> int:
        """What the command ends with."""
        return (EXIT_NO if self.refused else 0) if self.complete else EXIT_INTERRUPTED

    def add(self, batch: ImportedBatch) -> None:
        """Count a batch that is stored."""
        self.looked_at += batch.files
        self.enrolled += batch.enrolled
        self.already_there += batch.already_there
        self.refused += batch.refused

    def as_dict(self) -> dict[str, object]:
        """The same, for JSON."""
        return {
            "complete": self.complete,
            "files": self.files,
            "enrolled": self.enrolled,
            "already_there": self.already_there,
            "skipped": self.skipped,
            "refused": [asdict(one) for one in self.refused],
        }


@click.command("import")
@click.argument("source", type=SOURCE)
@refused_option
@click.option(
    "--batch-size",
    metavar="FILES",
    type=click.IntRange(1, 1024),
    default=64,
    show_default=True,
    help="How many files to store at a time.",
)
@json_option
@click.pass_context
def import_source(
    ctx: click.Context, source: Path, refused: Path | None, batch_size: int, as_json: bool
) -> None:
    """Enroll the writers of a folder, a zip or a CSV manifest.

    A folder, or a zip of one, holds a folder of reference images for each writer; the folders'
    names are the writers' ids. A zip is read as it is, without unpacking. A manifest is a .csv
    file with the columns writer_id, path (relative to the manifest) and, if you like, name.

    Files whose names start with "forged" are skipped. What has been stored stays stored, even if
    the power fails; run the same command again to go on: images that are references already are
    passed over. Whoever was erased is enrolled again. The exit code is 1 if anything was refused.

    \b
    Examples:
      countersign import scans/
      countersign import scans.zip --refused refused.csv
      countersign import writers.csv
      countersign import scans/ --json | jq .enrolled
    """
    from service.transfer.importing import import_images
    from service.transfer.sources import open_source

    with open_source(source) as found:
        tally = Tally(len(found.images), found.skipped, list(found.refused))
        try:
            with open_registry() as (_, registry, encoder):
                batches = import_images(
                    found.images, encoder=encoder, registry=registry, batch_size=batch_size
                )
                with closing(batches):
                    follow(batches, tally)
        except KeyboardInterrupt:
            note(INTERRUPTED)
    report(tally, "files", refused, as_json=as_json)
    ctx.exit(tally.exit_code)


def follow(batches: Iterable[ImportedBatch], tally: Tally, what: str = "files") -> None:
    """Count the batches as they are stored, and show how far it is."""
    with progress_bar(rate=True) as bar:
        task = bar.add_task("Enrolling", total=tally.files)
        for batch in batches:
            tally.add(batch)
            bar.advance(task, batch.files)
            if not watched():
                note(
                    f"{tally.looked_at} of {tally.files} {what}: {tally.enrolled} enrolled, "
                    f"{tally.already_there} already there, {len(tally.refused)} refused"
                )


def report(tally: Tally, what: str, refused: Path | None, *, as_json: bool) -> None:
    """Print what an import came to, and write what it refused where that was asked for."""
    if refused:
        _write_refused(refused, tally.refused)
    if as_json:
        print_json(tally.as_dict())
        return
    counts = (
        ("enrolled", tally.enrolled),
        ("already there", tally.already_there),
        ("refused", len(tally.refused)),
        ("skipped", tally.skipped),
        ("not looked at", tally.files - tally.looked_at),
    )
    show(table((what, "#count"), counts))
    show_refusals(tally.refused)


def _write_refused(path: Path, refused: Sequence[FileRefusal]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "writer", "code", "reason"))
        rows.writerows((one.filename, one.writer_id, one.code, one.reason) for one in refused)
