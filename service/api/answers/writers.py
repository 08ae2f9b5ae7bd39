"""Answers about writers and their references."""

from collections.abc import Sequence
from dataclasses import asdict

from apiflask import Schema
from apiflask.fields import AwareDateTime, Integer, List, Nested, String

from encoder.cautions import as_stored
from index.registry.references import Reference as StoredReference
from index.registry.writers import ErasedWriter, WriterPage
from index.registry.writers import Writer as StoredWriter
from service.api.answers.decisions import DECISION_ID
from service.api.answers.images import (
    CLEANED_IMAGE,
    LEFT_OUT_IMAGE,
    Json,
    Quality,
    Refused,
    Warned,
    pictures,
)
from service.api.answers.state import SHA256
from service.api.requests import about
from service.writers.enroll import Enrollment
from service.writers.standing import ReferenceStanding

REFERENCE_WARNINGS = (
    "What to look at: `unlike-others` points out a signature that the writer's others speak "
    "against, `collision` one that another writer has, or that is as like another writer's, "
    "`not-distinctive` one that would be taken for other writers' too."
)


class Reference(Schema):
    """An enrolled reference signature."""

    reference_id = Integer(metadata=about("Its id; never used again after erasure.", 17))
    sha256 = String(metadata=about("SHA-256 of the uploaded file.", SHA256))
    media_type = String(metadata=about("Type of the uploaded file.", "image/png"))
    quality = Nested(Quality)
    created_at = AwareDateTime(metadata=about("When it was enrolled.", "2026-01-31T12:00:00Z"))
    cleaned = String(metadata=CLEANED_IMAGE)
    left_out = String(allow_none=True, metadata=LEFT_OUT_IMAGE)


class References(Schema):
    """A writer's references."""

    references = List(Nested(Reference))


def references(stored: Sequence[StoredReference]) -> Json:
    """Fill `References`."""
    return {"references": [reference(one) for one in stored]}


def reference(stored: StoredReference) -> Json:
    """Fill `Reference`; its warnings may have been stored by an earlier version."""
    shown = asdict(stored)
    warnings = map(as_stored, shown["quality"].get("warnings", ()))
    return shown | {"quality": shown["quality"] | {"warnings": list(warnings)}}


class ReferenceWarned(Warned):
    """What to look at in one reference."""

    reference_id = Integer(metadata=about("The reference's id.", 17))
    filename = String(
        allow_none=True,
        metadata=about("Its file name, where it came with the request.", "scan2.png"),
    )


class Enrolled(References):
    """What became of the images of an enrollment."""

    refused = List(Nested(Refused))
    warnings = List(Nested(ReferenceWarned), metadata=about(REFERENCE_WARNINGS, []))


def enrolled(done: Enrollment, include: str | None) -> Json:
    """Fill `Enrolled`, with the pictures that `include` asks for."""
    return {
        "references": [
            reference(added) | pictures(acquisition, include)
            for added, acquisition in zip(done.references, done.acquisitions, strict=True)
        ],
        "refused": [asdict(one) for one in done.refused],
        "warnings": [asdict(one) for one in done.warnings],
    }


class Writer(Schema):
    """An enrolled writer."""

    writer_id = String(metadata=about("Your id for the writer.", "C-1001"))
    name = String(metadata=about("The writer's name.", "Ada Example"))
    reference_count = Integer(metadata=about("How many references they have.", 5))
    created_at = AwareDateTime(metadata=about("When they were created.", "2026-01-31T12:00:00Z"))


def writer(stored: StoredWriter) -> Json:
    """Fill `Writer`."""
    return asdict(stored)


class Standing(Schema):
    """How a reference stands among the writer's others."""

    reference_id = Integer(metadata=about("The reference's id.", 17))
    filename = String(
        allow_none=True, metadata=about("Its file name as sent; null where none came.", "a.png")
    )
    created_at = AwareDateTime(metadata=about("When it was enrolled.", "2026-01-31T12:00:00Z"))
    standing = String(
        metadata=about(
            "`typical`; `unlike-others`: the others speak against it, it may be a stranger's; "
            "`copy`: it is another reference again, and counts once with it; `oldest`: typical, "
            "and enrolled before all others; `not-compared`: the model has not seen it yet.",
            "typical",
        )
        | {"enum": ["typical", "unlike-others", "copy", "oldest", "not-compared"]}
    )
    copy_of = Integer(
        allow_none=True, metadata=about("The id of the reference that it copies; else null.", 11)
    )


class ShownWriter(Writer):
    """An enrolled writer, and how their references stand among each other."""

    references = List(Nested(Standing))


def shown_writer(stored: StoredWriter, standings: Sequence[ReferenceStanding]) -> Json:
    """Fill `ShownWriter`."""
    return writer(stored) | {"references": [asdict(one) for one in standings]}


class CreatedWriter(Writer):
    """A new writer, and what became of the images that came with them."""

    references = List(Nested(Reference))
    refused = List(Nested(Refused))
    warnings = List(Nested(ReferenceWarned), metadata=about(REFERENCE_WARNINGS, []))


def created_writer(stored: StoredWriter, done: Enrollment, include: str | None) -> Json:
    """Fill `CreatedWriter`."""
    return writer(stored) | enrolled(done, include)


class ListedWriter(Writer):
    """A writer in a list."""


class Writers(Schema):
    """A page of writers, in order of their ids."""

    writers = List(Nested(ListedWriter))
    next_cursor = String(
        allow_none=True, metadata=about("For the next page; null on the last.", "Qy0xMDAx")
    )


def writers(page: WriterPage) -> Json:
    """Fill `Writers`."""
    return {"writers": [writer(one) for one in page.writers], "next_cursor": page.next_cursor}


class HeldDecision(Schema):
    """A decision that stays whole though its writer was erased."""

    decision_id = String(metadata=about("The decision's id.", DECISION_ID))
    reason = String(metadata=about("Why it is held.", "Proceedings 12 O 34/26"))
    held_until = AwareDateTime(
        metadata=about("When the hold ends, and the erasure goes on.", "2029-05-04T00:00:00Z")
    )


class ErasedButHeld(Schema):
    """An erasure that left decisions under a hold as they are."""

    held = List(Nested(HeldDecision))


def erased(done: ErasedWriter) -> Json:
    """Fill `ErasedButHeld`."""
    return {
        "held": [
            {
                "decision_id": one.decision_id,
                "reason": one.reason,
                "held_until": one.held_until.isoformat(),
            }
            for one in done.held
        ]
    }
