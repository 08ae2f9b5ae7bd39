"""`countersign decisions`: what was decided, read back and decided anew."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import TYPE_CHECKING, Any

import click

from service.cli.failures import EXIT_INCONCLUSIVE, EXIT_NO
from service.cli.output import json_option, note, print_json, show, table
from service.cli.places.choice import place, server_options

if TYPE_CHECKING:
    from service.client.answers import DecisionHead, Replay

LISTED = 50
MOMENT = click.DateTime(["%Y-%m-%d", "%Y-%m-%dT%H:%M:%S", "%Y-%m-%dT%H:%M:%S%z"])
KINDS = ("verify", "identify")
VERDICTS = ("match", "inconclusive", "non_match", "identified", "not_enrolled")
# Pages of JSON each, which a table shows nobody.
LONG = ("details", "rule")
EXIT_CODES = {"equal": 0, "different": EXIT_NO, "impossible": EXIT_INCONCLUSIVE}


@click.group("decisions")
def decisions_group() -> None:
    """List, show and replay the decisions that were recorded.

    \b
    Examples:
      countersign decisions list --writer C-1001
      countersign decisions replay 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10
    """


@decisions_group.command("list")
@click.option("--writer", "writer_id", metavar="WRITER", help="Only those of or with this writer.")
@click.option("--kind", type=click.Choice(KINDS), help="Only these.")
@click.option("--verdict", type=click.Choice(VERDICTS), help="Only those with this verdict.")
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
    """List recorded decisions, the newest first: all or those that fit.

    \b
    Examples:
      countersign decisions list --writer C-1001 --from 2026-01-01
      countersign decisions list --verdict inconclusive --unreviewed --json
    """
    wanted = {name: _aware(value) for name, value in filters.items()}
    with place() as here_or_there:
        found = list(here_or_there.decisions(wanted, limit))
    if as_json:
        print_json({"decisions": [one.raw for one in found]})
        return
    columns = ("Decision", "When", "Writer", "Verdict", "#Score", "Asked by")
    show(table(columns, map(_row, found)))


@decisions_group.command("show")
@click.argument("decision_id", metavar="DECISION")
@server_options
@json_option
def show_decision(decision_id: str, as_json: bool) -> None:
    """Show what is recorded of DECISION; with --json, all of it.

    \b
    Examples:
      countersign decisions show 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10
      countersign decisions show 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10 --json
    """
    with place() as here_or_there:
        found = here_or_there.decision(decision_id)
    if as_json:
        print_json(found.raw)
        return
    show(table(("Recorded", "Value"), _recorded(found.raw)))
    note("--json shows the details and the rule that it was decided by, too.")


@decisions_group.command("replay")
@click.argument("decision_id", metavar="DECISION")
@server_options
@json_option
@click.pass_context
def replay_decision(ctx: click.Context, decision_id: str, as_json: bool) -> None:
    """Decide DECISION anew: does it come to the same?

    From the query image, references, model and rule that were kept. The exit code is 0 where all is
    equal, 1 where something differs, and 3 where it cannot be decided anew since something is gone.

    \b
    Examples:
      countersign decisions replay 5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10
    """
    with place() as here_or_there:
        done = here_or_there.replay_decision(decision_id)
    if as_json:
        print_json(done.raw)
    else:
        _show_replay(done)
    ctx.exit(EXIT_CODES[done.outcome])


def _show_replay(done: Replay) -> None:
    if done.outcome == "equal":
        show(f"Decision {done.decision_id} comes to the same again.")
    elif done.outcome == "different":
        show(f"Decision {done.decision_id} does not come to the same again.")
        rows = [(one.what, _said(one.recorded), _said(one.now)) for one in done.differences]
        show(table(("What", "Recorded", "Now"), rows))
    else:
        show(f"Decision {done.decision_id} cannot be decided anew. {' '.join(done.reasons)}")


def _row(one: DecisionHead) -> tuple[str, ...]:
    score = "" if one.score is None else f"{one.score:.3f}"
    return (
        *(one.decision_id, f"{one.decided_at:%Y-%m-%d %H:%M}", one.writer_id or ""),
        *(one.verdict or "", score, one.caller),
    )


def _recorded(fields: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The fields of a decision that a table can show."""
    for name, value in fields.items():
        if name not in LONG:
            yield name, _said(value)


def _said(value: object) -> str:
    if value is None:
        return ""
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)


def _aware(value: Any) -> Any:
    """A moment without a time zone is one of UTC."""
    from datetime import UTC

    if isinstance(value, datetime) and value.tzinfo is None:
        return value.replace(tzinfo=UTC)
    return value
