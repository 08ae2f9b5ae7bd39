"""Shows how far an import is and what it came to, whatever it reads: what was refused, and told."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterable, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from index.errors import GalleryError
from index.vectors.private_file import make_private, tighten
from service.cli.arguments import REPORT
from service.cli.failures import EXIT_INTERRUPTED, EXIT_NO, EXIT_REFUSED
from service.cli.output import note, print_json, progress_bar, show, table, watched
from service.errors import Refusal

if TYPE_CHECKING:
    from encoder.inference.encoder import Encoder
    from index.registry.registry import Registry
    from service.settings import Settings
    from service.transfer.importing import Imported, ImportedBatch
    from service.transfer.review import FileWarning
    from service.transfer.sources.files import FileRefusal

Command = TypeVar("Command", bound=Callable[..., Any])

SHOWN = 20  # Of what was refused, and of what is told; the reports have all.
INTERRUPTED = "Interrupted. What is enrolled stays; run the same command again to go on."
NOT_REVIEWED = (
    "What was imported is enrolled, but was not compared with other writers' references. Run the "
    "same command again for that."
)


def report_options(command: Command) -> Command:
    """Give a command `--refused` and `--warnings`, where it writes its reports."""
    refused = click.option(
        "--refused", metavar="FILE.csv", type=REPORT, help="Write what was refused here."
    )
    warnings = click.option(
        "--warnings",
        metavar="FILE.csv",
        type=REPORT,
        help="Write here which references may be another person's.",
    )
    return refused(warnings(command))


@dataclass
class Tally:
    """What an import has come to so far; `complete` once every file was looked at.

    `reviewed` once all that was imported was held against the writers' others, and other writers'.
    """

    files: int
    skipped: int = 0
    refused: list[FileRefusal] = field(default_factory=list)
    looked_at: int = 0
    enrolled: int = 0
    already_there: int = 0
    references: list[Imported] = field(default_factory=list)
    warnings: list[FileWarning] = field(default_factory=list)
    reviewed: bool = False
    interrupted: bool = False

    @property
    def complete(self) -> bool:
        """Whether every file was looked at."""
        return self.looked_at == self.files

    @property
    def exit_code(self) -> int:
        """What the command ends with; what is told of references changes nothing."""
        if self.interrupted or not self.complete:
            return EXIT_INTERRUPTED
        if self.refused:
            return EXIT_REFUSED
        return 0 if self.reviewed else EXIT_NO

    def add(self, batch: ImportedBatch) -> None:
        """Count a batch that is stored."""
        self.looked_at += batch.files
        self.enrolled += batch.enrolled
        self.already_there += batch.already_there
        self.refused += batch.refused
        self.references += batch.references

    def as_dict(self) -> dict[str, object]:
        """The same, for JSON."""
        return {
            "complete": self.complete,
            "files": self.files,
            "enrolled": self.enrolled,
            "already_there": self.already_there,
            "skipped": self.skipped,
            "refused": [asdict(one) for one in self.refused],
            "reviewed": self.reviewed,
            "warnings": [asdict(one) for one in self.warnings],
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


def look_over(tally: Tally, settings: Settings, registry: Registry, encoder: Encoder) -> None:
    """Find strangers and collisions among what was imported, and show how far that is."""
    from service.composition import build_gallery
    from service.transfer.review import review
    from service.writers.remarks import Enrolled

    if not tally.references:
        tally.reviewed = True
        return
    try:
        with closing(build_gallery(settings, registry, encoder)) as gallery:
            gallery.open()
            enrolled = Enrolled(encoder, registry, gallery)
            with (
                progress_bar(rate=True) as bar,
                closing(review(tally.references, enrolled)) as all_,
            ):
                task = bar.add_task("Comparing", total=len(tally.references))
                for found in all_:
                    tally.warnings += found.warnings
                    bar.advance(task, found.files)
        tally.reviewed = True
    except GalleryError as error:  # What is enrolled stays, and is told of.
        note(f"{error} {NOT_REVIEWED}")


def report(
    tally: Tally, what: str, refused: Path | None, warnings: Path | None, *, as_json: bool
) -> None:
    """Print what an import came to, and write the reports that were asked for."""
    if refused:
        _write(
            refused,
            ("file", "writer", "code", "reason"),
            ((one.filename, one.writer_id, one.code, one.reason) for one in tally.refused),
        )
    if warnings:
        _write(
            warnings,
            ("file", "writer", "reference", "code", "message"),
            (
                (one.filename, one.writer_id, one.reference_id, one.code, one.message)
                for one in tally.warnings
            ),
        )
    if as_json:
        print_json(tally.as_dict())
        return
    counts = (
        ("enrolled", tally.enrolled),
        ("already there", tally.already_there),
        ("refused", len(tally.refused)),
        ("skipped", tally.skipped),
        ("not looked at", tally.files - tally.looked_at),
        ("unlike the writer's others", _count(tally, "unlike-others")),
        ("like another writer's", _count(tally, "collision")),
    )
    show(table((what, "#count"), counts))
    show_refusals(tally.refused)
    _show_some(("worth a look", "why"), [(_named(one), one.message) for one in tally.warnings])


def _count(tally: Tally, code: str) -> int | str:
    """How many references are told of; a dash where not all were looked at."""
    if not tally.reviewed:
        return "-"
    return len({one.reference_id for one in tally.warnings if one.code == code})


def _named(one: FileWarning) -> str:
    return one.filename or f"reference {one.reference_id} of {one.writer_id}"


def show_refusals(refused: Sequence[Refusal]) -> None:
    """Print which images were refused, and why; the first ones, where they are many."""
    _show_some(("refused", "why"), [(one.filename or "", one.reason) for one in refused])


def _show_some(columns: Sequence[str], rows: Sequence[Sequence[object]]) -> None:
    if rows:
        show(table(columns, rows[:SHOWN]))
    if len(rows) > SHOWN:
        show(f"... and {len(rows) - SHOWN} more.")


def _write(path: Path, columns: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    # Names of files are often names of people.
    make_private(path)
    if path.is_file():  # It may have been there, laxer; and it may be a pipe.
        tighten(path)
    with path.open("w", encoding="utf-8", newline="") as file:
        written = csv.writer(file)
        written.writerow(columns)
        written.writerows(rows)
