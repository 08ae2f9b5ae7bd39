"""Tells of signatures that many others could make: by how complex they are, and by the cohort."""

from collections.abc import Sequence
from dataclasses import dataclass

from encoder.cautions import Caution
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from encoder.scoring.decision_rule import SIMPLE_LOG_LR
from encoder.scoring.templates import Signatures

TOO_SIMPLE = "too-simple"


@dataclass(frozen=True)
class Simplicity:
    """What is told of a query signature for its simplicity, and what its ratios may claim.

    `ceiling` is the highest log10 of a likelihood ratio; None where nothing holds it down.
    `by_its_ink`, it is so simple that its image's quality says so already; `cautions` are told
    besides.
    """

    by_its_ink: bool
    ceiling: float | None
    cautions: tuple[Caution, ...]


def simplicity(acquisition: Acquisition, probe: Signatures, encoder: Encoder) -> Simplicity:
    """Say how many others could make a query signature.

    References are not asked: they were told of when they were enrolled.

    Args:
        acquisition: of the query signature.
        probe: what the network sees of it (n = 1).
        encoder: the model that described it.
    """
    by_its_ink = any(one.code == TOO_SIMPLE for one in acquisition.quality.warnings)
    ceiling = SIMPLE_LOG_LR if by_its_ink else None
    if encoder.cohort is None:
        return Simplicity(by_its_ink, ceiling, ())
    found = encoder.cohort.distinctiveness(probe.vectors[0])
    ceilings = [one for one in (ceiling, found.ceiling) if one is not None]
    told = None if by_its_ink else found.caution
    cautions = () if told is None else (told,)
    return Simplicity(by_its_ink, min(ceilings, default=None), cautions)


def simple_marks(
    acquisitions: Sequence[Acquisition], signatures: Signatures, encoder: Encoder
) -> list[tuple[Caution, ...]]:
    """Say of each of n signatures, by itself, if many could make it and its quality does not."""
    return [
        simplicity(one, signatures[[number]], encoder).cautions
        for number, one in enumerate(acquisitions)
    ]
