"""HTTP for operators: is the process alive, is it ready, how is it, and what is it?"""

from typing import Any

from apiflask import APIBlueprint, FileSchema
from flask import Response
from prometheus_client import CONTENT_TYPE_LATEST

from service.api import context
from service.api.access.repeating import repeatable
from service.api.answers import model as model_answers
from service.api.answers import state as answers
from service.api.answers.model import ModelState
from service.api.answers.state import About, Erasures, Health, Readiness
from service.api.context import caller, live_services, may, services
from service.api.forms import JSON, accepts, check_query
from service.api.requests import Approval, ErasureQuery
from service.auth.scopes import open_to_all, requires
from service.models.gallery_calibration import proposal, put_to_use
from service.observability.installation import InstallationCollector, tell_of_index

blueprint = APIBlueprint(
    "health", __name__, tag={"name": "Operation", "description": "Alive, ready, and which."}
)


@blueprint.get("/healthz")
@blueprint.output(Health)
@blueprint.doc(operation_id="check_liveness")
@open_to_all
def healthz() -> dict[str, Any]:
    """Say whether the process is alive"""
    return {"status": "ok"}


@blueprint.get("/readyz")
@blueprint.output(Readiness)
@blueprint.doc(operation_id="check_readiness", responses={503: "The registry cannot be reached."})
@open_to_all
def readyz() -> dict[str, Any]:
    """Say whether the process can answer

    A process takes requests only after it has embedded and searched once. This asks in addition
    whether the registry is the one that was opened and can be written to, and whether the index has
    caught up with it. Ask it for health, and `/healthz` for life: both have threads of their own.
    Everybody is told `status`, and `index` only who has the scope `metrics`.
    """
    services().registry.require_usable()
    services().gallery.catch_up()
    return {"status": "ok", "index": services().gallery.stats() if may("metrics") else {}}


@blueprint.get("/metrics")
@blueprint.output(FileSchema, content_type="text/plain", description="Metrics, one to a line.")
@blueprint.doc(operation_id="get_metrics")
@requires("metrics")
def metrics() -> Response:
    """Tell Prometheus how the whole server does

    Requests, verdicts, warnings, refusals and how long they took are those of all processes, since
    the server was started. `worker` is the number of a process that has an index of its own. No
    line holds anything of a person.
    """
    parts = live_services().latest()  # Also while the registry cannot be asked.
    tell_of_index(parts, context.metrics())
    told = context.metrics().text(InstallationCollector(parts))
    return Response(told, content_type=CONTENT_TYPE_LATEST)


@blueprint.get("/v1/erasures")
@blueprint.input(ErasureQuery, location="query", unknown="raise")
@blueprint.output(Erasures)
@requires("read")
def list_erasures(query_data: dict[str, Any]) -> dict[str, Any]:
    """List the last erasures, and how far each has come

    What is erased is in no answer any more. Its bytes are purged from the registry's files as soon
    as nobody reads them, and looked for until they are gone: then the state is `purged`. With
    PostgreSQL, `purged` means that VACUUM has removed the rows; its own log and backups keep them
    for longer.
    """
    found = services().registry.erasures
    total, pending = found.count()
    return answers.erasures(found.newest(query_data["limit"]), total, pending)


@blueprint.get("/v1/about")
@blueprint.output(About)
@blueprint.doc(operation_id="get_about")
@requires("read")
def about() -> dict[str, Any]:
    """Say which version, model and gallery answer here"""
    check_query()
    encoder = services().encoder
    return answers.this_server(encoder, services().registry.models.gallery_size(encoder.model_id))


@blueprint.get("/v1/model")
@blueprint.output(ModelState)
@blueprint.doc(operation_id="get_model")
@requires("read")
def model() -> dict[str, Any]:
    """Say by what the model decides here, and how far that can be relied on

    Its rule, what the gallery of this installation has told of it, a proposal that waits for
    approval, how like the gallery is to what the model was calibrated on, and the errors on data
    sets that the model's own rule was not fitted on.
    """
    check_query()
    parts = services()
    return model_answers.model_state(parts, proposal(parts))


@blueprint.post("/v1/model/calibration")
@repeatable()
@accepts(JSON)
@blueprint.input(Approval)
@blueprint.output(ModelState)
@blueprint.doc(responses={404: "There is no such calibration.", 409: "It is outdated."})
@requires("admin")
def approve_calibration(json_data: dict[str, Any]) -> dict[str, Any]:
    """Put a proposed calibration to use

    All servers on this registry decide by it from their next request on. What was decided before
    stays as it was decided. `countersign calibrate --gallery --undo` goes back.
    """
    check_query()
    put_to_use(services(), json_data["calibration_id"], caller())
    parts = live_services().current()
    return model_answers.model_state(parts, proposal(parts))
