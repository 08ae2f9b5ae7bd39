"""Chooses between the registry here and a server, by the options and the settings."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click

from service.cli.arguments import FILE
from service.cli.failures import fail

if TYPE_CHECKING:
    from service.cli.places.here import Here
    from service.cli.places.there import There
    from service.settings import Settings

Command = TypeVar("Command", bound=Callable[..., Any])

_OPTIONS = "service.cli.places"


def server_options(command: Command) -> Command:
    """Give a command `--server` and `--key`, which `place` then finds."""
    server = click.option(
        "--server",
        metavar="URL",
        expose_value=False,
        callback=_keep,
        help="Ask this server; default: COUNTERSIGN_SERVER, else work on the registry itself.",
    )
    key = click.option(
        "--key",
        "key_file",
        metavar="FILE",
        type=FILE,
        expose_value=False,
        callback=_keep,
        help="The file with the key for the server; default: COUNTERSIGN_KEY or _KEY_FILE.",
    )
    return server(key(command))


@contextmanager
def place() -> Iterator[Here | There]:
    """Open where the command at hand is to be carried out.

    Raises:
        Failure: the server cannot be asked, or says why not.
    """
    from service.cli.places.here import Here

    settings = _settings()
    if settings.server is None:
        with Here() as here:
            yield here
    else:
        with _there(settings) as there:
            yield there


@contextmanager
def _there(settings: Settings) -> Iterator[There]:
    from service.cli.places.there import There, problems_as_failures

    with problems_as_failures(), There(settings) as there:
        yield there


def _settings() -> Settings:
    from dataclasses import replace

    from service.settings import read_settings

    options: dict[str, str] = click.get_current_context().meta.get(_OPTIONS, {})
    settings = read_settings(options=options)
    if "key_file" in options and settings.server is None:
        fail("--key goes with a server. Name it with --server URL or COUNTERSIGN_SERVER.")
    # An option goes before the environment, whichever way that names a key.
    return replace(settings, key=None) if "key_file" in options else settings


def _keep(ctx: click.Context, parameter: click.Parameter, value: str | Path | None) -> None:
    if value is not None:
        ctx.meta.setdefault(_OPTIONS, {})[str(parameter.name)] = str(value)
