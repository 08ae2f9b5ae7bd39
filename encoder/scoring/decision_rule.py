"""From a comparison score to a verdict: one model's decision rule, as its manifest holds it."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, field, replace
from functools import cached_property
from itertools import chain
from typing import Any, Literal

import numpy as np

from encoder.errors import UnknownOperatingPoint, UnusableRule
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import (
    Calibration,
    CautiousPoints,
    Familiarity,
    LogRatio,
    OperatingPoint,
    OwnBounds,
    OwnGallery,
    RandomTail,
)
from encoder.scoring.copies import Distinct, distinct
from encoder.scoring.score import (
    ClaimScore,
    ClaimWeights,
    Scoring,
    each_claim_score,
    likenesses,
)
from encoder.scoring.templates import Signatures, Vectors

Verdict = Literal["match", "inconclusive", "non_match"]

# Of circles that others drew, 96 % match a writer's, the most of all simple marks, so that a match
# of one makes the writer 1/0.96 times likelier at most: log10 of that (benchmarks/simple_marks.py).
SIMPLE_LOG_LR = 0.02


@dataclass(frozen=True)
class Comparison:
    """A probe compared with a claimed writer's references, and what that means.

    Attributes:
        claim: the comparison score and the similarities that it came from.
        calibration: what scores mean for so many references.
        operating_point: the name of the pair of thresholds that decides.
        parts: what was compared, by name.
        references: which of the references the score rests on: copies of one image count once.
        ceiling: above which no likelihood ratio goes, as log10; None where the calibration's own
            bounds suffice.
    """

    claim: ClaimScore
    calibration: Calibration
    operating_point: str
    parts: tuple[str, ...]
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
    def contributions(self) -> dict[str, float]:
        """What each thing compared adds to the score, against a usual genuine signature's.

        By name: the blocks, what matching the pieces tells, and how much there is to the references
        (`richness`). Below 0, the signature is less like the references in it than usual, given
        how alike these are among themselves.
        """
        weights = self.claim.weights
        over = np.array(weights.weights) * (self.claim.features - np.array(weights.typical))
        count = len(self.parts)
        by_part = over[:count] + over[count : 2 * count]
        found = dict(zip(self.parts, by_part.tolist(), strict=True))
        rest = over[2 * count :].tolist()
        return found | ({"richness": rest[0]} if rest else {})

    @property
    def similarities(self) -> Vectors:
        """Cosine similarity to each reference `(r,)`, float32."""
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
        scoring: what is compared of a claim, and what it counts.
        calibrations: by number of references, ascending; the first is for one reference.
        gallery: what the gallery that it decides for has told; None where it was not asked.
        cautious: by number of references, ascending: within which scores are inconclusive, where
            that is wider; for a gallery that is unlike all that the model was calibrated on.
        familiarity: how like the gallery is to that; None where that is not known.
    """

    scoring: Scoring
    calibrations: tuple[Calibration, ...]
    default_operating_point: str
    gallery: OwnGallery | None = None
    cautious: tuple[CautiousPoints, ...] | None = None
    familiarity: Familiarity | None = field(default=None, compare=False)

    @property
    def operating_points(self) -> tuple[str, ...]:
        """Names of all operating points."""
        return tuple(self.calibrations[0].points)

    @cached_property
    def rule_id(self) -> str:
        """Names the rule: 12 hexadecimal digits that change with any of its numbers."""
        text = json.dumps(_identity(self), sort_keys=True)
        return hashlib.sha256(text.encode()).hexdigest()[:12]

    @cached_property
    def canonical(self) -> str:
        """All of the rule but the blocks, the gallery's part too, as JSON in its one form."""
        gallery = None if self.gallery is None else self.gallery.as_dict()
        return json.dumps(
            {"rule": self.as_dict(), "gallery": gallery}, sort_keys=True, separators=(",", ":")
        )

    @classmethod
    def from_canonical(cls, data: Mapping[str, Any], blocks: Blocks) -> "DecisionRule":
        """The rule that `canonical` wrote, read from JSON, for embeddings of these blocks.

        Raises:
            UnusableRule: a part is missing or garbled, or it is for other blocks.
        """
        try:
            rule, gallery = cls.from_dict(data["rule"], blocks), data["gallery"]
        except KeyError as error:
            raise UnusableRule(f"The decision rule lacks {error}.") from error
        return rule if gallery is None else replace(rule, gallery=OwnGallery.from_dict(gallery))

    def claim(self, probe: Signatures, references: Signatures) -> ClaimScore:
        """Score one signature (n = 1) against references, one or more.

        Copies of one image among the references count once; the similarities are of all.
        """
        return self.claims(probe, references, distinct(references))[0]

    def claims(
        self, probes: Signatures, references: Signatures, which: Distinct
    ) -> list[ClaimScore]:
        """Score each of n signatures as `claim` does; `which` of the references are copies."""
        if which.all_count:
            return each_claim_score(probes, references, self.scoring)
        kept = references[list(which.kept)]
        scored = each_claim_score(probes, kept, self.scoring)
        found = self.scoring.similarities(probes, references)
        local = [None] * len(scored) if found.local is None else list(found.local[0])
        return [
            replace(one, similarities=whole, local_similarities=alike)
            for one, whole, alike in zip(scored, found.whole, local, strict=True)
        ]

    def likeness(self, probe: Signatures, references: Signatures) -> float:
        """How much one signature (n = 1) resembles a writer's, as `claim` says; without a score.

        It takes less: how alike the references are among themselves is not asked.
        """
        kept = references[list(distinct(references).kept)]
        found = self.scoring.similarities(probe, kept)
        return float(likenesses(found.whole, found.local)[0])

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
        return Comparison(claim, calibration, name, self.scoring.parts, which)

    def calibration_for(self, references: int) -> Calibration:
        """The calibration for the largest calibrated number of references not above this one.

        Its bounds for `non_match` are those of the gallery, where it has told them.
        """
        fitting = [c for c in self._in_force if c.references <= references]
        return fitting[-1] if fitting else self._in_force[0]

    def identification_threshold(self, gallery_size: int, references: int) -> float:
        """The score that the best of `gallery_size` writers must reach, with its references."""
        if self.gallery is not None:
            return self.gallery.tail.threshold(gallery_size)
        return self.calibration_for(references).random_tail.threshold(gallery_size)

    @cached_property
    def _in_force(self) -> tuple[Calibration, ...]:
        """The calibrations as they decide.

        What the gallery has told of its genuine signatures goes before what is only feared.
        """
        decide = self.calibrations
        for wider in self.cautious or ():
            decide = tuple(
                _widened(one, wider.points) if one.references == wider.references else one
                for one in decide
            )
        if self.gallery is None:
            return decide
        return tuple(_with_bounds(one, self.gallery.non_match(one.references)) for one in decide)

    def as_dict(self) -> dict[str, Any]:
        """The rule, ready for JSON, as a model's manifest holds it.

        Without the blocks, which belong to the network, and without what is told by the gallery.
        """
        scoring = {
            "weights": [asdict(one) for one in self.scoring.weights],
            "local": self.scoring.local,
        }
        return {
            "scoring": scoring,
            "calibrations": [asdict(one) for one in self.calibrations],
            "default_operating_point": self.default_operating_point,
        }

    @classmethod
    def from_dict(cls, data: Mapping[str, Any], blocks: Blocks) -> "DecisionRule":
        """The rule that `as_dict` wrote, for embeddings of these blocks.

        Raises:
            UnusableRule: a part is missing, of the wrong type or not finite, the calibrations do
                not all offer the same operating points, the default one among them, or the weights
                are not for these blocks.
        """
        try:
            rule = cls(
                scoring=_scoring(data["scoring"], blocks),
                calibrations=_calibrations(data["calibrations"]),
                default_operating_point=str(data["default_operating_point"]),
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
        return rule


# What names a rule, so that a rule goes by the same name in later versions. A field that is added
# to these classes is added here where it is not the default that earlier rules had without saying.
# One that is None, as in rules from before it, is left out.
_IDENTIFYING: Mapping[type, tuple[str, ...]] = {
    DecisionRule: ("scoring", "calibrations", "default_operating_point", "gallery", "cautious"),
    Scoring: ("weights", "local"),
    ClaimWeights: ("references", "weights", "intercept", "typical"),
    Calibration: ("references", "skilled", "random", "points", "random_tail"),
    LogRatio: ("lines", "bound"),
    OperatingPoint: ("match", "non_match"),
    RandomTail: ("start", "share", "scale", "fpir", "gallery_size"),
    CautiousPoints: ("references", "points"),
    OwnGallery: ("tail", "bounds"),
    OwnBounds: ("references", "non_match"),
}


def _identity(part: Any) -> Any:
    if type(part) in _IDENTIFYING:
        named = {name: getattr(part, name) for name in _IDENTIFYING[type(part)]}
        return {name: _identity(one) for name, one in named.items() if one is not None}
    if isinstance(part, Mapping):
        return {name: _identity(value) for name, value in part.items()}
    return [_identity(one) for one in part] if isinstance(part, tuple) else part


def _widened(calibration: Calibration, wider: Mapping[str, OperatingPoint]) -> Calibration:
    """The calibration with each band as wide as it is, or as `wider` has it, on either side."""
    points = {
        name: OperatingPoint(
            max(point.match, wider.get(name, point).match),
            min(point.non_match, wider.get(name, point).non_match),
        )
        for name, point in calibration.points.items()
    }
    return replace(calibration, points=points)


def _with_bounds(calibration: Calibration, non_match: Mapping[str, float]) -> Calibration:
    """The calibration with other bounds for `non_match`; none above its `match`."""
    points = {
        name: OperatingPoint(point.match, min(point.match, non_match.get(name, point.non_match)))
        for name, point in calibration.points.items()
    }
    return replace(calibration, points=points)


def _scoring(row: Mapping[str, Any], blocks: Blocks) -> Scoring:
    weights = tuple(
        ClaimWeights(
            references=int(one["references"]),
            weights=tuple(map(float, one["weights"])),
            intercept=float(one["intercept"]),
            typical=tuple(map(float, one["typical"])),
        )
        for one in row["weights"]
    )
    scoring = Scoring(
        tuple(sorted(weights, key=lambda one: one.references)), bool(row["local"]), blocks
    )
    if not weights:
        raise UnusableRule("The decision rule has no weights.")
    for one in weights:
        _require_finite("weights hold", *one.weights, one.intercept, *one.typical)
        if {len(one.weights), len(one.typical)} != {scoring.features}:
            raise UnusableRule(
                f"The decision rule weighs {len(one.weights)} features; this network's claims have "
                f"{scoring.features}."
            )
        if min(one.weights[: len(scoring.parts)]) < 0:
            raise UnusableRule("The decision rule lowers the score of what is more alike.")
    return scoring


def _calibrations(rows: Sequence[Mapping[str, Any]]) -> tuple[Calibration, ...]:
    read = [
        Calibration(
            references=row["references"],
            skilled=_log_ratio(row["skilled"]),
            random=_log_ratio(row["random"]),
            random_tail=RandomTail(**row["random_tail"]),
            points={name: OperatingPoint(**point) for name, point in row["points"].items()},
        )
        for row in rows
    ]
    for one in read:
        _require_finite("random tail holds", *astuple(one.random_tail))
        if one.random_tail.gallery_size < 1:
            raise UnusableRule("The decision rule's random tail is of a gallery of nobody.")
        for point in one.points.values():
            _require_finite("operating points hold", *astuple(point))
    return tuple(sorted(read, key=lambda calibration: calibration.references))


def _log_ratio(row: Mapping[str, Any]) -> LogRatio:
    lines = tuple((float(slope), float(intercept)) for slope, intercept in row["lines"])
    if not lines:
        raise UnusableRule("The decision rule has a likelihood ratio without a line.")
    bound = float(row["bound"])
    _require_finite("likelihood ratios hold", bound, *chain(*lines))
    if min(slope for slope, _ in lines) < 0:
        raise UnusableRule(
            "The decision rule has a likelihood ratio that falls where the score rises."
        )
    return LogRatio(lines, bound)


def _require_finite(where: str, *numbers: float) -> None:
    if not np.isfinite(numbers).all():
        raise UnusableRule(f"The decision rule's {where} a number that is not finite.")
