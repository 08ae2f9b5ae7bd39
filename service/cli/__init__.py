"""The command line, `countersign`: commands parse and print, the service's use cases decide.

A command lies in the module of its name, `countersign index` in `gallery/index.py` (`import`, which
no module can be called, in `writers/bulk_import.py`). Importing them loads nothing heavy, so
`--help` is quick.
"""

import click

from service.cli.access.keys import keys_group
from service.cli.access.users import users_group
from service.cli.audit.audit import audit_group
from service.cli.audit.report import report_group
from service.cli.decisions.compare import compare
from service.cli.decisions.identify import identify
from service.cli.decisions.recorded import decisions_group
from service.cli.decisions.verify import verify
from service.cli.failures import CommandLine
from service.cli.gallery.gallery import gallery_group
from service.cli.gallery.index import index_group
from service.cli.models.calibrate import calibrate
from service.cli.models.evaluate import evaluate
from service.cli.models.export import export
from service.cli.models.model import model_group
from service.cli.models.model_card import model_card
from service.cli.models.reencode import reencode
from service.cli.models.train import train
from service.cli.operation.backup import backup, restore
from service.cli.operation.doctor import doctor
from service.cli.operation.erasures import erasures_group
from service.cli.server.completion import completion
from service.cli.server.db import db_group
from service.cli.server.ready import ready
from service.cli.server.serve import serve
from service.cli.server.version import version_of_all
from service.cli.writers.bulk_import import import_source
from service.cli.writers.demo import demo
from service.cli.writers.enroll import enroll
from service.cli.writers.erase import erase
from service.cli.writers.writers import writers_group
from service.version import VERSION


@click.group(cls=CommandLine, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION, prog_name="countersign")
def main() -> None:
    """Enroll writers by their signatures, and check signatures.

    Commands work on the registry that the COUNTERSIGN_* variables name (by default the one in
    var/countersign), beside a running server or without one; those that take --server, or find
    COUNTERSIGN_SERVER set, have that server do it. Answers go to stdout, as text or with --json as
    JSON; messages and progress go to stderr, errors with --json as a problem of RFC 9457.

    \b
    Examples:
      countersign serve --demo
      countersign enroll C-1001 --name "Ada Example" scans/ada-*.png
      countersign verify C-1001 cheque.png
      countersign identify unknown.png --json

    \b
    Exit codes:
      0    done; for a question, the answer is yes: a match, or somebody was identified
      1    the answer is no: no match, nobody was identified, or a check failed
      2    wrong usage, or an error; the message says what to do
      3    the answer is inconclusive: a person should look
      4    an image was refused; the message says why
      130  interrupted (Ctrl-C)
    """


DECISIONS = (verify, identify, compare, decisions_group)
WRITERS = (enroll, writers_group, erase, import_source, demo)
GALLERY = (index_group, gallery_group)
MODELS = (
    *(train, export, evaluate, model_card),
    *(calibrate, reencode, model_group),
)
SERVER = (serve, ready, db_group, version_of_all, completion)
ACCESS = (keys_group, users_group)
OPERATION = (backup, restore, erasures_group, doctor)
AUDIT = (audit_group, report_group)

for command in (*DECISIONS, *WRITERS, *GALLERY, *MODELS, *SERVER, *ACCESS, *OPERATION, *AUDIT):
    main.add_command(command)
