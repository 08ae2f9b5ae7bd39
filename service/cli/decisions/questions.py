"""`countersign verify`, `identify` and `compare`: questions about a query signature."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import IMAGE, operating_point_option, writer_argument
from service.cli.failures import EXIT_NO
from service.cli.output import json_option, print_json, show
from service.cli.session import caller, open_encoder, open_registry, open_services
from service.decisions.candidates import DEFAULT_CANDIDATES, MOST_CANDIDATES

if TYPE_CHECKING:
    from service.decisions.verify import Verification


@click.command()
@writer_argument
@click.argument("image", type=IMAGE)
@operating_point_option
@json_option
@click.pass_context
def verify(
    ctx: click.Context, writer_id: str, image: Path, operating_point: str | None, as_json: bool
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
    from service.decisions.verify import verify as verify_story
    from service.transfer.sources.files import read_upload

    with open_registry() as (_, registry, encoder):
        answer = verify_story(
            writer_id,
            read_upload(image),
            encoder=encoder,
            registry=registry,
            operating_point=operating_point,
            caller=caller(),
        )
    _answer_verification(answer, f"writer {writer_id}", as_json=as_json)
    ctx.exit(0 if answer.comparison.verdict == "match" else EXIT_NO)


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
@json_option
@click.pass_context
def identify(ctx: click.Context, image: Path, top: int, as_json: bool) -> None:
    """Say whose signature IMAGE resembles, if anyone's.

    A good forgery resembles its victim: verify before you rely on the answer. The exit code is 0
    where a writer was identified and 1 where none was. The decision is recorded.

    \b
    Examples:
      countersign identify unknown.png
      countersign identify unknown.png --top 3 --json
    """
    from service.cli.decisions.wording import identification_parts
    from service.decisions.identify import identify as identify_story
    from service.transfer.sources.files import read_upload

    with open_services() as services:
        answer = identify_story(
            read_upload(image),
            encoder=services.encoder,
            registry=services.registry,
            gallery=services.gallery,
            top=top,
            caller=caller(),
        )
    if as_json:
        print_json(answer.as_dict())
    else:
        show(*identification_parts(answer))
    ctx.exit(0 if answer.verdict == "identified" else EXIT_NO)


@click.command()
@click.argument("probe", type=IMAGE)
@click.argument("references", metavar="REFERENCE...", nargs=-1, type=IMAGE, required=True)
@operating_point_option
@json_option
@click.pass_context
def compare(
    ctx: click.Context,
    probe: Path,
    references: Sequence[Path],
    operating_point: str | None,
    as_json: bool,
) -> None:
    """Compare the signature in PROBE with REFERENCE files.

    Nothing is stored, and no registry is needed. Exit codes are those of verify.

    \b
    Examples:
      countersign compare cheque.png mandate-1.png mandate-2.png
      countersign compare cheque.png mandate-*.png --json
    """
    from service.decisions.compare import compare as compare_story
    from service.transfer.sources.files import read_upload

    answer = compare_story(
        [read_upload(path) for path in references],
        read_upload(probe),
        encoder=open_encoder(),
        operating_point=operating_point,
    )
    _answer_verification(answer, "the writer of the references", as_json=as_json)
    ctx.exit(0 if answer.comparison.verdict == "match" else EXIT_NO)


def _answer_verification(answer: Verification, claimed: str, *, as_json: bool) -> None:
    from service.cli.decisions.wording import verification_parts

    if as_json:
        print_json(answer.as_dict())
    else:
        show(*verification_parts(answer, claimed))
