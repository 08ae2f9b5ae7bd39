"""`countersign enroll`: enroll reference signatures of one writer from files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from encoder.cautions import as_stored
from encoder.errors import OversizeImage
from index.errors import UnknownWriter
from service.cli.arguments import IMAGE, region_of_each, regions_option, writer_argument
from service.cli.failures import EXIT_NO
from service.cli.import_progress import show_refusals
from service.cli.output import json_option, note, print_json, show
from service.cli.regions import advice
from service.cli.session import caller, open_services
from service.errors import ImagesRefused, Refusal

if TYPE_CHECKING:
    from encoder.imaging.region import Region
    from index.registry.references import Reference
    from service.models.live_services import Services
    from service.writers.enroll import Enrollment
    from service.writers.uploads import Upload


@click.command()
@writer_argument
@click.argument("images", metavar="IMAGE...", nargs=-1, type=IMAGE, required=True)
@click.option("--name", default="", help="The writer's name, for a writer who is new.")
@regions_option("--region")
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
    exit code is 1 if any was refused. A signature unlike the writer's others, or that another
    writer has, is pointed out.

    \b
    Examples:
      countersign enroll C-1001 --name "Ada Example" ada-1.png ada-2.png ada-3.png
      countersign enroll C-1001 later-*.png --json
    """
    uploads, refused = read_uploads(images, regions)
    with open_services() as services:
        enrollment = _enroll(writer_id, name, uploads, services)
    refused += enrollment.refused
    if as_json:
        references = [asdict(reference) for reference in enrollment.references]
        refusals = [asdict(refusal) for refusal in refused]
        warnings = [asdict(warning) for warning in enrollment.warnings]
        answer = {"references": references, "refused": refusals, "warnings": warnings}
        print_json({"writer_id": writer_id, **answer})
    else:
        count = len(enrollment.references)
        show(f"Enrolled {count} of {len(images)} images as references of {writer_id}.")
        show_warnings(enrollment.references)
        show_refusals(refused)
        for sentence in advice(refused, len(images)):
            show(sentence)
        for warning in enrollment.warnings:
            show(f"Note: {warning.message}")
    ctx.exit(EXIT_NO if refused else 0)


def show_warnings(references: Sequence[Reference]) -> None:
    """Say what makes answers about references less sure."""
    for reference in references:
        for warning in cast("list[Mapping[str, str]]", reference.quality["warnings"]):
            message = as_stored(warning)["message"]
            show(f"Note on reference {reference.reference_id}: {message}")


def read_uploads(
    images: Sequence[Path], regions: Sequence[Region | None] = ()
) -> tuple[list[Upload], list[Refusal]]:
    """Read image files, or a region of each; one that is too large to be read is refused."""
    from service.transfer.sources.files import read_upload, shown

    uploads: list[Upload] = []
    refused: list[Refusal] = []
    for path, region in zip(images, region_of_each(images, regions), strict=True):
        try:
            uploads.append(read_upload(path, region))
        except OversizeImage as error:
            refused.append(Refusal(shown(path.name), error.code, str(error)))
    return uploads, refused


def _enroll(writer_id: str, name: str, uploads: Sequence[Upload], services: Services) -> Enrollment:
    from service.writers.enroll import Enrollment, create_writer
    from service.writers.enroll import enroll as add_references

    if not uploads:
        return Enrollment((), ())
    registry = services.registry
    parts: Any = {"encoder": services.encoder, "registry": registry, "gallery": services.gallery}
    try:
        try:
            known = registry.writers.get(writer_id)
        except UnknownWriter:
            _, made = create_writer(writer_id, name, uploads, caller=caller(), **parts)
            return made
        if name and name != known.name:
            note(f"{writer_id} is known already; the name given with --name is not used.")
        return add_references(writer_id, uploads, caller=caller(), **parts)
    except ImagesRefused as error:
        return Enrollment((), error.refused)
