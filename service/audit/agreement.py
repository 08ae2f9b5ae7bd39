"""How often people agree with the software, of the decisions that they reviewed."""

from collections.abc import Sequence

from index.registry.audit.reviews import Agreement

# What a person says who agrees with a verdict.
AGREES = {"match": "accept", "non_match": "reject", "identified": "accept"}
DECIDED = ("accept", "reject")


def summarised(counts: Sequence[Agreement]) -> dict[str, float | None]:
    """Return verdict -> share of those who agreed, of all who accepted or rejected; 0 to 1.

    None where nobody did either.
    """
    found: dict[str, float | None] = {}
    for verdict, agrees in AGREES.items():
        decided = [one for one in counts if one.verdict == verdict and one.outcome in DECIDED]
        total = sum(one.count for one in decided)
        agreed = sum(one.count for one in decided if one.outcome == agrees)
        found[verdict] = agreed / total if total else None
    return found
