"""`countersign index`: prove the vector index equal to the registry, or make it so again."""

from __future__ import annotations

from collections import Counter
from contextlib import closing
from dataclasses import asdict
from typing import TYPE_CHECKING

import click

from service.cli.failures import EXIT_NO
from service.cli.output import json_option, note, print_json, progress_bar, show, table
from service.cli.session import open_registry, open_services

if TYPE_CHECKING:
    from encoder.inference.encoder import Encoder
    from index.registry.registry import Registry
    from index.sync.consistency import CheckReport, ErasureReport
    from index.sync.gallery_interface import OpenReport
    from service.models.reencode import Unusable

SHOWN_IDS = 10


@click.group("index")
def index_group() -> None:
    """Look after the vector index, which is derived from the registry.

    A saved index that is damaged, cut short or of another model is never used: whatever opens it
    says why, and rebuilds it from the registry.

    \b
    Examples:
      countersign index check
      countersign index rebuild
      countersign index stats --json
    """


@index_group.command()
@click.option(
    "--erased", "writer_id", metavar="WRITER", help="Show instead that this writer is gone."
)
@json_option
@click.pass_context
def check(ctx: click.Context, writer_id: str | None, as_json: bool) -> None:
    """Prove that the index holds exactly what the registry holds.

    The exit code is 0 if it does and 1 if it does not. Where the saved index could not be used,
    the reason is reported, and the rebuilt one is checked.

    With --erased, the registry is asked for the writer, and the index and its file on disk for
    every reference that was ever erased: the log keeps their numbers, but not whose they were. What
    is not purged yet is purged, if nobody reads the registry, and what is left of it is looked for
    in the registry's file, its log and the snapshots, byte for byte.

    \b
    Examples:
      countersign index check
      countersign index check --json | jq .clean
      countersign index check --erased C-1042
    """
    if writer_id is not None:
        ctx.exit(0 if _check_erased(writer_id, as_json) else EXIT_NO)
    with open_services() as services:
        report = services.gallery.check()
        opened = services.opened
    if as_json:
        print_json({"clean": report.clean, "opened": asdict(opened), **asdict(report)})
    else:
        _show_opened(opened)
        _show_check(report)
    ctx.exit(0 if report.clean else EXIT_NO)


@index_group.command()
@json_option
@click.pass_context
def rebuild(ctx: click.Context, as_json: bool) -> None:
    """Build the index anew from the registry, and save it.

    References that the active model has not embedded yet are embedded first; for another model,
    that is what `countersign reencode` does. The exit code is 1 if the model can make nothing of
    some of them; these are listed.

    \b
    Examples:
      countersign index rebuild
      countersign index rebuild --json | jq .index.size
    """
    from service.composition import build_gallery

    with open_registry() as (settings, registry, encoder):
        embedded, unusable = _embed_missing(encoder, registry)
        with closing(build_gallery(settings, registry, encoder)) as gallery:
            gallery.rebuild()
            gallery.save_snapshot()  # Unlike the rebuilding, this fails where it cannot be saved.
            stats = gallery.stats()
    if as_json:
        print_json({"embedded": embedded, "unusable": list(map(asdict, unusable)), "index": stats})
    else:
        show(f"Embedded {embedded} references. The index was rebuilt and saved.")
        show(table(("index", "value"), stats.items()))
        _show_unusable(unusable)
    ctx.exit(EXIT_NO if unusable else 0)


@index_group.command()
@json_option
def stats(as_json: bool) -> None:
    """Show what the index holds and what it takes.

    \b
    Examples:
      countersign index stats
      countersign index stats --json | jq .size
    """
    with open_services() as services:
        answer = services.gallery.stats()
        opened = services.opened
    if as_json:
        print_json({**answer, "opened": asdict(opened)})
    else:
        _show_opened(opened)
        show(table(("index", "value"), answer.items()))


def _check_erased(writer_id: str, as_json: bool) -> bool:
    from service.writers.erase import forget

    with open_services() as services:
        enrolled = services.registry.writers.knows(writer_id)
        snapshots = services.settings.snapshot_dir
        purge = services.registry.purge
        pending = purge.attempt(snapshots, lambda: forget(services.gallery))
        held = Counter(one.path.name for one in purge.traces(snapshots)) if pending else Counter()
        report = services.gallery.check_erased()
    gone = report.clean and not enrolled and not pending
    if as_json:
        counted = {"pending": len(pending), "traces": dict(held)}
        print_json({"clean": gone, "enrolled": enrolled, **asdict(report), **counted})
        return gone
    show(f"{writer_id!r} is {'' if enrolled else 'not '}enrolled.")
    _show_pending(len(pending), held)
    _show_erased(report)
    return gone


def _show_pending(count: int, held: Counter[str]) -> None:
    if not count:
        show("Every erasure is purged: nothing of them was found in the registry's files.")
        return
    show(
        f"Of {count} erasures something may still be on disk: the rows are gone, but a program "
        "that reads the registry keeps its log, or PostgreSQL its dead rows. A server goes on with "
        "it; close what reads, or run this again."
    )
    if held:
        show(table(("file", "#traces found"), sorted(held.items())))


def _show_erased(report: ErasureReport) -> None:
    places = {"index": report.in_index, "snapshot": report.in_snapshot}
    rows = [(where, len(ids), _some(ids)) for where, ids in places.items() if ids]
    if rows:
        show(
            "Erased references are still held. Run `countersign index rebuild`.",
            table(("in the", "#count", "references"), rows),
        )
    else:
        show(f"None of the {report.erased} references ever erased is in the index or its snapshot.")


def _embed_missing(encoder: Encoder, registry: Registry) -> tuple[int, list[Unusable]]:
    from service.models.reencode import reencode

    embedded = 0
    unusable: list[Unusable] = []
    with progress_bar() as bar, closing(reencode(encoder=encoder, registry=registry)) as batches:
        task = bar.add_task("Embedding", total=None)
        for batch in batches:
            embedded += batch.embedded
            unusable += batch.unusable
            bar.advance(task, batch.embedded)
    return embedded, unusable


def _show_opened(opened: OpenReport) -> None:
    if opened.reason:
        note(
            f"The index was rebuilt from the registry; the saved one was not used: {opened.reason}"
        )


def _show_check(report: CheckReport) -> None:
    if report.clean:
        how = "to one step of its 6-bit codes" if report.kind == "ivf" else "byte for byte"
        show(
            f"Clean: the index holds the {report.registry_count} references of the registry, "
            f"{how}, at revision {report.revision}."
        )
        return
    found = {"missing": report.missing, "too many": report.extra, "different": report.different}
    rows = [(what, len(ids), _some(ids)) for what, ids in found.items() if ids]
    show(
        f"Not clean: the registry has {report.registry_count} references, the index "
        f"{report.index_count}. Run `countersign index rebuild`.",
        table(("in the index", "#count", "references"), rows),
    )


def _some(reference_ids: tuple[int, ...]) -> str:
    shown = ", ".join(map(str, reference_ids[:SHOWN_IDS]))
    return f"{shown}, ..." if len(reference_ids) > SHOWN_IDS else shown


def _show_unusable(unusable: list[Unusable]) -> None:
    if unusable:
        rows = [(one.reference_id, one.reason) for one in unusable]
        show(
            "The model finds no signature in these references, so a server will not start with "
            "it; erase them under the model before, or keep that model.",
            table(("#reference", "why"), rows),
        )
