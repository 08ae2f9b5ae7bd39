"""Compares a query signature that may lie askew, sideways or mirrored on its page.

Genuine signatures turned by ten degrees are refused by the dozen, and those turned by ninety all
but always. So a query signature that does not match as it came is looked at again: straightened by
a few degrees, which may let it match, and turned on its side, on its head or over, which is only
told. A page that lies so is for a person to turn, and a forger gains nothing by it.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from encoder.cautions import Caution
from encoder.imaging.acquire import Acquisition
from encoder.imaging.canvas import to_canvas
from encoder.inference.encoder import Encoder
from encoder.inference.simple_marks import simplicity
from encoder.inference.turning import MIRRORED, SIDEWAYS, Pose, posed
from encoder.scoring.copies import Distinct
from encoder.scoring.decision_rule import Comparison
from encoder.scoring.score import ClaimScore
from encoder.scoring.templates import Signatures

# A signature straightened by half a step is compared as well as a straight one.
STRAIGHTENING = tuple(Pose(degrees) for degrees in (-12, -6, 6, 12))
# What each degree costs of the score. At 0.05, four in five genuine signatures turned by 10 degrees
# match on CEDAR, NFI and SVC2004, and of 348 skilled forgeries, which would choose the best of five
# angles at 0, one more passes (docs/notes/encoder-experiments.md).
PENALTY_PER_DEGREE = 0.05
POSES = (*STRAIGHTENING, *SIDEWAYS, *MIRRORED)
# A signature counts as turned if turned back it fits the writer better than others do, and makes
# the writer so many times likelier than as it came, both as log10 of the likelihood ratio.
LEAST_LOG_LR, LEAST_GAIN = 0.0, 1.0
TURNED = frozenset({"turned", "mirrored"})  # Codes.
LEAST_AMONG = 3  # Of fewer signatures nobody knows which lies the right way.
FAR = 0.3  # Half the cosine that a writer's signatures have on the mean; turned ones have less.


def describe_posed(acquisition: Acquisition, poses: Sequence[Pose], encoder: Encoder) -> Signatures:
    """What the network sees of one signature laid in each of n poses."""
    size = encoder.canvas_size
    return encoder.describe(np.stack([to_canvas(posed(acquisition.ink, p), size) for p in poses]))


def compare_as_it_lies(
    acquisition: Acquisition,
    probe: Signatures,
    references: Signatures,
    encoder: Encoder,
    operating_point: str | None = None,
    which: Distinct | None = None,
) -> tuple[Comparison, tuple[Caution, ...]]:
    """Compare a query signature with references, one or more, whichever way its page lay.

    One that matches as it came costs nothing more than `DecisionRule.compare`.

    Args:
        acquisition: of the query signature.
        probe: what the network sees of it as it came (n = 1).
        references: of one writer.
        encoder: the model that described them.
        operating_point: by which to decide; None is the default one.
        which: of the references are copies; told by their templates where not given.

    Returns:
        The comparison, of the signature straightened where that lifts the verdict, and what there
        is to tell: `straightened`, `turned`, `mirrored`, `too-simple`, or nothing.

    Raises:
        UnknownOperatingPoint: the model was not calibrated for `operating_point`.
    """
    rule = encoder.rule
    comparison = rule.compare(probe, references, operating_point, which)
    simple = simplicity(acquisition, probe, encoder)
    comparison = replace(comparison, ceiling=simple.ceiling)
    if simple.by_its_ink:
        return comparison, simple.cautions  # It is alike whichever way it lies.
    if comparison.verdict == "match":
        return comparison, simple.cautions
    laid = rule.claims(
        describe_posed(acquisition, POSES, encoder), references, comparison.references
    )
    comparison, told = _best_laid(comparison, laid)
    return comparison, (*told, *simple.cautions)


def _best_laid(
    comparison: Comparison, claims: Sequence[ClaimScore]
) -> tuple[Comparison, tuple[Caution, ...]]:
    """Return what claims in all POSES make of a comparison, and what there is to tell."""
    straightened, degrees = _straightened(comparison, claims[: len(STRAIGHTENING)])
    if straightened.verdict == "match":
        return straightened, (straightened_by(degrees),)
    turned = _turned(comparison, claims)
    if turned is not None:
        return comparison, (lies_turned(turned),)
    if straightened.verdict != comparison.verdict:
        return straightened, (straightened_by(degrees),)
    return comparison, ()


def turned_among(
    acquisitions: Sequence[Acquisition], signatures: Signatures, encoder: Encoder
) -> list[tuple[Caution, ...]]:
    """Say of each of n signatures of one writer whether it lies otherwise than the rest.

    Only those far from the rest are looked at again, so that the usual ones cost nothing more.
    """
    told: list[tuple[Caution, ...]] = [() for _ in acquisitions]
    if len(acquisitions) < LEAST_AMONG:
        return told
    alike = (signatures.vectors @ signatures.vectors.T).sum(axis=1) - 1
    far = FAR * (len(signatures) - 1)
    for number in np.flatnonzero(alike < far).tolist():
        rest = signatures[[one for one in range(len(signatures)) if one != number]]
        found = compare_as_it_lies(acquisitions[number], signatures[[number]], rest, encoder)[1]
        told[number] = tuple(one for one in found if one.code in TURNED)
    return told


def penalised(score: float, degrees: int) -> float:
    """The score of a signature straightened by so many degrees, for comparison with others."""
    return score - PENALTY_PER_DEGREE * abs(degrees)


def straightened_by(degrees: int) -> Caution:
    """Say that the score is that of the signature turned clockwise by `degrees`."""
    way = "clockwise" if degrees > 0 else "anticlockwise"
    return Caution(
        "straightened",
        f"The signature lies askew against the references; it was turned {way} by {abs(degrees)} "
        f"degrees for the comparison, at {PENALTY_PER_DEGREE * abs(degrees):.2f} of its score.",
    )


def lies_turned(pose: Pose) -> Caution:
    """Say that the signature resembles the references much more in this pose."""
    clock = "clockwise" if pose.degrees > 0 else "anticlockwise"
    way = f"turned {clock} by {abs(pose.degrees)} degrees" if pose.degrees else ""
    if not pose.mirrored:
        return Caution(
            "turned",
            f"The signature resembles the references much more when it is {way}: it "
            "probably lay the wrong way, or askew. Turn the image, and send it again.",
        )
    both = f"mirrored and {way}" if way else "mirrored left to right"
    return Caution(
        "mirrored",
        f"The signature resembles the references much more when it is {both}: the image is "
        "probably mirrored, or shows the back of the sheet. Send it the right way round.",
    )


def _straightened(comparison: Comparison, claims: Sequence[ClaimScore]) -> tuple[Comparison, int]:
    """Return the best comparison among that as it came and those straightened, and its angle."""
    best, angle = comparison.claim, 0
    for pose, claim in zip(STRAIGHTENING, claims, strict=True):
        score = penalised(claim.score, pose.degrees)
        if score > best.score:
            best, angle = replace(claim, score=score), pose.degrees
    return replace(comparison, claim=best), angle


def _turned(comparison: Comparison, claims: Sequence[ClaimScore]) -> Pose | None:
    """Return the pose in which the signature fits much better than as it came, if there is one.

    One a little askew must fit well enough to match: a forgery that leans is no turned page.
    """
    ratio = comparison.calibration.random
    as_it_came = ratio.unbounded(comparison.score)
    number = int(np.argmax([claim.score for claim in claims]))
    score = claims[number].score
    gain = ratio.unbounded(score) - as_it_came
    if number < len(STRAIGHTENING) and score < comparison.threshold:
        return None
    return POSES[number] if ratio.of(score) >= LEAST_LOG_LR and gain >= LEAST_GAIN else None
