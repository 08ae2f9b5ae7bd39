"""How much a caller may ask for in a time: of everything, of one writer, and of signing in.

Who is known is counted by who they are, everybody else by their address. Counts are kept under
hashes, so neither a log nor another server's storage holds who asked for whom.
"""

import hashlib
import ipaddress
import math
import time
from collections.abc import Callable
from typing import Any

from apiflask import APIFlask
from flask import Response, current_app, request
from flask_limiter import Limiter, RateLimitExceeded
from limits.errors import ConfigurationError

from service.api.context import identity, live_services
from service.api.errors import answer_error
from service.auth.rate_storage import SCHEME
from service.auth.scopes import OPEN, need_of
from service.errors import RateLimited, SettingsError, Unauthorized
from service.settings import LIMITS_OFF, PREFIX, Settings

# By address, since whoever tries passwords chooses the names; many people may share an address.
SIGN_IN_LIMIT = "30/minute"
SITE_BITS = 64
SIGN_INS = ("sessions.sign_in", "sessions.set_password", "provider.leave", "provider.come_back")
VERIFY = "decisions.verify_signature"
API = "/v1/"
EXTENSION = "countersign-limits"


def install(app: APIFlask, settings: Settings) -> None:
    """Put the limits of the settings before every request of `app`; before its access check.

    Raises:
        SettingsError: the counts cannot be kept where COUNTERSIGN_LIMITS_URL says.
    """
    rate = settings.limit(settings.rate_limit, "600/minute")
    limiter = app.extensions[EXTENSION] = _limiter(app, settings, rate)
    limiter.request_filter(_is_unlimited)
    app.register_error_handler(RateLimitExceeded, _answer)
    app.after_request(add_headers)


def limit_routes(app: APIFlask, settings: Settings) -> None:
    """Give single routes of `app` limits of their own, once they are there."""
    limiter: Limiter = app.extensions[EXTENSION]
    verify = settings.limit(settings.verify_limit, "100/hour")
    if verify != LIMITS_OFF:
        _limit(app, VERIFY, limiter, verify, _caller_and_writer)
    if settings.auth == "on":
        for endpoint in SIGN_INS:
            _limit(app, endpoint, limiter, SIGN_IN_LIMIT, _address)


def add_headers(response: Response) -> Response:
    """Tell how much is left: RateLimit-Limit, -Remaining, and -Reset in seconds."""
    limit = current_app.extensions[EXTENSION].current_limit
    if limit is not None:
        left_s = max(0, math.ceil(limit.window.reset_time - time.time()))
        response.headers["RateLimit-Limit"] = str(limit.limit.amount)
        response.headers["RateLimit-Remaining"] = str(limit.remaining)
        response.headers["RateLimit-Reset"] = str(left_s)
    return response


def _limiter(app: APIFlask, settings: Settings, rate: str) -> Limiter:
    own = settings.limits_url == f"{SCHEME}:"
    limited = {rate, settings.verify_limit or LIMITS_OFF} != {LIMITS_OFF}
    counts = live_services(app).registry.rate_counts
    try:
        return Limiter(
            _caller,
            app=app,
            application_limits=[] if rate == LIMITS_OFF else [rate],
            storage_uri=f"{SCHEME}://" if own else settings.limits_url,
            storage_options={"counts": counts} if own else {},  # type: ignore[dict-item]
            strategy="fixed-window",
            # What another server counts is counted in each process while that cannot be reached.
            in_memory_fallback_enabled=not own,
            enabled=settings.auth == "on" or limited,
        )
    except ConfigurationError as error:
        raise SettingsError(
            f"{PREFIX}LIMITS_URL names a server whose client is not installed. Install Countersign "
            "with the extra `redis`: pip install 'countersign[redis]'."
        ) from error


def _limit(
    app: APIFlask, endpoint: str, limiter: Limiter, limit: str, key: Callable[[], str]
) -> None:
    view: Callable[..., Any] = app.view_functions[endpoint]
    app.view_functions[endpoint] = limiter.limit(limit, key_func=key)(view)


def _is_unlimited() -> bool:
    """Whether a request is for what everybody gets: files, descriptions, and health."""
    view = current_app.view_functions.get(request.endpoint or "")
    return view is not None and need_of(view) == OPEN and not request.path.startswith(API)


def _caller() -> str:
    try:
        return _hashed(identity().caller)
    except Unauthorized:
        return _address()


def _caller_and_writer() -> str:
    return _hashed(f"{identity().caller} {(request.view_args or {}).get('writer_id')}")


def _address() -> str:
    return _hashed(f"address {counted_address(request.remote_addr or '')}")


def counted_address(address: str) -> str:
    """Return by what an address is counted: whoever has one of IPv6 has all of its /64."""
    try:
        known = ipaddress.ip_address(address)
    except ValueError:
        return address
    if isinstance(known, ipaddress.IPv4Address):
        return address
    if known.ipv4_mapped is not None:
        return str(known.ipv4_mapped)
    return str(ipaddress.ip_network((known, SITE_BITS), strict=False))


def _hashed(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def _answer(exceeded: RateLimitExceeded) -> Response:
    limit = current_app.extensions[EXTENSION].current_limit
    wait_s = 1.0 if limit is None else limit.window.reset_time - time.time()
    words = f"More than {exceeded.limit.limit} came from you, or of this kind."
    return answer_error(RateLimited(words, wait_s))
