"""Answers about the model: by what it decides here, and how far that can be relied on."""

from apiflask import Schema
from apiflask.fields import AwareDateTime, Float, Integer, List, Nested, String

from encoder.inference.encoder import Encoder
from encoder.inference.unseen_errors import measured_unseen
from index.registry.gallery_calibrations import GalleryCalibration
from service.api.answers.images import Json
from service.api.answers.state import Model
from service.api.requests import about
from service.decisions.answering_model import AnsweringModel
from service.decisions.calibration_told import LIKE, UNLIKE, of_gallery
from service.models.calibrated import AFTER, BEFORE, PROBED, own_rule
from service.models.live_services import Services


class MeasuredRate(Schema):
    """A rate on this installation's own references, 0 to 1, with its 95 % interval."""

    value = Float(metadata=about("The rate.", 0.01))
    low = Float(allow_none=True, metadata=about("The interval's lower end.", 0.0))
    high = Float(allow_none=True, metadata=about("Its upper end; null where too few tell.", 0.03))


class Naming(Schema):
    """How identification does."""

    threshold = Float(metadata=about("The score to be named in a gallery of that size.", -0.8))
    fpir = Nested(MeasuredRate, metadata=about("Share of strangers who would be named."))
    fnir = Nested(
        MeasuredRate,
        metadata=about("Share of enrolled writers' signatures that score too low to be named."),
    )


class Claiming(Schema):
    """How verification does, at one operating point and number of references."""

    operating_point = String(metadata=about("The operating point.", "fmr_skilled=5%"))
    references = Integer(metadata=about("From so many references on.", 5))
    match = Float(metadata=about("The score from which the verdict is `match`.", 0.51))
    non_match = Float(metadata=about("The score below which it is `non_match`.", -0.1))
    fnmr = Nested(MeasuredRate, metadata=about("Share of genuine signatures that do not match."))
    refused_genuine = Nested(
        MeasuredRate, metadata=about("Share of genuine signatures that are called no match.")
    )


class RuleOnGallery(Schema):
    """What a rule comes to on this installation's own references, each held out in turn."""

    naming = Nested(Naming)
    claiming = List(Nested(Claiming))


class CalibrationByGallery(Schema):
    """Thresholds that this installation's enrolled references told."""

    calibration_id = Integer(metadata=about("Its id.", 3))
    rule = String(metadata=about("What the model's rule becomes by it.", "5ab01cf2a9d4"))
    state = String(
        metadata=about("`active` decides, `proposed` waits for approval.", "active")
        | {"enum": ["proposed", "active"]}
    )
    writers = Integer(metadata=about("Writers in the gallery that told it.", 25))
    references = Integer(metadata=about("References in it.", 125))
    probes = Integer(metadata=about("References that were held out for it.", 125))
    worked_out_at = AwareDateTime(metadata=about("When it was worked out.", "2026-01-31T12:00:00Z"))
    since = AwareDateTime(
        allow_none=True,
        metadata=about("Since when it decides; null for a proposal.", "2026-02-01T09:00:00Z"),
    )
    approved_by = String(
        allow_none=True, metadata=about("Who put it to use; null for a proposal.", "cli:ada")
    )
    before = Nested(RuleOnGallery, metadata=about("What the rule before it came to."))
    after = Nested(RuleOnGallery, metadata=about("What the rule comes to with it."))


class Familiarity(Schema):
    """How like this installation's gallery is to what the model was calibrated on."""

    told = String(
        metadata=about("Whether it is further than `limit`.", LIKE) | {"enum": [LIKE, UNLIKE]}
    )
    distance = Float(
        metadata=about(
            "How far it is from the nearest data set that the model was calibrated on, in standard "
            "deviations of writers.",
            0.7,
        )
    )
    limit = Float(
        metadata=about("How far any of these lies from the others at the most, so measured.", 0.94)
    )
    nearest = String(metadata=about("The data set that it is nearest to.", "cedar"))
    writers = Integer(metadata=about("Writers in the gallery that was looked at.", 25))
    references = Integer(metadata=about("References in it.", 125))
    since = AwareDateTime(
        metadata=about("When it was looked at, and decisions heed it.", "2026-01-31T12:00:00Z")
    )


