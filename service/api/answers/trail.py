"""Answers about what was decided: decisions, replays, holds and reviews."""

from collections.abc import Collection, Sequence
from dataclasses import asdict

from apiflask import Schema
from apiflask.fields import AwareDateTime, Boolean, Dict, Float, Integer, List, Nested, Raw, String

from index.registry.audit.reviews import QueuedDecision as Queued
from index.registry.audit.stored import DecisionPage, StoredDecision, StoredReview
from service.api.answers.decisions import DECISION_ID, REQUEST_ID
from service.api.answers.images import Json
from service.api.answers.state import MOMENT, SHA256
from service.api.requests import about
from service.audit.records import head_of, record_of
from service.audit.replaying import Replay as Replayed

# Examples of what a decision rests on, in part: all there is depends on its kind.
DETAILS = {"format": 1, "request_id": REQUEST_ID, "region": None, "software": "0.1.0"}
RULE = {"rule": {"default_operating_point": "fmr_skilled=5%"}, "gallery": None}
# A recorded figure is a number, a word, a list of words or whether something is so.
FIGURE = {"type": ["number", "string", "boolean", "array", "null"], "items": {"type": "string"}}


class DecisionHead(Schema):
    """A decision, as the list shows it."""

    decision_id = String(metadata=about("The decision's id.", DECISION_ID))
    decided_at = AwareDateTime(metadata=about("When, in UTC.", MOMENT))
    kind = String(metadata=about("`verify` or `identify`.", "verify"))
    verdict = String(
        allow_none=True,
        metadata=about("As it was answered; null for a reviewer who must not see it.", "match"),
    )
    writer_id = String(
        allow_none=True,
        metadata=about("Whose it was claimed or found to be; null if nobody's, or erased.", "C-1"),
    )
    score = Float(allow_none=True, metadata=about("The comparison score.", 0.71))
    caller = String(metadata=about("Who asked.", "key:9f2c1a"))
    state = String(
        metadata=about(
            "`whole`; `image-purged`, where the time of the query image is over; `erased`, where "
            "the writer was erased; `without-details` from before these were kept.",
            "whole",
        )
        | {"enum": ["whole", "image-purged", "erased", "without-details"]}
    )


class Decisions(Schema):
    """A page of decisions, the newest first."""

    decisions = List(Nested(DecisionHead))
    next_cursor = String(
        allow_none=True,
        metadata=about("Pass it as `cursor` for the next page; null on the last.", "NDcxMQ"),
    )


class Held(Schema):
    """A hold: what keeps a decision whole, whatever retention and erasures say."""

    reason = String(metadata=about("Why.", "Proceedings 12 O 34/26"))
    held_by = String(metadata=about("Who did so.", "user:ada"))
    held_since = AwareDateTime(metadata=about("When it was put on.", MOMENT))
    held_until = AwareDateTime(metadata=about("When it ends.", "2029-05-04T00:00:00Z"))
    in_force = Boolean(metadata=about("Whether it has not ended.", False))
    erasure_waits = Boolean(metadata=about("Whether the writer was erased meanwhile.", False))


class Review(Schema):
    """What a person said of a decision."""

    review_id = Integer(metadata=about("Its number.", 3))
    reviewer = String(metadata=about("Who.", "user:grace"))
    outcome = String(metadata=about("`accept`, `reject`, `unsure` or `escalate`.", "accept"))
    reason = String(allow_none=True, metadata=about("A code or a few words.", "same-hand"))
    comment = String(
        allow_none=True, metadata=about("In words.", "The loops agree with the mandate of 2019.")
    )
    created_at = AwareDateTime(metadata=about("When.", MOMENT))


class Decision(DecisionHead):
    """A decision, with all that it rests on, as far as it is kept."""

    operating_point = String(
        allow_none=True, metadata=about("By which it was decided.", "fmr_skilled=5%")
    )
    log_lr = Float(allow_none=True, metadata=about("log10 of the likelihood ratio.", 1.9))
    threshold = Float(allow_none=True, metadata=about("The score from which it is a match.", 0.51))
    non_match_threshold = Float(
        allow_none=True, metadata=about("The score below which it is no match.", 0.48)
    )
    model_id = String(metadata=about("The model that decided.", SHA256))
    reference_ids = List(Integer(), metadata=about("References it rests on.", [17, 18]))
    candidates = List(
        Dict(),
        allow_none=True,
        metadata=about(
            "Of an identification, the likeliest first; else null.",
            [{"writer_id": "C-1001", "score": 0.71, "likeness": 1.31}],
        ),
    )
    probe_sha256 = String(
        allow_none=True, metadata=about("SHA-256 of the query image; null once erased.", SHA256)
    )
    sha256 = String(metadata=about("The decision's hash, as the audit chain holds it.", SHA256))
    entry = Integer(
        allow_none=True, metadata=about("The number of its entry on the audit chain.", 4711)
    )
    details = Dict(
        allow_none=True,
        metadata=about(
            "All that it rests on: region, figures, every similarity, contributions, warnings, "
            "quality, references by id and hash, software, request; null once erased.",
            DETAILS,
        ),
    )
    rule = Dict(
        allow_none=True,
        metadata=about("The rule that it was decided by, as it was; null once erased.", RULE),
    )
    hold = Nested(Held, allow_none=True, metadata=about("What keeps it whole, if anything does."))
    reviews = List(Nested(Review), metadata=about("What people said of it, oldest first."))


