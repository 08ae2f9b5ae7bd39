"""`countersign audit`: anchor, verify and export the audit chain; a server is not needed."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Sequence
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, TextIO

import click

from service.cli.audit.times import moment
from service.cli.failures import EXIT_NO, fail
from service.cli.output import json_option, note, print_json, show
from service.cli.session import caller, open_registry_alone

if TYPE_CHECKING:
    from service.audit.anchors import Anchor

FILE = click.Path(path_type=Path, dir_okay=False, exists=True)
NEW_FILE = click.Path(path_type=Path, dir_okay=False)


@click.group("audit")
def audit_group() -> None:
    """Prove that the audit trail is as it was written.

    All that matters is an entry of one chain of hashes. An anchor is its end, signed, and kept
    where nobody who edits the database can reach it.

    \b
    Examples:
      countersign audit key create /etc/countersign/audit.pem
      countersign audit anchor --to anchors.jsonl
      countersign audit verify --anchor anchors.jsonl --public-key audit.pem.pub
      countersign audit export --from 2026-01-01 --output audit.jsonl
    """


@audit_group.group("key")
def key_group() -> None:
    """Make the key that signs anchors.

    \b
    Examples:
      countersign audit key create /etc/countersign/audit.pem
    """


@key_group.command("create")
@click.argument("file", type=NEW_FILE)
@json_option
def create(file: Path, as_json: bool) -> None:
    """Make an Ed25519 key in FILE, for anchors.

    Its public key is in FILE.pub, for whoever verifies. Keep FILE out of the data folder and of
    backups of it, and name it in COUNTERSIGN_AUDIT_KEY.

    \b
    Examples:
      countersign audit key create /etc/countersign/audit.pem
    """
    from service.audit.anchors import create_key
    from service.settings import read_settings

    if file.exists():
        fail(f"{file} exists already: what it signed could not be verified any more.")
    # The settings may name the key already.
    settings = read_settings(without=("audit_key", "audit_anchor"))
    public = create_key(file, settings.data_dir)
    if as_json:
        print_json({"key": str(file), "public_key": str(public)})
    else:
        show(f"The key is in {file}, the public key in {public}. Set COUNTERSIGN_AUDIT_KEY={file}.")


@audit_group.command()
@click.option("--to", "destination", help="File to append to, or URL. [COUNTERSIGN_AUDIT_ANCHOR]")
@json_option
def anchor(destination: str | None, as_json: bool) -> None:
    """Sign the end of the chain, to keep it elsewhere.

    It is appended to a file, or sent to a URL. The key is the file that COUNTERSIGN_AUDIT_KEY
    names. A server does so by itself, every COUNTERSIGN_AUDIT_ANCHOR_EVERY minutes, if
    COUNTERSIGN_AUDIT_ANCHOR says where to.

    \b
    Examples:
      countersign audit anchor --to /mnt/worm/anchors.jsonl
      countersign audit anchor --to https://notary.example/anchors --json
    """
    from service.audit.anchors import make_anchor, read_key, write_anchor

    with open_registry_alone() as (settings, registry):
        where = destination or settings.audit_anchor
        if settings.audit_key is None:
            fail(
                "Set COUNTERSIGN_AUDIT_KEY to the file of a key; `countersign audit key create` "
                "makes one."
            )
        if where is None:
            fail("Say where to: --to FILE or URL, or COUNTERSIGN_AUDIT_ANCHOR.")
        made = make_anchor(registry, read_key(settings.audit_key))
        write_anchor(made, where)
    if as_json:
        print_json(made.as_dict())
    else:
        show(f"Anchored entry {made.head.sequence} ({made.head.sha256[:12]}) in {where}.")


@audit_group.command()
@click.option("--anchor", "anchor_file", type=FILE, help="File of anchors, one or more.")
@click.option("--public-key", type=FILE, help="Whose anchors count; else any that is signed.")
@click.option("--export", "export_file", type=FILE, help="An export, in place of the database.")
@json_option
@click.pass_context
def verify(
    ctx: click.Context,
    anchor_file: Path | None,
    public_key: Path | None,
    export_file: Path | None,
    as_json: bool,
) -> None:
    """Verify the chain, and every row that it speaks of.

    Found are rows that were edited, deleted or swapped, rules and images that were replaced, and,
    against an anchor, a tail that was cut off. What was erased or purged by leave is counted. An
    export is verified without a database. The exit code is 0 if all is as it was written, else 1.

    \b
    Examples:
      countersign audit verify
      countersign audit verify --anchor anchors.jsonl --public-key audit.pem.pub
      countersign audit verify --export audit.jsonl --anchor anchors.jsonl
    """
    anchors = _anchors(anchor_file, public_key)
    report = _of_database(anchors) if export_file is None else _of_export(export_file, anchors)
    if anchor_file is not None and public_key is None:
        note("The anchors name their own key: give --public-key to know whose they are.")
    if as_json:
        print_json(report)
    else:
        _show(report)
    ctx.exit(0 if report["intact"] else EXIT_NO)


@audit_group.command()
@click.option("--from", "since", metavar="TIME", callback=moment, help="Entries from this time on.")
@click.option("--to", "until", metavar="TIME", callback=moment, help="Entries before this time.")
@click.option("--output", type=NEW_FILE, help="File to write; else standard output.")
@json_option
def export(
    since: datetime | None, until: datetime | None, output: Path | None, as_json: bool
) -> None:
    """Write the chain's entries as JSON lines, to be verified elsewhere.

    No personal data is in it: names lie beside the chain. The first line says what it is of. A time
    is a day, or ISO 8601 with a zone.

    \b
    Examples:
      countersign audit export --output audit.jsonl
      countersign audit export --from 2026-01-01 --to 2026-02-01 > january.jsonl
    """
    from service.audit.exporting import export as write

    with open_registry_alone() as (_, registry):
        lines = write(registry, since, until, caller())
        if output is None:
            _write(lines, sys.stdout)
            return
        with output.open("w", encoding="utf-8") as stream:
            count = _write(lines, stream)
    if as_json:
        print_json({"file": str(output), "entries": count - 1})
    else:
        show(f"Wrote {count - 1} entries to {output}.")


def _write(lines: Iterable[str], stream: TextIO) -> int:
    count = 0
    for line in lines:
        stream.write(line + "\n")
        count += 1
    return count


def _anchors(file: Path | None, public_key: Path | None) -> list[Anchor]:
    from service.audit.anchors import read_anchors, read_public_key

    if file is None:
        if public_key is not None:
            fail("--public-key says whose anchors count: give the anchors, too, with --anchor.")
        return []
    key = None if public_key is None else read_public_key(public_key)
    with file.open(encoding="utf-8") as lines:
        return read_anchors(lines, key)


def _of_database(anchors: Sequence[Anchor]) -> dict[str, Any]:
    with open_registry_alone() as (_, registry):
        if any(one.registry_id != registry.registry_id() for one in anchors):
            fail("The anchors are of another registry than this one.")
        report = registry.trail.verify([one.head for one in anchors])
    return {"intact": report.intact, **asdict(report)}


def _of_export(file: Path, anchors: Sequence[Anchor]) -> dict[str, Any]:
    from service.audit.exporting import verify_export

    with file.open(encoding="utf-8") as lines:
        report = verify_export(lines, anchors)
    return {"intact": report.intact, **asdict(report)}


def _show(report: dict[str, Any]) -> None:
    for one in report["findings"]:
        show(f"{one['where']}: {one['what']}.")
    head = report["head"]
    counted = {
        name: report[name]
        for name in ("entries", "decisions", "erased", "purged", "images", "reviews", "anchors")
        if name in report
    }
    show(", ".join(f"{name}: {count}" for name, count in counted.items()))
    show(f"The chain ends with entry {head['sequence']}, {head['sha256']}.")
    verdict = "All is as it was written." if report["intact"] else "Something was tampered with."
    show(verdict)
