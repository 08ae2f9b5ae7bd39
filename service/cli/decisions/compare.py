"""`countersign compare`: are the signatures in some images by one hand?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import (
    IMAGE,
    STDIN,
    operating_point_option,
    read_image,
    region_of_each,
    region_option,
    regions_option,
)
from service.cli.failures import Failure, fail, failure_of
from service.cli.output import json_option
from service.cli.regions import advice
from service.cli.session import open_encoder
from service.errors import ImagesRefused

if TYPE_CHECKING:
    from encoder.imaging.region import Region

REFERENCE_REGION = "--reference-region"


@click.command()
@click.argument("probe", type=IMAGE)
@click.argument("references", metavar="REFERENCE...", nargs=-1, type=IMAGE, required=True)
@operating_point_option
@region_option
@regions_option(REFERENCE_REGION, "REFERENCE")
@json_option
def compare(
    probe: Path,
    references: Sequence[Path],
    operating_point: str | None,
    region: Region | None,
    regions: tuple[Region | None, ...],
    as_json: bool,
) -> None:
    """Compare the signature in PROBE with REFERENCE files.

    Nothing is stored, and no registry is needed. --region is a part of PROBE, --reference-region
    one of each REFERENCE. A file of - is stdin. Exit codes are those of verify.

    \b
    Examples:
      countersign compare cheque.png mandate-1.png mandate-2.png
      countersign compare cheque.png mandate-*.png --json
    """
    from service.cli.decisions.asking import Told, print_each
    from service.cli.decisions.wording import verification_parts
    from service.cli.places.here import as_json as over_http
    from service.client.answers import Verification
    from service.decisions.compare import compare as decide

    if [probe, *references].count(STDIN) > 1:
        fail("- is stdin, and can be read once.")
    parts = region_of_each(references, regions, REFERENCE_REGION)
    try:
        answer = decide(
            [read_image(path, part) for path, part in zip(references, parts, strict=True)],
            read_image(probe, region),
            encoder=open_encoder(),
            operating_point=operating_point,
        )
    except ImagesRefused as error:
        found = failure_of(error)
        told = "\n".join((str(error), *advice(error.refused, len(references), REFERENCE_REGION)))
        raise Failure(told, found.exit_code, found.problem) from None
    shown = Verification.of(over_http(answer.as_dict()))
    code = print_each(
        [Told(probe.name, shown)],
        lambda one: list(verification_parts(one, "the writer of the references")),
        as_json=as_json,
    )
    raise click.exceptions.Exit(code)
