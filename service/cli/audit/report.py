"""`countersign report`: what decisions and reviews come to."""

from __future__ import annotations

from dataclasses import asdict
from datetime import datetime

import click

from service.cli.audit.times import moment
from service.cli.output import json_option, print_json, show, table
from service.cli.session import open_registry_alone


@click.group("report")
def report_group() -> None:
    """Report what software decided and people said.

    \b
    Examples:
      countersign report agreement --from 2026-01-01
    """


@report_group.command()
@click.option(
    "--from", "since", metavar="TIME", callback=moment, help="Decisions from this time on."
)
@json_option
def agreement(since: datetime | None, as_json: bool) -> None:
    """Show how often people agreed with the software.

    Of the decisions that people reviewed, by verdict: what they said. Agreement is the share of
    `accept` among matches, and of `reject` among non-matches.

    \b
    Examples:
      countersign report agreement
      countersign report agreement --from 2026-01-01 --json
    """
    from service.audit.agreement import summarised

    with open_registry_alone() as (_, registry):
        found = registry.reviews.agreement(since)
        waiting = registry.reviews.waiting()
    rates = summarised(found)
    if as_json:
        rows = [asdict(one) for one in found]
        print_json({"counts": rows, "agreement": rates, "waiting": waiting})
        return
    columns = ("kind", "verdict", "people said", "#count")
    show(table(columns, [(one.kind, one.verdict, one.outcome, one.count) for one in found]))
    for verdict, rate in rates.items():
        shown = "nobody decided" if rate is None else f"{100 * rate:.1f} %"
        show(f"Agreement on {verdict}: {shown}")
    show(f"Waiting for a review: {waiting}")
