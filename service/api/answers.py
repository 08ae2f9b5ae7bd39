"""What goes out: the schema of every answer, and beside it the function that fills it.

The schemas draw /openapi.json and the functions fill every field by its name; a test holds the two
together. Filling them through the schemas takes a tenth of a request's time in the application.
"""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from apiflask import Schema
from apiflask.fields import AwareDateTime, Boolean, Dict, Float, Integer, List, Nested, String

from encoder.cautions import as_stored
from encoder.imaging.acquire import Acquisition
from encoder.imaging.preview import marks_png, preview_png
from encoder.inference.encoder import Encoder
from index.registry.disk.erasures import Erasure as ErasedOnce
from index.registry.models import GallerySize as Size
from index.registry.references import Reference as StoredReference
from index.registry.registry import Registry
from index.registry.writers import Writer as StoredWriter
from index.registry.writers import WriterPage
from service.api.requests import CLEANED, LEFT_OUT, about
from service.decisions.answering_model import AnsweringModel
from service.decisions.identify import Identification as Identified
from service.decisions.verify import Verification as Verified
from service.version import VERSION
from service.writers.enroll import Enrollment
from service.writers.standing import ReferenceStanding

Json = dict[str, Any]

RESEMBLES = (
    "Identification says whom the signature resembles, not that it is authentic: a good forgery "
    "resembles its victim. Verify before you rely on it."
)
CLEANED_IMAGE = "The cleaned signature as a data URL of a PNG, if `include=cleaned` asked for it."


LEFT_OUT_IMAGE = (
    "All ink of the page as a data URL of a PNG, if `include=left-out` asked for it: what was "
    "compared in black, print and lines that were left out in grey."
)


class Model(Schema):
    """The model that made the embeddings and the decision."""

    name = String(metadata=about("The model's name.", "lean"))
    id = String(metadata=about("SHA-256 of its network and its preparation of images."))
    rule = String(
        metadata=about(
            "Names what it decides by: thresholds, likelihood ratios and the gallery's centre. "
            "Calibrating and adapting change it, and not `id`.",
            "5ab01cf2a9d4",
        )
    )


class Warned(Schema):
    """What makes an answer less sure."""

    code = String(metadata=about("A stable word for it.", "faint"))
    message = String(metadata=about("What was found, and what to do."))


WARNINGS = (
    "What makes the answer less sure. A warning about the image turns `non_match` into "
    "`inconclusive`; `replay`, a query signature that is a copy of a reference, and `too-simple`, "
    "one that many others make as like, turn `match` into `inconclusive`. `seen-before`, a file "
    "that matched another writer, and "
    "`near-duplicate`, references that count once, are only told."
)


class ImageRegion(Schema):
    """A part of an upright image, in its pixels."""

    x = Integer(metadata=about("Column of its left side.", 40))
    y = Integer(metadata=about("Row of its upper side.", 120))
    w = Integer(metadata=about("Its width.", 600))
    h = Integer(metadata=about("Its height.", 200))


class Quality(Schema):
    """What was measured on the image."""

    ink_height_px = Integer(metadata=about("Height of the ink in the scan, in pixels.", 212))
    ink_width_px = Integer(metadata=about("Width of the ink in the scan, in pixels.", 540))
    ink_fraction = Float(metadata=about("Share of the ink's box that is ink.", 0.09))
    contrast = Float(metadata=about("Grey levels between paper and ink, 0 to 255.", 148.0))
    complexity = Float(
        metadata=about("By how many full turns the ink's outline winds; an X's winds 3 times.", 21)
    )
    warnings = List(Nested(Warned), metadata=about("What makes answers about it less sure.", []))
    region = Nested(ImageRegion, metadata=about("The part of the image that was looked at."))


class FoundBox(Schema):
    """A part of an image, and what it shows; as `x,y,w,h` it may be a form's `region`."""

    x = Integer(metadata=about("Column of its left side, in pixels of the upright image.", 40))
    y = Integer(metadata=about("Row of its upper side.", 120))
    w = Integer(metadata=about("Its width.", 600))
    h = Integer(metadata=about("Its height.", 200))
    what = String(metadata=about("`signature` or `writing`.", "signature"))


