"""The command line, `countersign`: commands parse and print, the service's use cases decide.

Each module holds a group of commands. Importing them loads nothing heavy, so `--help` is quick.
"""

import click

from service.cli.decisions.questions import compare, identify, verify
from service.cli.failures import CommandLine
from service.cli.gallery.gallery import transfer
from service.cli.gallery.index import gallery
from service.cli.models.adapt import adapt
from service.cli.models.calibrate import calibrate
from service.cli.models.evaluate import evaluate, model_card
from service.cli.models.model import model_group, reencode
from service.cli.models.model_compare import compare_models
from service.cli.models.train import export, train
from service.cli.server.db import database
from service.cli.server.serve import demo, serve
from service.cli.writers.bulk_import import import_source
from service.cli.writers.enroll import enroll
from service.version import VERSION


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="countersign")
def main() -> None:
    """Enroll writers by their signatures, and check signatures.

    Commands work on the registry that the COUNTERSIGN_* variables name (by default the one in
    var/countersign), beside a running server or without one. Answers go to stdout, as text or
    with --json as JSON; messages and progress go to stderr.

    \b
    Examples:
      countersign serve --demo
      countersign enroll C-1001 --name "Ada Example" scans/ada-*.png
      countersign verify C-1001 cheque.png
      countersign identify unknown.png --json

    \b
    Exit codes:
      0    done; for a question, the answer is yes
      1    the answer is no, or an image was refused
      2    wrong usage, or an error; the message says what to do
      130  interrupted (Ctrl-C)
    """


model_group.add_command(compare_models)
for _command in (
    serve,
    enroll,
    verify,
    identify,
    compare,
    import_source,
    train,
    export,
    evaluate,
    model_card,
    adapt,
    calibrate,
    reencode,
    model_group,
    gallery,
    transfer,
    database,
    demo,
):
    main.add_command(_command)
