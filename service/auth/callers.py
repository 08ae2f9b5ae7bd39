"""Decides whom a request is from: the one place where it is decided; the HTTP API asks here."""

from collections.abc import Mapping

from index.registry.registry import Registry
from service.auth.identity import ANYONE, Identity
from service.auth.keys import key_identity
from service.errors import Unauthorized
from service.settings import Settings


def identify_request(
    settings: Settings,
    registry: Registry,
    headers: Mapping[str, str],
) -> Identity:
    """Return whom a request with these headers is from.

    Raises:
        Unauthorized: with AUTH=on, no key came that is known and in force.
    """
    if settings.auth == "off":
        return ANYONE
    if "Authorization" in headers:
        return key_identity(registry, headers["Authorization"])
    raise Unauthorized(
        "This server wants to know who calls: send a key as 'Authorization: Bearer cs_...'.",
        "none",
    )
