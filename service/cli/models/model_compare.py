"""`countersign model compare`: what another model would change, before it is switched to."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from typing import Any

import click

from service.cli.output import json_option, print_json, progress_bar, show, table
from service.cli.session import open_registry_alone

# From the strictest to the most lenient.
VERDICTS = ("non_match", "inconclusive", "match")


@click.command("compare")
@click.argument("old")
@click.argument("new")
@click.option(
    "--limit",
    metavar="N",
    type=click.IntRange(1),
    default=1000,
    show_default=True,
    help="How many references to try at most; which ones is random, but always the same.",
)
@json_option
def compare_models(old: str, new: str, limit: int, as_json: bool) -> None:
    """Say which answers would change between two models.

    Each reference is held out as a probe of its writer's others, claimed to be other writers',
    and identified among all; both models decide at their default operating points. Recorded
    decisions cannot be repeated, since query signatures are not kept, and skilled forgeries are
    not enrolled: measure these with `countersign evaluate`. Both models must have been given to
    `countersign reencode`, or have been active.

    \b
    Examples:
      countersign model compare lean new
      countersign model compare lean new --limit 200 --json
    """
    from service.composition import recall_target
    from service.models.active_model import open_encoder
    from service.models.model_comparison import AnswerPairs, ComparedModel, sample
    from service.models.model_comparison import compare_models as ask_both
    from service.models.switching import find_model

    with open_registry_alone() as (settings, registry):
        models = [find_model(one, registry) for one in (old, new)]
        reference_ids = sample(registry, models[0].model_id, models[1].model_id, limit)
        compared = [
            ComparedModel(
                open_encoder(settings.model, registry, one.model_id),
                registry,
                settings.index_ivf_from,
                recall_target(settings),
            )
            for one in models
        ]
        counted = AnswerPairs()
        batches = ask_both(compared[0], compared[1], registry, reference_ids)
        with progress_bar(rate=True) as bar, closing(batches):
            task = bar.add_task("Comparing", total=len(reference_ids))
            for batch in batches:
                counted.add(batch)
                bar.advance(task, batch.probes)
    asked = {
        "genuine": _verdicts(counted.genuine),
        "random_forgery": _verdicts(counted.random_forgery),
        "identification": _firsts(counted.first),
    }
    if as_json:
        names = {"old": models[0].model_id, "new": models[1].model_id}
        print_json({**names, "probes": counted.probes, "alone": counted.alone, **asked})
        return
    rows = [
        ("own writer's: match", *_row(asked["genuine"])),
        ("another writer's: match", *_row(asked["random_forgery"])),
        ("identified first", *_row(asked["identification"])),
    ]
    columns = ("asked", "#times", f"#{old}", f"#{new}", "#stricter", "#more lenient")
    show(
        f"{counted.probes} references of {models[0].references} as probes; {counted.alone} of "
        "them are their writer's only one.",
        table(columns, rows),
        "The last two columns count what would change: verdicts, or writers no longer found first, "
        "and found first only then.",
    )


def _verdicts(pairs: Counter[tuple[Any, Any]]) -> dict[str, Any]:
    rank = VERDICTS.index
    return {
        "compared": pairs.total(),
        "old": sum(n for (was, _), n in pairs.items() if was == "match"),
        "new": sum(n for (_, now), n in pairs.items() if now == "match"),
        "down": sum(n for (was, now), n in pairs.items() if rank(now) < rank(was)),
        "up": sum(n for (was, now), n in pairs.items() if rank(now) > rank(was)),
        "verdicts": [
            {"old": was, "new": now, "count": n} for (was, now), n in sorted(pairs.items())
        ],
    }


def _firsts(pairs: Counter[tuple[bool, bool]]) -> dict[str, Any]:
    return {
        "compared": pairs.total(),
        "old": pairs[True, True] + pairs[True, False],
        "new": pairs[True, True] + pairs[False, True],
        "down": pairs[True, False],
        "up": pairs[False, True],
    }


def _row(said: dict[str, Any]) -> tuple[int, ...]:
    return tuple(said[name] for name in ("compared", "old", "new", "down", "up"))
