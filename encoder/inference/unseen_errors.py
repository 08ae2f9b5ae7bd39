"""What a model's rule came to on data sets that it was not fitted on: the errors to expect.

Nobody's signatures are of a data set that a model knows, so these are the only rates that an answer
states. They are in the manifest, from the export of the very rule (`calibration.fit`).
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

RATES = ("fmr_skilled", "fnmr", "refused_genuine")


@dataclass(frozen=True)
class Range:
    """A rate over data sets: its mean, and the highest."""

    mean: float
    worst: float

    @classmethod
    def over(cls, rates: list[float]) -> Self:
        """Of one rate or more, 0 to 1."""
        return cls(round(sum(rates) / len(rates), 3), round(max(rates), 3))


@dataclass(frozen=True)
class UnseenErrors:
    """Errors of one operating point with `references` references.

    Attributes:
        data_sets: how many were each left out of the fit and measured on.
        fmr_skilled: share of skilled forgeries that matched.
        fnmr: share of genuine signatures that did not match.
        refused_genuine: share of genuine signatures that were called no match.
    """

    references: int
    data_sets: int
    fmr_skilled: Range
    fnmr: Range
    refused_genuine: Range

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


def unseen_errors(
    manifest: Mapping[str, Any], references: int, operating_point: str
) -> UnseenErrors | None:
    """The errors for the largest measured number of references not above this one, if any."""
    measured = [
        sorted((int(count), row) for count, row in of_set.items())
        for of_set in manifest.get("unseen", {}).values()
    ]
    counts = {count for rows in measured for count, _ in rows if count <= references}
    if not counts:
        return None
    most = max(counts)
    rows = [
        row["points"][operating_point]
        for of_set in measured
        for count, row in of_set
        if count == most and operating_point in row["points"]
    ]
    if not rows:
        return None
    ranges = (Range.over([row[name] for row in rows]) for name in RATES)
    return UnseenErrors(most, len(rows), *ranges)
