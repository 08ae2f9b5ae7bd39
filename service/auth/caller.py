"""Decides who is calling: the one place where authentication grows; the HTTP API asks here.

With AUTH=off, which settings allow on a loopback address only, whoever reaches the server from
this machine may do everything. `service.api.guard` refuses what a browser could be tricked into.
"""

from service.settings import Settings

# By AUTH: who a request is from, in the audit trail.
CALLERS = {"off": "anonymous"}


def caller_of(settings: Settings) -> str:
    """Return the caller of the current request, as the audit trail names them."""
    return CALLERS[settings.auth]
