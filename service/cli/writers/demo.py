"""`countersign demo`: invented writers to try the service on, and signatures to ask about."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.arguments import NEW_FOLDER
from service.cli.output import json_option, print_json, progress_bar, show
from service.cli.server.db import upgrade_database
from service.cli.session import open_registry


@click.command()
@click.option(
    "--probes",
    type=NEW_FOLDER,
    metavar="FOLDER",
    help="Also write signatures to try: genuine, forged, of strangers, and of writers to enroll.",
)
@json_option
def demo(probes: Path | None, as_json: bool) -> None:
    """Enroll 25 invented writers into an empty registry.

    Each has 5 references. Their signatures are generated; they are nobody's. Where they are
    enrolled already, the signatures to try are written all the same.

    \b
    Examples:
      COUNTERSIGN_DATA_DIR=demo-data countersign demo --probes probes/
      countersign verify DEMO-01 probes/DEMO-01-forged.png
    """
    from service.settings import read_settings
    from service.writers.demo import WRITERS, enroll_demo_writers, write_probes

    upgrade_database(read_settings())
    with open_registry() as (_, registry, encoder), progress_bar() as bar:
        task = bar.add_task("Inventing writers", total=WRITERS)
        references = enroll_demo_writers(
            encoder=encoder, registry=registry, on_writer=lambda: bar.advance(task)
        )
    written = write_probes(probes) if probes else []
    if as_json:
        names = [str(path) for path in written]
        print_json({"writers": WRITERS, "references": references, "probes": names})
        return
    if references:
        show(f"Enrolled {WRITERS} invented writers with {references} references.")
    else:
        show(f"The {WRITERS} invented writers are enrolled already.")
    if probes:
        show(f"Wrote {len(written)} signatures to {click.format_filename(probes)}.")
