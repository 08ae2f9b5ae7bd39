"""Lets a caller send a request again: under one `Idempotency-Key` it is carried out once.

Only an answer that carried something out is kept. A refused request has changed nothing, so when it
comes again it is looked at again.
"""

import hashlib
import json
import re
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, TypeVar

from flask import Response, current_app, request

from index.errors import GalleryError
from index.registry.access.kept_answers import KeptAnswer
from index.registry.access.kept_answers import Request as Repeatable
from index.registry.identifiers import is_writer_id
from service.api.context import caller, registry
from service.api.forms import JSON
from service.api.multipart import MULTIPART
from service.errors import IdempotencyInProgress, IdempotencyMismatch, InvalidInput

HEADER = "Idempotency-Key"
REPLAYED = "Idempotency-Replayed"
KEY_PATTERN = "^[!-~]{1,200}$"
_KEY = re.compile(KEY_PATTERN.strip("^$"))
View = TypeVar("View", bound=Callable[..., Any])


def repeatable(*secrets: str) -> Callable[[View], View]:
    """Let a route be asked again under the same key; write it right below the route.

    Args:
        secrets: fields of the answer that are not kept, and null when it is given again.
    """

    def decorate(view: View) -> View:
        @wraps(view)
        def once(*args: Any, **kwargs: Any) -> Any:
            if HEADER not in request.headers:
                return view(*args, **kwargs)
            return _once(lambda: view(*args, **kwargs), _writer_of(kwargs), secrets)

        once.repeatable = True  # type: ignore[attr-defined]
        return once  # type: ignore[return-value]  # It takes what the view takes.

    return decorate


def is_repeatable(view: Callable[..., Any]) -> bool:
    """Whether a route can be asked again under the same key."""
    return getattr(view, "repeatable", False)


def _once(run: Callable[[], Any], writer_id: str | None, secrets: tuple[str, ...]) -> Response:
    """Run a request, unless its key stands for one already.

    Raises:
        InvalidInput: the key is not of the form of one.
        IdempotencyInProgress: the same request runs at the moment.
        IdempotencyMismatch: the key stands for another request.
    """
    asked = Repeatable(caller(), _key(), _request_sha256(), writer_id or _named_writer())
    kept = registry().kept_answers.begin(asked)
    if kept is not None:
        return _again(kept, asked)
    try:
        response: Response = current_app.make_response(run())
    except BaseException:
        registry().kept_answers.abandon(asked)
        raise
    body = _without(response.get_data(), secrets)
    try:
        registry().kept_answers.finish(asked, response.status_code, body)
    except GalleryError:
        # What was asked is done; only asking again is not safe for ten minutes.
        current_app.logger.warning("An answer could not be kept under its key.")
    return response


def _again(kept: KeptAnswer, asked: Repeatable) -> Response:
    if kept.request_sha256 != asked.sha256:
        raise IdempotencyMismatch(
            f"The {HEADER} of this request came with another one before: expected the same fields "
            "and files. Draw a new key for each request, and send it again with that request alone."
        )
    if kept.status is None or kept.body is None:
        raise IdempotencyInProgress(
            f"A request with this {HEADER} is being carried out. Try again in a moment; its answer "
            "is then given to you."
        )
    response = Response(kept.body, kept.status, mimetype=JSON)
    response.headers[REPLAYED] = "true"
    return response


def _key() -> str:
    key = request.headers[HEADER]
    if not _KEY.fullmatch(key):
        reason = "expected 1 to 200 printable ASCII characters without blanks, such as a UUID."
        raise InvalidInput(f"{HEADER}: {reason}", {HEADER: [reason]})
    return key


def _request_sha256() -> str:
    """Hash what is asked: address, fields and files, whatever boundary a form has."""
    if _is_form():
        body: object = {
            "fields": sorted((name, values) for name, values in request.form.lists()),
            "files": sorted(
                (name, file.filename or "", _file_sha256(file.stream))
                for name, files in request.files.lists()
                for file in files
            ),
        }
    else:
        body = _plain_json(request.get_data())
    asked = [request.method, request.path, sorted(request.args.items(multi=True)), body]
    return hashlib.sha256(json.dumps(asked, sort_keys=True).encode()).hexdigest()


def _is_form() -> bool:
    return request.mimetype == MULTIPART and bool(request.mimetype_params.get("boundary"))


def _file_sha256(stream: Any) -> str:
    digest = hashlib.sha256(stream.read()).hexdigest()
    stream.seek(0)
    return digest


def _plain_json(data: bytes) -> object:
    try:
        return json.loads(data)
    except (ValueError, RecursionError):
        # Refused in a moment; what exactly it is does not matter.
        return hashlib.sha256(data).hexdigest()


def _writer_of(path: Mapping[str, Any]) -> str | None:
    """Return the writer whom an address names, or whom the decision that it names is about.

    Raises:
        UnknownDecision: there is none of this id.
    """
    if "decision_id" in path:
        return registry().decisions.get(path["decision_id"]).writer_id
    named: str | None = path.get("writer_id")
    return named


def _named_writer() -> str | None:
    """Return the writer whom a body names, so that the answer goes with them."""
    if _is_form():
        named: object = request.form.get("writer_id")
    else:
        fields = _plain_json(request.get_data())
        named = fields.get("writer_id") if isinstance(fields, dict) else None
    return named if isinstance(named, str) and is_writer_id(named) else None


def _without(body: bytes, secrets: tuple[str, ...]) -> bytes:
    if not secrets:
        return body
    return json.dumps(json.loads(body) | dict.fromkeys(secrets)).encode()