class UnseenDataSet(Schema):
    """What the model's own way of fitting came to on a data set that it was not fitted on."""

    data_set = String(metadata=about("The data set left out.", "cedar"))
    references = Integer(metadata=about("So many references were compared with.", 5))
    operating_point = String(metadata=about("The operating point.", "fmr_skilled=5%"))
    fmr_skilled = Float(metadata=about("Share of practised forgeries that matched.", 0.03))
    fmr_random = Float(
        allow_none=True,
        metadata=about("Share of other writers' signatures that matched; null without any.", 0.0),
    )
    fnmr = Float(metadata=about("Share of genuine signatures that did not match.", 0.1))
    refused_genuine = Float(
        metadata=about("Share of genuine signatures that were called no match.", 0.02)
    )


class ModelState(Schema):
    """By what the model decides here, and how far that can be relied on."""

    model = Nested(Model)
    own_rule = String(
        metadata=about("The model's rule without what a gallery told.", "c1d00b3a77e2")
    )
    calibration = Nested(
        CalibrationByGallery,
        allow_none=True,
        metadata=about("What decides with the model's rule; null where no gallery told anything."),
    )
    proposal = Nested(
        CalibrationByGallery,
        allow_none=True,
        metadata=about("What waits for approval by POST /v1/model/calibration; null for nothing."),
    )
    familiarity = Nested(
        Familiarity,
        allow_none=True,
        metadata=about(
            "How like the gallery is to what the model was calibrated on; null while that is not "
            "known. It takes no approval: where the gallery is unlike, more is `inconclusive`."
        ),
    )
    unseen = List(
        Nested(UnseenDataSet), metadata=about("Errors to expect where nothing else is known.")
    )


def model_state(services: Services, proposed: GalleryCalibration | None) -> Json:
    """Fill `ModelState`; the active calibration may be one for another rule, and not decide."""
    encoder, active = services.encoder, services.calibration
    decides = encoder.rule.gallery is not None
    return {
        "model": AnsweringModel.of(encoder).as_dict(),
        "own_rule": own_rule(encoder).rule_id,
        "calibration": calibration(active) if active is not None and decides else None,
        "proposal": None if proposed is None else calibration(proposed),
        "familiarity": _familiarity(encoder, services.told),
        "unseen": _unseen(encoder),
    }


def calibration(kept: GalleryCalibration) -> Json:
    """Fill `CalibrationByGallery`."""
    return {
        "calibration_id": kept.calibration_id,
        "rule": kept.rule_id,
        "state": kept.state,
        "writers": kept.writer_count,
        "references": kept.reference_count,
        "probes": kept.parameters[PROBED],
        "worked_out_at": kept.created_at,
        "since": kept.activated_at,
        "approved_by": kept.activated_by,
        "before": kept.parameters[BEFORE],
        "after": kept.parameters[AFTER],
    }


def _familiarity(encoder: Encoder, told: GalleryCalibration | None) -> Json | None:
    found, told_how = encoder.rule.familiarity, of_gallery(encoder)
    if found is None or told is None:
        return None
    return {
        "told": told_how,
        "distance": found.distance,
        "limit": found.limit,
        "nearest": found.nearest,
        "writers": told.writer_count,
        "references": told.reference_count,
        "since": told.created_at,
    }


def _unseen(encoder: Encoder) -> list[Json]:
    """Of the manifest; none of a model that was not measured so, or was fitted anew since."""
    return [
        {"data_set": data_set, "references": int(count), "operating_point": name}
        | {rate: row.get(rate) for rate in ("fmr_skilled", "fmr_random", "fnmr", "refused_genuine")}
        for data_set, counts in measured_unseen(encoder.manifest).items()
        for count, measured in counts.items()
        for name, row in measured["points"].items()
    ]
