"""HTTP for reviews: what people say of decisions, and which wait for them."""

from typing import Any

from apiflask import APIBlueprint

from index.registry.audit.reviews import NewReview as Said
from service.api.access.repeating import repeatable
from service.api.answers import trail as answers
from service.api.answers.decisions import rounded
from service.api.answers.trail import Queue, Reviews
from service.api.context import caller, exact, services, settings
from service.api.forms import JSON, accepts, check_path_ids, check_query
from service.api.trail.requests import NewReview, QueueQuery
from service.auth.scopes import requires

blueprint = APIBlueprint(
    "reviews",
    __name__,
    url_prefix="/v1",
    tag={"name": "Reviews", "description": "People look at what software decided."},
)
blueprint.before_request(check_path_ids)
blueprint.before_request(check_query)


@blueprint.post("/decisions/<decision_id>/reviews")
@repeatable()
@accepts(JSON)
@blueprint.input(NewReview)
@blueprint.output(Reviews, status_code=201, description="The review was recorded.")
@blueprint.doc(responses={409: "The caller may not review it."})
@requires("review")
def review_decision(decision_id: str, json_data: dict[str, Any]) -> dict[str, Any]:
    """Review a decision

    Nobody reviews what they asked for, or a writer whom they enrolled, and nobody twice. A
    rejection takes as many reviewers as COUNTERSIGN_REJECTERS says; each sees none of the others'.
    """
    said = Said(caller(), **json_data)
    reviews = services().registry.reviews
    found = reviews.record(decision_id, said, settings().rejecters)
    own = [one for one in found if one.reviewer == said.reviewer]
    return answers.reviews(own, done=not reviews.is_open(decision_id))


@blueprint.get("/reviews/queue")
@blueprint.input(QueueQuery, location="query", unknown="raise")
@blueprint.output(Queue)
@requires("review")
def take_on(query_data: dict[str, Any]) -> dict[str, Any]:
    """Take on decisions to review

    The oldest that wait: inconclusive ones, warned ones, and a random sample of those accepted.
    They are the caller's for COUNTERSIGN_REVIEW_CLAIM minutes; nobody else gets them meanwhile.
    """
    reviews = services().registry.reviews
    found = reviews.claim(caller(), query_data["limit"], settings().review_claim)
    shown = answers.queue(found, reviews.waiting(), blind=settings().review_blind == "on")
    return shown if exact() else rounded(shown)
