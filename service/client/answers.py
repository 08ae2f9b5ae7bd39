"""What the API answers, as frozen dataclasses; times are aware, scores and rates as in the API."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from service.client.decoding import Answer

Verdict = Literal["match", "inconclusive", "non_match"]
Naming = Literal["identified", "not_enrolled"]


@dataclass(frozen=True)
class Warned(Answer):
    """What makes an answer less sure: a stable word, and a sentence for people."""

    code: str
    message: str


@dataclass(frozen=True)
class Region(Answer):
    """A part of an upright image, in its pixels: upper left corner, width and height."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True)
class FoundBox(Region):
    """A part of an image, and what it shows: `signature` or `writing`."""

    what: str = "signature"


@dataclass(frozen=True)
class Quality(Answer):
    """What was measured on an image; sizes in pixels, `contrast` in grey levels."""

    ink_height_px: int
    ink_width_px: int
    ink_fraction: float
    contrast: float
    warnings: tuple[Warned, ...] = ()
    complexity: float | None = None
    region: Region | None = None


@dataclass(frozen=True)
class Model(Answer):
    """The model that answered, and the rule that it decided by."""

    name: str
    id: str
    rule: str


@dataclass(frozen=True)
class Similarity(Answer):
    """How alike the query signature and one reference are; `similarity` is a cosine."""

    similarity: float
    reference_id: int | None = None
    filename: str | None = None
    local_similarity: float | None = None
    copy: bool = False


@dataclass(frozen=True)
class Contribution(Answer):
    """What one thing compared adds to the score."""

    part: str
    points: float
    meaning: str


@dataclass(frozen=True)
class ErrorRange(Answer):
    """A rate over several data sets, 0 to 1."""

    mean: float
    worst: float


@dataclass(frozen=True)
class ExpectedErrors(Answer):
    """How often verdicts err, measured on data sets that the rule was not fitted on."""

    references: int
    data_sets: int
    fmr_skilled: ErrorRange
    fnmr: ErrorRange
    refused_genuine: ErrorRange | None = None


@dataclass(frozen=True)
class Verification(Answer):
    """Whether the query signature is the writer's, and what the answer rests on.

    Attributes:
        decision_id: the decision's id in the audit trail; None if it was not kept.
        disposition: what becomes of the claim: `accept`, `review` by a person, or `reject`.
        score: about log10 of odds; higher is more alike.
        log_lr, log_lr_random: log10 of the likelihood ratio against a skilled forger, and against
            another writer; at their bounds, read "at least".
        calibration: how far what decided is known to hold for signatures like these; None where
            that is not known.
        cleaned, left_out: pictures as data URLs, if `include` asked for them.
    """

    verdict: Verdict
    score: float
    threshold: float
    non_match_threshold: float
    operating_point: str
    log_lr: float
    log_lr_random: float
    log_lr_bound: float
    log_lr_random_bound: float
    quality: Quality
    model: Model
    references: tuple[Similarity, ...]
    decision_id: str | None = None
    decided_at: datetime | None = None
    probe_sha256: str | None = None
    request_id: str | None = None
    writer_id: str | None = None
    disposition: str | None = None
    calibration: str | None = None
    warnings: tuple[Warned, ...] = ()
    contributions: tuple[Contribution, ...] = ()
    expected_errors: ExpectedErrors | None = None
    cleaned: str | None = None
    left_out: str | None = None


@dataclass(frozen=True)
class Candidate(Answer):
    """A writer whom the query signature resembles."""

    writer_id: str
    name: str
    score: float
    likeness: float
    reference_id: int
    shares_with: tuple[str, ...] = ()


@dataclass(frozen=True)
class Identification(Answer):
    """Whom the query signature resembles, best first; not that it is authentic."""

    verdict: Naming
    candidates: tuple[Candidate, ...]
    threshold: float
    gallery_size: int
    quality: Quality
    model: Model
    decision_id: str | None = None
    decided_at: datetime | None = None
    probe_sha256: str | None = None
    request_id: str | None = None
    writer_id: str | None = None
    calibration: str | None = None
    warnings: tuple[Warned, ...] = ()
    cleaned: str | None = None
    left_out: str | None = None


@dataclass(frozen=True)
class Reference(Answer):
    """An enrolled reference signature."""

    reference_id: int
    sha256: str
    media_type: str
    quality: Quality
    created_at: datetime
    cleaned: str | None = None
    left_out: str | None = None


@dataclass(frozen=True)
class Refused(Answer):
    """An image that was not used, and why."""

    code: str
    reason: str
    filename: str | None = None
    boxes: tuple[FoundBox, ...] = ()


@dataclass(frozen=True)
class ReferenceWarned(Warned):
    """What to look at in one reference."""

    reference_id: int
    filename: str | None = None


@dataclass(frozen=True)
class Enrollment(Answer):
    """What became of the images of an enrollment, each judged by itself."""

    references: tuple[Reference, ...] = ()
    refused: tuple[Refused, ...] = ()
    warnings: tuple[ReferenceWarned, ...] = ()


@dataclass(frozen=True)
class Writer(Answer):
    """An enrolled writer."""

    writer_id: str
    name: str
    reference_count: int
    created_at: datetime


@dataclass(frozen=True)
class CreatedWriter(Writer):
    """A new writer, and what became of the images that came with them."""

    references: tuple[Reference, ...] = ()
    refused: tuple[Refused, ...] = ()
    warnings: tuple[ReferenceWarned, ...] = ()