class Difference(Schema):
    """Something that came out otherwise than it was recorded."""

    what = String(metadata=about("Which figure.", "score"))
    recorded = Raw(allow_none=True, metadata=about("As it was recorded.", 0.71) | FIGURE)
    now = Raw(allow_none=True, metadata=about("As it came out now.", 0.69) | FIGURE)


class Replay(Schema):
    """A decision decided anew, from what is kept of it."""

    decision_id = String(metadata=about("The decision's id.", DECISION_ID))
    outcome = String(
        metadata=about(
            "`equal`, `different`, or `impossible` where something is gone.", "different"
        )
        | {"enum": ["equal", "different", "impossible"]}
    )
    differences = List(Nested(Difference))
    reasons = List(String(), metadata=about("Why it is impossible.", []))


class QueuedDecision(Schema):
    """A decision that waits for a person, and is the caller's to look at for a while."""

    decision_id = String(metadata=about("The decision's id.", DECISION_ID))
    decided_at = AwareDateTime(metadata=about("When it was decided.", MOMENT))
    kind = String(metadata=about("`verify` or `identify`.", "verify"))
    verdict = String(
        allow_none=True, metadata=about("Null where reviewers are blind to it.", "inconclusive")
    )
    why = String(
        metadata=about(
            "`inconclusive`, `warned`, `rejection`, `sample` or `review`, where somebody was "
            "unsure.",
            "inconclusive",
        )
    )
    claimed_until = AwareDateTime(
        metadata=about("Until then nobody else gets it.", "2026-05-04T10:00:00Z")
    )


class Queue(Schema):
    """Decisions that wait for a person, the oldest first."""

    waiting = Integer(metadata=about("How many wait, of all.", 3))
    decisions = List(Nested(QueuedDecision))


class Reviews(Schema):
    """What was said of a decision so far, by the caller."""

    reviews = List(Nested(Review))
    done = Boolean(metadata=about("Whether nobody else need look at it.", False))


# What a reviewer who is blind to the software does not see of it.
_OF_THE_SOFTWARE = ("verdict", "score", "log_lr", "threshold", "non_match_threshold")


def decisions(page: DecisionPage, hidden: Collection[str] = ()) -> Json:
    """Fill `Decisions`, without what the software said of those that are `hidden`."""
    return {
        "decisions": [_head(one, blind=one.decision_id in hidden) for one in page.decisions],
        "next_cursor": page.next_cursor,
    }


def decision(stored: StoredDecision, *, blind: bool = False, others: bool = True) -> Json:
    """Fill `Decision`; without what the software said, and without reviews, where asked so."""
    shown = record_of(stored)
    if not others:
        shown["reviews"] = []
    if blind:
        shown |= dict.fromkeys((*_OF_THE_SOFTWARE, "details", "rule", "candidates"))
    return shown


def replay(done: Replayed) -> Json:
    """Fill `Replay`."""
    return {
        "decision_id": done.decision_id,
        "outcome": done.outcome,
        "differences": [asdict(one) for one in done.differences],
        "reasons": list(done.reasons),
    }


def queue(found: Sequence[Queued], waiting: int, *, blind: bool) -> Json:
    """Fill `Queue`."""
    return {"waiting": waiting, "decisions": [_queued(one, blind) for one in found]}


def reviews(found: Sequence[StoredReview], *, done: bool) -> Json:
    """Fill `Reviews`."""
    return {"reviews": [_review(one) for one in found], "done": done}


def _queued(one: Queued, blind: bool) -> Json:
    return {
        "decision_id": one.decision_id,
        "decided_at": one.created_at,
        "kind": one.kind,
        "verdict": None if blind else one.verdict,
        # Why it waits tells of the verdict, too.
        "why": "review" if blind else one.why,
        "claimed_until": one.claimed_until,
    }


def _head(stored: StoredDecision, *, blind: bool) -> Json:
    shown = head_of(stored)
    return shown | (dict.fromkeys(shown.keys() & {*_OF_THE_SOFTWARE}) if blind else {})


def _review(one: StoredReview) -> Json:
    return asdict(one)
