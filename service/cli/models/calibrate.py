"""`countersign calibrate`: a model's thresholds, fitted anew on a user's own signatures."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import redirect_stdout
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import click

from service.cli.arguments import FOLDER, NEW_FOLDER
from service.cli.failures import EXIT_NO
from service.cli.output import json_option, note, print_json, show, table

if TYPE_CHECKING:
    from encoder.calibration.refit import Change


@click.command()
@click.argument("folder", type=FOLDER, required=False)
@click.option("--model", metavar="FOLDER", type=FOLDER, help="By default the one in use.")
@click.option("--into", metavar="FOLDER", type=NEW_FOLDER, help="Write the model here.")
@click.option("--in-place", is_flag=True, help="Change the model itself; --undo takes it back.")
@click.option("--gallery", is_flag=True, help="Ask the enrolled references instead of a FOLDER.")
@click.option("--dry-run", is_flag=True, help="With --gallery: show what would change.")
@click.option("--undo", is_flag=True, help="Give the model the rule from before back.")
@json_option
def calibrate(
    folder: Path | None,
    model: Path | None,
    into: Path | None,
    as_json: bool,
    **how: bool,
) -> None:
    """Fit thresholds and likelihood ratios on own signatures.

    FOLDER holds <writer>/genuine_*.png and, if there are any, <writer>/forged_*.png. Each value
    is moved only where there is enough to fit it. Embeddings stay, so no gallery is touched.

    \b
      value                              needs   writers, signatures of the kind
      fmr_skilled=10%  match, non_match               10   30
      fmr_skilled=5%   match, non_match               20   60
      fmr_skilled=1%   match, non_match              100  300
      likelihood ratio                                20   60
      random tail, for identification                 25  100

    `match` and the likelihood ratio against a skilled forger need skilled forgeries, the
    others genuine signatures. Fewer forgeries, from ten of three writers on, move `match` part of
    the way, by their number.

    \b
    Examples:
      countersign calibrate ours/ --into models/ours
      countersign calibrate ours/ --model models/ours --in-place
      countersign calibrate --model models/ours --undo
      countersign calibrate --gallery --dry-run
      countersign calibrate --gallery

    With --gallery, the installation's enrolled references say from which score on somebody is
    named, and below which a genuine signature hardly ever lies; from 25 writers with two references
    or more on. Running servers change over with their next request.

    Exits with 1 where nothing could be moved; nothing is written then.
    """
    if how["gallery"] or how["dry_run"]:
        _ask_gallery(folder or model or into or how["in_place"], how, as_json=as_json)
        return
    if how["undo"]:
        _undo(folder, _model(model), as_json=as_json)
        return
    if folder is None or how["in_place"] == (into is not None):
        raise click.UsageError("Name a FOLDER, and one of --into and --in-place; or --undo.")
    from encoder.calibration.model_update import fit_on_folder, write_beside, write_in_place
    from encoder.inference.encoder import load_encoder

    source = _model(model)
    with redirect_stdout(sys.stderr):  # Progress is drawn while the folder is read.
        fitted = fit_on_folder(folder, load_encoder(source))
    if fitted.moved and into is not None:
        write_beside(source, into, fitted.facts)
    elif fitted.moved:
        write_in_place(source, fitted.facts)
    about = {k: v for k, v in fitted.facts["calibrated_on"].items() if k != "former"}
    if as_json:
        changes = [asdict(change) for change in fitted.changes]
        print_json({"moved": fitted.moved, "calibrated_on": about, "changes": changes})
    else:
        show(
            f"{about['data']}: {about['writers']} writers, {about['genuine']} genuine signatures, "
            f"{about['forged']} forgeries",
            table(
                ("#references", "value", "#was", "#is", "because it"),
                _rows(fitted.changes),
            ),
        )
    if not fitted.moved:
        note("There is not enough to move anything; nothing was written.")
        click.get_current_context().exit(EXIT_NO)
    written = click.format_filename(into or source)
    note(f"Wrote {written}. Use it with COUNTERSIGN_MODEL={written}")


def _ask_gallery(other: object, how: Mapping[str, bool], *, as_json: bool) -> None:
    from service.cli.models.calibrate_gallery import calibrate_gallery, undo_gallery

    if not how["gallery"] or other or (how["dry_run"] and how["undo"]):
        raise click.UsageError(
            "--gallery takes no FOLDER and no model, since it is for the active one; it goes "
            "alone, or with one of --dry-run and --undo."
        )
    if how["undo"]:
        undo_gallery(as_json=as_json)
    else:
        calibrate_gallery(dry_run=how["dry_run"], as_json=as_json)


def _undo(folder: Path | None, model: Path, *, as_json: bool) -> None:
    if folder is not None:
        raise click.UsageError("--undo takes no FOLDER: it gives the former rule back.")
    from encoder.calibration.model_update import undo as take_back

    about = take_back(model)
    if as_json:
        print_json({"undone": about["data"]})
    else:
        show(
            f"{click.format_filename(model)} decides as before the calibration on {about['data']}."
        )


def _model(model: Path | None) -> Path:
    """The model named, or the one in use."""
    from encoder.inference.artifact import SHIPPED
    from service.settings import read_settings

    return model or read_settings().model or SHIPPED


def _rows(changes: Sequence[Change]) -> Iterator[tuple[str, ...]]:
    for change in changes:
        now = "" if change.kept_because else f"{change.now:.3f}"
        former = f"{change.former:.3f}"
        partly = "" if change.share in {0, 1} else f"is {100 * change.share:.0f} % by these"
        yield str(change.references), change.what, former, now, change.kept_because or partly
