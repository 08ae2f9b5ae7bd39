"""`countersign verify`: is the signature in an image a writer's?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import (
    images_argument,
    operating_point_option,
    regions_option,
    writer_argument,
)
from service.cli.output import json_option
from service.cli.places.choice import place, server_options

if TYPE_CHECKING:
    from encoder.imaging.region import Region


@click.command()
@writer_argument
@images_argument
@operating_point_option
@regions_option("--region")
@server_options
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    writer_id: str,
    images: tuple[Path, ...],
    operating_point: str | None,
    regions: tuple[Region | None, ...],
    as_json: bool,
) -> None:
    """Say whether the signature in each IMAGE is WRITER's.

    It is compared with the references of WRITER, and the decision is recorded. An IMAGE of - is
    stdin. The exit code is 0 for a match, 1 for no match, 3 where it is inconclusive, 4 where the
    image was refused, and 2 where there is no answer; of several images, the first of 4, 1, 3 and 0
    that any of them has.

    \b
    Examples:
      countersign verify C-1001 cheque.png
      countersign verify C-1001 monday-*.png --operating-point fmr_skilled=5%
      countersign verify C-1001 - --json < cheque.png | jq -r .verdict
      countersign verify C-1001 cheque.png --server https://cs.example --key key
    """
    from service.cli.decisions.asking import ask_each, print_each
    from service.cli.decisions.wording import verification_parts

    with place() as here_or_there:
        asked = ask_each(
            images,
            regions,
            lambda upload: here_or_there.verify(writer_id, upload, operating_point),
        )
    ctx.exit(
        print_each(
            asked,
            lambda answer: list(verification_parts(answer, f"writer {writer_id}")),
            as_json=as_json,
        )
    )
