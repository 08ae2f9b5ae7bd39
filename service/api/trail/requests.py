"""What comes in about decisions: which to list, how to hold one, what to say of it."""

from apiflask.fields import AwareDateTime, Boolean, String
from apiflask.validators import Length, OneOf

from service.api.requests import (
    CLEAN,
    MAX_PAGE,
    TEXT_MESSAGES,
    Body,
    about,
    check_text,
    check_writer_id,
    count_field,
)

OUTCOMES = ("accept", "reject", "unsure", "escalate")
KINDS = ("verify", "identify")
VERDICTS = ("match", "inconclusive", "non_match", "identified", "not_enrolled")
MAX_REASON = 200
MAX_COMMENT = 4000
A_TIME = "expected a time with its zone, as 2026-05-04T09:30:00Z; something else came."


def _one_of(choices: tuple[str, ...], description: str, *, required: bool = False) -> String:
    expected = f"expected one of {', '.join(choices)}"
    return String(
        required=required,
        validate=OneOf(choices, error=f"{expected}; {{input!r}} came."),
        error_messages={"required": f"{expected}; none came.", **TEXT_MESSAGES},
        metadata=about(description, choices[0]),
    )


def _text(most: int, description: str, example: str, *, required: bool = False) -> String:
    return String(
        required=required,
        validate=[Length(1, most, error=f"expected 1 to {most} characters."), check_text],
        error_messages={"required": "expected some text; none came.", **TEXT_MESSAGES},
        metadata={**about(description, example), **CLEAN},
    )


def _time(name: str, description: str, *, required: bool = False) -> AwareDateTime:
    return AwareDateTime(
        data_key=name,
        required=required,
        error_messages={
            "required": "expected a time; none came.",
            "null": A_TIME,
            "invalid": A_TIME,
            "invalid_awareness": A_TIME,
        },
        metadata=about(description, "2026-05-04T09:30:00Z"),
    )


class DecisionQuery(Body):
    """Which decisions to list; all that is given must fit."""

    writer_id = String(
        validate=check_writer_id, metadata=about("Of or with this writer.", "C-1001")
    )
    kind = _one_of(KINDS, "Verifications or identifications.")
    verdict = _one_of(VERDICTS, "With this verdict.")
    caller = _text(MAX_REASON, "Asked by this caller.", "key:9f2c1a")
    since = _time("from", "Decided at this time or later.")
    until = _time("to", "Decided before this time.")
    reviewed = Boolean(metadata=about("Which a person has reviewed, or nobody has.", True))
    cursor = String(
        validate=Length(max=500), metadata=about("`next_cursor` of the page before this one.")
    )
    limit = count_field(50, MAX_PAGE, f"Decisions to a page, 1 to {MAX_PAGE}.")


class NewHold(Body):
    """Why a decision must stay whole, and until when; a time that is past ends a hold."""

    reason = _text(MAX_REASON, "Why.", "Proceedings 12 O 34/26", required=True)
    until = _time("until", "Until when.", required=True)


class NewReview(Body):
    """What a person says of a decision."""

    outcome = _one_of(OUTCOMES, "What becomes of the signature.", required=True)
    reason = _text(MAX_REASON, "A code or a few words.", "same-hand")
    comment = _text(MAX_COMMENT, "In words.", "The loops agree with the mandate of 2019.")


class QueueQuery(Body):
    """How many decisions to take on."""

    limit = count_field(1, 50, "Decisions to take on, 1 to 50.")
