"""`countersign writers`: who is enrolled: listed, shown, renamed, erased."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

from service.cli.arguments import writer_argument
from service.cli.output import json_option, note, print_json, show, table
from service.cli.places.choice import place, server_options

if TYPE_CHECKING:
    from service.client.answers import Standing


@click.group("writers")
def writers_group() -> None:
    """List, show, rename and erase writers.

    \b
    Examples:
      countersign writers list --search ada
      countersign writers show C-1001
    """


@writers_group.command("list")
@click.option("--search", metavar="TEXT", help="Only those with these words in their id or name.")
@server_options
@json_option
def list_writers(search: str | None, as_json: bool) -> None:
    """List writers in order of their ids.

    \b
    Examples:
      countersign writers list
      countersign writers list --search ada --json
    """
    with place() as here_or_there:
        found = list(here_or_there.writers(search))
    if as_json:
        print_json({"writers": [one.raw for one in found]})
        return
    rows = [
        (one.writer_id, one.name, one.reference_count, f"{one.created_at:%Y-%m-%d}")
        for one in found
    ]
    show(table(("writer", "name", "#references", "created"), rows))


@writers_group.command("show")
@writer_argument
@server_options
@json_option
def show_writer(writer_id: str, as_json: bool) -> None:
    """Show WRITER and how each of their references stands.

    A reference is typical, unlike-others (it may be a stranger's), a copy of another (the two count
    once), or the oldest.

    \b
    Examples:
      countersign writers show C-1001
      countersign writers show C-1001 --json
    """
    with place() as here_or_there:
        writer = here_or_there.writer(writer_id)
    if as_json:
        print_json(writer.raw)
        return
    show(f"{writer.writer_id}{f' ({writer.name})' if writer.name else ''}")
    rows = [
        (one.reference_id, one.filename or "", f"{one.created_at:%Y-%m-%d}", _words(one))
        for one in writer.references
    ]
    show(table(("#reference", "file", "enrolled", "standing"), rows))


@writers_group.command("rename")
@writer_argument
@click.argument("name")
@server_options
@json_option
def rename_writer(writer_id: str, name: str, as_json: bool) -> None:
    """Give WRITER another NAME.

    \b
    Examples:
      countersign writers rename C-1001 "Ada Example"
    """
    with place() as here_or_there:
        writer = here_or_there.rename_writer(writer_id, name)
    if as_json:
        print_json(writer.raw)
        return
    show(f"{writer.writer_id} is {writer.name or 'without a name'} now.")


@writers_group.command("erase")
@writer_argument
@click.option("--yes", is_flag=True, help="Do not ask whether to erase.")
@server_options
@json_option
def erase_writer(writer_id: str, yes: bool, as_json: bool) -> None:
    """Erase WRITER for good: their name, references and images.

    Decisions stay in the audit trail, without the writer's id and images; those under a hold stay
    whole until its end.

    \b
    Examples:
      countersign writers erase C-1001
      countersign writers erase C-1001 --yes --json
    """
    if not yes:
        click.confirm(f"Erase {writer_id} for good?", abort=True, err=True)
    with place() as here_or_there:
        held = here_or_there.erase_writer(writer_id)
    if as_json:
        kept = [one.raw for one in held]
        print_json({"writer_id": writer_id, "erased": True, "held": kept})
        return
    show(f"{writer_id} is erased.")
    for one in held:
        until = f"{one.held_until:%Y-%m-%d %H:%M}"
        note(f"Decision {one.decision_id} is held until {until} and stays whole: {one.reason}")


def _words(one: Standing) -> str:
    """How a reference stands, in a word or two."""
    return one.standing if one.copy_of is None else f"copy of {one.copy_of}"
