"""`countersign enroll`: enroll reference signatures of one writer from files."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from encoder.errors import OversizeImage
from service.cli.arguments import (
    images_argument,
    read_image,
    region_of_each,
    regions_option,
    writer_argument,
)
from service.cli.failures import EXIT_REFUSED
from service.cli.import_progress import show_refusals
from service.cli.output import json_option, print_json, show
from service.cli.places.choice import place, server_options
from service.cli.regions import advice
from service.errors import Refusal

if TYPE_CHECKING:
    from encoder.imaging.region import Region
    from service.client.answers import Enrollment, Refused
    from service.writers.uploads import Upload


@click.command()
@writer_argument
@images_argument
@click.option("--name", default="", help="The writer's name, for a writer who is new.")
@regions_option("--region")
@server_options
@json_option
@click.pass_context
def enroll(
    ctx: click.Context,
    writer_id: str,
    images: tuple[Path, ...],
    name: str,
    regions: tuple[Region | None, ...],
    as_json: bool,
) -> None:
    """Enroll reference signatures of WRITER from image files.

    A writer who is not known yet is created. Images that cannot be used are refused, each with
    its reason, and so are copies of a signature that the writer has; the others are enrolled. The
    exit code is 4 if any was refused. A signature unlike the writer's others, or that another
    writer has, is pointed out. An IMAGE of - is stdin.

    \b
    Examples:
      countersign enroll C-1001 --name "Ada Example" ada-1.png ada-2.png ada-3.png
      countersign enroll C-1001 later-*.png --json
      countersign enroll C-1001 *.png --server https://cs.example --key key
    """
    uploads, refused = read_uploads(images, regions)
    done = None
    if uploads:
        with place() as here_or_there:
            done = here_or_there.enroll(writer_id, name, uploads)
        refused += [_refusal(one) for one in done.refused]
    if as_json:
        raw = {} if done is None else done.raw
        answer = {name: raw.get(name, []) for name in ("references", "warnings")}
        print_json({"writer_id": writer_id, "refused": [asdict(one) for one in refused], **answer})
    else:
        _show(writer_id, done, refused, len(images))
    ctx.exit(EXIT_REFUSED if refused else 0)


def read_uploads(
    images: Sequence[Path], regions: Sequence[Region | None] = ()
) -> tuple[list[Upload], list[Refusal]]:
    """Read image files, or a region of each; one that is too large to be read is refused."""
    from service.transfer.sources.files import shown

    uploads: list[Upload] = []
    refused: list[Refusal] = []
    for path, region in zip(images, region_of_each(images, regions), strict=True):
        try:
            uploads.append(read_image(path, region))
        except OversizeImage as error:
            refused.append(Refusal(shown(path.name), error.code, str(error)))
    return uploads, refused


def _show(writer_id: str, done: Enrollment | None, refused: Sequence[Refusal], images: int) -> None:
    references = () if done is None else done.references
    show(f"Enrolled {len(references)} of {images} images as references of {writer_id}.")
    for reference in references:
        for warning in reference.quality.warnings:
            show(f"Note on reference {reference.reference_id}: {warning.message}")
    show_refusals(refused)
    for sentence in advice(refused, images):
        show(sentence)
    for told in () if done is None else done.warnings:
        show(f"Note: {told.message}")


def _refusal(one: Refused) -> Refusal:
    boxes = [{**box.raw} for box in one.boxes]
    return Refusal(one.filename, one.code, one.reason, boxes=boxes)
