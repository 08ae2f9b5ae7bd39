"""`countersign serve` and `countersign demo`: the server, and invented writers to try it on."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import NEW_FOLDER
from service.cli.failures import fail
from service.cli.output import json_option, note, print_json, progress_bar, show
from service.cli.server.db import upgrade_database
from service.cli.session import open_registry

if TYPE_CHECKING:
    from service.settings import Settings


@click.command()
@click.option("--host", metavar="ADDRESS", help="Address to listen on.  [COUNTERSIGN_HOST]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port.  [COUNTERSIGN_PORT]")
@click.option(
    "--workers",
    type=click.IntRange(1, 64),
    help="Processes that answer requests.  [COUNTERSIGN_WORKERS]",
)
@click.option(
    "--upgrade/--no-upgrade",
    default=False,
    help="Bring the database to this version's schema first.",
)
@click.option(
    "--demo/--no-demo",
    default=False,
    help="Enroll 25 invented writers first if the registry is empty; implies --upgrade.",
)
@click.option(
    "--json", "as_json", is_flag=True, help="Print the address as JSON on stdout before serving."
)
def serve(
    host: str | None,
    port: int | None,
    workers: int | None,
    upgrade: bool,
    demo: bool,
    as_json: bool,
) -> None:
    """Serve the web page and the HTTP API until Ctrl-C or SIGTERM.

    Without --upgrade, a database with another schema than this version's is refused.

    \b
    Examples:
      countersign serve --demo
      countersign serve --upgrade --port 8080 --workers 2
    """
    from service.serve import serve as serve_until_stopped

    settings = _settings(host, port, workers)
    if upgrade or demo:
        upgrade_database()
    if demo:
        _demo_if_empty(settings)
    address = f"http://{_in_url(settings.host)}:{settings.port}"
    if as_json:
        print_json({"address": address, "workers": settings.workers})
    else:
        note(f"Starting at {address} with the API described at {address}/docs; Ctrl-C stops.")
    serve_until_stopped(settings)


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
    from service.writers.demo import WRITERS, enroll_demo_writers, write_probes

    upgrade_database()
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


def _settings(host: str | None, port: int | None, workers: int | None) -> Settings:
    """The environment's settings with the options of the command put over them."""
    from service.settings import read_settings

    given = {"host": host, "port": port, "workers": workers}
    return read_settings(
        options={name: str(value) for name, value in given.items() if value is not None}
    )


def _demo_if_empty(settings: Settings) -> None:
    """Run `demo` in a process of its own, since the server forks and the model has threads."""
    from index.registry.registry import Registry
    from service.writers.demo import is_empty

    registry = Registry(settings.database_url)
    try:
        if not is_empty(registry):
            return
    finally:
        registry.close()
    note("The registry is empty; enrolling the demo's invented writers.")
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", "demo", "--json"],
        stdout=subprocess.DEVNULL,
        check=False,
    )
    if done.returncode:
        fail("The demo's writers could not be enrolled; the message above says why.")


def _in_url(host: str) -> str:
    return f"[{host}]" if ":" in host else host
