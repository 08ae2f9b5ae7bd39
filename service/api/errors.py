"""Answers every error as application/problem+json, also those of Flask, APIFlask and Werkzeug."""

import json
import logging
from collections.abc import Mapping
from http import HTTPStatus

from apiflask import APIFlask
from apiflask import HTTPError as ValidationFailed
from flask import Response
from werkzeug.exceptions import HTTPException

from encoder.errors import ImageError
from service.api.context import metrics
from service.api.request_log import request_urn
from service.errors import ImagesRefused, InvalidInput, RateLimited
from service.problems import Problem, http_problem, problem_of

logger = logging.getLogger(__name__)

MEDIA_TYPE = "application/problem+json"
# What another attempt may overcome, and when.
RETRIED = frozenset({HTTPStatus.TOO_MANY_REQUESTS, HTTPStatus.SERVICE_UNAVAILABLE})
RETRY_AFTER_S = "1"
CHALLENGE = 'Bearer realm="countersign"'


def install(app: APIFlask) -> None:
    """Make `app` answer every error as a problem."""
    app.register_error_handler(ValidationFailed, answer_validation)
    app.register_error_handler(HTTPException, answer_http)
    app.register_error_handler(Exception, answer_error)


def answer_error(error: Exception) -> Response:
    """Answer an error of the three packages, or an unforeseen one without telling what it was."""
    problem = problem_of(error)
    metrics().refused_images(_image_codes(error))
    if problem.status == HTTPStatus.INTERNAL_SERVER_ERROR:
        logger.error("request %s failed", request_urn(), exc_info=error)
    elif problem.status > HTTPStatus.INTERNAL_SERVER_ERROR:
        # These speak of the installation, never of writers: a full disk, another schema.
        logger.warning("request %s: %s: %s", request_urn(), type(error).__name__, error)
    response = render(problem)
    if isinstance(error, RateLimited):
        response.headers["Retry-After"] = str(error.retry_after_s)
    return response


def answer_validation(error: ValidationFailed) -> Response:
    """Answer fields that a schema refused, one sentence for each."""
    fields = _by_field(error.detail)
    sentences = " ".join(f"{name}: {' '.join(reasons)}" for name, reasons in sorted(fields.items()))
    return answer_error(InvalidInput(sentences or "The request is not as expected.", fields))


def answer_http(error: HTTPException) -> Response | HTTPException:
    """Answer what Werkzeug raised; redirects pass through."""
    status = error.code or HTTPStatus.INTERNAL_SERVER_ERROR
    if status < HTTPStatus.BAD_REQUEST:
        return error
    response = render(http_problem(status, error.name))
    for name, value in error.get_headers():
        if name.lower() not in {"content-type", "content-length"}:
            response.headers[name] = value
    return response


def render(problem: Problem) -> Response:
    """Return the answer for a problem, naming the request as its instance; count it."""
    metrics().problem(problem.code, problem.status)
    text = json.dumps(problem.as_dict(request_urn()), ensure_ascii=False)
    # Halves of a character, which a caller's JSON may hold, stay in JSON's own spelling: \udfff.
    body = text.encode("utf-8", "backslashreplace")
    response = Response(body, problem.status, mimetype=MEDIA_TYPE)
    if problem.status == HTTPStatus.UNAUTHORIZED:
        response.headers["WWW-Authenticate"] = CHALLENGE
    if problem.status in RETRIED:
        response.headers["Retry-After"] = RETRY_AFTER_S
    return response


def _image_codes(error: Exception) -> list[str]:
    """Say why images were refused, each by its code."""
    if isinstance(error, ImagesRefused):
        return [one.code for one in error.refused]
    return [error.code] if isinstance(error, ImageError) else []


def _by_field(detail: object) -> dict[str, list[str]]:
    """Flatten APIFlask's {location: {field: [reasons]}}, where lists of fields nest once more."""
    fields: dict[str, list[str]] = {}
    locations = detail.values() if isinstance(detail, Mapping) else []
    for by_name in locations:
        items = by_name.items() if isinstance(by_name, Mapping) else [("body", by_name)]
        for name, reasons in items:
            # What is said of a schema as a whole is said of the body.
            field = "body" if name == "_schema" else str(name)
            fields.setdefault(field, []).extend(_sentences(reasons))
    return fields


def _sentences(reasons: object) -> list[str]:
    if isinstance(reasons, Mapping):
        nested = (_sentences(value) for value in reasons.values())
        return list(dict.fromkeys(sentence for one in nested for sentence in one))
    if isinstance(reasons, list):
        return [str(reason) for reason in reasons]
    return [str(reasons)]
