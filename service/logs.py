"""Sets up logging for a serving process: one line to standard error for each event."""

import logging

from service.settings import LogLevel

FORMAT = "%(asctime)s %(levelname)s pid=%(process)d %(name)s %(message)s"


def configure_logging(level: LogLevel) -> None:
    """Log Countersign's own events from `level` up, and other libraries' from warnings up."""
    logging.basicConfig(format=FORMAT, level=logging.WARNING, force=True)
    for package in ("encoder", "index", "service"):
        logging.getLogger(package).setLevel(level.upper())
