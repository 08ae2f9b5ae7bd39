"""`countersign identify`: whose signature does an image resemble?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import images_argument, regions_option
from service.cli.output import json_option
from service.cli.places.choice import place, server_options
from service.decisions.candidates import DEFAULT_CANDIDATES, MOST_CANDIDATES

if TYPE_CHECKING:
    from encoder.imaging.region import Region


@click.command()
@images_argument
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(1, MOST_CANDIDATES),
    default=DEFAULT_CANDIDATES,
    show_default=True,
    help="How many candidates to show at most.",
)
@regions_option("--region")
@server_options
@json_option
@click.pass_context
def identify(
    ctx: click.Context,
    images: tuple[Path, ...],
    top: int,
    regions: tuple[Region | None, ...],
    as_json: bool,
) -> None:
    """Say whose signature each IMAGE resembles, if anyone's.

    A good forgery resembles its victim: verify before you rely on the answer. The decision is
    recorded. An IMAGE of - is stdin. The exit code is 0 where a writer was identified, 1 where none
    was, 4 where the image was refused, and 2 where there is no answer; of several images, the first
    of 4, 1 and 0 that any of them has.

    \b
    Examples:
      countersign identify unknown.png
      countersign identify unknown-*.png --top 3 --json
      countersign identify unknown.png --server https://cs.example --key key
    """
    from service.cli.decisions.asking import ask_each, print_each
    from service.cli.decisions.wording import identification_parts

    with place() as here_or_there:
        asked = ask_each(images, regions, lambda upload: here_or_there.identify(upload, top))
    ctx.exit(print_each(asked, lambda answer: list(identification_parts(answer)), as_json=as_json))
