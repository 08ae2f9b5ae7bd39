"""`countersign model`: which models there are and which one answers; change it without downtime."""

from __future__ import annotations

from dataclasses import asdict
from functools import partial
from typing import TYPE_CHECKING

import click

from service.cli.models.model_compare import compare_models
from service.cli.models.reencode import Progress, follow
from service.cli.output import json_option, note, print_json, show, table
from service.cli.session import caller, open_registry_alone

if TYPE_CHECKING:
    from index.registry.models import KnownModel
    from index.registry.registry import Registry
    from service.settings import Settings


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
    with open_registry_alone() as (_, registry):
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

    with open_registry_alone() as (settings, registry):
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

    with open_registry_alone() as (settings, registry):
        _switch(model_before(registry), settings, registry, None, as_json)


def _switch(
    target: KnownModel,
    settings: Settings,
    registry: Registry,
    completes: int | None,
    as_json: bool,
) -> None:
    from service.composition import build_model
    from service.models.switching import switch as switch_model

    progress = Progress(target.missing)
    if target.state != "active":
        batches = switch_model(
            target,
            registry=registry,
            build_model=partial(build_model, settings, registry),
            caller=caller(),
            completes=completes,
        )
        follow(batches, progress)
    about = {"name": target.name, "id": target.model_id}
    before = registry.models.before()
    if as_json:
        print_json({"active": about, "before": before, "embedded": progress.embedded})
    elif target.state == "active":
        show(f"{target.name} ({target.model_id[:12]}) is the active model already.")
    else:
        show(f"{target.name} ({target.model_id[:12]}) is the active model now.")
        if progress.embedded:
            show(f"Embedded {progress.embedded} references for it before.")
        show("Running servers change over by themselves; `countersign model rollback` goes back.")
    if settings.model is not None and target.state != "active":
        note("COUNTERSIGN_MODEL is set: unset it, or servers will refuse their next start.")


model_group.add_command(compare_models)
