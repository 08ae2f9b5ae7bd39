"""HTTP for writers: create, list, look up, rename, erase."""

from http import HTTPStatus
from typing import Any

from apiflask import APIBlueprint
from apiflask.schema_adapters.marshmallow import parser
from flask import jsonify, request
from flask.typing import ResponseReturnValue

from service.api.access.repeating import repeatable
from service.api.answers import writers as answers
from service.api.answers.writers import CreatedWriter, ErasedButHeld, ShownWriter, Writer, Writers
from service.api.context import caller, enrolling, services
from service.api.forms import JSON, accepts, check_path_ids, check_query, uploads_of
from service.api.multipart import MULTIPART
from service.api.requests import NewWriter, NewWriterForm, WriterChange, WriterQuery
from service.auth.scopes import requires
from service.writers.enroll import create_writer
from service.writers.erase import erase_writer
from service.writers.standing import reference_standings

HELD = "The writer was erased; decisions under a hold stay whole until its end."
HELD_ANSWER: Any = {
    200: {"description": HELD, "content": {"application/json": {"schema": ErasedButHeld}}}
}

blueprint = APIBlueprint(
    "writers",
    __name__,
    url_prefix="/v1/writers",
    tag={"name": "Writers", "description": "Who is known, and by which id."},
)
blueprint.before_request(check_path_ids)
blueprint.before_request(check_query)


@blueprint.post("")
@repeatable()
@accepts(JSON, MULTIPART, form=NewWriterForm)
@blueprint.output(CreatedWriter, status_code=201, description="The writer was created.")
@blueprint.doc(
    operation_id="create_writer",
    responses={
        409: "The writer exists.",
        413: "Too large.",
        415: "Neither JSON nor a form.",
        422: "The request is not as expected.",
    },
)
@requires("enroll")
def create_one_writer() -> tuple[dict[str, Any], int, dict[str, str]]:
    """Create a writer

    From JSON, or from a multipart form that may bring the first `images` with it. If images came
    and none could be used, no writer is created.
    """
    fields = _new_writer_fields()
    uploads = uploads_of(fields.get("images", []), fields)
    writer, enrollment = enrolling(
        lambda parts: create_writer(
            fields["writer_id"],
            fields.get("name", ""),
            uploads,
            encoder=parts.encoder,
            registry=parts.registry,
            gallery=parts.gallery,
            caller=caller(),
        )
    )
    shown = answers.created_writer(writer, enrollment, fields.get("include"))
    return shown, HTTPStatus.CREATED, etag(writer.writer_id)


@blueprint.get("")
@blueprint.input(WriterQuery, location="query", unknown="raise")
@blueprint.output(Writers)
@requires("read")
def list_writers(query_data: dict[str, Any]) -> dict[str, Any]:
    """List writers

    In order of their ids, a page at a time. `q` searches ids and names for its words, in any order,
    whatever the case and the accents; whoever's id it is comes first.
    """
    page = services().registry.writers.page(
        cursor=query_data.get("cursor"),
        limit=query_data["limit"],
        search=query_data.get("q") or None,
    )
    return answers.writers(page)


@blueprint.get("/<writer_id>")
@blueprint.output(ShownWriter)
@requires("read")
def get_writer(writer_id: str) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Look up a writer

    With how each of their references stands among the others. The header `ETag` names the writer as
    they are now, for `If-Match` of a change.
    """
    parts = services()
    seen = etag(writer_id)  # First: were they changed meanwhile, it would not fit any more.
    writer = parts.registry.writers.get(writer_id)
    found = reference_standings(writer_id, encoder=parts.encoder, registry=parts.registry)
    return answers.shown_writer(writer, found), HTTPStatus.OK, seen


@blueprint.patch("/<writer_id>")
@accepts(JSON)
@blueprint.input(WriterChange)
@blueprint.output(Writer)
@blueprint.doc(responses={404: "No such writer.", 412: "Not as expected."})
@requires("enroll")
def rename_writer(
    writer_id: str, json_data: dict[str, Any]
) -> tuple[dict[str, Any], int, dict[str, str]]:
    """Rename a writer

    With `If-Match`, only if the writer is still as that ETag names them.
    """
    renamed = services().registry.writers.rename(
        writer_id, json_data["name"], versions=expected_versions(), actor=caller()
    )
    return answers.writer(renamed), HTTPStatus.OK, etag(writer_id)


@blueprint.delete("/<writer_id>")
@blueprint.output({}, status_code=204, description="The writer was erased.")
@blueprint.doc(
    operation_id="erase_writer",
    responses={**HELD_ANSWER, 404: "No such writer.", 412: "Not as expected."},
)
@requires("erase")
def erase_one_writer(writer_id: str) -> ResponseReturnValue:
    """Erase a writer

    For good: the writer, their references, images, vectors and pieces of strokes, and what
    snapshots hold of them. No answer holds them from now on; `/v1/erasures` says when no file does.
    Decisions stay in the audit trail without the writer's id, their images and what they rest on.
    Where decisions are under a hold, the answer is 200 and says which stay whole until when. With
    `If-Match`, only if the writer is still as that ETag names them.
    """
    erased = erase_writer(
        writer_id,
        registry=services().registry,
        gallery=services().gallery,
        caller=caller(),
        versions=expected_versions(),
    )
    if erased.held:
        return jsonify(answers.erased(erased))
    return "", 204


def etag(writer_id: str) -> dict[str, str]:
    """Return the header that names a writer as they are now."""
    return {"ETag": f'"{services().registry.writers.version(writer_id)}"'}


def expected_versions() -> set[str] | None:
    """Return as which the writer is expected to be, by If-Match; None for any."""
    if "If-Match" not in request.headers or request.if_match.star_tag:
        return None
    return set(request.if_match.as_set())


def _new_writer_fields() -> dict[str, Any]:
    """Parse the body by the schema for its media type."""
    if request.mimetype == MULTIPART:
        form: dict[str, Any] = parser.parse(NewWriterForm(), request, location="form_and_files")
        return form
    fields: dict[str, Any] = parser.parse(NewWriter(), request, location="json")
    return fields
