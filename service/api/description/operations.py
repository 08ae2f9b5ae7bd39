"""Names every operation, and says by what a caller is known there and which scope it takes."""

import re
from collections.abc import Callable, Iterator
from typing import Any

from flask import Flask

Spec = dict[str, Any]

LIVENESS = "/healthz"
# Kept as it is wherever the document is fetched from: relative to its own address.
SERVERS = [{"url": "/", "description": "This server."}]
KEY, SESSION = "key", "session"
SESSION_COOKIE = "countersign_session"
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
        "description": "A person's session, begun by signing in on the page. Roles give scopes.",
    },
}
# A POST that broke off may be sent again with the same one.
IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "schema": {"type": "string"},
    "description": "A name of your own for this request, such as a UUID. Sent again with the same "
    "name, the request is not carried out twice: the first answer comes again.",
    "example": "7d9f0c1e-52a4-4a0e-9a64-0f6f7e0c3b11",
}
# Where an extension shows the scope to tools that read no roles of security schemes.
SCOPE = "x-required-scope"
_PARAMETER = re.compile(r"<(?:[^:<>]+:)?([^<>]+)>")


def describe_operations(app: Flask, spec: Spec, *, keyless: bool) -> None:
    """Give every operation its `operationId`, and the security schemes that it takes.

    The id is the one declared with `doc(operation_id=...)`, else the handler's name. The scope is
    the handler's attribute `required_scope`, where it has one. A POST also gets the header that
    makes it safe to repeat.

    Args:
        app: whose handlers the document draws.
        spec: the document; changed.
        keyless: whether the server also answers callers without a key, as it does with AUTH=off.
    """
    spec["servers"] = SERVERS
    spec["components"]["securitySchemes"] = SCHEMES
    spec["security"] = _alternatives(None, keyless=keyless)
    for path, method, operation, handler in _operations(app, spec):
        operation.setdefault("operationId", handler.__name__)
        if method == "post":
            operation.setdefault("parameters", []).append(IDEMPOTENCY_KEY)
        scope = getattr(handler, "required_scope", None)
        # Said of each operation, since generators look there and not at the whole document.
        operation["security"] = [] if path == LIVENESS else _alternatives(scope, keyless=keyless)
        if scope:
            operation[SCOPE] = scope
            said = operation.get("description", "")
            operation["description"] = f"{said}\n\nNeeds the scope `{scope}`.".strip()


def _alternatives(scope: str | None, *, keyless: bool) -> list[dict[str, list[str]]]:
    roles = [scope] if scope else []
    return [{KEY: roles}, {SESSION: roles}, *([{}] if keyless else [])]


def _operations(app: Flask, spec: Spec) -> Iterator[tuple[str, str, Spec, Callable[..., Any]]]:
    """Each operation that is drawn: path, method, part of the document, and handler."""
    for rule in app.url_map.iter_rules():
        path = _PARAMETER.sub(r"{\1}", rule.rule)
        drawn = spec["paths"].get(path, {})
        for method in rule.methods or ():
            if operation := drawn.get(method.lower()):
                yield path, method.lower(), operation, app.view_functions[rule.endpoint]
