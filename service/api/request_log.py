"""Gives each request an id and one log line; neither names, images nor embeddings are in it."""

import logging
import re
import time
import uuid

from flask import Flask, Response, g, request

logger = logging.getLogger(__name__)

HEADER = "X-Request-ID"
# What of a caller's own goes into a log line.
_CALLED = re.compile(r"[A-Za-z0-9._:-]{1,64}")


def install(app: Flask) -> None:
    """Give every request of `app` an id, and log its answer."""
    app.before_request(start)
    app.after_request(finish)


def start() -> None:
    """Note the time, and an id that the answer, its problem and the log share.

    What a caller calls the request, in X-Request-ID, is in the log and in the answer too.
    """
    g.request_id = uuid.uuid4()
    given = request.headers.get(HEADER, "")
    g.called = given if _CALLED.fullmatch(given) else ""
    g.started_s = time.perf_counter()


def request_urn() -> str:
    """Return the current request's id as a URN."""
    return f"urn:uuid:{g.request_id}"


def finish(response: Response) -> Response:
    """Log one line: the route's pattern rather than the path, which holds a writer's id."""
    response.headers[HEADER] = g.called or str(g.request_id)
    rule = request.url_rule.rule if request.url_rule else "(no route)"
    duration_ms = (time.perf_counter() - g.started_s) * 1000
    logger.info(
        "request_id=%s called=%s method=%s route=%s status=%d duration_ms=%.1f",
        g.request_id,
        g.called or "-",
        request.method,
        rule,
        response.status_code,
        duration_ms,
    )
    return response
