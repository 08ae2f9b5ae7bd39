"""`countersign identify`: whose signature does an image resemble?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import IMAGE, region_option
from service.cli.failures import EXIT_NO
from service.cli.output import json_option, print_json, show
from service.cli.session import asked, open_services
from service.decisions.candidates import DEFAULT_CANDIDATES, MOST_CANDIDATES

if TYPE_CHECKING:
    from encoder.imaging.region import Region


@click.command()
@click.argument("image", type=IMAGE)
@click.option(
    "--top",
    metavar="N",
    type=click.IntRange(1, MOST_CANDIDATES),
    default=DEFAULT_CANDIDATES,
    show_default=True,
    help="How many candidates to show at most.",
)
@region_option
@json_option
@click.pass_context
def identify(
    ctx: click.Context, image: Path, top: int, region: Region | None, as_json: bool
) -> None:
    """Say whose signature IMAGE resembles, if anyone's.

    A good forgery resembles its victim: verify before you rely on the answer. The exit code is 0
    where a writer was identified and 1 where none was. The decision is recorded.

    \b
    Examples:
      countersign identify unknown.png
      countersign identify unknown.png --top 3 --json
    """
    from service.cli.decisions.wording import identification_parts
    from service.decisions.identify import identify as decide
    from service.transfer.sources.files import read_upload

    with open_services() as services:
        answer = decide(
            read_upload(image, region),
            encoder=services.encoder,
            registry=services.registry,
            gallery=services.gallery,
            top=top,
            asked=asked(),
        )
    if as_json:
        print_json(answer.as_dict())
    else:
        show(*identification_parts(answer))
    ctx.exit(0 if answer.verdict == "identified" else EXIT_NO)
