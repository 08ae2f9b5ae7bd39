"""`countersign export`: make a model of a training run."""

from __future__ import annotations

from pathlib import Path

import click

from service.cli.arguments import FOLDER, NEW_FOLDER
from service.cli.models.train import data_option, training_packages
from service.cli.output import json_option, print_json, show


@click.command()
@click.argument("run", type=FOLDER)
@click.argument("model", type=NEW_FOLDER)
@data_option
@click.option(
    "--keep-keras/--no-keras", default=True, help="Keep the Keras network, to train on from."
)
@json_option
def export(run: Path, model: Path, data: tuple[Path, ...], keep_keras: bool, as_json: bool) -> None:
    """Make the model MODEL of the training run RUN, or of a model.

    MODEL is a folder. The decision rule is fitted on the data sets named: of those that the network
    was trained on, on their development writers, of others on all. The more kinds of signatures
    they hold, the likelier the rule keeps its promises on yours. The exported network is checked
    against the trained one. Of a model folder, network and id stay, and the rule is fitted anew.

    \b
    Examples:
      countersign export runs/first models/first --data signatures/
      countersign export models/first models/ours --data first/ --data ours/
      countersign reencode --model models/first
      countersign model switch first
    """
    with training_packages():
        from encoder.training.export import export as export_model

        export_model(run, model, list(data), keep_keras=keep_keras)
    if as_json:
        print_json({"model": str(model)})
    else:
        folder = click.format_filename(model)
        show(
            f"Wrote the model. A new registry begins with it under COUNTERSIGN_MODEL={folder}; for "
            f"another, run `countersign reencode --model {folder}`."
        )
