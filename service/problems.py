"""Maps every error of the three packages to an RFC 9457 problem; `api.errors` renders it.

The whole mapping is the table KINDS; a test fails when an error class is missing from it.
"""

from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field

from encoder import errors as encoder_errors
from index import errors as index_errors
from service import errors as service_errors

TYPE_PREFIX = "urn:countersign:problem:"


@dataclass(frozen=True)
class ProblemKind:
    """One kind of problem: its status, its stable code, and a title that never varies."""

    status: int
    code: str
    title: str
    detail: str | None = None  # A fixed text where the error's own may tell too much.


@dataclass(frozen=True)
class Problem:
    """A problem to answer with; `members` are the extension members of RFC 9457, section 3.2."""

    status: int
    code: str
    title: str
    detail: str
    members: Mapping[str, object] = field(default_factory=dict)

    def as_dict(self, instance: str) -> dict[str, object]:
        """Return the body of an application/problem+json answer."""
        return {
            "type": TYPE_PREFIX + self.code,
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "instance": instance,
            "code": self.code,
            **self.members,
        }


INTERNAL = ProblemKind(
    500,
    "internal-error",
    "The server failed",
    "The request could not be carried out, through no fault of yours. Try again; if it happens "
    "again, give the operator the request id in `instance`.",
)
INDEX_UNAVAILABLE = ProblemKind(
    503,
    "index-unavailable",
    "The shared index cannot be used",
    "The server that holds the index did not answer as it should. What was enrolled or erased "
    "stays so; try again in a moment.",
)
KINDS: dict[type[Exception], ProblemKind] = {
    # What the caller sent.
    encoder_errors.UndecodableImage: ProblemKind(
        422, "undecodable-image", "The image cannot be read"
    ),
    encoder_errors.OversizeImage: ProblemKind(413, "oversize-image", "The image is too large"),
    encoder_errors.FailureToAcquire: ProblemKind(
        422, "failure-to-acquire", "No usable signature was found in the image"
    ),
    encoder_errors.ImageError: ProblemKind(422, "unusable-image", "The image cannot be used"),
    encoder_errors.UnknownOperatingPoint: ProblemKind(
        422, "unknown-operating-point", "The operating point is not known"
    ),
    service_errors.InvalidInput: ProblemKind(
        422, "invalid-input", "The request is not as expected"
    ),
    service_errors.ImagesRefused: ProblemKind(422, "images-refused", "The images cannot be used"),
    service_errors.TextTooLarge: ProblemKind(
        413, "text-too-large", "A text field of the form is too large"
    ),
    service_errors.UnsupportedBody: ProblemKind(
        415, "unsupported-body", "The body is of a media type that is not read here"
    ),
    service_errors.BodyTooSlow: ProblemKind(
        408, "body-too-slow", "The request did not come in the time there is for it"
    ),
    service_errors.TooManyRequests: ProblemKind(
        429, "too-many-requests", "Too many requests of this address are in progress"
    ),
    service_errors.ForeignHost: ProblemKind(
        421, "foreign-host", "The Host header names another host"
    ),
    service_errors.CrossSiteRequest: ProblemKind(
        403, "cross-site-request", "The request came from another site"
    ),
    service_errors.Unauthorized: ProblemKind(401, "unauthorized", "The caller is not known"),
    service_errors.SignInRefused: ProblemKind(
        401, "sign-in-refused", "Name, password or code is wrong"
    ),
    service_errors.CodeNeeded: ProblemKind(401, "code-needed", "A second factor is needed"),
    service_errors.SignInOff: ProblemKind(409, "sign-in-off", "Nobody signs in here"),
    service_errors.RateLimited: ProblemKind(
        429, "rate-limited", "More was asked for than may be in this time"
    ),
    service_errors.IdempotencyInProgress: ProblemKind(
        409, "idempotency-in-progress", "The same request is being carried out"
    ),
    service_errors.IdempotencyMismatch: ProblemKind(
        422, "idempotency-mismatch", "The key came with another request before"
    ),
    service_errors.MissingScope: ProblemKind(403, "missing-scope", "The caller may not do this"),
    service_errors.RequestRefused: ProblemKind(400, "request-refused", "The request was refused"),
    index_errors.InvalidWriter: ProblemKind(
        422, "invalid-writer", "The writer's id or name is not valid"
    ),
    index_errors.InvalidCursor: ProblemKind(422, "invalid-cursor", "The cursor is not valid"),
    # What the registry holds.
    index_errors.UnknownWriter: ProblemKind(404, "unknown-writer", "The writer is not known"),
    index_errors.UnknownReference: ProblemKind(
        404, "unknown-reference", "The reference is not known"
    ),
    index_errors.ImageNotHeld: ProblemKind(404, "image-not-held", "The image is not held here"),
    index_errors.UnknownDecision: ProblemKind(404, "unknown-decision", "The decision is not known"),
    index_errors.QueryNotKept: ProblemKind(
        404, "query-not-kept", "The query image is not kept any more"
    ),
    index_errors.ReviewRefused: ProblemKind(
        409, "review-refused", "The decision may not be reviewed so"
    ),
    index_errors.WriterExists: ProblemKind(409, "writer-exists", "The writer exists already"),
    index_errors.WriterChanged: ProblemKind(
        412, "precondition-failed", "The writer has changed meanwhile"
    ),
    index_errors.DuplicateReference: ProblemKind(
        409, "duplicate-reference", "The image is a reference already"
    ),
    index_errors.UnknownCalibration: ProblemKind(
        404, "unknown-calibration", "The calibration is not known"
    ),
    index_errors.CalibrationOutdated: ProblemKind(
        409, "calibration-outdated", "The calibration is for another model or rule"
    ),
    index_errors.NoReferences: ProblemKind(409, "no-references", "The writer has no references"),
    # What is wrong on this side. Most texts are fixed: the errors' own are for the operator.
    index_errors.RegistryUnavailable: ProblemKind(
        503,
        "registry-unavailable",
        "The registry cannot be reached",
        "The registry did not answer. Nothing was changed; try again in a moment.",
    ),
    index_errors.RegistryFull: ProblemKind(
        507,
        "disk-full",
        "The disk is full",
        "The disk that the registry is on is full. Nothing was changed, and nothing can be until "
        "the operator makes room. Erasing still works.",
    ),
    index_errors.RegistryReplaced: ProblemKind(
        503,
        "registry-replaced",
        "The registry's file is another",
        "The registry's file was removed or replaced under this server. Nothing was changed. The "
        "operator should put the right file in its place and start the server again.",
    ),
    index_errors.SchemaMismatch: ProblemKind(
        503,
        "schema-mismatch",
        "The registry has another schema",
        "The registry's schema is not this server's. The operator should run "
        "`countersign db upgrade` and start the server again.",
    ),
    index_errors.ModelChanged: ProblemKind(
        503,
        "model-changed",
        "The model was switched meanwhile",
        "The model was switched while this was enrolled. Nothing was stored; try again.",
    ),
    service_errors.ModelNotReady: ProblemKind(
        503,
        "model-not-ready",
        "The active model is not open here",
        "The model was switched, and this server cannot answer with the new one. Nothing was "
        "changed; try again. The server's log says what keeps it.",
    ),
    service_errors.Overloaded: ProblemKind(503, "overloaded", "The server takes no more for now"),
    index_errors.ErasureIncomplete: ProblemKind(
        503, "erasure-incomplete", "The rows are erased, a copy of them is not yet"
    ),
    index_errors.IndexBehind: ProblemKind(
        503, "index-behind", "The shared index has not come as far as the registry"
    ),
    index_errors.IndexUnavailable: INDEX_UNAVAILABLE,
    index_errors.CollectionMissing: INDEX_UNAVAILABLE,
    index_errors.UnknownKey: ProblemKind(404, "unknown-key", "The key is not known"),
    index_errors.UnknownUser: ProblemKind(404, "unknown-user", "The user is not known"),
    index_errors.UserExists: ProblemKind(409, "user-exists", "The user exists already"),
    index_errors.UnknownSession: ProblemKind(404, "unknown-session", "The session is not known"),
    index_errors.HistoryForked: INTERNAL,
    index_errors.LeaseLost: INTERNAL,
    index_errors.BackupNotMade: INTERNAL,
    index_errors.BackupUnusable: INTERNAL,
    index_errors.PlaceTaken: INTERNAL,
    index_errors.TombstonesUnusable: INTERNAL,
    index_errors.SnapshotUnusable: INTERNAL,
    index_errors.SnapshotNotSaved: INTERNAL,
    index_errors.InvalidVector: INTERNAL,
    index_errors.InvalidPieces: INTERNAL,
    index_errors.UnknownModel: INTERNAL,
    index_errors.GalleryError: INTERNAL,
    encoder_errors.ArtifactError: INTERNAL,
    encoder_errors.UnusableRule: INTERNAL,
    encoder_errors.UnusableCohort: INTERNAL,
    encoder_errors.TrainingDataError: INTERNAL,
    encoder_errors.EncoderError: INTERNAL,
    service_errors.SettingsError: INTERNAL,
    service_errors.StartRefused: INTERNAL,
    service_errors.SwitchRefused: INTERNAL,
    service_errors.NotEnoughWriters: INTERNAL,
    service_errors.AnchorUnusable: INTERNAL,
    service_errors.ServiceError: INTERNAL,
}

