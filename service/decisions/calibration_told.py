"""Says of an answer how far what decided it is known to hold for signatures like these."""

from typing import Literal

from encoder.inference.encoder import Encoder
from encoder.inference.unseen_errors import own_counts
from encoder.scoring.decision_rule import Comparison

CalibrationTold = Literal["measured", "like what was measured", "unlike anything measured"]
MEASURED: CalibrationTold = "measured"
LIKE: CalibrationTold = "like what was measured"
UNLIKE: CalibrationTold = "unlike anything measured"


def of_comparison(comparison: Comparison, encoder: Encoder) -> CalibrationTold | None:
    """Of verify and compare; None where the gallery has not been looked at.

    A gallery says nothing of how forgeries score, so where it is unlike all that the model was
    calibrated on, that goes before what the gallery told of its own genuine signatures.
    """
    if comparison.calibration.references in own_counts(encoder.manifest):
        return MEASURED
    told = of_gallery(encoder)
    return MEASURED if told != UNLIKE and encoder.rule.gallery is not None else told


def of_identification(encoder: Encoder) -> CalibrationTold | None:
    """Of identify: who is named, a gallery says by itself."""
    return of_gallery(encoder) if encoder.rule.gallery is None else MEASURED


def of_gallery(encoder: Encoder) -> CalibrationTold | None:
    """How like the gallery is to what the model was calibrated on; None where that is not known."""
    familiarity = encoder.rule.familiarity
    if familiarity is None:
        return None
    return UNLIKE if familiarity.unlike else LIKE
