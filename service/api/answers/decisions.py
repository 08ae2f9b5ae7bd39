"""Answers to verify, compare and identify."""

from typing import Any

from apiflask import Schema
from apiflask.fields import AwareDateTime, Boolean, Float, Integer, List, Nested, String

from service.api.answers.images import (
    CLEANED_IMAGE,
    LEFT_OUT_IMAGE,
    Json,
    Quality,
    Warned,
    pictures,
)
from service.api.answers.state import MOMENT, SHA256, ExpectedErrors, Model
from service.api.requests import about
from service.decisions.identify import Identification as Identified
from service.decisions.verify import Verification as Verified

# Examples of each.
DECISION_ID = "5f3c1e0f9a7b4d2c8e6a1b3c5d7f9e10"
REQUEST_ID = "0b5f4c8e-6d0e-4c0b-9d53-3b0c8a0f2a51"
RESEMBLES = (
    "Identification says whom the signature resembles, not that it is authentic: a good forgery "
    "resembles its victim. Verify before you rely on it."
)
# What is rounded for callers without the scope `audit`.
SCORES = frozenset(
    {
        *("score", "log_lr", "log_lr_random", "likeness"),
        *("similarity", "local_similarity", "points"),
    }
)
# A decision that is read back holds them by their parts.
BY_PART = "contributions"
DECIMALS = 2
WARNINGS = (
    "What makes the answer less sure. A warning about the image turns `non_match` into "
    "`inconclusive`; `replay`, a query signature that is a copy of a reference, and `too-simple`, "
    "one that many others make as like, turn `match` into `inconclusive`. `seen-before`, a file "
    "that matched another writer, and "
    "`near-duplicate`, references that count once, are only told."
)
CALIBRATION = {"enum": ["measured", "like what was measured", "unlike anything measured", None]}


def calibration_field(of_whom: str) -> String:
    """Whether what decided is known to hold for this installation's signatures."""
    return String(
        allow_none=True,
        metadata=about(
            "Whether what decided is known to hold for signatures like these. "
            f"`measured`: {of_whom}. `like what was measured`: the gallery is no further from the "
            "data sets that the model was calibrated on than these are from each other. `unlike "
            "anything measured`: it is; more of a verification is left `inconclusive` then, and no "
            "errors are stated. Null until 25 writers with two references or more are enrolled and "
            "were looked at, or from a model that cannot tell. GET /v1/model says how far it is.",
            "like what was measured",
        )
        | CALIBRATION,
    )


class Similarity(Schema):
    """How alike the query signature and one reference are."""

    reference_id = Integer(
        allow_none=True, metadata=about("Null for a reference that came with the request.", 17)
    )
    filename = String(
        allow_none=True,
        metadata=about("Its file name, where it came with the request.", "scan2.png"),
    )
    similarity = Float(metadata=about("Cosine of the two embeddings, -1 to 1.", 0.83))
    local_similarity = Float(
        allow_none=True,
        metadata=about(
            "How well the pieces of strokes match those of this reference, at most 1; null from a "
            "model that knows no pieces.",
            0.71,
        ),
    )
    copy = Boolean(
        metadata=about("Whether it is a copy of another reference, left out of the score.", False)
    )


class Contribution(Schema):
    """What one thing compared adds to the score."""

    part = String(metadata=about("`layout`, `texture`, `strokes`, `local`, ...", "strokes"))
    points = Float(
        metadata=about(
            "What it adds, against a usual genuine signature; below 0, the signature is less like "
            "the references in this than usual.",
            -0.21,
        )
    )
    meaning = String(metadata=about("What was compared, in words.", "How the strokes run."))


class Kept(Schema):
    """By what an answer can be found again."""

    decision_id = String(
        allow_none=True,
        metadata=about("The decision's id in the audit trail; null if not kept.", DECISION_ID),
    )
    decided_at = AwareDateTime(
        allow_none=True, metadata=about("When it was decided, UTC; null if not kept.", MOMENT)
    )
    probe_sha256 = String(
        allow_none=True,
        metadata=about("SHA-256 of the query image as it came; null if not kept.", SHA256),
    )
    request_id = String(
        allow_none=True,
        metadata=about("The request's id, as in X-Request-ID; null if not kept.", REQUEST_ID),
    )
    writer_id = String(
        allow_none=True, metadata=about("Whose signature it was claimed or found to be.", "C-1001")
    )


