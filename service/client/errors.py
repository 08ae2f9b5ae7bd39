"""What can go wrong for a caller of the API, as one tree.

ClientError
├── Misconfigured           the address, the key or its file cannot be used
├── NoAnswer                the server was not reached, or the connection broke
│   └── TimedOut            it did not answer in time
├── UnexpectedAnswer        what answered is not this API, or another version of it
└── Problem                 the server says why not (RFC 9457): `status`, `code`, `detail`
    ├── Unauthorized        no key, or one that is wrong, expired or revoked
    ├── Forbidden           known, and not allowed
    │   └── MissingScope    the key lacks the `scope` that is named
    ├── NotFound            there is no such thing
    │   ├── UnknownWriter
    │   ├── UnknownReference
    │   ├── ImageNotHeld
    │   ├── UnknownDecision
    │   ├── QueryNotKept    the time of the decision's query image is over
    │   └── UnknownKey
    ├── Conflict            what the server holds speaks against it
    │   ├── WriterExists
    │   ├── DuplicateReference
    │   ├── NoReferences
    │   ├── CalibrationOutdated
    │   ├── ReviewRefused   this caller may not review the decision
    │   └── StillInProgress     the same request, sent before, is not done yet
    ├── ChangedMeanwhile    it is not any more what `if_match` names
    ├── ImageRefused        an image cannot be used; `refused` and `boxes` say why and where
    ├── InvalidRequest      the request is not as expected; `fields` says what is wrong with each
    │   ├── UnknownOperatingPoint   `available` names those there are
    │   └── IdempotencyMismatch     its Idempotency-Key went with another request before
    ├── RateLimited         too many requests; `retry_after_s` says when to come back
    └── ServerFailed        through no fault of the caller
        ├── Unavailable     for the moment
        └── DiskFull
"""

import json
from collections.abc import Mapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

TYPE_PREFIX = "urn:countersign:problem:"
MEDIA_TYPE = "application/problem+json"


class ClientError(Exception):
    """Base of everything that a client raises."""


class Misconfigured(ClientError):
    """The address, the key or its file cannot be used; nothing was sent."""


class NoAnswer(ClientError):
    """The server was not reached, or the connection broke before all of its answer had come.

    Attributes:
        sent: whether the server may have got the request, and so may have carried it out.
    """

    def __init__(self, message: str, *, sent: bool = False) -> None:
        super().__init__(message)
        self.sent = sent


class TimedOut(NoAnswer):
    """The server did not answer in time."""


class UnexpectedAnswer(ClientError):
    """What answered is not this API, or is a version of it that this client does not know."""


class Problem(ClientError):
    """The server says why not.

    Attributes:
        status: the HTTP status.
        code: the kind of problem, a stable word such as `unknown-writer`.
        title, detail: the kind of problem and this one, in words.
        instance: the request, as a URN with its id; the server's log has the id.
        members: all other members of the problem, by their names.
        retry_after_s: in how many seconds the server wants to be asked again; None if it does not
            say.
    """

    def __init__(self, body: Mapping[str, Any], *, retry_after_s: float | None = None) -> None:
        self.status: int = body["status"]
        self.code: str = body["code"]
        self.title: str = body.get("title", "")
        self.detail: str = body.get("detail", self.title)
        self.instance: str | None = body.get("instance")
        named = {"status", "code", "title", "detail", "instance", "type"}
        self.members: Mapping[str, Any] = MappingProxyType(
            {name: value for name, value in body.items() if name not in named}
        )
        self.retry_after_s = retry_after_s
        super().__init__(self.detail)

    def as_dict(self) -> dict[str, Any]:
        """The problem as RFC 9457 has it, ready for JSON."""
        instance = {} if self.instance is None else {"instance": self.instance}
        return {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            **instance,
            "code": self.code,
            **self.members,
        }


class Unauthorized(Problem):
    """There is no key, or it is wrong, expired or revoked."""


class Forbidden(Problem):
    """The caller is known, and may not do this."""


class MissingScope(Forbidden):
    """The key has not the scope that this takes."""

    @property
    def scope(self) -> str | None:
        """The scope that is missing."""
        scope: str | None = self.members.get("scope")
        return scope


class NotFound(Problem):
    """There is no such thing."""


class UnknownWriter(NotFound):
    """Nobody has this id."""


class UnknownReference(NotFound):
    """The writer has no such reference."""


class ImageNotHeld(NotFound):
    """The image is not held here."""


class UnknownDecision(NotFound):
    """No decision has this id."""


class QueryNotKept(NotFound):
    """The query image of the decision is not kept any more, or never was."""


class UnknownKey(NotFound):
    """No key has this prefix, or it is of no use any more."""


class Conflict(Problem):
    """What the server holds speaks against it."""


class WriterExists(Conflict):
    """A writer has this id already."""


class DuplicateReference(Conflict):
    """The image is a reference already."""


class NoReferences(Conflict):
    """The writer has no references to compare with."""


class CalibrationOutdated(Conflict):
    """The calibration is for another model or rule."""


class ReviewRefused(Conflict):
    """This caller may not review the decision, or has done so."""


class StillInProgress(Conflict):
    """The same request was sent before, and is not done yet."""


class ChangedMeanwhile(Problem):
    """The writer is not any more what `if_match` names: look it up again."""


class ImageRefused(Problem):
    """An image that is needed cannot be used."""

    @property
    def refused(self) -> tuple[Mapping[str, Any], ...]:
        """Each image of several that was refused: `filename`, `code`, `reason`, `boxes`."""
        return tuple(self.members.get("refused", ()))

    @property
    def boxes(self) -> tuple[Mapping[str, Any], ...]:
        """Where in the one image there is what, if it shows more than one signature."""
        return tuple(self.members.get("boxes", ()))


