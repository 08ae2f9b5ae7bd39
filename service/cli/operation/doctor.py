"""`countersign doctor`: looks the installation over, and says what to do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.cli.failures import EXIT_ERROR, EXIT_NO
from service.cli.output import json_option, print_json, show

if TYPE_CHECKING:
    from service.doctor.finding import Finding

EXIT_CODES = {"ok": 0, "warning": EXIT_NO, "failure": EXIT_ERROR}
SIGNS = {"ok": "ok      ", "warning": "warning ", "failure": "FAILURE "}


@click.command()
@json_option
@click.pass_context
def doctor(ctx: click.Context, as_json: bool) -> None:
    """Look the installation over, and say what to do.

    It works beside a running server or without one, and says of each thing whether it is ok, and
    what to do where it is not: settings with their origin, schema, model, whether the index equals
    the registry, the chain of decisions, erasures, the last backup, the clock, keys and
    certificates that end, room on the disk, permissions, and whether a server answers. It changes
    nothing but the index's snapshot. Secrets are not shown.

    The exit code is 0 if all is ok, 1 with a warning and 2 with a failure.

    \b
    Examples:
      countersign doctor
      countersign doctor --json | jq '.findings[] | select(.state != "ok")'
    """
    from service.doctor.examine import worst

    findings: list[Finding] = []
    for finding in _found():
        findings.append(finding)
        if not as_json:
            _show(finding)
    state = worst(findings)
    counted = Counter(one.state for one in findings)
    if as_json:
        print_json({"state": state, "findings": [asdict(one) for one in findings]})
    else:
        show(f"{counted['failure']} failures, {counted['warning']} warnings, {counted['ok']} ok.")
    ctx.exit(EXIT_CODES[state])


def _found() -> Iterator[Finding]:
    """What the checks find; settings that cannot be read are a finding too, and the only one."""
    from service.doctor.examine import examine
    from service.doctor.finding import Installation, failure
    from service.errors import SettingsError
    from service.settings import origins, read_settings

    try:
        settings = read_settings()
    except SettingsError as error:
        yield failure("settings", str(error), "Set it right, then run this again.")
        return
    yield from examine(Installation(settings, origins()))


def _show(finding: Finding) -> None:
    remedy = f"\n          {finding.remedy}" if finding.remedy else ""
    show(f"{SIGNS[finding.state]}  {finding.check}: {finding.said}{remedy}")
