"""What a model's rule came to on data sets that it was not fitted on: the errors to expect.

Nobody's signatures are of a data set that a model knows, so these are the only rates that an answer
states. They are in the manifest, from the export of the very rule (`calibration.fit`), and say
nothing of thresholds that were moved since.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any, Self

OWN_COUNTS = "match_from_own_forgeries"  # In what a rule was fitted anew on.
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
        refused_genuine: share of genuine signatures that were called no match; None where the bound
            for it is not the export's.
    """

    references: int
    data_sets: int
    fmr_skilled: Range
    fnmr: Range
    refused_genuine: Range | None

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)


def measured_unseen(manifest: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the manifest holds, by data set; nothing where the thresholds were fitted anew since."""
    found: Mapping[str, Any] = {} if manifest.get("calibrated_on") else manifest.get("unseen", {})
    return found


def own_counts(manifest: Mapping[str, Any]) -> frozenset[int]:
    """Numbers of references for which a user's own forgeries alone set the default `match`."""
    return frozenset((manifest.get("calibrated_on") or {}).get(OWN_COUNTS, ()))


def unseen_errors(
    manifest: Mapping[str, Any], references: int, operating_point: str, *, own_bounds: bool = False
) -> UnseenErrors | None:
    """The errors for the largest measured number of references not above this one.

    None where none were measured, or the thresholds were fitted anew since. `own_bounds`: whether a
    gallery sets when a signature is called no match; that leaves the other rates as they are.
    """
    measured = [
        sorted((int(count), row) for count, row in of_set.items())
        for of_set in measured_unseen(manifest).values()
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
    passed, missed, refused = (Range.over([row[name] for row in rows]) for name in RATES)
    return UnseenErrors(most, len(rows), passed, missed, None if own_bounds else refused)
