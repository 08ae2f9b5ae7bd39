"""`countersign version`: which version this is, and of what it is made."""

from __future__ import annotations

import json
import platform
from pathlib import Path

import click

from service.cli.output import json_option, note, print_json, show, table
from service.version import VERSION


@click.command("version")
@click.option(
    "--sbom",
    "bill",
    type=click.Path(dir_okay=False, allow_dash=True, path_type=Path),
    metavar="FILE",
    help="Write a CycloneDX bill of materials to FILE, or to stdout as `-`.",
)
@json_option
def version_of_all(bill: Path | None, as_json: bool) -> None:
    """Say which version this is, and what is installed with it.

    Lists the Python packages of the environment with their licences. Some hold libraries of
    others, which their own licence files name.

    \b
    Examples:
      countersign version
      countersign version --json
      countersign version --sbom countersign.cdx.json
    """
    from service.observability.components import bill_of_materials, installed

    found = installed()
    if bill is not None:
        text = json.dumps(bill_of_materials(found), indent=2)
        if str(bill) == "-":
            click.echo(text)
            return
        bill.write_text(f"{text}\n", encoding="utf-8")
        note(f"Wrote {bill}: Countersign {VERSION} and {len(found)} packages.")
    if as_json:
        packages = [one.as_dict() for one in found]
        print_json({"version": VERSION, "python": platform.python_version(), "packages": packages})
    elif bill is None:
        show(f"Countersign {VERSION}, on Python {platform.python_version()}.")
        rows = [(one.name, one.version, one.licence or "-") for one in found]
        show(table(("package", "version", "licence"), rows))
