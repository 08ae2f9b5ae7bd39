"""Tells of signatures that many others could make: by how complex they are, and by the cohort."""

from collections.abc import Sequence
from dataclasses import dataclass

from encoder.cautions import Caution
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from encoder.scoring.copies import Distinct
from encoder.scoring.decision_rule import SIMPLE_LOG_LR
from encoder.scoring.templates import Signatures

TOO_SIMPLE = "too-simple"
MOST_REFERENCES = 5  # The last of a writer's say how they sign; all would take the longer.


@dataclass(frozen=True)
class Simplicity:
    """What is told of a claim for its simplicity, and what its likelihood ratios may claim.

    `ceiling` is the highest log10 of a likelihood ratio; None where nothing holds it down.
    `by_its_ink`, the query signature is so simple that its image's quality says so already;
    `cautions` are told besides.
    """

    by_its_ink: bool
    ceiling: float | None
    cautions: tuple[Caution, ...]


def simplicity(
    acquisition: Acquisition,
    probe: Signatures,
    references: Signatures,
    which: Distinct,
    encoder: Encoder,
) -> Simplicity:
    """Say how many others could make the signatures of a claim.

    Args:
        acquisition: of the query signature.
        probe: what the network sees of it (n = 1).
        references: of one writer.
        which: of the references count.
        encoder: the model that described them.
    """
    told = _told_by_quality(acquisition)
    if encoder.cohort is None:
        return Simplicity(told, SIMPLE_LOG_LR if told else None, ())
    counted = references.vectors[list(which.kept[-MOST_REFERENCES:])]
    of_probe = encoder.cohort.distinctiveness(probe.vectors)
    of_references = encoder.cohort.distinctiveness(counted)
    ceilings = [of_probe.ceiling, of_references.ceiling, SIMPLE_LOG_LR if told else None]
    found = (
        None if told else of_probe.caution("The mark"),
        of_references.caution("The mark that the references show"),
    )
    cautions = tuple(one for one in found if one is not None)
    return Simplicity(told, min((c for c in ceilings if c is not None), default=None), cautions)


def simple_marks(
    acquisitions: Sequence[Acquisition], signatures: Signatures, encoder: Encoder
) -> list[tuple[Caution, ...]]:
    """Say of each of n signatures, by itself, if many could make it and its quality does not."""
    told: list[tuple[Caution, ...]] = [() for _ in acquisitions]
    if encoder.cohort is None:
        return told
    for number, one in enumerate(acquisitions):
        if not _told_by_quality(one):
            found = encoder.cohort.distinctiveness(signatures.vectors[[number]])
            caution = found.caution("The mark")
            told[number] = () if caution is None else (caution,)
    return told


def _told_by_quality(acquisition: Acquisition) -> bool:
    return any(one.code == TOO_SIMPLE for one in acquisition.quality.warnings)
