"""Completes /openapi.json, and serves /docs from this server alone: it works without a network."""

from importlib.resources import files
from pathlib import Path
from typing import Any

from apiflask import APIFlask, Schema
from apispec import APISpec
from apispec.ext.marshmallow import MarshmallowPlugin
from flask import Blueprint, Response, render_template, send_from_directory

from index.registry.identifiers import WRITER_ID_EXPECTED, WRITER_ID_PATTERN
from service.api.answers import RESEMBLES, Problem
from service.api.errors import MEDIA_TYPE
from service.api.forms import JSON
from service.api.guard import CONTENT_SECURITY_POLICY
from service.api.multipart import MULTIPART
from service.api.requests import NewWriter, NewWriterForm
from service.problems import kinds

Spec = dict[str, Any]

OPENAPI_VERSION = "3.0.3"

# Swagger UI as the flask-swagger-ui package carries it (Apache-2.0); only its files are used.
SWAGGER_UI = Path(str(files("flask_swagger_ui") / "dist"))
# Swagger UI sets styles from its script.
DOCS_POLICY = f"{CONTENT_SECURITY_POLICY}; style-src 'self' 'unsafe-inline'"

docs = Blueprint("docs", __name__, template_folder="templates")


@docs.get("/docs")
def page() -> Response:
    """Return the page that draws /openapi.json."""
    response = Response(render_template("docs/page.html"), mimetype="text/html")
    response.headers["Content-Security-Policy"] = DOCS_POLICY
    return response


@docs.get("/docs/start.js")
def start() -> Response:
    """Return the script that starts Swagger UI; a page may hold no script of its own."""
    return Response(render_template("docs/start.js"), mimetype="text/javascript")


@docs.get("/docs/assets/<name>")
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
    app.spec_processor(complete)  # type: ignore[arg-type]  # JSON is a dict; YAML were text.
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


def complete(spec: Spec) -> Spec:
    """Add to APIFlask's document what it cannot know: media types, id forms, the JSON body."""
    for path, operations in spec["paths"].items():
        for operation in operations.values():
            _describe_path_ids(operation)
            _describe_problems(operation)
            if "requestBody" in operation:
                operation["requestBody"]["required"] = True
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
    return spec


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


def _describe_problems(operation: Spec) -> None:
    """Errors are problems, which have a media type of their own."""
    for status, response in operation["responses"].items():
        if status.startswith(("4", "5")) and JSON in response.get("content", {}):
            response["content"][MEDIA_TYPE] = response["content"].pop(JSON)


def _describe_image(operation: Spec) -> None:
    """A reference's image has the type that was uploaded."""
    content = operation["responses"]["200"]["content"]
    content["image/*"] = content.pop("image/png")
