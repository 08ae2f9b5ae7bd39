"""`countersign serve`: the server, until it is stopped."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import click

from service.cli.failures import fail
from service.cli.output import note, print_json
from service.cli.server.db import upgrade_database

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
    help="Bring the database to this version's schema first; an older one is backed up before.",
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
    from service.serve import in_url
    from service.serve import serve as serve_until_stopped

    settings = _settings(host, port, workers)
    if upgrade or demo:
        upgrade_database(settings)
    if demo:
        _demo_if_empty(settings)
    address = f"{settings.scheme}://{in_url(settings.host)}:{settings.port}"
    if as_json:
        print_json({"address": address, "workers": settings.workers})
    else:
        note(f"Starting at {address} with the API described at {address}/docs; Ctrl-C stops.")
    serve_until_stopped(settings)


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
