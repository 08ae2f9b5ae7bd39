"""What can go wrong in the service itself, as one tree; `encoder` and `index` have their own trees.

ServiceError
├── SettingsError           a COUNTERSIGN_* variable that cannot be used; refused at start
├── StartRefused            the registry is not in a state that this server can serve
├── SwitchRefused           a model cannot become the active one yet
├── AnchorUnusable          an anchor or an export of the audit chain that cannot be relied on
├── NotEnoughWriters        too few are enrolled for the gallery to calibrate itself
├── ModelNotReady           the active model was switched and is not open here
├── Overloaded              the server takes no more for the moment, or is about to end
└── RequestRefused          the caller's request cannot be carried out; the message is safe to show
    ├── InvalidInput        a field, form or address that is not as expected
    ├── ImagesRefused       images that are needed cannot be used (`refused` says why, each)
    ├── TextTooLarge        a form's text field that is longer than any text here
    ├── UnsupportedBody     a body of another media type than the endpoint reads
    ├── BodyTooSlow         the body did not come in the time there is for it
    ├── TooManyRequests     as many requests of one address as it may have are in progress
    ├── Unauthorized        who calls has not said, or not shown, who they are
    ├── SignInRefused       name, password or code is wrong
    ├── CodeNeeded          the password is right, a second factor is asked for
    ├── SignInOff           nobody signs in on this server
    ├── RateLimited         more than a caller may ask for in a time, or than a name may be tried
    ├── IdempotencyInProgress  the same request is being carried out
    ├── IdempotencyMismatch the Idempotency-Key came with another request before
    ├── MissingScope        the caller is known, and may not do this
    ├── ForeignHost         a Host header that is not this server's
    └── CrossSiteRequest    a web page elsewhere tried to change something here
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Refusal:
    """One image that was not used: its file name as sent, a stable code, and the reason.

    `boxes` say where in it there is what, where several signatures were found.
    """

    filename: str | None
    code: str
    reason: str
    boxes: Sequence[Mapping[str, int | str]] = field(default=(), kw_only=True)


class ServiceError(Exception):
    """Base of all errors raised by the service."""


class SettingsError(ServiceError):
    """A setting is unknown, malformed, or not allowed together with another."""


class StartRefused(ServiceError):
    """The server must not start on this registry; the message says which command helps."""


class SwitchRefused(ServiceError):
    """A model cannot be made the active one; the message says why, and which command helps."""


class AnchorUnusable(ServiceError):
    """An anchor, or an export of the audit chain, is garbled, foreign or was changed."""


class NotEnoughWriters(ServiceError):
    """Too few writers have references enough for the gallery to tell anything of its scores."""


class ModelNotReady(ServiceError):
    """The model was switched, and this process cannot answer with the new one."""


class Overloaded(ServiceError):
    """The server takes no more for the moment, or is about to end; the message says which."""


class RequestRefused(ServiceError):
    """The caller's request cannot be carried out as it came."""


class InvalidInput(RequestRefused):
    """One or more fields are not as expected; `fields` maps each to what is wrong with it."""

    def __init__(self, message: str, fields: Mapping[str, Sequence[str]] | None = None) -> None:
        super().__init__(message)
        self.fields = {name: list(reasons) for name, reasons in (fields or {}).items()}


class ImagesRefused(RequestRefused):
    """Images without which the request cannot go on were refused, so nothing was stored.

    The text is `message`, then the reason for each image.
    """

    def __init__(self, message: str, refused: Sequence[Refusal]) -> None:
        reasons = "; ".join(f"{one.filename or 'unnamed'}: {one.reason}" for one in refused)
        super().__init__(f"{message} {reasons}")
        self.refused = tuple(refused)


class TextTooLarge(RequestRefused):
    """A form's text field is longer than any text that is read here."""


class UnsupportedBody(RequestRefused):
    """The body's media type is not one that the endpoint reads."""


class BodyTooSlow(RequestRefused):
    """The body did not come in the time there is for it."""


class TooManyRequests(RequestRefused):
    """As many requests of one address as it may have are in progress."""


class Unauthorized(RequestRefused):
    """Nobody is known to have sent the request; `reason` is a code for sums, never shown."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class SignInRefused(RequestRefused):
    """Name, password or code is wrong; `reason` is a code for sums, never shown."""

    def __init__(self, message: str, reason: str) -> None:
        super().__init__(message)
        self.reason = reason


class CodeNeeded(RequestRefused):
    """The password is right, and a code of the second factor is needed besides."""


class SignInOff(RequestRefused):
    """The server asks nobody who they are, so nobody signs in."""


class RateLimited(RequestRefused):
    """More was asked for than may be in a time; `retry_after_s` is when there is more."""

    def __init__(self, message: str, retry_after_s: float) -> None:
        self.retry_after_s = max(1, math.ceil(retry_after_s))
        super().__init__(f"{message} Try again in {self.retry_after_s} s.")


class IdempotencyInProgress(RequestRefused):
    """A request with this Idempotency-Key is being carried out."""


class IdempotencyMismatch(RequestRefused):
    """The Idempotency-Key came with another request before."""


class MissingScope(RequestRefused):
    """The caller is known, and lacks the scope that the route needs."""

    def __init__(self, scope: str, caller: str) -> None:
        super().__init__(
            f"This needs the scope {scope!r}, which {caller} has not. Ask whoever runs the server "
            "for it."
        )
        self.scope = scope


class ForeignHost(RequestRefused):
    """The Host header names another host: a sign of DNS rebinding."""


class CrossSiteRequest(RequestRefused):
    """A state-changing request came from a page of another origin."""
