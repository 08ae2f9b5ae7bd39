"""`countersign train`: train a network on folders of signatures."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stdout
from dataclasses import replace
from pathlib import Path
from typing import Any

import click

from service.cli.arguments import FOLDER, NEW_FOLDER
from service.cli.failures import fail
from service.cli.output import json_option, print_json, show

RECIPES = ("lean", "notebook")
LEAST_PARTS = 2  # One to hold out, one to train on.
TRAINING_PACKAGES = {"keras", "onnx", "tensorflow", "tf2onnx"}  # Of the extra `train`.
INSTALL_TRAINING = 'pip install -e ".[train]"'
data_option = click.option(
    "--data",
    metavar="FOLDER",
    type=FOLDER,
    multiple=True,
    required=True,
    help="A data set, <writer>/genuine_*.png and forged_*.png; may be repeated.",
)


def _read_part(_: click.Context, __: click.Parameter, text: str) -> tuple[int, int]:
    """The numbers of "2/5"."""
    match = re.fullmatch(r"(\d+)/(\d+)", text)
    number, count = (int(match[1]), int(match[2])) if match else (0, 0)
    if not 1 <= number <= count or count < LEAST_PARTS:
        raise click.BadParameter(f"expected K/N with 1 <= K <= N and N >= 2, got {text!r}.")
    return number, count


@click.command()
@data_option
@click.option(
    "--run", metavar="FOLDER", type=NEW_FOLDER, required=True, help="Where the run lives."
)
@click.option(
    "--recipe",
    type=click.Choice(RECIPES),
    default="lean",
    show_default=True,
    help="The network and how it is trained.",
)
@click.option("--seed", type=int, default=0, show_default=True, help="Same seed, same result.")
@click.option("--epochs", type=click.IntRange(1), help="Instead of the recipe's number.")
@click.option(
    "--synthetic-writers",
    metavar="N",
    type=click.IntRange(0),
    help="Train on so many synthetic writers besides.",
)
@click.option(
    "--fold",
    "holdout",
    metavar="K/N",
    default="1/5",
    show_default=True,
    callback=_read_part,
    help="Hold out part K of N parts of the writers, to measure on.",
)
@click.option("--resume", is_flag=True, help="Go on with the run that the folder holds.")
@json_option
def train(
    data: tuple[Path, ...],
    run: Path,
    recipe: str,
    holdout: tuple[int, int],
    as_json: bool,
    **rest: Any,
) -> None:
    """Train a network on folders of signatures.

    Writers are split into those to train on, to calibrate on and to measure on. Progress, a CSV
    log and TensorBoard events are written to the run's folder. Ctrl-C stops; --resume goes on
    from the last checkpoint, of which there are several in an epoch.

    \b
    Examples:
      countersign train --data signatures/ --run runs/first
      countersign train --data cedar/ --data bengali/ --run runs/second
      countersign train --data signatures/ --run runs/first --resume
      countersign train --data signatures/ --run runs/fold-2 --fold 2/5
    """
    with training_packages():
        from encoder.datasets.splits import Holdout
        from encoder.training.recipes import RECIPES as BY_NAME
        from encoder.training.train import train as train_network

        changes = {name: rest.pop(name) for name in ("epochs", "synthetic_writers")}
        chosen = replace(BY_NAME[recipe], **{n: v for n, v in changes.items() if v is not None})
        best = train_network(list(data), run, chosen, holdout=Holdout(*holdout), **rest)
    if as_json:
        print_json({"run": str(run), "network": str(best)})
    else:
        show(f"Trained. `countersign export` makes a model of {click.format_filename(best)}.")


@contextmanager
def training_packages() -> Iterator[None]:
    """Run what needs the `train` extra: its output goes to stderr, and its absence is explained."""
    try:
        with redirect_stdout(sys.stderr):
            yield
    except ImportError as error:
        package = error.name.partition(".")[0] if error.name else "one of them"
        if error.name and package not in TRAINING_PACKAGES:
            raise
        fail(
            f"Training and export need packages that serving does not, and {package} is not "
            f"installed. In a checkout of Countersign, run: {INSTALL_TRAINING}"
        )
