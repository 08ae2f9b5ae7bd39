"""`countersign reencode` and `countersign model`: another model, without stopping the servers."""

from __future__ import annotations

import time
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import FOLDER
from service.cli.failures import EXIT_INTERRUPTED, EXIT_NO
from service.cli.output import json_option, note, print_json, progress_bar, show, table, watched
from service.cli.session import caller

if TYPE_CHECKING:
    from index.registry.models import KnownModel
    from index.registry.registry import Registry
    from service.models.reencode import Reencoded, Unusable
    from service.settings import Settings

NOTE_EVERY_S = 2.0
SHOWN_UNUSABLE = 20


@dataclass
class Tally:
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
    with open_models() as (_, registry):
        keep_model(artifact, registry)
        tally = Tally(registry.models.missing(artifact.model_id))
        interrupted = False
        try:
            _follow(embed_missing(encoder=Encoder(artifact), registry=registry), tally)
        except KeyboardInterrupt:
            interrupted = True
            note("Interrupted. What is embedded stays; run the same command again to go on.")
        missing = registry.models.missing(artifact.model_id)
        active = registry.models.active() == artifact.model_id
    if as_json:
        about = {"name": artifact.name, "id": artifact.model_id}
        counts = {"embedded": tally.embedded, "missing": missing}
        print_json({"model": about, **counts, "unusable": list(map(asdict, tally.unusable))})
    else:
        show(
            f"Embedded {tally.embedded} references for {artifact.name} ({artifact.model_id[:12]})."
        )
        _show_unusable(tally.unusable)
        if missing:
            show(f"It has yet to see {missing}.")
        elif not active:
            show(f"`countersign model switch {artifact.model_id[:12]}` puts it to use.")
    if interrupted:
        ctx.exit(EXIT_INTERRUPTED)
    ctx.exit(EXIT_NO if tally.unusable else 0)


@click.group("model")
def model_group() -> None:
    """Change the model that answers, and back, without downtime.

    The registry says which model is active. Running servers notice with their next request, open
    the new model beside the old one, and change over between requests.

    \b
    Examples:
      countersign model list
      countersign model compare lean new
      countersign model switch new
      countersign model rollback
    """


@model_group.command("list")
@json_option
def list_models(as_json: bool) -> None:
    """Show the models that the registry has embeddings of.

    MODEL in other commands is a name shown here, or the beginning of an id.

    \b
    Examples:
      countersign model list
      countersign model list --json | jq '.models[] | select(.state == "active")'
    """
    with open_models() as (_, registry):
        known = registry.models.known()
    if as_json:
        print_json({"models": [{**asdict(one), "missing": one.missing} for one in known]})
        return
    rows = [
        (one.name, one.model_id[:12], one.embedded, one.missing, one.state or "") for one in known
    ]
    show(table(("name", "id", "#embedded", "#missing", "state"), rows))


@model_group.command()
@click.argument("model")
@json_option
def switch(model: str, as_json: bool) -> None:
    """Make MODEL the one that answers.

    It must have seen all references (`countersign reencode`); up to 200 that were enrolled since
    are embedded now. Nobody can be enrolled between the last of them and the switch.

    \b
    Examples:
      countersign model switch new
      countersign model switch 3f9a2c --json
    """
    from service.models.switching import COMPLETES, find_model

    with open_models() as (settings, registry):
        _switch(find_model(model, registry), settings, registry, COMPLETES, as_json)


@model_group.command()
@json_option
def rollback(as_json: bool) -> None:
    """Go back to the model that was active before.

    All references enrolled since the switch are embedded for it first, some hundred a second. A
    second rollback undoes the first.

    \b
    Examples:
      countersign model rollback
      countersign model rollback --json
    """
    from service.models.switching import model_before

    with open_models() as (settings, registry):
        _switch(model_before(registry), settings, registry, None, as_json)


@contextmanager
def open_models() -> Iterator[tuple[Settings, Registry]]:
    """Open the registry without loading a model."""
    from service.composition import open_registry_alone
    from service.settings import read_settings

    settings = read_settings()
    with open_registry_alone(settings) as registry:
        yield settings, registry


def _switch(
    target: KnownModel,
    settings: Settings,
    registry: Registry,
    completes: int | None,
    as_json: bool,
) -> None:
    from service.composition import build_model
    from service.models.switching import switch as switch_model

    tally = Tally(target.missing)
    if target.state != "active":
        batches = switch_model(
            target,
            registry=registry,
            build_model=partial(build_model, settings, registry),
            caller=caller(),
            completes=completes,
        )
        _follow(batches, tally)
    about = {"name": target.name, "id": target.model_id}
    before = registry.models.before()
    if as_json:
        print_json({"active": about, "before": before, "embedded": tally.embedded})
    elif target.state == "active":
        show(f"{target.name} ({target.model_id[:12]}) is the active model already.")
    else:
        show(f"{target.name} ({target.model_id[:12]}) is the active model now.")
        if tally.embedded:
            show(f"Embedded {tally.embedded} references for it before.")
        show("Running servers change over by themselves; `countersign model rollback` goes back.")
    if settings.model is not None and target.state != "active":
        note("COUNTERSIGN_MODEL is set: unset it, or servers will refuse their next start.")


def _follow(batches: Generator[Reencoded, None, None], tally: Tally) -> None:
    """Count what is embedded, and show how far it is, how fast, and how long it will take."""
    started_s = said_s = time.monotonic()
    with progress_bar(rate=True) as bar, closing(batches):
        task = bar.add_task("Embedding", total=tally.missing)
        for batch in batches:
            tally.embedded += batch.embedded
            tally.unusable += batch.unusable
            done = tally.embedded + len(tally.unusable)
            # Some may have been enrolled since it was counted.
            tally.missing = max(tally.missing, done)
            bar.update(task, completed=done, total=tally.missing)
            now_s = time.monotonic()
            if not watched() and now_s - said_s >= NOTE_EVERY_S:
                said_s, rate = now_s, done / (now_s - started_s)
                left_s = (tally.missing - done) / rate if rate else 0.0
                note(f"{done} of {tally.missing} references, {rate:.0f}/s, {left_s:.0f} s left")


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
