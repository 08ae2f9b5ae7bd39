"""From a comparison score to a verdict: calibrated thresholds and likelihood ratios of one model.

The numbers come from development writers (`calibration.fit`) and travel in the model's manifest.
"""

import hashlib
import json
import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import cached_property
from typing import Any, Literal

import numpy as np

from encoder.errors import UnknownOperatingPoint, UnusableRule
from encoder.scoring.centring import Centre, centred
from encoder.scoring.copies import Distinct, distinct
from encoder.scoring.score import (
    ClaimScore,
    Spread,
    each_claim_score,
    likenesses,
    similarities,
)
from encoder.scoring.script_compensation import ScriptCompensation
from encoder.scoring.templates import Signatures, Vectors

Verdict = Literal["match", "inconclusive", "non_match"]

# Of circles that others drew, 73 % match a writer's, the most of all simple marks, so that a match
# of one makes the writer 1/0.73 times likelier at most: log10 of that (benchmarks/simple_marks.py).
SIMPLE_LOG_LR = 0.14


@dataclass(frozen=True)
class OperatingPoint:
    """Two thresholds on the comparison score: `match` from one on, `non_match` below the other.

    For `fmr_skilled=5%`, 5% of skilled forgeries reach the one, and 5% of genuine signatures stay
    below the other, on development writers; where that would be above the one, the two are equal.
    """

    match: float
    non_match: float


@dataclass(frozen=True)
class RandomTail:
    """The highest comparison scores of signatures of other writers, as an exponential tail.

    Attributes:
        start: the score that a share `share` of such comparisons passes.
        scale: mean of what they pass it by.
        fpir: the false positive identification rate that `threshold` aims at.
    """

    start: float
    share: float
    scale: float
    fpir: float

    def threshold(self, gallery_size: int) -> float:
        """The score the best of `gallery_size` writers must reach to be named."""
        chance = 1.0 - (1.0 - self.fpir) ** (1.0 / max(gallery_size, 1))
        return self.start + self.scale * math.log(self.share / chance)


@dataclass(frozen=True)
class LogRatio:
    """log10 likelihood ratio = slope * score + intercept, at most `bound` either way.

    Attributes:
        bound: the largest that the development data can support.
    """

    slope: float
    intercept: float
    bound: float

    def of(self, score: float) -> float:
        """log10 of how much likelier the score is from the writer than from the other kind."""
        return min(max(self.slope * score + self.intercept, -self.bound), self.bound)


@dataclass(frozen=True)
class Calibration:
    """What scores mean for claims with `references` references or more.

    Attributes:
        skilled: the likelihood ratio of the writer against a skilled forger.
        random: the likelihood ratio of the writer against another writer, who forges nothing.
        points: operating points by name, such as `fmr_skilled=5%`.
        random_tail: how high other writers' signatures score.
    """

    references: int
    skilled: LogRatio
    random: LogRatio
    points: Mapping[str, OperatingPoint]
    random_tail: RandomTail


@dataclass(frozen=True)
class Comparison:
    """A probe compared with a claimed writer's references, and what that means.

    Attributes:
        claim: the comparison score and the similarities that it came from.
        calibration: what scores mean for so many references.
        operating_point: the name of the pair of thresholds that decides.
        references: which of the references the score rests on: copies of one image count once.
        ceiling: above which no likelihood ratio goes, as log10; None where the calibration's own
            bounds suffice.
    """

    claim: ClaimScore
    calibration: Calibration
    operating_point: str
    references: Distinct
    ceiling: float | None = None

    @property
    def verdict(self) -> Verdict:
        """What the score comes to at the operating point."""
        if self.score >= self.threshold:
            return "match"
        return "non_match" if self.score < self.non_match_threshold else "inconclusive"

    @property
    def score(self) -> float:
        """The claim-normalised comparison score; higher means more alike."""
        return self.claim.score

    @property
    def threshold(self) -> float:
        """The score from which the verdict is `match`."""
        return self.calibration.points[self.operating_point].match

    @property
    def non_match_threshold(self) -> float:
        """The score below which it is `non_match`, at most `threshold`; `inconclusive` between."""
        return self.calibration.points[self.operating_point].non_match

    @property
    def log_lr(self) -> float:
        """log10 likelihood ratio, genuine against skilled forgery; within its bound either way."""
        return self._under_ceiling(self.calibration.skilled.of(self.score))

    @property
    def log_lr_bound(self) -> float:
        """The largest that `log_lr` can be; at it, the ratio is at least so much."""
        return self.calibration.skilled.bound

    @property
    def log_lr_random(self) -> float:
        """log10 likelihood ratio against another writer's genuine signature, within its bound."""
        return self._under_ceiling(self.calibration.random.of(self.score))

    @property
    def log_lr_random_bound(self) -> float:
        """The largest that `log_lr_random` can be."""
        return self.calibration.random.bound

    @property
    def similarities(self) -> Vectors:
        """Cosine similarity to each reference `(r,)`, the rule's centre taken off, float32."""
        return self.claim.similarities

    @property
    def local_similarities(self) -> Vectors | None:
        """Local similarity to each reference `(r,)`; None where the model knows no pieces."""
        return self.claim.local_similarities

    def _under_ceiling(self, log_ratio: float) -> float:
        return log_ratio if self.ceiling is None else min(log_ratio, self.ceiling)


