"""Answers about the server itself, what it erased, and what went wrong."""

from collections.abc import Sequence

from apiflask import Schema
from apiflask.fields import AwareDateTime, Dict, Float, Integer, List, Nested, String

from encoder.inference.encoder import Encoder
from encoder.inference.unseen_errors import unseen_errors
from index.registry.disk.erasures import Erasure as ErasedOnce
from index.registry.models import GallerySize as Size
from service.api.answers.images import (
    BOXES,
    FoundBox,
    Json,
    Refused,
)
from service.api.description.schemas import SOMETIMES
from service.api.requests import about
from service.decisions.answering_model import AnsweringModel
from service.version import VERSION

# Examples of a hash, and of a time.
MOMENT = "2026-05-04T09:30:00Z"
SHA256 = "9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08"
STATED_AT = 5  # References, at which the errors of an operating point are stated.


class ErrorRange(Schema):
    """A rate over several data sets, 0 to 1."""

    mean = Float(metadata=about("The mean of the data sets.", 0.03))
    worst = Float(metadata=about("The highest of them.", 0.06))


class ExpectedErrors(Schema):
    """How often verdicts err, measured on data sets that the rule was not fitted on."""

    references = Integer(metadata=about("So many references were compared with.", 5))
    data_sets = Integer(metadata=about("Each was left out of the fit once, and measured on.", 5))
    fmr_skilled = Nested(ErrorRange, metadata=about("Share of practised forgeries that matched."))
    fnmr = Nested(ErrorRange, metadata=about("Share of genuine signatures that did not match."))
    refused_genuine = Nested(
        ErrorRange,
        allow_none=True,
        metadata=about(
            "Share of genuine signatures that were called no match; null where the gallery's own "
            "bound decides that (GET /v1/model)."
        ),
    )


class Model(Schema):
    """The model that made the embeddings and the decision."""

    name = String(metadata=about("The model's name.", "lean"))
    id = String(metadata=about("SHA-256 of its network and its preparation of images.", SHA256))
    rule = String(
        metadata=about(
            "Names what it decides by: weights, thresholds and likelihood ratios. Calibrating "
            "changes it, and not `id`.",
            "5ab01cf2a9d4",
        )
    )


class GallerySize(Schema):
    """How much is enrolled."""

    writers = Integer(metadata=about("Writers with references.", 25))
    references = Integer(metadata=about("References.", 125))


class About(Schema):
    """What this server is, and what it can be asked for."""

    version = String(metadata=about("Countersign's version.", "0.1.0"))
    model = Nested(Model)
    operating_points = List(
        String(),
        metadata=about("What `operating_point` may be.", ["fmr_skilled=1%", "fmr_skilled=5%"]),
    )
    default_operating_point = String(metadata=about("What it is if not given.", "fmr_skilled=5%"))
    expected_errors = Dict(
        keys=String(),
        values=Nested(ExpectedErrors),
        metadata=about(
            "By operating point, how often verdicts err with five references, or fewer where so "
            "many were not measured. Nothing for a gallery that is unlike anything measured.",
            {
                "fmr_skilled=5%": {
                    "references": 5,
                    "data_sets": 5,
                    "fmr_skilled": {"mean": 0.06, "worst": 0.12},
                    "fnmr": {"mean": 0.06, "worst": 0.13},
                    "refused_genuine": {"mean": 0.03, "worst": 0.05},
                }
            },
        ),
    )
    gallery = Nested(GallerySize)


def this_server(encoder: Encoder, size: Size) -> Json:
    """Fill `About`."""
    own_bounds = encoder.rule.gallery is not None
    points = () if encoder.rule.cautious is not None else encoder.rule.operating_points
    return {
        "version": VERSION,
        "model": AnsweringModel.of(encoder).as_dict(),
        "operating_points": list(encoder.rule.operating_points),
        "default_operating_point": encoder.rule.default_operating_point,
        "expected_errors": {
            point: errors.as_dict()
            for point in points
            if (errors := unseen_errors(encoder.manifest, STATED_AT, point, own_bounds=own_bounds))
        },
        "gallery": {"writers": size.writers, "references": size.references},
    }


class Erasure(Schema):
    """An erasure, without what it erased."""

    id = Integer(metadata=about("Rises with each erasure.", 7))
    erased_at = AwareDateTime(metadata=about("When the rows were erased.", "2026-01-31T12:00:00Z"))
    references = Integer(metadata=about("How many references went with it.", 5))
    state = String(
        metadata=about(
            "`erased`: no answer holds anything of it. `purged`: no file does either.", "purged"
        )
    )
    purged_at = AwareDateTime(
        allow_none=True,
        metadata=about("When nothing was found on disk any more.", "2026-01-31T12:00:05Z"),
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

    index = Dict(
        metadata=about(
            "Size, recall and revision of this process's vector index.",
            {"kind": "flat", "references": 125, "revision": 130},
        )
    )


class Problem(Schema):
    """An error, as RFC 9457 has it."""

    type = String(
        metadata=about("The kind of problem, as a URN.", "urn:countersign:problem:images-refused")
    )
    title = String(metadata=about("The kind of problem, in words.", "The images cannot be used"))
    status = Integer(metadata=about("The HTTP status.", 422))
    detail = String(
        metadata=about(
            "What was expected, what came, and what to do.",
            "No image can be used. scan2.png: No ink was found. Scan the signature again.",
        )
    )
    instance = String(
        metadata=about(
            "This request, as a URN; the server's log has its id.",
            "urn:uuid:0b5f4c8e-6d0e-4c0b-9d53-3b0c8a0f2a51",
        )
    )
    code = String(metadata=about("The kind of problem, as a stable word.", "images-refused"))
    refused = List(Nested(Refused), metadata=about("Why each image could not be used.") | SOMETIMES)
    boxes = List(Nested(FoundBox), metadata=about(BOXES) | SOMETIMES)
    available = List(
        String(),
        metadata=about("The operating points that there are.", ["fmr_skilled=5%"]) | SOMETIMES,
    )
    # A schema has an attribute `fields` of its own.
    by_field = Dict(
        data_key="fields",
        metadata=about("What is wrong with each field.", {"name": ["expected a name; none came."]})
        | SOMETIMES,
    )
