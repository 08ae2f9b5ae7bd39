"""HTTP for signing in through an identity provider: there, and back."""

import logging
from typing import TYPE_CHECKING

from flask import Blueprint, Flask, Response, current_app, redirect, request

from service.api.access.sessions import set_cookie
from service.api.context import refusals, registry, session_token
from service.auth.people import begin_session
from service.auth.refusals import SIGN_INS
from service.auth.scopes import open_to_all
from service.errors import SettingsError, SignInOff, SignInRefused
from service.settings import PREFIX, Settings

if TYPE_CHECKING:
    from service.auth.oidc import Provider

logger = logging.getLogger(__name__)

EXTENSION = "countersign-provider"
COOKIE_LASTS_S = 600
blueprint = Blueprint("provider", __name__, url_prefix="/sign-in")


def install(app: Flask, settings: Settings) -> None:
    """Let `app` sign people in through the provider of the settings, if there is one.

    Raises:
        SettingsError: the extra `oidc` is not installed.
    """
    if settings.oidc_issuer and settings.auth == "on":
        try:
            from service.auth.oidc import Provider  # noqa: PLC0415  # An extra.
        except ImportError as error:
            raise SettingsError(
                f"{PREFIX}OIDC_ISSUER names an identity provider, and what speaks to it is missing "
                f"({error.name}). Install Countersign with the extra `oidc`: pip install "
                "'countersign[oidc]'."
            ) from error
        app.extensions[EXTENSION] = Provider(settings)
    app.register_blueprint(blueprint)


def has_provider() -> bool:
    """Whether one can sign in through a provider here."""
    return EXTENSION in current_app.extensions


@blueprint.get("/provider")
@open_to_all
def leave() -> Response:
    """Send the browser to the provider, if a person asked for it here.

    A provider that knows them lets them in without a word. So another site's page that leads here
    leads to our own page instead, where they may choose to.
    """
    if request.headers.get("Sec-Fetch-Site", "none") not in {"same-origin", "none"}:
        elsewhere: Response = redirect("/sign-in")  # type: ignore[assignment]
        return elsewhere
    try:
        address, began = _provider().begin(_return_to())
    except SignInRefused as refused:
        return _refuse(refused)
    response = redirect(address)
    # Lax: the provider sends the browser back from its own site.
    response.set_cookie(
        _cookie_name(),
        began.as_text(),
        max_age=COOKIE_LASTS_S,
        secure=request.is_secure,
        httponly=True,
        samesite="Lax",
    )
    return response  # type: ignore[return-value]  # Flask's own, of Werkzeug's kind.


@blueprint.get("/return")
@open_to_all
def come_back() -> Response:
    """Sign in whom the provider vouches for."""
    provider = _provider()
    try:
        username, role = _vouched_for(provider)
    except SignInRefused as refused:
        return _refuse(refused)
    agent = request.headers.get("User-Agent", "")
    address = request.remote_addr or ""
    token = begin_session(registry(), username, role, address, agent, session_token())
    response: Response = redirect("/")  # type: ignore[assignment]
    set_cookie(response, token)
    response.delete_cookie(_cookie_name(), secure=request.is_secure, samesite="Lax")
    return response


def _vouched_for(provider: "Provider") -> tuple[str, str]:
    """Return who came back, by their name here, and their role.

    Raises:
        SignInRefused: the provider vouches for nobody whom this server lets in.
    """
    from service.auth.oidc import Transaction, admit  # noqa: PLC0415  # An extra.

    began = Transaction.of_text(request.cookies.get(_cookie_name(), ""))
    if began is None or "code" not in request.args:
        raise SignInRefused(
            f"The provider said: {request.args.get('error', 'nothing')[:80]!r}", "provider"
        )
    state, code = request.args.get("state", ""), request.args["code"]
    username, role = provider.finish(_return_to(), began, state, code)
    admit(registry(), username, role)
    return username, role


def _provider() -> "Provider":
    if not has_provider():
        raise SignInOff("Nobody signs in through an identity provider here.")
    provider: Provider = current_app.extensions[EXTENSION]
    return provider


def _refuse(refused: SignInRefused) -> Response:
    refusals().count(SIGN_INS, f"provider-{refused.reason}")
    logger.warning("A sign-in through the provider was refused (%s).", refused.reason)
    response: Response = redirect("/sign-in#refused")  # type: ignore[assignment]
    response.delete_cookie(_cookie_name(), secure=request.is_secure, samesite="Lax")
    return response


def _return_to() -> str:
    return f"{request.host_url.rstrip('/')}/sign-in/return"


def _cookie_name() -> str:
    return "__Host-countersign-provider" if request.is_secure else "countersign-provider"
