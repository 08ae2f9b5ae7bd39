"""HTTP for a writer's reference signatures: enroll, list, show, erase."""

from typing import Any

from apiflask import APIBlueprint, FileSchema
from flask import Response

from service.api.access.repeating import repeatable
from service.api.answers import writers as answers
from service.api.answers.writers import Enrolled, References
from service.api.context import caller, enrolling, services, thumbnails
from service.api.forms import accepts, check_path_ids, check_query, uploads_of
from service.api.multipart import MULTIPART
from service.api.requests import ImageQuery, ReferenceForm
from service.auth.scopes import requires
from service.writers.enroll import enroll
from service.writers.erase import erase_reference

blueprint = APIBlueprint(
    "references",
    __name__,
    url_prefix="/v1/writers/<writer_id>/references",
    tag={"name": "References", "description": "The signatures by which a writer is known."},
)
blueprint.before_request(check_path_ids)
blueprint.before_request(check_query)


@blueprint.post("")
@repeatable()
@accepts(MULTIPART, form=ReferenceForm)
@blueprint.input(ReferenceForm, location="form_and_files")
@blueprint.output(Enrolled, status_code=201, description="At least one image was enrolled.")
@blueprint.doc(responses={409: "A reference already.", 413: "Too large.", 415: "Not a form."})
@requires("enroll")
def enroll_references(writer_id: str, form_and_files_data: dict[str, Any]) -> dict[str, Any]:
    """Enroll reference signatures

    Each image is judged by itself: usable ones are stored, and the others are listed under
    `refused` with the reason. 422 if none could be used. Five references or more serve best.

    A copy of a signature that the writer has already, saved, scanned or cropped anew, is refused
    as `near-duplicate`. `warnings` point out a signature unlike the writer's others
    (`unlike-others`), one that another writer has (`collision`), and one that would be taken for
    other writers' too (`not-distinctive`); they are enrolled all the same.
    """
    uploads = uploads_of(form_and_files_data["images"], form_and_files_data)
    enrollment = enrolling(
        lambda parts: enroll(
            writer_id,
            uploads,
            encoder=parts.encoder,
            registry=parts.registry,
            gallery=parts.gallery,
            caller=caller(),
        )
    )
    return answers.enrolled(enrollment, form_and_files_data.get("include"))


@blueprint.get("")
@blueprint.output(References)
@requires("read")
def list_references(writer_id: str) -> dict[str, Any]:
    """List a writer's references"""
    return answers.references(services().registry.references.of_writer(writer_id))


@blueprint.get("/<int:reference_id>/image")
@blueprint.input(ImageQuery, location="query", unknown="raise")
@blueprint.output(FileSchema, content_type="image/png", description="The image.")
@blueprint.doc(operation_id="get_reference_image")
@requires("read")
def show_image(writer_id: str, reference_id: int, query_data: dict[str, Any]) -> Response:
    """Show a reference's image

    The file as it was uploaded, or with `cleaned=true` the cleaned signature as a PNG. The audit
    trail says who looked at it; cleaned ones, which a page shows many of, count once a minute.
    """
    references, cleaned = services().registry.references, query_data["cleaned"]
    if cleaned and not thumbnails().begins(caller(), writer_id):
        stored = references.image(writer_id, reference_id, cleaned=True)
    else:
        stored = references.view_image(writer_id, reference_id, cleaned=cleaned, actor=caller())
    return Response(stored.data, mimetype=stored.media_type)


@blueprint.delete("/<int:reference_id>")
@blueprint.output({}, status_code=204, description="The reference was erased.")
@blueprint.doc(operation_id="erase_reference")
@requires("erase")
def erase_one_reference(writer_id: str, reference_id: int) -> str:
    """Erase a reference

    For good: its images, vectors and pieces of strokes, and what snapshots hold of it. No answer
    holds them from now on; `/v1/erasures` says when no file does.
    """
    erase_reference(
        writer_id,
        reference_id,
        registry=services().registry,
        gallery=services().gallery,
        caller=caller(),
    )
    return ""
