"""Shows how far an import is and what it came to, whatever it reads; lists what was refused."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from index.vectors.private_file import make_private, tighten
from service.cli.arguments import REPORT
from service.cli.failures import EXIT_INTERRUPTED, EXIT_NO
from service.cli.output import note, print_json, progress_bar, show, table, watched
from service.errors import Refusal

if TYPE_CHECKING:
    from service.transfer.importing import ImportedBatch
    from service.transfer.sources.files import FileRefusal

SHOWN_REFUSALS = 20
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


def show_refusals(refused: Sequence[Refusal]) -> None:
    """Print which images were refused, and why; the first ones, where they are many."""
    if not refused:
        return
    rows = [(one.filename or "", one.reason) for one in refused[:SHOWN_REFUSALS]]
    show(table(("refused", "why"), rows))
    if len(refused) > SHOWN_REFUSALS:
        show(f"... and {len(refused) - SHOWN_REFUSALS} more.")


def _write_refused(path: Path, refused: Sequence[FileRefusal]) -> None:
    # Names of files are often names of people.
    make_private(path)
    if path.is_file():  # It may have been there, laxer; and it may be a pipe.
        tighten(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        rows = csv.writer(file)
        rows.writerow(("file", "writer", "code", "reason"))
        rows.writerows((one.filename, one.writer_id, one.code, one.reason) for one in refused)
