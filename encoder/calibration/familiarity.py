"""Tells whether a gallery is like those that a model was calibrated on, by the likeness of pairs.

Each of a sample of references is compared with one other of its writer, and with one of another
writer's. Of a gallery counts what that comes to on average: how alike a writer's own signatures
are, in each of the things that are compared; the score of either kind of pair; and how much there
is to a signature. A pair has no habits, so that galleries with few and with many references a
writer are told by the same numbers. How far two galleries lie apart is the root mean square, over
these, of the differences in standard deviations of writers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, Self

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.levels import LEAST_TO_DIFFER, Levels, points_for
from encoder.errors import UnusableRule
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.calibrations import CautiousPoints, Familiarity
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import Scoring, each_claim_score
from encoder.scoring.templates import Signatures

MEASURED_GALLERIES = "measured_galleries"  # In a model's manifest.
# Galleries are drawn of the size from which on an installation's is looked at, with as many
# references as is good practice, of each data set as often as it takes to see how they differ.
WRITERS, REFERENCES, DRAWS = 25, 5, 10
# Above the mean of the data sets; sets like them need less in 19 of 20 cases (one tail of Student's
# t at 4 degrees of freedom is 5.8 % there). At one, which is usual, it is 5 of 6.
CAUTIOUS_DEVIATIONS = 2.0
LEAST_PEOPLE = 3  # Of a data set, to be a gallery.
LEAST_SCALE = 1e-4  # Where no writer differs from another.
SEED = 0

Doubles = NDArray[np.float64]


@dataclass(frozen=True)
class Pairs:
    """Features of pairs of references `(n, f)`, each of the first one's writer `(n,)`."""

    features: Doubles
    writer: NDArray[np.intp]

    def by_writer(self) -> Doubles:
        """The mean features of each writer's pairs `(w, f)`."""
        numbers = np.unique(self.writer)
        return np.array([self.features[self.writer == one].mean(axis=0) for one in numbers])


@dataclass(frozen=True)
class GalleryProfile:
    """What a gallery's pairs come to.

    Attributes:
        writers: how many it is of.
        means: over writers, by the name of what is told.
        deviations: of one writer from another, likewise.
    """

    writers: int
    means: Mapping[str, float]
    deviations: Mapping[str, float]

    @classmethod
    def of(cls, own: Pairs, others: Pairs, scoring: Scoring) -> Self:
        """That of pairs of one writer, and of a writer and another, with one reference each."""
        weights, parts = scoring.weights_for(1), len(scoring.parts)
        of_own, of_others = own.by_writer(), others.by_writer()
        told = {"own_score": weights.scores(of_own), "others_score": weights.scores(of_others)}
        told |= {f"own_{part}": of_own[:, n] for n, part in enumerate(scoring.parts)}
        if scoring.local:
            told["richness"] = of_own[:, 2 * parts]
        return cls(
            writers=len(of_own),
            means={name: round(float(of.mean()), 5) for name, of in told.items()},
            deviations={name: round(float(of.std(ddof=1)), 5) for name, of in told.items()},
        )

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return asdict(self)

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Self:
        """What `as_dict` wrote.

        Raises:
            UnusableRule: a part is missing, of the wrong type or not finite.
        """
        try:
            means, deviations = (
                {str(name): float(value) for name, value in data[part].items()}
                for part in ("means", "deviations")
            )
            writers = int(data["writers"])
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnusableRule(f"A gallery's profile lacks or garbles a part ({error}).") from error
        finite = np.isfinite([*means.values(), *deviations.values()]).all()
        if not means or set(means) != set(deviations) or not finite:
            raise UnusableRule("A gallery's profile lacks a number.")
        return cls(writers, means, deviations)


