"""Whom a request is from, once that is known, and what they may do."""

from dataclasses import dataclass
from typing import Literal

from service.auth.scopes import SCOPES


@dataclass(frozen=True)
class Identity:
    """A caller: `caller` is how the audit trail names them, `scopes` are what they may do."""

    caller: str
    scopes: frozenset[str]
    kind: Literal["anonymous", "key", "user"]


# With AUTH=off, which settings allow on a loopback address only, whoever reaches the server from
# this machine may do everything. `service.api.guard` refuses what a browser could be tricked into.
ANYONE = Identity("anonymous", frozenset(SCOPES), "anonymous")
