"""Whom a request is from, once that is known, and what they may do."""

from dataclasses import dataclass
from typing import Literal

from service.auth.scopes import SCOPES


@dataclass(frozen=True)
class Identity:
    """A caller: `caller` is how the audit trail names them, `scopes` are what they may do.

    The rest is of somebody signed in on the page: their name, the session, and the token that the
    page sends besides the cookie.
    """

    caller: str
    scopes: frozenset[str]
    kind: Literal["anonymous", "key", "user"]
    username: str = ""
    session_id: str = ""
    csrf_token: str = ""


# With AUTH=off, which settings allow on a loopback address only, whoever reaches the server from
# this machine may do everything. `service.api.guard` refuses what a browser could be tricked into.
ANYONE = Identity("anonymous", frozenset(SCOPES), "anonymous")