@dataclass(frozen=True)
class MeasuredGalleries:
    """What a model was calibrated on, as galleries and by what each needed of a threshold.

    Attributes:
        profiles: by data set.
        limit: how far a gallery drawn from one of them lies from the nearest of the others, at the
            most; None where there are too few to tell.
        levels: by data set and number of references.
    """

    profiles: Mapping[str, GalleryProfile]
    limit: float | None
    levels: Mapping[str, Mapping[int, Levels]]

    @classmethod
    def of(
        cls,
        writers: Sequence[EmbeddedWriter],
        scoring: Scoring,
        levels: Mapping[str, Mapping[int, Levels]],
    ) -> Self:
        """Those of the data sets that `levels` has, as far as they are of three people or more."""
        of_set = {name: [one for one in writers if one.data_set == name] for name in levels}
        drawn = {
            name: draw_profiles(of, scoring)
            for name, of in sorted(of_set.items())
            if len({one.group for one in of if len(one.genuine) > 1}) >= LEAST_PEOPLE
        }
        profiles = {name: _mean(of) for name, of in drawn.items()}
        apart = {
            name: max(_nearest(one, _without(profiles, name))[1] for one in of)
            for name, of in drawn.items()
            if len(profiles) >= LEAST_TO_DIFFER
        }
        limit = round(max(apart.values()), 3) if apart else None
        return cls(profiles, limit, levels)

    def familiarity(self, profile: GalleryProfile) -> Familiarity | None:
        """How like these a gallery is; None where that cannot be told."""
        known = {n: one for n, one in self.profiles.items() if set(one.means) == set(profile.means)}
        if not known or self.limit is None:
            return None
        nearest, apart = _nearest(profile, known)
        return Familiarity(round(apart, 3), self.limit, nearest)

    def facing(self, rule: DecisionRule, profile: GalleryProfile) -> DecisionRule:
        """The rule for a gallery of this profile: wary, where that is unlike all of these."""
        told = self.familiarity(profile)
        unlike = told is not None and told.unlike
        return replace(rule, familiarity=told, cautious=self.cautious() if unlike else None)

    def cautious(self) -> tuple[CautiousPoints, ...]:
        """Thresholds for what is unlike all of these, by number of references."""
        counts = sorted({count for of_set in self.levels.values() for count in of_set})
        return tuple(
            CautiousPoints(
                count,
                points_for(
                    [of_set[count] for of_set in self.levels.values() if count in of_set],
                    CAUTIOUS_DEVIATIONS,
                ),
            )
            for count in counts
        )

    def as_dict(self) -> dict[str, Any]:
        """The same, ready for JSON."""
        return {
            "profiles": {name: one.as_dict() for name, one in self.profiles.items()},
            "limit": self.limit,
            "levels": {
                name: {str(count): one.as_dict() for count, one in of_set.items()}
                for name, of_set in self.levels.items()
            },
        }

    @classmethod
    def from_manifest(cls, manifest: Mapping[str, Any]) -> Self | None:
        """What a model's manifest holds of them; None where it was exported without.

        Raises:
            UnusableRule: a part is missing or of the wrong type.
        """
        data = manifest.get(MEASURED_GALLERIES)
        if data is None:
            return None
        try:
            return cls(
                {name: GalleryProfile.from_dict(one) for name, one in data["profiles"].items()},
                None if data["limit"] is None else float(data["limit"]),
                {
                    name: {int(count): Levels.from_dict(one) for count, one in of_set.items()}
                    for name, of_set in data["levels"].items()
                },
            )
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            raise UnusableRule(
                f"What a model was measured on lacks or garbles a part ({error})."
            ) from error


def draw_profiles(writers: Sequence[EmbeddedWriter], scoring: Scoring) -> list[GalleryProfile]:
    """Profiles of galleries drawn from one data set: 25 writers, or all, with five references."""
    able = [one for one in writers if len(one.genuine) > 1]
    found = []
    for draw in range(DRAWS):
        rng = np.random.default_rng([SEED, draw])
        chosen = [able[n] for n in rng.permutation(len(able))[:WRITERS]]
        found.append(_profile_of_gallery(chosen, scoring, rng))
    return found


def distance(one: GalleryProfile, other: GalleryProfile, scale: Mapping[str, float]) -> float:
    """How far two galleries lie apart: root mean square of the differences over their scales."""
    apart = [(one.means[name] - other.means[name]) / scale[name] for name in scale]
    return float(np.sqrt(np.mean(np.square(apart))))


def _profile_of_gallery(
    writers: Sequence[EmbeddedWriter], scoring: Scoring, rng: np.random.Generator
) -> GalleryProfile:
    enrolled = [one.genuine[rng.permutation(len(one.genuine))[:REFERENCES]] for one in writers]
    own, others, numbers = [], [], []
    for number, references in enumerate(enrolled):
        strangers = [n for n, one in enumerate(writers) if one.group != writers[number].group]
        for place in range(len(references)):
            other = enrolled[rng.choice(strangers)]
            rest = [n for n in range(len(references)) if n != place]
            probe = references[[place]]
            own.append(pair_features(probe, references[[rng.choice(rest)]], scoring))
            others.append(pair_features(probe, other[[rng.integers(len(other))]], scoring))
            numbers.append(number)
    of = np.array(numbers, np.intp)
    return GalleryProfile.of(Pairs(np.array(own), of), Pairs(np.array(others), of), scoring)


def pair_features(probe: Signatures, reference: Signatures, scoring: Scoring) -> Doubles:
    """The features `(f,)` of a claim of one signature by one reference."""
    return each_claim_score(probe, reference, scoring)[0].features


def _mean(profiles: Sequence[GalleryProfile]) -> GalleryProfile:
    """What draws from one data set come to together."""
    means, deviations = (
        {
            name: round(float(np.mean([getattr(one, part)[name] for one in profiles])), 5)
            for name in profiles[0].means
        }
        for part in ("means", "deviations")
    )
    return GalleryProfile(profiles[0].writers, means, deviations)


def _nearest(profile: GalleryProfile, known: Mapping[str, GalleryProfile]) -> tuple[str, float]:
    """The nearest of those known, and how far it is, in standard deviations of their writers."""
    of = known.values()
    names = next(iter(of)).deviations
    scale = {
        name: max(LEAST_SCALE, float(np.sqrt(np.mean([d.deviations[name] ** 2 for d in of]))))
        for name in names
    }
    apart = {name: distance(profile, one, scale) for name, one in known.items()}
    nearest = min(apart, key=lambda name: (apart[name], name))
    return nearest, apart[nearest]


def _without(profiles: Mapping[str, GalleryProfile], name: str) -> dict[str, GalleryProfile]:
    return {other: one for other, one in profiles.items() if other != name}
