"""What warnings make of a verdict: no accusation, and no clearance, that they put in doubt."""

from collections.abc import Sequence

from encoder.cautions import Caution
from encoder.scoring.decision_rule import Verdict

# Of what is told beside the verdict and leaves it as it is.
ONLY_TOLD = frozenset(
    {"seen-before", "straightened", "near-duplicate", "collision", "not-distinctive"}
)
# What the score says nothing against: a copy and a mark that anyone can make are alike.
NEVER_A_MATCH = frozenset({"replay", "too-simple"})


def cautious_verdict(verdict: Verdict, warnings: Sequence[Caution]) -> Verdict:
    """Return the verdict, or `inconclusive` where a warning leaves it in doubt.

    A warning about the image may be why a genuine signature does not fit; what is never a match
    may be why a signature fits that is not genuine.
    """
    codes = {one.code for one in warnings} - ONLY_TOLD
    if verdict == "non_match" and codes:
        return "inconclusive"
    if verdict == "match" and clears_nobody(warnings):
        return "inconclusive"
    return verdict


def clears_nobody(warnings: Sequence[Caution]) -> bool:
    """Say whether no likeness, however close, makes this a match or finds its writer."""
    return any(one.code in NEVER_A_MATCH for one in warnings)