BOXES = "Where in the image what was found, if it shows more than one signature."


class Refused(Schema):
    """An image that was not used."""

    filename = String(allow_none=True, metadata=about("Its file name as sent.", "scan2.png"))
    code = String(metadata=about("A stable word for the reason.", "no-ink"))
    reason = String(metadata=about("What was wrong, and what to do."))
    boxes = List(Nested(FoundBox), metadata=about(BOXES))


class Reference(Schema):
    """An enrolled reference signature."""

    reference_id = Integer(metadata=about("Its id; never used again after erasure.", 17))
    sha256 = String(metadata=about("SHA-256 of the uploaded file."))
    media_type = String(metadata=about("Type of the uploaded file.", "image/png"))
    quality = Nested(Quality)
    created_at = AwareDateTime(metadata=about("When it was enrolled.", "2026-01-31T12:00:00Z"))
    cleaned = String(metadata=about(CLEANED_IMAGE))


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
        allow_none=True, metadata=about("Its file name, where it came with the request.")
    )


REFERENCE_WARNINGS = (
    "What to look at: `unlike-others` points out a signature that the writer's others speak "
    "against, `collision` one that another writer has, or that is as like another writer's, "
    "`not-distinctive` one that would be taken for other writers' too."
)


class Enrolled(References):
    """What became of the images of an enrollment."""

    refused = List(Nested(Refused))
    warnings = List(Nested(ReferenceWarned), metadata=about(REFERENCE_WARNINGS, []))


