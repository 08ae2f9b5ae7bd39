"""Gives handlers the services of the application that is answering, and the caller."""

from collections.abc import Callable
from typing import TypeVar, cast

from flask import Flask, current_app, g, request

from index.errors import ModelChanged
from index.registry.registry import Registry
from service.audit.thumbnails import Thumbnails
from service.auth.callers import identify_request
from service.auth.identity import Identity
from service.auth.refusals import Refusals
from service.auth.scopes import Scope
from service.decisions.recording import Asked
from service.errors import Unauthorized
from service.models.live_services import LiveServices, Services
from service.observability.metrics import Metrics
from service.settings import Settings

_EXTENSION = "countersign"
_METRICS = "countersign-metrics"
_THUMBNAILS = "countersign-thumbnails"
_REFUSALS = "countersign-refusals"
Answer = TypeVar("Answer")


def install(app: Flask, live: LiveServices, metrics: Metrics) -> None:
    """Let the handlers of `app` work with these services, and count what they do."""
    app.extensions[_EXTENSION] = live
    app.extensions[_METRICS] = metrics
    app.extensions[_THUMBNAILS] = Thumbnails()
    app.extensions[_REFUSALS] = Refusals(live.registry)


def live_services(app: Flask = current_app) -> LiveServices:
    """Return what the handlers of `app` work with."""
    return cast(LiveServices, app.extensions[_EXTENSION])


def metrics(app: Flask = current_app) -> Metrics:
    """Return what the application that is answering counts and times."""
    return cast(Metrics, app.extensions[_METRICS])


def thumbnails() -> Thumbnails:
    """Return what tells the first thumbnail of a page from the others."""
    return cast(Thumbnails, current_app.extensions[_THUMBNAILS])


def refusals(app: Flask = current_app) -> Refusals:
    """Return what counts whom `app` turned away."""
    return cast(Refusals, app.extensions[_REFUSALS])


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


def registry() -> Registry:
    """Return the registry, for what needs no model: it is the same whichever answers."""
    return live_services().registry


def cookie_name() -> str:
    """Return what the session's cookie is called.

    Behind TLS its name promises what browsers then hold: Secure, of this very host, for all paths.
    """
    return "__Host-countersign" if request.is_secure else "countersign"


def session_token() -> str | None:
    """Return what the session's cookie holds."""
    return request.cookies.get(cookie_name())


def identity() -> Identity:
    """Return whom this request is from, found out once.

    Raises:
        Unauthorized: that is not known.
    """
    if "identity" not in g:
        authorization = request.headers.get("Authorization")
        g.identity = identify_request(settings(), registry(), authorization, session_token())
    return cast(Identity, g.identity)


def caller() -> str:
    """Return who the current request is from, as the audit trail names them."""
    return identity().caller


def may(scope: Scope) -> bool:
    """Return whether the caller has a scope; nobody who is not known has."""
    try:
        return scope in identity().scopes
    except Unauthorized:
        return False


def exact() -> bool:
    """Return whether the caller gets scores with all their digits."""
    return may("audit")
