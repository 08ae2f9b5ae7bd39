"""Gives each request an id and one log line; neither names, images nor embeddings are in it."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

from index.errors import GalleryError
from service.api.context import caller, metrics
from service.errors import Unauthorized
from service.logs import about_request, forget_request
from service.observability.metrics import Answered

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# Where a server names, in a request's environment, when it had come in whole (`perf_counter`).
WHOLE_AT = "countersign.whole-at"
NO_ROUTE = "(no route)"
# A caller's own id is taken over if it is one: what else stands there could be anything.
_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_OWN_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# The page's own files, many for each page.
_FILES = frozenset({"web.static", "docs.asset", "docs.start"})


def install(app: Flask) -> None:
    """Give every request of `app` an id, and log and count its answer."""
    app.before_request(start)
    app.after_request(finish)
    app.teardown_request(end)


def start() -> None:
    """Note the time, and an id that the answer, its problem and the log share."""
    given = request.headers.get(HEADER, "")
    g.request_id = given if _ID.fullmatch(given) else str(uuid.uuid4())
    g.started_s = request.environ.get(WHOLE_AT, time.perf_counter())
    forget_request()
    about_request(request_id=g.request_id)


def request_urn() -> str:
    """Return the current request's id as a URN."""
    own = _OWN_ID.fullmatch(g.request_id)
    return f"urn:uuid:{g.request_id}" if own else f"urn:countersign:request:{g.request_id}"


def note_decision(decision_id: str | None) -> None:
    """Have the request's line name the decision that it led to, if one was recorded."""
    if decision_id is not None:
        about_request(decision_id=decision_id)


def finish(response: Response) -> Response:
    """Log one line: the route's pattern rather than the path, which holds a writer's id."""
    response.headers[HEADER] = g.request_id
    rule = request.url_rule.rule if request.url_rule else NO_ROUTE
    spent_s = time.perf_counter() - g.started_s
    metrics().answered(Answered(rule, request.method, response.status_code, spent_s))
    logger.log(
        logging.DEBUG if request.endpoint in _FILES else logging.INFO,
        "answered",
        extra={
            "caller": _logged(),
            "method": request.method,
            "route": rule,
            "status": response.status_code,
            "duration_ms": round(spent_s * 1000, 1),
        },
    )
    return response


def end(_error: BaseException | None) -> None:
    """Forget the request: what its thread logs next is not of it."""
    forget_request()


def _logged() -> str:
    """Say who called without a name: a key by its prefix, a person as one."""
    try:
        who = caller()
    except (GalleryError, Unauthorized):
        return "unknown"
    kind, _, known_as = who.partition(":")
    return who if kind == "key" and known_as else kind
