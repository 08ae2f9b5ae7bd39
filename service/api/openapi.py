"""Completes /openapi.json, and serves /docs from this server alone: it works without a network."""

from collections import defaultdict
from collections.abc import Callable
from functools import partial
from importlib.resources import files
from pathlib import Path
from typing import Any

from apiflask import APIFlask, Schema
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, render_template, request, send_from_directory

from index.registry.identifiers import WRITER_ID_EXPECTED, WRITER_ID_PATTERN
from service.api.answers.decisions import RESEMBLES
from service.api.answers.state import Problem
from service.api.context import settings
from service.api.description.operations import LIVENESS, describe_operations
from service.api.description.schemas import require_answers_fields, show_examples
from service.api.errors import MEDIA_TYPE
from service.api.forms import JSON
from service.api.guard import CONTENT_SECURITY_POLICY
from service.api.multipart import MULTIPART
from service.api.requests import NewWriter, NewWriterForm
from service.auth.scopes import open_to_all
from service.problems import TYPE_PREFIX, ProblemKind, kinds
from service.problems import Problem as AnsweredProblem

Spec = dict[str, Any]

EXAMPLE_REQUEST = "urn:uuid:0b5f4c8e-6d0e-4c0b-9d53-3b0c8a0f2a51"
# In 3.1 a null is a type of its own, and a security scheme takes the scopes that it needs.
OPENAPI_VERSION = "3.1.0"

LISTS = frozenset({"/v1/writers", "/v1/decisions"})
SESSION = "/v1/session"
PEOPLE = (SESSION, "/v1/password", "/v1/second-factor")
OF_ACCESS = ("/v1/keys", *PEOPLE)
APPROVAL = "/v1/model/calibration"
# The server answers these however much is asked of it.
UNLIMITED = frozenset({LIVENESS, "/readyz", "/metrics"})


def _everywhere(_path: str, _method: str) -> bool:
    return True


def _of_images(path: str, method: str) -> bool:
    elsewhere = path == APPROVAL or "{decision_id}" in path or path.startswith(OF_ACCESS)
    return method == "post" and not elsewhere


def _of_programs(path: str, method: str) -> bool:
    return method == "post" and not path.startswith(PEOPLE)


def _of_people(path: str, _method: str) -> bool:
    return path.startswith(PEOPLE)


def _of_approval(path: str, _method: str) -> bool:
    return path == APPROVAL


# Where a kind of problem can come from, if not from every operation that has its status.
APPLIES: dict[str, Callable[[str, str], bool]] = {
    "unknown-address": lambda _path, _method: False,
    "erasure-incomplete": lambda _path, _method: False,
    "unknown-writer": lambda path, _method: "{writer_id}" in path,
    "unknown-decision": lambda path, _method: "{decision_id}" in path,
    "query-not-kept": lambda path, _method: path == "/v1/decisions/{decision_id}/image",
    "review-refused": lambda path, _method: path.endswith("/reviews"),
    "unknown-reference": lambda path, _method: "{reference_id}" in path,
    "cross-site-request": lambda _path, method: method not in {"get", "head"},
    "image-not-held": lambda path, _method: "{reference_id}" in path and path.endswith("/image"),
    "writer-exists": lambda path, _method: path == "/v1/writers",
    "duplicate-reference": lambda path, _method: path.endswith("/references"),
    "no-references": lambda path, _method: path.endswith("/verify"),
    "invalid-writer": lambda path, method: path.startswith("/v1/writers") and method != "get",
    "invalid-cursor": lambda path, method: path in LISTS and method == "get",
    "unknown-operating-point": lambda path, _method: path.endswith(("/verify", "/compare")),
    "oversize-image": _of_images,
    "undecodable-image": _of_images,
    "failure-to-acquire": _of_images,
    "unusable-image": _of_images,
    "images-refused": _of_images,
    "model-changed": _of_images,
    "idempotency-in-progress": _of_programs,
    "idempotency-mismatch": _of_programs,
    "unknown-key": lambda path, _method: path.startswith("/v1/keys/"),
    "unknown-session": lambda path, _method: path.startswith("/v1/sessions/"),
    "unknown-user": lambda _path, _method: False,
    "user-exists": lambda _path, _method: False,
    "sign-in-refused": _of_people,
    "code-needed": lambda path, method: (path, method) == (SESSION, "post"),
    "sign-in-off": lambda path, method: (path, method) == (SESSION, "post"),
    "unauthorized": lambda path, method: (path, method) != (SESSION, "post"),
    "unknown-calibration": _of_approval,
    "calibration-outdated": _of_approval,
}

# Swagger UI as the flask-swagger-ui package carries it (Apache-2.0); only its files are used.
SWAGGER_UI = Path(str(files("flask_swagger_ui") / "dist"))
# Swagger UI sets styles from its script.
DOCS_POLICY = f"{CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'"

docs = Blueprint("docs", __name__, template_folder="templates")


@docs.get("/docs")
@open_to_all
def page() -> Response:
    """Return the page with a quickstart, and below it all of /openapi.json."""
    text = render_template(
        "docs/page.html", server=request.host_url.rstrip("/"), keyless=_keyless()
    )
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response


@docs.get("/docs/start.js")
@open_to_all
def start() -> Response:
    """Return the script that starts Swagger UI; a page may hold no script of its own."""
    return Response(render_template("docs/start.js"), mimetype="text/javascript")


@docs.get("/docs/theme.js")
@open_to_all
def theme() -> Response:
    """Return the script that shows the page light or dark, before it is drawn."""
    return Response(render_template("docs/theme.js"), mimetype="text/javascript")


