"""`countersign reencode`: embed all references for another model, beside the one in use."""

from __future__ import annotations

import time
from collections.abc import Generator
from contextlib import closing
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import FOLDER
from service.cli.failures import EXIT_INTERRUPTED, EXIT_NO
from service.cli.output import json_option, note, print_json, progress_bar, show, table, watched
from service.cli.session import open_registry_alone

if TYPE_CHECKING:
    from service.models.reencode import Reencoded, Unusable

NOTE_EVERY_S = 2.0
SHOWN_UNUSABLE = 20


@dataclass
class Progress:
    """What embedding for a model has come to so far."""

    missing: int
    embedded: int = 0
    unusable: list[Unusable] = field(default_factory=list)


@click.command()
@click.option("--model", metavar="FOLDER", type=FOLDER, help="By default the shipped model.")
@json_option
@click.pass_context
def reencode(ctx: click.Context, model: Path | None, as_json: bool) -> None:
    """Embed all references for another model, beside the one in use.

    Servers go on meanwhile and answer as before; what they enroll is embedded too. What is stored
    stays stored: run the same command again to go on after an interruption. The registry keeps
    the model's files, so that the folder is not needed later. References in which the model finds
    no signature are listed, and the exit code is 1 then.

    \b
    Examples:
      countersign reencode --model models/new
      nice countersign reencode --model models/new --json
    """
    from encoder.inference.artifact import read_artifact
    from encoder.inference.encoder import Encoder
    from service.models.active_model import keep_model
    from service.models.reencode import reencode as embed_missing

    artifact = read_artifact(model)
    with open_registry_alone() as (_, registry):
        keep_model(artifact, registry)
        progress = Progress(registry.models.missing(artifact.model_id))
        interrupted = False
        try:
            follow(embed_missing(encoder=Encoder(artifact), registry=registry), progress)
        except KeyboardInterrupt:
            interrupted = True
            note("Interrupted. What is embedded stays; run the same command again to go on.")
        missing = registry.models.missing(artifact.model_id)
        active = registry.models.active() == artifact.model_id
    if as_json:
        about = {"name": artifact.name, "id": artifact.model_id}
        counts = {"embedded": progress.embedded, "missing": missing}
        print_json({"model": about, **counts, "unusable": list(map(asdict, progress.unusable))})
    else:
        named = f"{artifact.name} ({artifact.model_id[:12]})"
        show(f"Embedded {progress.embedded} references for {named}.")
        _show_unusable(progress.unusable)
        if missing:
            show(f"It has yet to see {missing}.")
        elif not active:
            show(f"`countersign model switch {artifact.model_id[:12]}` puts it to use.")
    if interrupted:
        ctx.exit(EXIT_INTERRUPTED)
    ctx.exit(EXIT_NO if progress.unusable else 0)


def follow(batches: Generator[Reencoded, None, None], progress: Progress) -> None:
    """Count what is embedded, and show how far it is, how fast, and how long it will take."""
    started_s = said_s = time.monotonic()
    with progress_bar(rate=True) as bar, closing(batches):
        task = bar.add_task("Embedding", total=progress.missing)
        for batch in batches:
            progress.embedded += batch.embedded
            progress.unusable += batch.unusable
            done = progress.embedded + len(progress.unusable)
            # Some may have been enrolled since it was counted.
            progress.missing = max(progress.missing, done)
            bar.update(task, completed=done, total=progress.missing)
            now_s = time.monotonic()
            if not watched() and now_s - said_s >= NOTE_EVERY_S:
                said_s, rate = now_s, done / (now_s - started_s)
                left_s = (progress.missing - done) / rate if rate else 0.0
                note(f"{done} of {progress.missing} references, {rate:.0f}/s, {left_s:.0f} s left")


def _show_unusable(unusable: list[Unusable]) -> None:
    if not unusable:
        return
    rows = [(one.reference_id, one.reason) for one in unusable[:SHOWN_UNUSABLE]]
    show(
        "It finds no signature in these references. Erase them before switching to it, or keep the "
        "model in use.",
        table(("#reference", "why"), rows),
    )
    if len(unusable) > SHOWN_UNUSABLE:
        show(f"... and {len(unusable) - SHOWN_UNUSABLE} more; --json names all.")