# What the HTTP machinery refuses by itself, before any handler: by status.
HTTP_KINDS: dict[int, ProblemKind] = {
    kind.status: kind
    for kind in (
        ProblemKind(
            400,
            "malformed-request",
            "The request is malformed",
            "The headers or the body are not valid; JSON must be an object, in UTF-8.",
        ),
        ProblemKind(
            404,
            "unknown-address",
            "There is nothing at this address",
            "No page and no endpoint has this address; /docs lists those there are.",
        ),
        ProblemKind(
            405,
            "method-not-allowed",
            "The method is not allowed here",
            "The address exists, for other methods: the header Allow names them.",
        ),
        ProblemKind(
            411,
            "length-required",
            "The request does not say how long it is",
            "Send the header Content-Length; most programs do, unless they read from a pipe.",
        ),
        ProblemKind(
            413,
            "body-too-large",
            "The request is too large",
            "Send fewer or smaller images: at most 20 in a request, of 10 MiB each; a JSON body "
            "may have 64 KiB.",
        ),
    )
}


def problem_of(error: Exception) -> Problem:
    """Return the problem for an error: its class's entry, or that of its nearest base class.

    An error of no class in the table is an internal one, and its text is kept from the caller.
    """
    kind = next((KINDS[base] for base in type(error).__mro__ if base in KINDS), INTERNAL)
    detail = kind.detail if kind.detail is not None else str(error)
    code = error.code if isinstance(error, encoder_errors.ImageError) else kind.code
    return Problem(kind.status, code, kind.title, detail, dict(_members(error)))


def http_problem(status: int, name: str) -> Problem:
    """Return the problem for a status that the HTTP machinery answers by itself."""
    kind = HTTP_KINDS.get(status, ProblemKind(status, f"http-{status}", name, f"{name}."))
    return Problem(kind.status, kind.code, kind.title, kind.detail or kind.title)


def kinds() -> list[ProblemKind]:
    """Return each kind of problem once, in order of status, for the API's description."""
    every = {*KINDS.values(), *HTTP_KINDS.values()}
    return sorted(every, key=lambda kind: (kind.status, kind.code))


def _members(error: Exception) -> Iterator[tuple[str, object]]:
    if isinstance(error, service_errors.ImagesRefused):
        yield "refused", [asdict(one) for one in error.refused]
    if isinstance(error, service_errors.InvalidInput) and error.fields:
        yield "fields", error.fields
    if isinstance(error, service_errors.MissingScope):
        yield "scope", error.scope
    if isinstance(error, encoder_errors.FailureToAcquire) and error.boxes:
        yield "boxes", list(error.boxes)
    if isinstance(error, encoder_errors.UnknownOperatingPoint):
        yield "available", list(error.available)