@dataclass(frozen=True)
class DecisionRule:
    """All a model needs to turn similarities into verdicts.

    Attributes:
        calibrations: by number of references, ascending; the first is for one reference.
        centre: the `(d,)` centre of the gallery that the rule is adapted to, if any; it is taken
            off every embedding before they are compared.
    """

    spread: Spread
    calibrations: tuple[Calibration, ...]
    default_operating_point: str
    centre: tuple[float, ...] | None = None

    @property
    def operating_points(self) -> tuple[str, ...]:
        """Names of all operating points."""
        return tuple(self.calibrations[0].points)

    @cached_property
    def offset(self) -> Vectors | None:
        """The centre as a `(d,)` float32 array."""
        return None if self.centre is None else np.asarray(self.centre, np.float32)

    @cached_property
    def rule_id(self) -> str:
        """Names the rule: 12 hexadecimal digits that change with any of its numbers."""
        text = json.dumps(_identity(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    def centred(self, signatures: Signatures) -> Signatures:
        """Signatures as the rule compares them: its centre, if any, taken off their vectors."""
        return signatures.with_vectors(centred(signatures.vectors, self.offset))

    def claim(self, probe: Signatures, references: Signatures) -> ClaimScore:
        """Score one signature (n = 1) as it is stored against references, one or more.

        Copies of one image among the references count once; the similarities are of all.
        """
        return self.claims(probe, references, distinct(references))[0]

    def claims(
        self, probes: Signatures, references: Signatures, which: Distinct
    ) -> list[ClaimScore]:
        """Score each of n signatures as `claim` does; `which` of the references are copies."""
        ones, all_of_them = self.centred(probes), self.centred(references)
        if which.all_count:
            return each_claim_score(ones, all_of_them, self.spread)
        scored = each_claim_score(ones, all_of_them[list(which.kept)], self.spread)
        found = similarities(ones, all_of_them)
        local = [None] * len(scored) if found.local is None else list(found.local)
        return [
            replace(one, similarities=whole, local_similarities=alike)
            for one, whole, alike in zip(scored, found.whole, local, strict=True)
        ]

    def likeness(self, probe: Signatures, references: Signatures) -> float:
        """How much one signature (n = 1) resembles a writer's, as `claim` says; without a score.

        It takes less: how alike the references are among themselves is not asked.
        """
        kept = references[list(distinct(references).kept)]
        return float(likenesses(similarities(self.centred(probe), self.centred(kept)))[0])

    def compare(
        self,
        probe: Signatures,
        references: Signatures,
        operating_point: str | None = None,
        which: Distinct | None = None,
    ) -> Comparison:
        """Decide whether a probe (n = 1) is by the writer of the references, one or more.

        `which` says which of them are copies of one image; told by their templates where not given.

        Raises:
            UnknownOperatingPoint: the model was not calibrated for `operating_point`.
        """
        name = self.default_operating_point if operating_point is None else operating_point
        if name not in self.operating_points:
            raise UnknownOperatingPoint(name, self.operating_points)
        which = distinct(references) if which is None else which
        calibration = self.calibration_for(len(which.kept))
        claim = self.claims(probe, references, which)[0]
        return Comparison(claim, calibration, name, which)

    def adapted_to(self, centre: Centre) -> "DecisionRule":
        """This rule, of centred embeddings, with a gallery's centre, by which its script is told.

        A gallery is taken to be of one script: claims are not asked for theirs any more.
        """
        told = tuple(one.told(centre.mean) for one in self.spread.compensations)
        spread = replace(self.spread, compensations=told)
        return replace(self, centre=centre.vector, spread=spread)

    def calibration_for(self, references: int) -> Calibration:
        """The calibration for the largest calibrated number of references not above this one."""
        fitting = [c for c in self.calibrations if c.references <= references]
        return fitting[-1] if fitting else self.calibrations[0]

    def identification_threshold(self, gallery_size: int, references: int) -> float:
        """The score that the best of `gallery_size` writers must reach, with its references."""
        return self.calibration_for(references).random_tail.threshold(gallery_size)

    def as_dict(self) -> dict[str, Any]:
        """The rule, ready for JSON, where the compensations are called `kinds`."""
        rule = asdict(self)
        rule["spread"]["kinds"] = rule["spread"].pop("compensations")
        return rule

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> "DecisionRule":
        """The rule that `as_dict` wrote.

        Raises:
            UnusableRule: a part is missing, of the wrong type or not finite, or the calibrations do
                not all offer the same operating points, the default one among them.
        """
        try:
            rule = cls(
                spread=_spread(data["spread"]),
                calibrations=_calibrations(data["calibrations"]),
                default_operating_point=str(data["default_operating_point"]),
                centre=None if data["centre"] is None else tuple(map(float, data["centre"])),
            )
        except KeyError as error:
            raise UnusableRule(f"The decision rule lacks {error}.") from error
        except (AttributeError, TypeError, ValueError) as error:
            raise UnusableRule(
                f"The decision rule has a part of a wrong form ({error})."
            ) from error
        offered = [set(calibration.points) for calibration in rule.calibrations]
        if not offered or any(rule.default_operating_point not in points for points in offered):
            raise UnusableRule(
                "The decision rule lacks its default operating point, "
                f"{rule.default_operating_point!r}, in one calibration or all."
            )
        if any(points != offered[0] for points in offered):
            raise UnusableRule("The decision rule's calibrations differ in their operating points.")
        if rule.centre is not None and not np.isfinite(rule.centre).all():
            raise UnusableRule("The decision rule's centre holds a number that is not finite.")
        return rule

    def require_dimension(self, dimension: int) -> None:
        """Refuse a rule whose centre or compensations, if any, are not for embeddings `(d,)`.

        Raises:
            UnusableRule: they have more or fewer numbers than `dimension`.
        """
        parts = [(f"the compensation of {c.name}", c.axis) for c in self.spread.compensations]
        if self.centre is not None:
            parts.append(("the centre", self.centre))
        for part, vector in parts:
            if len(vector) != dimension:
                raise UnusableRule(
                    f"The decision rule is for other embeddings: {part} has {len(vector)} numbers, "
                    f"expected {dimension}."
                )


# What names a rule, so that a rule goes by the same name in later versions. A field that is added
# to these classes is added here where it is not the default that earlier rules had without saying.
_IDENTIFYING: Mapping[type, tuple[str, ...]] = {
    DecisionRule: ("spread", "calibrations", "default_operating_point", "centre"),
    Spread: ("population", "shrinkage", "local", "compensations"),
    ScriptCompensation: ("name", "axis", "offset", "amounts"),
    Calibration: ("references", "skilled", "random", "points", "random_tail"),
    LogRatio: ("slope", "intercept", "bound"),
    OperatingPoint: ("match", "non_match"),
    RandomTail: ("start", "share", "scale", "fpir"),
}
_WRITTEN_AS = {"compensations": "kinds"}  # Fields that go by another name in manifests.


def _identity(part: Any) -> Any:
    if type(part) in _IDENTIFYING:
        names = _IDENTIFYING[type(part)]
        return {_WRITTEN_AS.get(name, name): _identity(getattr(part, name)) for name in names}
    if isinstance(part, Mapping):
        return {name: _identity(value) for name, value in part.items()}
    return [_identity(one) for one in part] if isinstance(part, tuple) else part


def _spread(row: Mapping[str, Any]) -> Spread:
    plain = {name: value for name, value in row.items() if name != "kinds"}
    numbers = list(plain.values())
    compensations = tuple(_compensation(one) for one in row["kinds"])
    for one in compensations:
        numbers += [one.offset, *one.axis, *(amount for _, amount in one.amounts)]
        if not one.amounts:
            raise UnusableRule(f"The compensation of {one.name} in the decision rule is empty.")
    if not np.isfinite(numbers).all():
        raise UnusableRule("The decision rule's spread holds a number that is not finite.")
    return Spread(**plain, compensations=compensations)


def _compensation(row: Mapping[str, Any]) -> ScriptCompensation:
    axis = tuple(map(float, row["axis"]))
    amounts = tuple((int(count), float(amount)) for count, amount in row["amounts"])
    return ScriptCompensation(row["name"], axis, float(row["offset"]), amounts)


def _calibrations(rows: Sequence[Mapping[str, Any]]) -> tuple[Calibration, ...]:
    read = (
        Calibration(
            references=row["references"],
            skilled=LogRatio(**row["skilled"]),
            random=LogRatio(**row["random"]),
            random_tail=RandomTail(**row["random_tail"]),
            points={name: OperatingPoint(**point) for name, point in row["points"].items()},
        )
        for row in rows
    )
    return tuple(sorted(read, key=lambda calibration: calibration.references))
