"""`countersign gallery`: export the gallery to a Parquet file, and import it elsewhere."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import FILE, NEW_FILE
from service.cli.failures import EXIT_NO, fail
from service.cli.import_progress import (
    INTERRUPTED,
    Tally,
    follow,
    look_over,
    report,
    report_options,
)
from service.cli.output import json_option, note, print_json, progress_bar, show
from service.cli.session import caller, open_registry

if TYPE_CHECKING:
    from collections.abc import Iterable

    from service.transfer.gallery_export import Exported

INSTALL = 'pip install -e ".[parquet]"'


@click.group("gallery")
def gallery_group() -> None:
    """Move the gallery by a Parquet file, out and in elsewhere.

    For another machine, another database, or analysis in other programs. The files hold personal
    data: names, and vectors and pieces of strokes that people can be recognised by.

    \b
    Examples:
      countersign gallery export gallery.parquet --images
      countersign gallery import gallery.parquet
    """


@gallery_group.command("export")
@click.argument("file", type=NEW_FILE)
@click.option(
    "--images", is_flag=True, help="With scans and previews, as another model needs them."
)
@json_option
@click.pass_context
def export_file(ctx: click.Context, file: Path, images: bool, as_json: bool) -> None:
    """Export writers, references and embeddings to the new FILE.

    FILE is Parquet, and holds personal data: names, and what people can be recognised by. Only its
    owner can read it; keep it like the registry itself, and delete it when it has served. Erasing
    a writer does not reach into it. All in it is of one moment, whatever is enrolled
    meanwhile; while it runs, an erasure on SQLite may say that it is incomplete.

    References that the model has not embedded are left out; the exit code is 1 then.

    \b
    Examples:
      countersign gallery export gallery.parquet
      countersign gallery export gallery.parquet --images --json
    """
    with parquet_package():
        from service.transfer.gallery_export import export_gallery
    with open_registry() as (_, registry, encoder):
        exporting = export_gallery(
            file, encoder=encoder, registry=registry, images=images, caller=caller()
        )
        with closing(exporting):
            done = _watch(exporting)
        model = {"model_id": encoder.model_id, "model": encoder.name}
    if as_json:
        answer = {"file": str(file), "images": images, "bytes": file.stat().st_size, **model}
        print_json({**answer, **asdict(done), "left_out": done.left_out})
    else:
        show(
            f"Exported {done.writers} writers and {done.references} references, at revision "
            f"{done.revision}, to {click.format_filename(file)}. It holds personal data."
        )
    if done.left_out:
        note(
            f"{done.left_out} references are left out: the model has not embedded them. Run "
            "`countersign index rebuild`, then export again."
        )
    ctx.exit(EXIT_NO if done.left_out else 0)


@gallery_group.command("import")
@click.argument("file", type=FILE)
@report_options
@json_option
@click.pass_context
def import_file(
    ctx: click.Context, file: Path, refused: Path | None, warnings: Path | None, as_json: bool
) -> None:
    """Import a FILE that `gallery export` wrote.

    Vectors of the model in use are taken over. Vectors of another model are refused, unless the
    file has the images: these are encoded anew. References that are here already are passed
    over, so it can be run again. Whoever is in the file is enrolled, also who was erased here.
    Rows that cannot be kept are refused, each with its reason; the exit code is 4 then. References
    that may be another person's are told at the end, as `countersign import` does.

    \b
    Examples:
      countersign gallery import gallery.parquet
      countersign gallery import gallery.parquet --refused refused.csv --json
    """
    with parquet_package():
        from service.transfer.gallery_file import open_gallery_file
        from service.transfer.gallery_import import import_gallery, is_of
    with open_gallery_file(file) as reader:
        tally = Tally(reader.rows)
        try:
            with open_registry() as (settings, registry, encoder):
                if not is_of(reader, encoder) and reader.header.images:
                    note("The file's vectors are of another model; its images are encoded anew.")
                batches = import_gallery(
                    reader, encoder=encoder, registry=registry, caller=caller()
                )
                with closing(batches):
                    follow(batches, tally, "rows")
                look_over(tally, settings, registry, encoder)
        except KeyboardInterrupt:
            tally.interrupted = True
            note(INTERRUPTED)
    report(tally, "rows", refused, warnings, as_json=as_json)
    ctx.exit(tally.exit_code)


@contextmanager
def parquet_package() -> Iterator[None]:
    """Explain it where pyarrow, of the extra `parquet`, is missing."""
    try:
        yield
    except ImportError as error:
        if (error.name or "").partition(".")[0] != "pyarrow":
            raise
        fail(
            "Parquet files need the package pyarrow, which is not installed. In a checkout of "
            f"Countersign, run: {INSTALL}"
        )


def _watch(exporting: Iterable[Exported]) -> Exported:
    """Run an export to its end, and show how far it is."""
    with progress_bar(rate=True) as bar:
        task = bar.add_task("Exporting", total=None)
        for done in exporting:
            bar.update(task, completed=done.references, total=done.all_references)
    return done
