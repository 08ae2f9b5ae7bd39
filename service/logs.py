"""Sets up logging for a serving process: a line to standard error for each event.

As text a line is for people; as JSON it is an object for programs. Modules log through Python's own
`logging`: a message, and what belongs to it as `extra`. What is true of a whole request is bound
once (`about_request`) and stands in each of its lines.
"""

import logging
import os
from collections.abc import MutableMapping
from typing import Any

import structlog
from structlog.contextvars import bind_contextvars, clear_contextvars

from service.settings import LogFormat, LogLevel

Event = MutableMapping[str, Any]
# What stands at the head of a line of text.
_HEAD = ("timestamp", "level", "pid", "logger", "event")
_pairs = structlog.processors.LogfmtRenderer()


def configure_logging(level: LogLevel, form: LogFormat = "text") -> None:
    """Log Countersign's own events from `level` up, and other libraries' from warnings up."""
    handler = logging.StreamHandler()
    handler.setFormatter(formatter(form))
    logging.basicConfig(handlers=[handler], level=logging.WARNING, force=True)
    for package in ("encoder", "index", "service"):
        logging.getLogger(package).setLevel(level.upper())


def formatter(form: LogFormat) -> logging.Formatter:
    """Return what makes a line of a log record."""
    render = structlog.processors.JSONRenderer(ensure_ascii=False) if form == "json" else _as_text
    return structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=[
            structlog.contextvars.merge_contextvars,
            structlog.stdlib.add_log_level,
            structlog.stdlib.add_logger_name,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.stdlib.ExtraAdder(),
            _add_process,
        ],
        processors=[
            structlog.stdlib.ProcessorFormatter.remove_processors_meta,
            structlog.processors.format_exc_info,
            render,
        ],
    )


def about_request(**facts: str) -> None:
    """Have the lines that follow in this request say so too."""
    bind_contextvars(**facts)


def forget_request() -> None:
    """End what is said of a request; its thread goes on with another."""
    clear_contextvars()


def _add_process(_logger: object, _method: str, event: Event) -> Event:
    event["pid"] = os.getpid()
    return event


def _as_text(logger: object, method: str, event: Event) -> str:
    exception = event.pop("exception", None)
    head = [event.pop(key) for key in _HEAD]
    head[1:3] = str(head[1]).upper(), f"pid={head[2]}"
    line = " ".join(str(one) for one in (*head, _pairs(logger, method, dict(event))) if one)
    return line if exception is None else f"{line}\n{exception}"
