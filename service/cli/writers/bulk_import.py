"""`countersign import`: enroll the writers of a folder, a zip or a manifest."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import click

from service.cli.arguments import SOURCE
from service.cli.import_progress import (
    INTERRUPTED,
    Tally,
    follow,
    look_over,
    report,
    report_options,
)
from service.cli.output import json_option, note
from service.cli.session import caller, open_registry


@click.command("import")
@click.argument("source", type=SOURCE)
@report_options
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
    ctx: click.Context,
    source: Path,
    refused: Path | None,
    warnings: Path | None,
    batch_size: int,
    as_json: bool,
) -> None:
    """Enroll the writers of a folder, a zip or a CSV manifest.

    A folder, or a zip of one, holds a folder of reference images for each writer; the folders'
    names are the writers' ids. A zip is read as it is, without unpacking. A manifest is a .csv
    file with the columns writer_id, path (relative to the manifest) and, if you like, name.

    Files whose names start with "forged" are skipped. What has been stored stays stored, even if
    the power fails; run the same command again to go on: images that are references already are
    passed over. Whoever was erased is enrolled again. The exit code is 4 if anything was refused.

    At the end all of the source's references are compared: those that are unlike the writer's
    others, and those that are another writer's or resemble theirs as much, are told, and stay.

    \b
    Examples:
      countersign import scans/
      countersign import scans.zip --refused refused.csv --warnings warnings.csv
      countersign import writers.csv
      countersign import scans/ --json | jq .enrolled
    """
    from service.transfer.importing import import_images
    from service.transfer.sources import open_source

    with open_source(source) as found:
        tally = Tally(len(found.images), found.skipped, list(found.refused))
        try:
            with open_registry() as (settings, registry, encoder):
                batches = import_images(
                    found.images,
                    encoder=encoder,
                    registry=registry,
                    batch_size=batch_size,
                    caller=caller(),
                )
                with closing(batches):
                    follow(batches, tally)
                look_over(tally, settings, registry, encoder)
        except KeyboardInterrupt:
            tally.interrupted = True
            note(INTERRUPTED)
    report(tally, "files", refused, warnings, as_json=as_json)
    ctx.exit(tally.exit_code)
