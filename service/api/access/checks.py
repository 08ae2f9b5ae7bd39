"""Lets a request reach its handler only if its caller may do what the route does."""

import hmac
from collections.abc import Callable
from functools import wraps
from typing import Any

from apiflask import APIFlask
from flask import Flask, current_app, request

from index.errors import GalleryError
from service.api.context import identity, refusals
from service.api.guard import SAFE_METHODS
from service.auth.identity import Identity
from service.auth.refusals import KEYS
from service.auth.scopes import OPEN, SIGNED_IN, Need, need_of, open_to_all
from service.errors import CrossSiteRequest, MissingScope, Unauthorized

CSRF_HEADER = "X-CSRF-Token"

# Routes that are made for us, without a function to write `@open_to_all` above: the page's files
# and the description of the API, the same for everybody.
FILES = ("web.static", "openapi.spec")


def install(app: APIFlask) -> None:
    """Put the check before every request of `app`; after the guard."""
    app.before_request(require_allowed)


def open_files(app: Flask) -> None:
    """Mark what is made for us, once it is there."""
    for endpoint in FILES:
        app.view_functions[endpoint] = open_to_all(_of_its_own(app.view_functions[endpoint]))


def _of_its_own(view: Callable[..., Any]) -> Callable[..., Any]:
    """Return a function to mark: a method, or one that others have too, cannot be."""

    @wraps(view)
    def called(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs)

    return called


def require_allowed() -> None:
    """Refuse a request whose caller may not do what its route does.

    Raises:
        Unauthorized: it is not known whom it is from, or the route is for people who are signed in.
        MissingScope: its caller lacks the scope that the route needs.
        CrossSiteRequest: it comes with a session's cookie, and without what the page sends besides.
    """
    if request.endpoint is None:
        return  # No route: answered 404 or 405.
    refusals().settle()
    need = need_of(current_app.view_functions[request.endpoint])
    if need == OPEN:
        return
    try:
        who = identity()
    except Unauthorized as refused:
        refusals().count(KEYS, refused.reason)
        raise
    if who.kind == "user" and request.method not in SAFE_METHODS:
        require_csrf_token(who)
    if need == SIGNED_IN:
        if who.kind != "user":
            raise Unauthorized("This is for people who are signed in on the page.", "none")
    elif need is None or need not in who.scopes:
        raise MissingScope(str(need), who.caller)


def may_send(app: Flask, environ: dict[str, Any]) -> bool:
    """Whether a request, of which the headers alone have come, may have a large body read.

    Only forms with images are large, and each needs a scope. What is not read is answered by its
    headers alone, by the checks that every request meets.
    """
    with app.request_context(environ):
        need: Need = OPEN
        if request.endpoint is not None:
            need = need_of(app.view_functions[request.endpoint]) or OPEN
        try:
            return need in identity().scopes
        except (Unauthorized, GalleryError):
            return False


def require_csrf_token(who: Identity) -> None:
    """Refuse a change that comes with a cookie alone: any site's page can have a browser send it.

    Raises:
        CrossSiteRequest: the header X-CSRF-Token is missing or another session's.
    """
    given = request.headers.get(CSRF_HEADER, "")
    if not hmac.compare_digest(given.encode(), who.csrf_token.encode()):
        raise CrossSiteRequest(
            f"Requests of somebody signed in that change something carry the header {CSRF_HEADER}, "
            "with `csrf_token` of /v1/session; it was missing or another session's. Load the page "
            "again."
        )
