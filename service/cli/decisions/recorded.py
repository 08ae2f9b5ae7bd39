"""`countersign decisions`: what was decided, read from a server and computed again by it."""

from __future__ import annotations

from datetime import datetime
from itertools import islice
from typing import TYPE_CHECKING, Any

import click

from service.cli.failures import EXIT_NO
from service.cli.output import json_option, print_json, show, table
from service.cli.places.choice import server, server_options

if TYPE_CHECKING:
    from service.client.answers import Decision

LISTED = 50
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])
FILTERS = ("writer_id", "kind", "verdict", "caller", "since", "until", "reviewed")


@click.group("decisions")
def decisions_group() -> None:
    """List, show and replay the decisions that a server has recorded.

    These ask a server: name it with --server or COUNTERSIGN_SERVER.

    \b
    Examples:
      countersign decisions list --server https://cs.example --writer C-1001
      countersign decisions replay 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10
    """


@decisions_group.command("list")
@click.option("--writer", "writer_id", metavar="WRITER", help="Only those about this writer.")
@click.option("--kind", metavar="KIND", help="Only verify, or only identify.")
@click.option("--verdict", metavar="VERDICT", help="Only those with this verdict.")
@click.option("--caller", metavar="CALLER", help="Only those that this caller asked for.")
@click.option("--from", "since", type=MOMENT, help="From this moment on; a day begins in UTC.")
@click.option("--to", "until", type=MOMENT, help="Before this moment.")
@click.option("--reviewed/--unreviewed", default=None, help="Only those a person has looked at.")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1),
    default=LISTED,
    show_default=True,
    help="How many to list at most.",
)
@server_options
@json_option
def list_decisions(limit: int, as_json: bool, **filters: Any) -> None:
    """List recorded decisions, all or those that fit.

    \b
    Examples:
      countersign decisions list --writer C-1001 --from 2026-01-01
      countersign decisions list --verdict inconclusive --unreviewed --json
    """
    asked = {name: _aware(filters[name]) for name in FILTERS}
    with server() as there:
        found = list(islice(there.client.decisions(**asked, page_size=min(limit, 200)), limit))
    if as_json:
        print_json({"decisions": [one.raw for one in found]})
        return
    show(table(("decision", "when", "kind", "writer", "verdict", "#score", "by"), map(_row, found)))


@decisions_group.command("show")
@click.argument("decision_id", metavar="DECISION")
@server_options
@json_option
def show_decision(decision_id: str, as_json: bool) -> None:
    """Show all that is recorded of DECISION.

    \b
    Examples:
      countersign decisions show 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10
      countersign decisions show 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10 --json
    """
    with server() as there:
        found = there.client.decision(decision_id)
    if as_json:
        print_json(found.raw)
        return
    show(table(("recorded", "value"), ((name, _said(one)) for name, one in found.raw.items())))


@decisions_group.command("replay")
@click.argument("decision_id", metavar="DECISION")
@server_options
@json_option
@click.pass_context
def replay_decision(ctx: click.Context, decision_id: str, as_json: bool) -> None:
    """Have DECISION computed again: does it come to the same?

    The exit code is 0 where all is equal, and 1 where something differs or it cannot be computed
    again.

    \b
    Examples:
      countersign decisions replay 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10
    """
    with server() as there:
        found = there.client.replay_decision(decision_id)
    if as_json:
        print_json(found.raw)
    elif found.equal:
        show(f"Decision {decision_id} comes to the same again.")
    else:
        show(f"Decision {decision_id} does not come to the same again.")
        show(table(("of it", "value"), ((name, _said(one)) for name, one in found.raw.items())))
    ctx.exit(0 if found.equal else EXIT_NO)


def _row(one: Decision) -> tuple[str, ...]:
    when = "" if one.created_at is None else f"{one.created_at:%Y-%m-%d %H:%M:%S}"
    score = "" if one.score is None else f"{one.score:.3f}"
    return (
        *(one.decision_id, when, one.kind, one.writer_id or "", one.verdict),
        *(score, one.caller or ""),
    )


def _said(value: object) -> str:
    return "" if value is None else str(value)


def _aware(value: Any) -> Any:
    """A moment without a time zone is one of UTC."""
    from datetime import UTC

    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
