"""Decides whom a request is from: the one place where it is decided; the HTTP API asks here."""

from index.registry.registry import Registry
from service.auth.identity import ANYONE, Identity
from service.auth.keys import key_identity
from service.auth.people import session_identity
from service.errors import Unauthorized
from service.settings import Settings


def identify_request(
    settings: Settings,
    registry: Registry,
    authorization: str | None,
    session_token: str | None,
) -> Identity:
    """Return whom a request with this header `Authorization`, and this token in a cookie, is from.

    Raises:
        Unauthorized: with AUTH=on, no key and no session came that is known and holds.
    """
    if settings.auth == "off":
        return ANYONE
    if authorization is not None:
        return key_identity(registry, authorization)
    if session_token:
        return session_identity(registry, session_token)
    raise Unauthorized(
        "This server wants to know who calls. On the page, sign in; from a program, send a key as "
        "'Authorization: Bearer cs_...'.",
        "none",
    )
