"""`countersign model-card`: a model's card, from what evaluate measured."""

from __future__ import annotations

import json
from pathlib import Path

import click

from service.cli.failures import fail
from service.cli.output import json_option, print_json


@click.command("model-card")
@click.argument("report", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@json_option
def model_card(report: Path, as_json: bool) -> None:
    """Write a model's card from what evaluate measured.

    REPORT is what `countersign evaluate --json` printed. The card is Markdown, on stdout.

    \b
    Examples:
      countersign model-card report.json > docs/model-card.md
    """
    from encoder.report import model_card as card_of

    try:
        card = card_of(json.loads(report.read_text(encoding="utf-8")))
    except (AttributeError, KeyError, TypeError, ValueError):
        fail(f"{click.format_filename(report)} is not what countersign evaluate --json prints.")
    if as_json:
        print_json({"markdown": card})
    else:
        click.echo(card, nl=False)