def enrolled(done: Enrollment, registry: Registry, include: str | None) -> Json:
    """Fill `Enrolled`, with the cleaned images if `include` asks for them."""
    listed: list[Json] = []
    for added in done.references:
        one = reference(added)
        if include == CLEANED:
            stored = registry.references.image(added.writer_id, added.reference_id, cleaned=True)
            one["cleaned"] = data_url(stored.data)
        listed.append(one)
    return {
        "references": listed,
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
        allow_none=True, metadata=about("The id of the reference that it copies; else null.")
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


def created_writer(
    stored: StoredWriter, done: Enrollment, registry: Registry, include: str | None
) -> Json:
    """Fill `CreatedWriter`."""
    return writer(stored) | enrolled(done, registry, include)


class ListedWriter(Writer):
    """A writer in a list."""


class Writers(Schema):
    """A page of writers, in order of their ids."""

    writers = List(Nested(ListedWriter))
    next_cursor = String(allow_none=True, metadata=about("For the next page; null on the last."))


def writers(page: WriterPage) -> Json:
    """Fill `Writers`."""
    return {"writers": [writer(one) for one in page.writers], "next_cursor": page.next_cursor}


class Similarity(Schema):
    """How alike the query signature and one reference are."""

    reference_id = Integer(
        allow_none=True, metadata=about("Null for a reference that came with the request.", 17)
    )
    filename = String(
        allow_none=True, metadata=about("Its file name, where it came with the request.")
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


class Verification(Schema):
    """Whether the query signature is the writer's, and what the answer rests on."""

    decision_id = String(
        allow_none=True, metadata=about("The decision's id in the audit trail; null if not kept.")
    )
    verdict = String(
        metadata=about("`match`, `inconclusive` or `non_match`.", "match")
        | {"enum": ["match", "inconclusive", "non_match"]}
    )
    warnings = List(Nested(Warned), metadata=about(WARNINGS, []))
    score = Float(metadata=about("The comparison score: higher is more alike.", 0.71))
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
    operating_point = String(metadata=about("The target error that was decided by."))
    references = List(Nested(Similarity))
    quality = Nested(Quality)
    model = Nested(Model)
    cleaned = String(metadata=about(CLEANED_IMAGE))
    left_out = String(metadata=about(LEFT_OUT_IMAGE))


def verification(done: Verified, include: str | None) -> Json:
    """Fill `Verification`, with the pictures that `include` asks for."""
    return done.as_dict() | _pictures(done.acquisition, include)


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


class Identification(Schema):
    """Whom the query signature resembles, best first."""

    decision_id = String(metadata=about("The decision's id in the audit trail."))
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
    candidates = List(Nested(Candidate))
    threshold = Float(
        metadata=about("What the best score must reach in a gallery of this size.", 0.55)
    )
    gallery_size = Integer(metadata=about("Writers that it was compared with.", 25))
    quality = Nested(Quality)
    model = Nested(Model)
    cleaned = String(metadata=about(CLEANED_IMAGE))
    left_out = String(metadata=about(LEFT_OUT_IMAGE))


def identification(done: Identified, include: str | None) -> Json:
    """Fill `Identification`, with the pictures that `include` asks for."""
    return done.as_dict() | _pictures(done.acquisition, include)


class GallerySize(Schema):
    """How much is enrolled."""

    writers = Integer(metadata=about("Writers with references.", 25))
    references = Integer(metadata=about("References.", 125))


class About(Schema):
    """What this server is, and what it can be asked for."""

    version = String(metadata=about("Countersign's version.", "0.1.0"))
    model = Nested(Model)
    operating_points = List(String(), metadata=about("What `operating_point` may be."))
    default_operating_point = String(metadata=about("What it is if not given."))
    gallery = Nested(GallerySize)


def this_server(encoder: Encoder, size: Size) -> Json:
    """Fill `About`."""
    return {
        "version": VERSION,
        "model": AnsweringModel.of(encoder).as_dict(),
        "operating_points": list(encoder.rule.operating_points),
        "default_operating_point": encoder.rule.default_operating_point,
        "gallery": {"writers": size.writers, "references": size.references},
    }


class Erasure(Schema):
    """An erasure, without what it erased."""

    id = Integer(metadata=about("Rises with each erasure.", 7))
    erased_at = AwareDateTime(metadata=about("When the rows were erased."))
    references = Integer(metadata=about("How many references went with it.", 5))
    state = String(
        metadata=about(
            "`erased`: no answer holds anything of it. `purged`: no file does either.", "purged"
        )
    )
    purged_at = AwareDateTime(
        allow_none=True, metadata=about("When nothing was found on disk any more.")
    )


class Erasures(Schema):
    """What was erased last, newest first."""

    erasures = List(Nested(Erasure))
    total = Integer(metadata=about("How many erasures there were.", 12))
    pending = Integer(metadata=about("How many of them are not purged yet.", 0))


def erasures(newest: Sequence[ErasedOnce], total: int, pending: int) -> Json:
    """Fill `Erasures`."""
    listed = [
        {
            "id": one.erasure_id,
            "erased_at": one.erased_at,
            "references": one.reference_count,
            "state": one.state,
            "purged_at": one.purged_at,
        }
        for one in newest
    ]
    return {"erasures": listed, "total": total, "pending": pending}


class Health(Schema):
    """Whether the process is alive."""

    status = String(metadata=about("`ok`", "ok"))


class Readiness(Health):
    """Whether the process can answer, and from what."""

    index = Dict(metadata=about("Size, recall and revision of this process's vector index."))


class Problem(Schema):
    """An error, as RFC 9457 has it."""

    type = String(metadata=about("The kind of problem, as a URN."))
    title = String(metadata=about("The kind of problem, in words."))
    status = Integer(metadata=about("The HTTP status.", 422))
    detail = String(metadata=about("What was expected, what came, and what to do."))
    instance = String(metadata=about("This request, as a URN; the server's log has its id."))
    code = String(metadata=about("The kind of problem, as a stable word.", "images-refused"))
    refused = List(Nested(Refused), metadata=about("Why each image could not be used."))
    boxes = List(Nested(FoundBox), metadata=about(BOXES))
    available = List(String(), metadata=about("The operating points that there are."))
    # A schema has an attribute `fields` of its own.
    by_field = Dict(data_key="fields", metadata=about("What is wrong with each field."))


def data_url(png: bytes) -> str:
    """Return a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def _pictures(acquisition: Acquisition, include: str | None) -> Json:
    asked = (include or "").split(",")
    pictures: Json = {}
    if CLEANED in asked:
        pictures["cleaned"] = data_url(preview_png(acquisition.ink))
    if LEFT_OUT in asked:
        found = acquisition.cleaned.found
        pictures["left_out"] = data_url(marks_png(found.kept, found.gone))
    return pictures
