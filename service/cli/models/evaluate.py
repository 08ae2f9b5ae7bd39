"""`countersign evaluate`: error rates of models, measured on folders of signatures."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator, Mapping
from contextlib import redirect_stdout
from pathlib import Path
from typing import TYPE_CHECKING, Any, cast

import click

from service.cli.arguments import FOLDER
from service.cli.output import json_option, print_json, show, table
from service.cli.session import open_encoder

if TYPE_CHECKING:
    from encoder.evaluation.protocols import EvaluationProtocol

SHOWN_REFERENCES = 5  # The model's own thresholds are shown with so many, or fewer.
PROTOCOLS = ("holdout", "crossval", "zeroshot")


@click.command()
@click.argument("folders", metavar="FOLDER...", type=FOLDER, nargs=-1, required=True)
@click.option(
    "--protocol",
    type=click.Choice(PROTOCOLS),
    default="holdout",
    show_default=True,
    help="Whom each model is measured on; see above.",
)
@click.option(
    "--model",
    "models",
    metavar="FOLDER",
    type=FOLDER,
    multiple=True,
    help="A model to measure, by default the one in use; repeat it for several folds.",
)
@click.option(
    "--baseline",
    type=click.Choice(("hog",)),
    help="Measure besides, on the same comparisons: hog, gradients without any learning.",
)
@click.option(
    "--perturbations", is_flag=True, help="Also measure probes turned, shrunk, photographed, ..."
)
@click.option(
    "--controls", is_flag=True, help="Also look for what gives forgeries away without a reference."
)
@click.option(
    "--all-writers",
    is_flag=True,
    help="Also use the writers that the model was trained on; flatters it.",
)
@click.option(
    "--draws",
    metavar="N",
    type=click.IntRange(1),
    default=10,
    show_default=True,
    help="Sets of references for each writer.",
)
@click.option(
    "--replicates",
    metavar="N",
    type=click.IntRange(0),
    default=1000,
    show_default=True,
    help="Of the bootstrap over writers, for the 95% intervals; 0 leaves them out.",
)
@click.option(
    "--html",
    metavar="FILE",
    type=click.Path(dir_okay=False, writable=True, path_type=Path),
    help="Also write a page with tables and plots.",
)
@json_option
def evaluate(
    folders: tuple[Path, ...],
    protocol: str,
    models: tuple[Path, ...],
    all_writers: bool,
    as_json: bool,
    **rest: Any,
) -> None:
    """Measure error rates on the writers in folders.

    Each FOLDER holds <writer>/genuine_*.png and <writer>/forged_*.png, and its name says which
    data set it is. Nobody is measured on with a model that was trained on him:

    \b
      holdout   one model; the writers whom it held out of training
      crossval  several models; each writer by the one that held him out
      zeroshot  the one model not trained on that data set; all writers

    \b
    Examples:
      countersign evaluate signatures/
      countersign evaluate signatures/ --model models/first --baseline hog
      countersign evaluate cedar/ --protocol crossval --model one/ --model two/
      countersign evaluate cedar/ --html report.html --json > report.json
    """
    extras = [name for name in ("perturbations", "controls") if rest[name]]
    extras += [rest["baseline"]] if rest["baseline"] else []
    plan = "all writers" if all_writers else protocol
    how = {name: rest[name] for name in ("draws", "replicates")}
    with redirect_stdout(sys.stderr):  # Progress is drawn while the folders are read.
        answer = _measured(folders, plan, models, extras, how)
    if rest["html"]:
        from encoder.report import html_report

        rest["html"].write_text(html_report(answer), encoding="utf-8")
    if as_json:
        print_json(answer)
    else:
        for one in answer["sets"]:
            show(*_tables(one))


def _measured(
    folders: tuple[Path, ...],
    protocol: str,
    models: tuple[Path, ...],
    extras: Collection[str],
    how: Mapping[str, int],
) -> dict[str, Any]:
    from encoder.evaluation.evaluate import Effort
    from encoder.evaluation.evaluate import evaluate as evaluate_folder
    from encoder.evaluation.protocols import plan_folds, unprotected_fold
    from encoder.inference.encoder import load_encoder

    encoders = [load_encoder(folder) for folder in models] or [open_encoder()]
    all_writers = protocol == "all writers"
    if all_writers and len(encoders) > 1:
        raise click.UsageError("--all-writers measures one model; name one --model.")
    plans = [  # All of them before any work: a wrong model is told at once.
        unprotected_fold(folder, encoders[0])
        if all_writers
        else plan_folds(folder, encoders, cast("EvaluationProtocol", protocol))
        for folder in folders
    ]
    effort = Effort(how["draws"], how["replicates"])
    sets = [
        evaluate_folder(folder, plan, extras, effort)
        for folder, plan in zip(folders, plans, strict=True)
    ]
    return {"protocol": protocol, **how, "sets": sets}


def _tables(answer: Mapping[str, Any]) -> Iterator[Any]:
    held_out = "held out from training" if answer["held_out_from_training"] else "all there are"
    names = ", ".join(f"{model['name']} ({model['id'][:12]})" for model in answer["models"])
    yield (
        f"{answer['folder']}: {answer['writers']} writers ({held_out}), model {names}, "
        f"{answer['failures_to_acquire']} images without a usable signature"
    )
    columns = ("#references", "#EER skilled %", "#random %", "#FNMR at FMR 1% %", "#rank 1 %")
    for title, part in ((None, answer), *answer.get("baselines", {}).items()):
        yield table(columns, _rate_rows(part["results"]), f"baseline {title}" if title else "")
    yield from _shipped_table(answer["results"])


def _rate_rows(results: Mapping[str, Mapping[str, Any]]) -> Iterator[tuple[str, ...]]:
    names = ("eer_skilled", "eer_random", "fnmr_at_fmr_1%_skilled", "rank_1")
    for references, row in results.items():
        yield (references, *(_percent(row, name) for name in names))


def _shipped_table(results: Mapping[str, Mapping[str, Any]]) -> Iterator[Any]:
    """What the model's own thresholds reach, with as many references as were measured, up to 5."""
    shown = (count for count in results if int(count) <= SHOWN_REFERENCES)
    references = max(shown, key=int, default=None)
    if references is None:
        return
    names = ("fmr_skilled", "fmr_random", "fnmr", "refused_genuine")
    rows = [
        (point, *(_percent({name: row.get(name)}, name) for name in names))
        for point, row in results[references]["shipped"].items()
    ]
    columns = ("operating point", "#FMR skilled %", "#random %", "#FNMR %", "#genuine refused %")
    yield table(columns, rows, f"At the model's own thresholds, {references} references")


def _percent(row: Mapping[str, Any], name: str) -> str:
    rate, interval = row.get(name), row.get("intervals", {}).get(name)
    if rate is None:
        return "-"
    spread = f" ({100 * interval[0]:.1f}-{100 * interval[1]:.1f})" if interval else ""
    return f"{100 * rate:.1f}{spread}"
