"""Lets a model decide by what its gallery told, as the registry says it does now."""

import logging
from dataclasses import replace

from encoder.errors import UnusableRule
from encoder.inference.encoder import Encoder
from encoder.scoring.calibrations import OwnGallery
from encoder.scoring.decision_rule import DecisionRule
from index.registry.gallery_calibrations import GalleryCalibration
from index.registry.registry import Registry

logger = logging.getLogger(__name__)

# What a calibration's parameters hold: the gallery's part of the rule, what was measured before and
# after it, and of how many references.
GALLERY, BEFORE, AFTER, PROBED = "gallery", "before", "after", "probes"


def own_rule(encoder: Encoder) -> DecisionRule:
    """The model's rule without what any gallery told."""
    return replace(encoder.rule, gallery=None)


def calibrated(encoder: Encoder, registry: Registry) -> tuple[Encoder, GalleryCalibration | None]:
    """The model by its active calibration, and this; by its own rule where there is none.

    One that is for another rule of the model than is loaded here changes nothing: somebody has
    fitted the model's thresholds anew since, and they go before. The log says so.
    """
    rule, found = own_rule(encoder), registry.calibrations.active(encoder.model_id)
    if found is None:
        return encoder.with_rule(rule), None
    try:
        own = replace(rule, gallery=OwnGallery.from_dict(found.parameters[GALLERY]))
    except (KeyError, UnusableRule) as error:
        logger.warning("The calibration %d cannot be used: %s", found.calibration_id, error)
        return encoder.with_rule(rule), found
    if (found.base_rule_id, found.rule_id) != (rule.rule_id, own.rule_id):
        logger.warning(
            "The calibration %d is for the rule %s, and the model has %s: run `countersign "
            "calibrate --gallery` for a new one.",
            found.calibration_id,
            found.base_rule_id,
            rule.rule_id,
        )
        return encoder.with_rule(rule), found
    return encoder.with_rule(own), found
