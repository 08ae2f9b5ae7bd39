"""HTTP for decisions as they were recorded: list, read, look at, replay, hold."""

from typing import Any

from apiflask import APIBlueprint, FileSchema
from flask import Response

from index.registry.audit.holds import Hold
from index.registry.audit.stored import DecisionFilter
from service.api.access.repeating import repeatable
from service.api.answers import trail as answers
from service.api.answers.decisions import rounded
from service.api.answers.trail import Decision, Decisions, Replay
from service.api.context import caller, exact, may, services, settings
from service.api.forms import JSON, accepts, check_path_ids, check_query
from service.api.trail.requests import DecisionQuery, NewHold
from service.audit.evidence import evidence
from service.audit.replaying import replay
from service.auth.scopes import requires

blueprint = APIBlueprint(
    "trail",
    __name__,
    url_prefix="/v1/decisions",
    tag={"name": "Audit", "description": "What was decided, by what, and what people say of it."},
)
blueprint.before_request(check_path_ids)
blueprint.before_request(check_query)


@blueprint.get("")
@blueprint.input(DecisionQuery, location="query", unknown="raise")
@blueprint.output(Decisions)
@requires("read")
def list_decisions(query_data: dict[str, Any]) -> dict[str, Any]:
    """List decisions

    The newest first, a page at a time. What a reviewer must not see of a decision that waits for
    them is left out here too, and no filter tells it.
    """
    registry = services().registry
    cursor, limit = query_data.pop("cursor", None), query_data.pop("limit")
    unseen_by = None if may("audit") else caller()
    blind = settings().review_blind == "on"
    wanted = DecisionFilter(**query_data, unseen_by=unseen_by, blind=blind)
    page = registry.decisions.page(wanted, cursor, limit)
    hidden: frozenset[str] = frozenset()
    if blind and unseen_by is not None:
        ids = [one.decision_id for one in page.decisions]
        hidden = registry.reviews.open_to(ids, unseen_by)
    shown = answers.decisions(page, hidden)
    return shown if exact() else rounded(shown)


@blueprint.get("/<decision_id>")
@blueprint.output(Decision)
@requires("read")
def get_decision(decision_id: str) -> dict[str, Any]:
    """Read a decision

    With all that it rests on, as far as it is kept. Who still has to review it sees no review of
    another, and where COUNTERSIGN_REVIEW_BLIND is on, nothing of what the software said.
    """
    registry = services().registry
    stored = registry.decisions.get(decision_id)
    to_review = not may("audit") and registry.reviews.is_open_to(decision_id, caller())
    blind = to_review and settings().review_blind == "on"
    shown = answers.decision(stored, blind=blind, others=not to_review)
    return shown if exact() else rounded(shown)


@blueprint.get("/<decision_id>/image")
@blueprint.output(FileSchema, content_type="image/png", description="The image.")
@requires("read")
def show_query(decision_id: str) -> Response:
    """Show a decision's query image

    As it came, for as long as it is kept (COUNTERSIGN_KEEP_QUERIES). The audit trail says who
    looked at it.
    """
    stored = services().registry.decisions.image(decision_id, caller())
    return Response(stored.data, mimetype=stored.media_type)


@blueprint.post("/<decision_id>/replay")
@repeatable()
@blueprint.output(Replay)
@requires("audit")
def replay_decision(decision_id: str) -> dict[str, Any]:
    """Replay a decision

    Decides anew from the kept image, references, model and rule. Says that all is equal, what
    differs, or why it cannot be done. Of an identification, the candidates are compared anew; the
    search is not repeated, since the gallery has changed.
    """
    return answers.replay(replay(decision_id, services=services(), caller=caller()))


@blueprint.get("/<decision_id>/evidence")
@blueprint.output(FileSchema, content_type="application/zip", description="The archive.")
@requires("audit")
def show_evidence(decision_id: str) -> Response:
    """Get all there is about a decision

    A zip: the record as JSON, the images, a report for people as HTML and PDF, and the proof that
    it is as it was written. The audit trail says who got it.
    """
    data = evidence(decision_id, services=services(), caller=caller())
    headers = {"Content-Disposition": f'attachment; filename="decision-{decision_id}.zip"'}
    return Response(data, mimetype="application/zip", headers=headers)


@blueprint.put("/<decision_id>/hold")
@accepts(JSON)
@blueprint.input(NewHold)
@blueprint.output(Decision)
@requires("audit")
def hold_decision(decision_id: str, json_data: dict[str, Any]) -> dict[str, Any]:
    """Hold a decision

    Until then it stays whole, with its query image: retention passes it over, and an erasure of
    the writer waits for it. A time that is past ends the hold.
    """
    hold = Hold(json_data["reason"], caller(), json_data["until"])
    return answers.decision(services().registry.decisions.hold(decision_id, hold))
