"""HTTP for decisions about a query signature: verify, identify, compare."""

from typing import Any, Protocol

from apiflask import APIBlueprint
from flask import Response, jsonify

from encoder.cautions import Caution
from service.api.access.repeating import repeatable
from service.api.answers import decisions as answers
from service.api.answers.decisions import RESEMBLES, Identification, Verification
from service.api.context import asked, exact, metrics, services
from service.api.forms import accepts, check_path_ids, check_query, upload_of, uploads_of
from service.api.multipart import MULTIPART
from service.api.request_log import note_decision
from service.api.requests import CompareForm, IdentifyForm, VerifyForm
from service.auth.scopes import requires
from service.decisions.compare import compare
from service.decisions.identify import identify
from service.decisions.verify import verify

blueprint = APIBlueprint(
    "decisions",
    __name__,
    url_prefix="/v1",
    tag={"name": "Decisions", "description": "Is it this writer's? Whose is it?"},
)
blueprint.before_request(check_path_ids)
blueprint.before_request(check_query)


@blueprint.post("/writers/<writer_id>/verify")
@repeatable()
@accepts(MULTIPART, form=VerifyForm)
@blueprint.input(VerifyForm, location="form_and_files")
@blueprint.output(Verification)
@blueprint.doc(
    responses={409: "The writer has no references.", 413: "Too large.", 415: "Not a form."}
)
@requires("verify")
def verify_signature(writer_id: str, form_and_files_data: dict[str, Any]) -> Response:
    """Verify a signature: is it this writer's?

    Compares the query signature with the writer's references, and records the decision.
    """
    verification = verify(
        writer_id,
        upload_of(form_and_files_data["image"], form_and_files_data.get("region")),
        encoder=services().encoder,
        registry=services().registry,
        operating_point=form_and_files_data.get("operating_point"),
        asked=asked(),
        stage=metrics().stages("verify"),
    )
    metrics().scored(verification.comparison.score)
    _count("verify", verification)
    return jsonify(
        answers.verification(verification, form_and_files_data.get("include"), exact=exact())
    )


@blueprint.post("/identify")
@repeatable()
@accepts(MULTIPART, form=IdentifyForm)
@blueprint.input(IdentifyForm, location="form_and_files")
@blueprint.output(Identification)
@blueprint.doc(
    description="Searches everyone enrolled, and records the decision. " + RESEMBLES,
    responses={413: "Too large.", 415: "Not a form."},
)
@requires("identify")
def identify_signature(form_and_files_data: dict[str, Any]) -> Response:
    """Identify a signature: whose is it, if anyone's?"""
    identification = identify(
        upload_of(form_and_files_data["image"], form_and_files_data.get("region")),
        encoder=services().encoder,
        registry=services().registry,
        gallery=services().gallery,
        top=form_and_files_data["top"],
        asked=asked(),
        stage=metrics().stages("identify"),
    )
    _count("identify", identification)
    return jsonify(
        answers.identification(identification, form_and_files_data.get("include"), exact=exact())
    )


@blueprint.post("/compare")
@repeatable()
@accepts(MULTIPART, form=CompareForm)
@blueprint.input(CompareForm, location="form_and_files")
@blueprint.output(Verification)
@blueprint.doc(responses={413: "Too large.", 415: "Not a form."})
@requires("verify")
def compare_signatures(form_and_files_data: dict[str, Any]) -> Response:
    """Compare signatures that come with the request

    As verify does, with `reference` in place of an enrolled writer's. Nothing is stored.
    """
    verification = compare(
        uploads_of(form_and_files_data["reference"], form_and_files_data, "reference_region"),
        upload_of(form_and_files_data["probe"], form_and_files_data.get("region")),
        encoder=services().encoder,
        operating_point=form_and_files_data.get("operating_point"),
        stage=metrics().stages("compare"),
    )
    _count("compare", verification)
    return jsonify(
        answers.verification(verification, form_and_files_data.get("include"), exact=exact())
    )


class _Answer(Protocol):
    """What a question is answered with."""

    @property
    def decision_id(self) -> str | None: ...

    @property
    def verdict(self) -> str: ...

    @property
    def warnings(self) -> tuple[Caution, ...]: ...


def _count(question: str, answer: _Answer) -> None:
    """Count an answer, and have the request's line in the log name its decision."""
    metrics().decided(question, answer.verdict, [one.code for one in answer.warnings])
    note_decision(answer.decision_id)
