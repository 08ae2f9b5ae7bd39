"""`countersign show`: who a writer is, and how their references stand among each other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.cli.arguments import writer_argument
from service.cli.output import json_option, print_json, show, table
from service.cli.session import open_registry

if TYPE_CHECKING:
    from service.writers.standing import ReferenceStanding


@click.command("show")
@writer_argument
@json_option
def show_writer(writer_id: str, as_json: bool) -> None:
    """Show WRITER and how each of their references stands.

    A reference is typical, unlike-others (it may be a stranger's), a copy of another (the two count
    once), or the oldest.

    \b
    Examples:
      countersign show C-1001
      countersign show C-1001 --json
    """
    from dataclasses import asdict

    from service.writers.standing import reference_standings

    with open_registry() as (_, registry, encoder):
        writer = registry.writers.get(writer_id)
        found = reference_standings(writer_id, encoder=encoder, registry=registry)
    if as_json:
        print_json({**asdict(writer), "references": [asdict(one) for one in found]})
        return
    show(f"{writer.writer_id}{f' ({writer.name})' if writer.name else ''}")
    rows = [
        (one.reference_id, one.filename or "", f"{one.created_at:%Y-%m-%d}", _words(one))
        for one in found
    ]
    show(table(("#reference", "file", "enrolled", "standing"), rows))


def _words(one: ReferenceStanding) -> str:
    """How a reference stands, in a word or two."""
    return one.standing if one.copy_of is None else f"copy of {one.copy_of}"
