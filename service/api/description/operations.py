"""Names every operation, and says by what a caller is known there and which scope it takes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

from service.api.access.repeating import HEADER, KEY_PATTERN, is_repeatable
from service.auth.scopes import OPEN, SIGNED_IN, Need, need_of

Spec = dict[str, Any]

LIVENESS = "/healthz"
# Kept as it is wherever the document is fetched from: relative to its own address.
SERVERS = [{"url": "/", "description": "This server."}]
KEY, SESSION = "key", "session"
SESSION_COOKIE = "countersign"
SCHEMES = {
    KEY: {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "cs_<prefix>_<secret>",
        "description": "A program's key, made by an administrator and shown once. It has scopes.",
    },
    SESSION: {
        "type": "apiKey",
        "in": "cookie",
        "name": SESSION_COOKIE,
        "description": "A person's session, begun by signing in on the page; behind TLS the cookie "
        "is called `__Host-countersign`. Roles give scopes. Changes carry the header "
        "`X-CSRF-Token` besides.",
    },
}
# A POST that broke off may be sent again with the same one.
IDEMPOTENCY_KEY = {
    "name": HEADER,
    "in": "header",
    "required": False,
    "schema": {"type": "string", "pattern": KEY_PATTERN},
    "description": "A name of your own for this request, such as a UUID. Sent again within a day "
    "with the same name, fields and files, it gets the first answer: nothing is done twice.",
    "example": "7d9f0c1e-52a4-4a0e-9a64-0f6f7e0c3b11",
}
IF_MATCH = {
    "in": "header",
    "name": "If-Match",
    "required": False,
    "description": "The `ETag` by which the writer was seen last.",
    "schema": {"type": "string"},
    "example": '"9f2c41d7a0b3"',
}
WRITER = "/v1/writers/{writer_id}"
# Where an extension shows the scope to tools that read no roles of security schemes.
SCOPE = "x-required-scope"
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


def describe_operations(app: Flask, spec: Spec, *, keyless: bool) -> None:
    """Give every operation its `operationId`, and the security schemes that it takes.

    The id is the one declared with `doc(operation_id=...)`, else the handler's name. What is needed
    is what stands above the handler. What may be repeated gets the header that makes it so.

    Args:
        app: whose handlers the document draws.
        spec: the document; changed.
        keyless: whether the server also answers callers without a key, as it does with AUTH=off.
    """
    spec["servers"] = SERVERS
    spec["components"]["securitySchemes"] = SCHEMES
    spec["security"] = [{KEY: []}, {SESSION: []}, *([{}] if keyless else [])]
    for path, method, operation, handler in _operations(app, spec):
        operation.setdefault("operationId", handler.__name__)
        _describe_headers(path, method, operation, repeats=is_repeatable(handler))
        need = need_of(handler) or OPEN
        # Said of each operation, since generators look there and not at the whole document.
        operation["security"] = _alternatives(need, keyless=keyless)
        if need == OPEN:
            continue
        operation["responses"].setdefault("401", {})
        operation["responses"].setdefault("403", {})
        words = "Needs somebody signed in." if need == SIGNED_IN else f"Needs the scope `{need}`."
        if need != SIGNED_IN:
            operation[SCOPE] = need
        said = operation.get("description", "")
        operation["description"] = f"{said}\n\n{words}".strip()


def _describe_headers(path: str, method: str, operation: Spec, *, repeats: bool) -> None:
    """Name the headers by which a request may come again, or goes by what was seen before."""
    wanted = [IDEMPOTENCY_KEY] if repeats else []
    if path == WRITER and method in {"patch", "delete"}:
        wanted.append(IF_MATCH)
    if wanted:
        operation["parameters"] = [*operation.get("parameters", []), *wanted]
    if repeats:
        operation["responses"].setdefault("409", {})


def _alternatives(need: Need, *, keyless: bool) -> list[dict[str, list[str]]]:
    if need == OPEN:
        return []
    if need == SIGNED_IN:
        return [{SESSION: []}]
    return [{KEY: [need]}, {SESSION: [need]}, *([{}] if keyless else [])]


def _operations(app: Flask, spec: Spec) -> Iterator[tuple[str, str, Spec, Callable[..., Any]]]:
    """Each operation that is drawn: path, method, part of the document, and handler."""
    for rule in app.url_map.iter_rules():
        path = _PARAMETER.sub(r"{\1}", rule.rule)
        drawn = spec["paths"].get(path, {})
        for method in rule.methods or ():
            if operation := drawn.get(method.lower()):
                yield path, method.lower(), operation, app.view_functions[rule.endpoint]
