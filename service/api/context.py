"""Gives handlers the services of the application that is answering, and the caller."""

from collections.abc import Callable
from typing import TypeVar, cast

from flask import Flask, current_app, g

from index.errors import ModelChanged
from service.audit.thumbnails import Thumbnails
from service.auth.caller import caller_of
from service.auth.scopes import SCOPES, Scope
from service.decisions.recording import Asked
from service.models.live_services import LiveServices, Services
from service.observability.metrics import Metrics
from service.settings import Settings

# By AUTH: where nobody is asked for a name, everybody may do everything.
SCOPES_OF = {"off": frozenset(SCOPES)}
_EXTENSION = "countersign"
_METRICS = "countersign-metrics"
_THUMBNAILS = "countersign-thumbnails"
Answer = TypeVar("Answer")


def install(app: Flask, live: LiveServices, metrics: Metrics) -> None:
    """Let the handlers of `app` work with these services, and count what they do."""
    app.extensions[_EXTENSION] = live
    app.extensions[_METRICS] = metrics
    app.extensions[_THUMBNAILS] = Thumbnails()


def live_services(app: Flask = current_app) -> LiveServices:
    """Return what the handlers of `app` work with."""
    return cast(LiveServices, app.extensions[_EXTENSION])


def metrics(app: Flask = current_app) -> Metrics:
    """Return what the application that is answering counts and times."""
    return cast(Metrics, app.extensions[_METRICS])


def thumbnails() -> Thumbnails:
    """Return what tells the first thumbnail of a page from the others."""
    return cast(Thumbnails, current_app.extensions[_THUMBNAILS])


def services() -> Services:
    """Return what this request works with; the same until its end, though the model be switched."""
    if "services" not in g:
        g.services = live_services().current()
    return cast(Services, g.services)


def enrolling(use_case: Callable[[Services], Answer]) -> Answer:
    """Run a use case that stores embeddings; again, if the model was switched before it stored."""
    while True:
        try:
            return use_case(services())
        except ModelChanged:
            g.services = live_services().settled()


def settings() -> Settings:
    """Return how this installation runs; nobody is asked for it."""
    return live_services().settings


def asked() -> Asked:
    """Return who asks in the current request, by the policy of the settings."""
    return Asked(
        caller(),
        str(g.request_id),
        review_sample=settings().review_share,
        reject_alone=settings().reject == "software",
    )


def caller() -> str:
    """Return who the current request is from."""
    return caller_of(settings())


def may(scope: Scope) -> bool:
    """Whether the caller has a scope, besides the one that the route asks for."""
    return scope in SCOPES_OF[settings().auth]
