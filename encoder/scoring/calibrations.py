"""What scores mean: thresholds, likelihood ratios, and how high strangers score.

Those of a model come from development writers (`calibration.fit`); those of `OwnGallery` from an
installation's own references (`calibration.gallery_statistics`).
"""

import math
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from encoder.errors import UnusableRule


@dataclass(frozen=True)
class OperatingPoint:
    """Two thresholds on the comparison score: `match` from one on, `non_match` below the other.

    For `fmr_skilled=5%`, at most 5% of skilled forgeries reach the one and of genuine signatures
    stay below the other, on each data set (`calibration.fit`); a band is left between the two.
    """

    match: float
    non_match: float


@dataclass(frozen=True)
class RandomTail:
    """How high the best candidate scores where a writer is not enrolled, as an exponential tail.

    Attributes:
        start: the score that a share `share` of such searches passes,
        gallery_size: among so many writers.
        scale: mean of what they pass it by.
        fpir: the false positive identification rate that `threshold` aims at.
    """

    start: float
    share: float
    scale: float
    fpir: float
    gallery_size: int

    def threshold(self, gallery_size: int) -> float:
        """The score the best of `gallery_size` writers must reach to be named."""
        growth = max(gallery_size, 1) / self.gallery_size
        # The tail says nothing of what lies below its start.
        return self.start + self.scale * max(0.0, math.log(growth * self.share / self.fpir))


@dataclass(frozen=True)
class LogRatio:
    """log10 likelihood ratio of a score: what every data set supports, at most `bound` either way.

    Attributes:
        lines: (slope, intercept) of a line over the score, fitted on each data set. Where all agree
            on the side, the ratio nearest to 0 counts; where they do not, the score says nothing.
        bound: the largest that the development data can support.
    """

    lines: tuple[tuple[float, float], ...]
    bound: float

    def of(self, score: float) -> float:
        """log10 of how much likelier the score is from the writer than from the other kind."""
        return min(max(self.unbounded(score), -self.bound), self.bound)

    def unbounded(self, score: float) -> float:
        """The same, as far as the lines go."""
        return float(self.each(np.array([score]))[0])

    def each(self, scores: NDArray[np.float64]) -> NDArray[np.float64]:
        """`unbounded` of scores `(n,)`."""
        slopes, intercepts = np.array(self.lines, np.float64).T
        ratios = scores[:, None] * slopes + intercepts
        for_writer, against = ratios.min(axis=1), ratios.max(axis=1)
        return np.asarray(np.maximum(for_writer, np.minimum(against, 0.0)), np.float64)


@dataclass(frozen=True)
class Calibration:
    """What scores mean for claims with `references` references or more.

    Attributes:
        skilled: the likelihood ratio of the writer against a skilled forger.
        random: the likelihood ratio of the writer against another writer, who forges nothing.
        points: operating points by name, such as `fmr_skilled=5%`.
        random_tail: how high others than the writer score in a search.
    """

    references: int
    skilled: LogRatio
    random: LogRatio
    points: Mapping[str, OperatingPoint]
    random_tail: RandomTail


@dataclass(frozen=True)
class CautiousPoints:
    """Wider operating points, by name, for claims with `references` references or more."""

    references: int
    points: Mapping[str, OperatingPoint]


@dataclass(frozen=True)
class Familiarity:
    """How far a gallery lies from those that a model was calibrated on (`calibration.familiarity`).

    Attributes:
        distance: to the nearest of them, in standard deviations of writers.
        limit: how far any of them lies from the others at the most.
        nearest: the data set that it is nearest to.
    """

    distance: float
    limit: float
    nearest: str

    @property
    def unlike(self) -> bool:
        """Whether it is unlike them all."""
        return self.distance > self.limit


@dataclass(frozen=True)
class OwnBounds:
    """Below which scores a claim with `references` references or more is refused.

    `non_match` is by operating point; one that is not in it keeps the model's bound.
    """

    references: int
    non_match: Mapping[str, float]


@dataclass(frozen=True)
class OwnGallery:
    """What an installation's own gallery tells of its scores (`calibration.gallery_statistics`).

    Nobody enrolls forgeries, so no `match` threshold is in it.

    Attributes:
        tail: how high strangers score, whatever the number of references.
        bounds: by number of references, ascending; the first are for one reference.
    """

    tail: RandomTail
    bounds: tuple[OwnBounds, ...]

    def non_match(self, references: int) -> Mapping[str, float]:
        """The bounds for the largest number of references not above this one."""
        fitting = [one for one in self.bounds if one.references <= references]
        return fitting[-1].non_match if fitting else {}

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "OwnGallery":
        """What `as_dict` wrote.

        Raises:
            UnusableRule: a part is missing, of the wrong type, not finite or not possible.
        """
        try:
            tail = RandomTail(**data["tail"])
            bounds = tuple(
                OwnBounds(
                    int(one["references"]), {n: float(v) for n, v in one["non_match"].items()}
                )
                for one in data["bounds"]
            )
            possible = 0 < tail.share <= 1 and 0 < tail.fpir < 1 and tail.scale > 0
            numbers = [
                tail.start,
                tail.scale,
                *(v for one in bounds for v in one.non_match.values()),
            ]
            if not (possible and tail.gallery_size > 0 and np.isfinite(numbers).all()):
                raise UnusableRule("The gallery's calibration holds a number that cannot be.")
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnusableRule(
                f"The gallery's calibration lacks or garbles a part ({error})."
            ) from error
        return cls(tail, tuple(sorted(bounds, key=lambda one: one.references)))