@dataclass(frozen=True)
class Standing(Answer):
    """How a reference stands among the writer's others: `typical`, `unlike-others`, `copy`, ..."""

    reference_id: int
    standing: str
    created_at: datetime
    filename: str | None = None
    copy_of: int | None = None


@dataclass(frozen=True)
class ShownWriter(Writer):
    """A writer, and how their references stand among each other.

    Attributes:
        etag: names this state of the writer, for `if_match`; None where the server gives none.
    """

    references: tuple[Standing, ...] = ()
    etag: str | None = field(default=None, kw_only=True)


@dataclass(frozen=True)
class GallerySize(Answer):
    """How much is enrolled."""

    writers: int
    references: int


@dataclass(frozen=True)
class About(Answer):
    """What the server is, and what it can be asked for."""

    version: str
    model: Model
    operating_points: tuple[str, ...]
    default_operating_point: str
    gallery: GallerySize
    expected_errors: Mapping[str, ExpectedErrors] = field(default_factory=dict)


@dataclass(frozen=True)
class ModelState(Answer):
    """By what the model decides on the server; calibrations are as in the API."""

    model: Model
    own_rule: str
    calibration: Mapping[str, Any] | None = None
    familiarity: Mapping[str, Any] | None = None
    proposal: Mapping[str, Any] | None = None
    unseen: tuple[Any, ...] = ()


@dataclass(frozen=True)
class Erasure(Answer):
    """An erasure, without what it erased; `state` is `erased`, then `purged`."""

    id: int
    erased_at: datetime
    references: int
    state: str
    purged_at: datetime | None = None


@dataclass(frozen=True)
class Erasures(Answer):
    """What was erased last, newest first."""

    erasures: tuple[Erasure, ...]
    total: int
    pending: int


@dataclass(frozen=True)
class Review(Answer):
    """What a person said of a decision: `accept`, `reject`, `unsure` or `escalate`."""

    review_id: int
    reviewer: str
    outcome: str
    reason: str | None
    comment: str | None
    created_at: datetime


@dataclass(frozen=True)
class Reviews(Answer):
    """What the caller said of a decision; `done` says that nobody else need look at it."""

    reviews: tuple[Review, ...]
    done: bool


@dataclass(frozen=True)
class QueuedDecision(Answer):
    """A decision that waits for a person; nobody else gets it before `claimed_until`.

    `verdict` is None where reviewers are blind to it.
    """

    decision_id: str
    decided_at: datetime
    kind: str
    verdict: str | None
    why: str
    claimed_until: datetime


@dataclass(frozen=True)
class Queue(Answer):
    """Decisions that wait for a person, the oldest first; `waiting` counts all there are."""

    waiting: int
    decisions: tuple[QueuedDecision, ...]


@dataclass(frozen=True)
class Held(Answer):
    """A hold, which keeps a decision whole, whatever retention and erasures say."""

    reason: str
    held_by: str
    held_since: datetime
    held_until: datetime
    in_force: bool
    erasure_waits: bool


@dataclass(frozen=True)
class DecisionHead(Answer):
    """A decision, as a list shows it.

    Attributes:
        verdict: None for a reviewer who must not see it.
        state: `whole`, or what is not kept of it: `image-purged`, `erased`, `without-details`.
    """

    decision_id: str
    decided_at: datetime
    kind: str
    verdict: str | None
    writer_id: str | None
    score: float | None
    caller: str
    state: str


@dataclass(frozen=True)
class Decision(DecisionHead):
    """A decision as it was recorded, with all that it rests on, as far as that is kept.

    Attributes:
        entry: the number of its entry on the audit chain.
        details: region, figures, similarities, warnings, quality, references, software.
        rule: what it was decided by, as it was.
    """

    operating_point: str | None
    log_lr: float | None
    threshold: float | None
    non_match_threshold: float | None
    model_id: str
    reference_ids: tuple[int, ...]
    candidates: tuple[Mapping[str, Any], ...] | None
    probe_sha256: str | None
    sha256: str
    entry: int | None
    details: Mapping[str, Any] | None
    rule: Mapping[str, Any] | None
    hold: Held | None
    reviews: tuple[Review, ...]


@dataclass(frozen=True)
class Difference(Answer):
    """Something that came out otherwise than it was recorded."""

    what: str
    recorded: Any
    now: Any


@dataclass(frozen=True)
class Replay(Answer):
    """A decision decided anew: `equal`, `different`, or `impossible` for the `reasons` given."""

    decision_id: str
    outcome: str
    differences: tuple[Difference, ...]
    reasons: tuple[str, ...]


@dataclass(frozen=True)
class HeldDecision(Answer):
    """A decision that stays whole though its writer was erased, until when and why."""

    decision_id: str
    reason: str
    held_until: datetime


@dataclass(frozen=True)
class Key(Answer):
    """A program's key, without its secret."""

    prefix: str
    name: str
    scopes: tuple[str, ...]
    state: str
    created_at: datetime
    expires_at: datetime | None
    last_used_at: datetime | None
    replaced_by: str | None


@dataclass(frozen=True)
class MadeKey(Key):
    """A key that was just made; `key` is shown this once, and never in a `repr`.

    None where the answer to a request that was sent again is given again.
    """

    key: str | None = field(repr=False)