class Verification(Kept):
    """Whether the query signature is the writer's, and what the answer rests on."""

    verdict = String(
        metadata=about("`match`, `inconclusive` or `non_match`.", "match")
        | {"enum": ["match", "inconclusive", "non_match"]}
    )
    disposition = String(
        allow_none=True,
        metadata=about(
            "What becomes of the claim: `accept`, `review` by a person, or `reject`, which is "
            "never answered where COUNTERSIGN_REJECT is `human`. Null if not kept.",
            "accept",
        )
        | {"enum": ["accept", "review", "reject", None]},
    )
    warnings = List(Nested(Warned), metadata=about(WARNINGS, []))
    score = Float(
        metadata=about(
            "The comparison score, about log10 of odds: higher is more alike. Comparable whatever "
            "the number of references.",
            0.71,
        )
    )
    calibration = calibration_field(
        "this installation's own forgeries set the thresholds, or its gallery said when it is "
        "`non_match` and is not unlike the others"
    )
    contributions = List(
        Nested(Contribution), metadata=about("What the score is made of, the lowest first.")
    )
    log_lr = Float(
        metadata=about(
            "log10 of the likelihood ratio: how much more likely this score is for a genuine "
            "signature than for a skilled forgery. Kept within what the signatures that the model "
            "was calibrated on can support, `log_lr_bound` either way: at it, read `at least`.",
            1.9,
        )
    )
    log_lr_random = Float(
        metadata=about(
            "The same against another writer, who signs as he always does and imitates nobody.",
            2.2,
        )
    )
    log_lr_bound = Float(metadata=about("The largest `log_lr`, either way.", 2.37))
    log_lr_random_bound = Float(metadata=about("The largest `log_lr_random`, either way.", 2.37))
    threshold = Float(metadata=about("The score from which the verdict is `match`.", 0.51))
    non_match_threshold = Float(
        metadata=about(
            "The score below which the verdict is `non_match`; from it up to `threshold` it is "
            "`inconclusive`.",
            0.48,
        )
    )
    operating_point = String(
        metadata=about("The target error that was decided by.", "fmr_skilled=5%")
    )
    expected_errors = Nested(
        ExpectedErrors,
        allow_none=True,
        metadata=about(
            "Of this operating point; null from a model that was not so measured, and for a "
            "gallery that is unlike anything measured."
        ),
    )
    references = List(Nested(Similarity))
    quality = Nested(Quality)
    model = Nested(Model)
    cleaned = String(metadata=CLEANED_IMAGE)
    left_out = String(allow_none=True, metadata=LEFT_OUT_IMAGE)


def verification(done: Verified, include: str | None, *, exact: bool = True) -> Json:
    """Fill `Verification`, with the pictures that `include` asks for."""
    answer = done.as_dict() | pictures(done.acquisition, include)
    return answer if exact else rounded(answer)


class Candidate(Schema):
    """A writer whom the query signature resembles."""

    writer_id = String(metadata=about("The writer's id.", "C-1001"))
    name = String(metadata=about("The writer's name.", "Ada Example"))
    score = Float(metadata=about("The comparison score: higher is more alike.", 0.71))
    likeness = Float(
        metadata=about(
            "What orders candidates: how much the signature resembles this writer's. Unlike the "
            "score, it compares writers with few and with many references.",
            1.31,
        )
    )
    reference_id = Integer(metadata=about("Their most similar reference.", 17))
    shares_with = List(
        String(), metadata=about("Other candidates who have one of this writer's references.", [])
    )


class Identification(Kept):
    """Whom the query signature resembles, best first."""

    verdict = String(
        metadata=about(f"`identified` or `not_enrolled`. {RESEMBLES}", "identified")
        | {"enum": ["identified", "not_enrolled"]}
    )
    warnings = List(
        Nested(Warned),
        metadata=about(
            "What makes the answer less sure: about the image, or that it is a copy (`replay`), "
            "that it matched another writer (`seen-before`), that another writer has a "
            "reference of the first candidate (`collision`), or that it would be taken for other "
            "enrolled writers' too (`not-distinctive`).",
            [],
        ),
    )
    calibration = calibration_field("this installation's gallery said from which score on")
    candidates = List(Nested(Candidate))
    threshold = Float(
        metadata=about("What the best score must reach in a gallery of this size.", 0.55)
    )
    gallery_size = Integer(metadata=about("Writers that it was compared with.", 25))
    quality = Nested(Quality)
    model = Nested(Model)
    cleaned = String(metadata=CLEANED_IMAGE)
    left_out = String(allow_none=True, metadata=LEFT_OUT_IMAGE)


def identification(done: Identified, include: str | None, *, exact: bool = True) -> Json:
    """Fill `Identification`, with the pictures that `include` asks for."""
    answer = done.as_dict() | pictures(done.acquisition, include)
    return answer if exact else rounded(answer)


def rounded(answer: Json) -> Json:
    """Return an answer whose scores have two decimals.

    Whoever can try images and see exactly what each changes can climb to a match.
    """
    return {name: _rounded(name, value) for name, value in answer.items()}


def _rounded(name: str, value: Any) -> Any:
    if isinstance(value, dict):
        by_part = name == BY_PART
        return {key: _rounded(name if by_part else key, one) for key, one in value.items()}
    if isinstance(value, list | tuple):
        return [_rounded(name, one) for one in value]
    if name in {*SCORES, BY_PART} and isinstance(value, float):
        return round(value, DECIMALS) + 0.0  # Without a sign at zero.
    return value