class InvalidRequest(Problem):
    """The request is not as expected."""

    @property
    def fields(self) -> Mapping[str, list[str]]:
        """What is wrong with each field."""
        fields: Mapping[str, list[str]] = self.members.get("fields", {})
        return fields


class UnknownOperatingPoint(InvalidRequest):
    """The model has no such operating point."""

    @property
    def available(self) -> tuple[str, ...]:
        """Those that it has."""
        return tuple(self.members.get("available", ()))


class IdempotencyMismatch(InvalidRequest):
    """The request's Idempotency-Key went with another request before."""


class RateLimited(Problem):
    """There were too many requests."""


class ServerFailed(Problem):
    """The server could not carry it out, through no fault of the caller."""


class Unavailable(ServerFailed):
    """The server cannot answer for the moment."""


class DiskFull(ServerFailed):
    """The disk that the server's registry is on is full."""


# By code. What is not here is known by its status.
BY_CODE: Mapping[str, type[Problem]] = {
    "unauthorized": Unauthorized,
    "sign-in-refused": Unauthorized,
    "code-needed": Unauthorized,
    "missing-scope": MissingScope,
    "cross-site-request": Forbidden,
    "unknown-address": NotFound,
    "unknown-writer": UnknownWriter,
    "unknown-reference": UnknownReference,
    "unknown-calibration": NotFound,
    "image-not-held": ImageNotHeld,
    "unknown-decision": UnknownDecision,
    "query-not-kept": QueryNotKept,
    "unknown-key": UnknownKey,
    "unknown-user": NotFound,
    "unknown-session": NotFound,
    "writer-exists": WriterExists,
    "duplicate-reference": DuplicateReference,
    "no-references": NoReferences,
    "calibration-outdated": CalibrationOutdated,
    "review-refused": ReviewRefused,
    "user-exists": Conflict,
    "sign-in-off": Conflict,
    "idempotency-in-progress": StillInProgress,
    "precondition-failed": ChangedMeanwhile,
    "undecodable-image": ImageRefused,
    "oversize-image": ImageRefused,
    "failure-to-acquire": ImageRefused,
    "unusable-image": ImageRefused,
    "images-refused": ImageRefused,
    "malformed-request": InvalidRequest,
    "request-refused": InvalidRequest,
    "method-not-allowed": InvalidRequest,
    "body-too-slow": InvalidRequest,
    "length-required": InvalidRequest,
    "body-too-large": InvalidRequest,
    "text-too-large": InvalidRequest,
    "unsupported-body": InvalidRequest,
    "foreign-host": InvalidRequest,
    "invalid-input": InvalidRequest,
    "invalid-writer": InvalidRequest,
    "invalid-cursor": InvalidRequest,
    "unknown-operating-point": UnknownOperatingPoint,
    "idempotency-mismatch": IdempotencyMismatch,
    "rate-limited": RateLimited,
    "too-many-requests": RateLimited,
    "internal-error": ServerFailed,
    "disk-full": DiskFull,
    "erasure-incomplete": Unavailable,
    "index-behind": Unavailable,
    "index-unavailable": Unavailable,
    "model-changed": Unavailable,
    "model-not-ready": Unavailable,
    "overloaded": Unavailable,
    "registry-replaced": Unavailable,
    "registry-unavailable": Unavailable,
    "schema-mismatch": Unavailable,
}
# An image that cannot be used has a code of its own, such as `no-ink`, under one of these titles.
IMAGE_TITLES = frozenset(
    {
        "The image cannot be read",
        "The image is too large",
        "No usable signature was found in the image",
        "The image cannot be used",
    }
)
BY_STATUS: Mapping[int, type[Problem]] = {
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: ChangedMeanwhile,
    429: RateLimited,
    502: Unavailable,
    503: Unavailable,
    504: Unavailable,
    507: DiskFull,
}


def problem_of(
    status: int, media_type: str, body: bytes, retry_after_s: float | None = None
) -> Problem:
    """Return the error for an answer with a status of 400 or more.

    One without a body of RFC 9457 comes from a proxy or another program: its code is `http-502`
    and the like.
    """
    said = _problem_body(media_type, body) or _by_status(status, media_type)
    kind = BY_CODE.get(said["code"])
    if kind is None:
        is_image = said.get("title") in IMAGE_TITLES
        kind = ImageRefused if is_image else _kind_by_status(status)
    return kind(said | {"status": status}, retry_after_s=retry_after_s)


def _kind_by_status(status: int) -> type[Problem]:
    if status in BY_STATUS:
        return BY_STATUS[status]
    return ServerFailed if status >= HTTPStatus.INTERNAL_SERVER_ERROR else InvalidRequest


def _problem_body(media_type: str, body: bytes) -> dict[str, Any] | None:
    if media_type != MEDIA_TYPE:
        return None
    try:
        said = json.loads(body)
    except ValueError:
        return None
    return said if isinstance(said, dict) and isinstance(said.get("code"), str) else None


def _by_status(status: int, media_type: str) -> dict[str, Any]:
    known = status in HTTPStatus._value2member_map_
    title = HTTPStatus(status).phrase if known else f"Status {status}"
    return {
        "code": f"http-{status}",
        "title": title,
        "detail": (
            f"Expected a problem of this API; status {status} ({title}) came with "
            f"{media_type or 'no Content-Type'}. Is something between, or is the address another "
            "program's?"
        ),
    }
