"""The application factory: the whole wiring of the HTTP service, from services to WSGI."""

from apiflask import APIFlask

from service.api import (
    context,
    decisions,
    errors,
    guard,
    health,
    openapi,
    references,
    request_log,
    writers,
)
from service.api.access import checks, keys, limits, provider, sessions
from service.api.multipart import RequestInMemory
from service.api.trail import decisions as recorded_decisions
from service.api.trail import reviews
from service.composition import with_model
from service.models.live_services import LiveServices, Services
from service.observability.metrics import Metrics
from service.version import VERSION
from service.web import blueprint as web


def create_app(services: Services, metrics: Metrics | None = None) -> APIFlask:
    """Return the WSGI application that answers with these services, and closes none of them.

    Its `live_services` go on with others when the model is switched. It counts in `metrics`, or in
    some of its own.
    """
    app = APIFlask(
        "countersign",
        title="Countersign",
        version=VERSION,
        docs_path=None,
        static_folder=None,  # type: ignore[arg-type]  # As in Flask: none.
        json_errors=False,
    )
    app.request_class = RequestInMemory
    context.install(app, LiveServices(services, with_model), metrics or Metrics())
    request_log.install(app)
    guard.install(app)
    limits.install(app, services.settings)
    checks.install(app)
    errors.install(app)
    openapi.install(app)
    for blueprint in (
        writers.blueprint,
        references.blueprint,
        decisions.blueprint,
        recorded_decisions.blueprint,
        reviews.blueprint,
        keys.blueprint,
        sessions.blueprint,
        health.blueprint,
    ):
        app.register_blueprint(blueprint)
    app.register_blueprint(web)
    provider.install(app, services.settings)
    checks.open_files(app)
    limits.limit_routes(app, services.settings)
    return app
