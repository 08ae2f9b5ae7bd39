"""`countersign verify`: is the signature in an image a writer's?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import IMAGE, operating_point_option, region_option, writer_argument
from service.cli.failures import EXIT_NO
from service.cli.output import json_option, print_json, show
from service.cli.session import asked, open_registry

if TYPE_CHECKING:
    from encoder.imaging.region import Region
    from service.decisions.verify import Verification


@click.command()
@writer_argument
@click.argument("image", type=IMAGE)
@operating_point_option
@region_option
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    writer_id: str,
    image: Path,
    operating_point: str | None,
    region: Region | None,
    as_json: bool,
) -> None:
    """Say whether the signature in IMAGE is WRITER's.

    It is compared with the references of WRITER. The exit code is 0 for a match, 1 where the
    answer is inconclusive or no match, and 2 where there is no answer. The decision is recorded.

    \b
    Examples:
      countersign verify C-1001 cheque.png
      countersign verify C-1001 cheque.png --operating-point fmr_skilled=5%
      countersign verify C-1001 cheque.png --json | jq -r .verdict
    """
    from service.decisions.verify import verify as decide
    from service.transfer.sources.files import read_upload

    with open_registry() as (_, registry, encoder):
        answer = decide(
            writer_id,
            read_upload(image, region),
            encoder=encoder,
            registry=registry,
            operating_point=operating_point,
            asked=asked(),
        )
    print_verification(answer, f"writer {writer_id}", as_json=as_json)
    ctx.exit(0 if answer.verdict == "match" else EXIT_NO)


def print_verification(answer: Verification, claimed: str, *, as_json: bool) -> None:
    """Print the answer of verify or compare; `claimed` says whose signature it should be."""
    from service.cli.decisions.wording import verification_parts

    if as_json:
        print_json(answer.as_dict())
    else:
        show(*verification_parts(answer, claimed))