@docs.get("/docs/docs.css")
@open_to_all
def sheet() -> Response:
    """Return the style of the quickstart."""
    return Response(render_template("docs/docs.css"), mimetype="text/css")


@docs.get("/docs/assets/<name>")
@open_to_all
def asset(name: str) -> Response:
    """Return one of Swagger UI's files."""
    return send_from_directory(SWAGGER_UI, name, max_age=3600)


def install(app: APIFlask) -> None:
    """Describe the API, complete the document that APIFlask draws, and mount the docs page."""
    app.config["OPENAPI_VERSION"] = OPENAPI_VERSION
    app.config["AUTO_SERVERS"] = False  # The document is the same by whatever name it is fetched.
    app.config["HTTP_ERROR_SCHEMA"] = Problem
    app.config["VALIDATION_ERROR_SCHEMA"] = Problem
    app.config["VALIDATION_ERROR_DESCRIPTION"] = "The request is not as expected."
    app.config["NOT_FOUND_DESCRIPTION"] = "There is no such writer or reference."
    app.description = description()
    app.spec_processor(partial(complete, app))
    app.register_blueprint(docs)


INTRODUCTION = f"""\
Enroll writers from scans of their signatures, verify claimed signatures, and identify unknown ones.

**Verify** asks: is it this writer's? **Identify** asks: whose is it? {RESEMBLES}

Images are PNG, JPEG, TIFF, WebP or BMP, up to 10 MiB and 40 megapixels each (JPEG: 200). Scan in
grey at 300 dpi and crop to the signature.

Errors are `application/problem+json` (RFC 9457). An image that cannot be used has a `code` of its
own, such as `no-ink` or `damaged-image`.

| Status | Code | Meaning |
|---|---|---|
"""


def description() -> str:
    """Return the API's description, with every kind of problem that it answers with."""
    return INTRODUCTION + "\n".join(
        f"| {kind.status} | `{kind.code}` | {kind.title} |" for kind in kinds()
    )


def complete(app: APIFlask, spec: Spec) -> Spec:
    """Add to APIFlask's document what it cannot know: media types, id forms, the JSON body."""
    describe_operations(app, spec, keyless=_keyless())
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            _describe_path_ids(operation)
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
            _describe_problems(path, method, operation)
            if path.endswith("/image"):
                _describe_image(operation)
    # APIFlask draws one schema for a body; a writer is created from either of two.
    spec["components"]["schemas"] |= _draw(NewWriter, NewWriterForm)
    spec["paths"]["/v1/writers"]["post"]["requestBody"] = {
        "required": True,
        "content": {
            JSON: {"schema": {"$ref": "#/components/schemas/NewWriter"}},
            MULTIPART: {"schema": {"$ref": "#/components/schemas/NewWriterForm"}},
        },
    }
    spec["components"]["examples"] = {kind.code: _problem_example(kind) for kind in kinds()}
    require_answers_fields(spec)
    show_examples(spec)
    return spec


def _problem_example(kind: ProblemKind) -> Spec:
    problem = AnsweredProblem(kind.status, kind.code, kind.title, kind.detail or f"{kind.title}.")
    return {"summary": kind.title, "value": problem.as_dict(EXAMPLE_REQUEST)}


def _keyless() -> bool:
    """Whether the server asks nobody for a key."""
    return settings().auth == "off"


def _draw(*schemas: type[Schema]) -> Spec:
    spec = APISpec("", "", OPENAPI_VERSION, plugins=[MarshmallowPlugin()])
    for schema in schemas:
        spec.components.schema(schema.__name__, schema=schema)
    drawn: Spec = spec.to_dict()["components"]["schemas"]
    return drawn


def _describe_path_ids(operation: Spec) -> None:
    for parameter in operation.get("parameters", []):
        if parameter["in"] == "path" and parameter["name"] == "writer_id":
            parameter["schema"] = {"type": "string", "pattern": WRITER_ID_PATTERN}
            parameter["description"] = f"The writer's id: {WRITER_ID_EXPECTED}."
            parameter["example"] = "C-1001"


def _describe_problems(path: str, method: str, operation: Spec) -> None:
    """Name every problem that an operation can answer with, by its status and its type."""
    by_status: defaultdict[int, list[ProblemKind]] = defaultdict(list)
    statuses = _statuses(path, method, operation)
    for kind in kinds():
        applies = APPLIES.get(kind.code, _everywhere)
        if kind.status in statuses and applies(path, method):
            by_status[kind.status].append(kind)
    for status, found in by_status.items():
        types = "; ".join(f"{kind.title} (`{TYPE_PREFIX}{kind.code}`)" for kind in found)
        operation["responses"][str(status)] = {
            "description": f"{types}.",
            "content": {
                MEDIA_TYPE: {
                    "schema": {"$ref": "#/components/schemas/Problem"},
                    "examples": {
                        kind.code: {"$ref": f"#/components/examples/{kind.code}"} for kind in found
                    },
                }
            },
        }


def _statuses(path: str, method: str, operation: Spec) -> set[int]:
    """Return with which errors an operation can answer, whatever is asked of it."""
    statuses = {400, 421, 500} | {int(one) for one in operation["responses"] if one >= "400"}
    if path not in UNLIMITED:
        statuses |= {429, 503, 507}
    elif path != LIVENESS:
        statuses |= {503, 507}
    if method in {"post", "put", "patch"}:
        statuses |= {408, 411, 413, 415, 422}
    if operation.get("parameters"):
        statuses.add(422)
    return statuses


def _describe_image(operation: Spec) -> None:
    """A reference's image has the type that was uploaded."""
    content = operation["responses"]["200"]["content"]
    content["image/*"] = content.pop("image/png")
