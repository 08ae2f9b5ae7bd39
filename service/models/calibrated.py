"""Lets a model decide by what its gallery told, as the registry says it does now."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from encoder.calibration.familiarity import GalleryProfile, MeasuredGalleries
from encoder.errors import UnusableRule
from encoder.inference.encoder import Encoder
from encoder.inference.unseen_errors import own_counts
from encoder.scoring.calibrations import OwnGallery
from encoder.scoring.decision_rule import DecisionRule
from index.registry.gallery_calibrations import GalleryCalibration, InUse
from index.registry.registry import Registry

logger = logging.getLogger(__name__)

# What a calibration's parameters hold: the gallery's part of the rule, what was measured before and
# after it, of how many references, and what the gallery's pairs came to.
GALLERY, BEFORE, AFTER, PROBED, PROFILE = "gallery", "before", "after", "probes", "profile"


@dataclass(frozen=True)
class Calibrated:
    """A model as it decides here, and why.

    Attributes:
        encoder: the model, by the rule in force.
        calibration: the active one; None where the model's own rule decides.
        told: what was worked out last for this rule, in use or not: how like the gallery is to what
            the model was calibrated on. None where nothing was.
        in_use: what the registry said.
    """

    encoder: Encoder
    calibration: GalleryCalibration | None
    told: GalleryCalibration | None
    in_use: InUse


def own_rule(encoder: Encoder) -> DecisionRule:
    """The model's rule without what any gallery told."""
    return replace(encoder.rule, gallery=None, cautious=None, familiarity=None)


def calibrated(encoder: Encoder, registry: Registry) -> Calibrated:
    """The model by its active calibration; by its own rule where there is none.

    One that is for another rule of the model than is loaded here changes nothing: somebody has
    fitted the model's thresholds anew since, and they go before. The log says so. Where the newest
    one says that the gallery is unlike all that the model was calibrated on, the rule is wary, at
    once: that takes nobody's approval.
    """
    rule, kept = own_rule(encoder), registry.calibrations
    in_use = kept.in_use_of(encoder.model_id)
    told = kept.newest(encoder.model_id, rule.rule_id)
    found = None if in_use.calibration_id is None else kept.get(in_use.calibration_id)
    decides = rule if found is None else _by_gallery(rule, found, encoder.manifest)
    if told is not None:
        decides = wary(decides, encoder.manifest, told.parameters.get(PROFILE))
    return Calibrated(encoder.with_rule(decides), found, told, in_use)


def wary(
    rule: DecisionRule, manifest: Mapping[str, Any], profile: Mapping[str, Any] | None
) -> DecisionRule:
    """The rule as it decides for a gallery of this profile; the same where none is known.

    Forgeries of one's own, if there were enough to fit thresholds on, say more than likeness does.
    """
    try:
        measured = MeasuredGalleries.from_manifest(manifest)
        if measured is None or profile is None:
            return rule
        faced = measured.facing(rule, GalleryProfile.from_dict(profile))
    except UnusableRule as error:
        logger.warning("How like the gallery is to others cannot be told: %s", error)
        return rule
    feared = [one for one in faced.cautious or () if one.references not in own_counts(manifest)]
    return replace(faced, cautious=tuple(feared) or None)


def _by_gallery(
    rule: DecisionRule, found: GalleryCalibration, manifest: Mapping[str, Any]
) -> DecisionRule:
    """The rule with what the gallery told of it; without, where that is not for this rule."""
    try:
        own = replace(rule, gallery=OwnGallery.from_dict(found.parameters[GALLERY]))
    except (KeyError, UnusableRule) as error:
        logger.warning("The calibration %d cannot be used: %s", found.calibration_id, error)
        return rule
    becomes = wary(own, manifest, found.parameters.get(PROFILE)).rule_id
    if (found.base_rule_id, found.rule_id) != (rule.rule_id, becomes):
        logger.warning(
            "The calibration %d is for the rule %s, and the model has %s: run `countersign "
            "calibrate --gallery` for a new one.",
            found.calibration_id,
            found.base_rule_id,
            rule.rule_id,
        )
        return rule
    return own
