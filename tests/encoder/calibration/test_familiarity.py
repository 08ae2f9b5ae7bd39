"""Whether a gallery is like others: what tells them apart, what does not, and what follows."""

import json
from collections.abc import Callable
from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration.familiarity import (
    CAUTIOUS_DEVIATIONS,
    DRAWS,
    MEASURED_GALLERIES,
    GalleryProfile,
    MeasuredGalleries,
    Pairs,
    distance,
    draw_profiles,
)
from encoder.calibration.fit import Fitted, fit_rule
from encoder.calibration.levels import LEAST_BAND, TARGETS, highest_to_expect
from encoder.errors import UnusableRule
from encoder.evaluation.trials import EmbeddedWriter
from encoder.inference.artifact import read_artifact
from encoder.scoring.blocks import Blocks
from encoder.scoring.score import Scoring

Invent = Callable[..., list[EmbeddedWriter]]

# How well each data set is forged: it makes thresholds differ, and the genuine ones hardly.
SKILLS = {"poor": 0.2, "fair": 0.16, "good": 0.13}
USUAL = "fmr_skilled=5%"


@pytest.fixture(scope="module")
def sets(invent: Invent) -> list[EmbeddedWriter]:
    return [
        writer
        for seed, (name, skill) in enumerate(SKILLS.items())
        for writer in invent(12, seed=seed, skill=skill, data_set=name)
    ]


@pytest.fixture(scope="module")
def fitted(sets: list[EmbeddedWriter]) -> Fitted:
    return fit_rule(sets, Blocks())


@pytest.fixture(scope="module")
def measured(sets: list[EmbeddedWriter], fitted: Fitted) -> MeasuredGalleries:
    return MeasuredGalleries.of(sets, fitted.rule.scoring, fitted.levels)


def profile(writers: list[EmbeddedWriter], fitted: Fitted) -> GalleryProfile:
    return draw_profiles(writers, fitted.rule.scoring)[0]


def looser(writers: list[EmbeddedWriter], spread: float) -> list[EmbeddedWriter]:
    """Writers who vary more than they did."""
    drawn = np.random.default_rng(5)
    found = []
    for one in writers:
        vectors = one.genuine.vectors
        moved = vectors + drawn.normal(scale=spread, size=vectors.shape)
        moved /= np.linalg.norm(moved, axis=1, keepdims=True)
        found.append(replace(one, genuine=replace(one.genuine, vectors=moved.astype(np.float32))))
    return found


def test_a_profile_by_hand(fitted: Fitted) -> None:
    """Of two writers, one of them with two pairs: writers count alike, and not pairs."""
    weights = fitted.rule.scoring.weights_for(1)
    features = np.array([[0.5, 0.0], [0.7, 0.0], [0.2, 0.0]])
    own = Pairs(features, np.array([4, 4, 9]))
    others = Pairs(np.array([[0.1, 0.0], [0.3, 0.0]]), np.array([4, 9]))
    found = GalleryProfile.of(own, others, Scoring(fitted.rule.scoring.weights, local=False))
    assert found.writers == 2
    # (0.6 + 0.2) / 2, of the one block that there is.
    assert found.means[f"own_{fitted.rule.scoring.parts[0]}"] == pytest.approx(0.4)
    of_own, of_others = weights.scores(np.array([[0.4, 0.0], [0.2, 0.0]]))
    assert found.means["own_score"] == pytest.approx(of_own, abs=1e-5)
    assert found.means["others_score"] == pytest.approx(of_others, abs=1e-5)


def test_distance_by_hand() -> None:
    one = GalleryProfile(9, {"a": 1.0, "b": 2.0}, {"a": 1.0, "b": 1.0})
    other = GalleryProfile(9, {"a": 4.0, "b": 0.0}, {"a": 1.0, "b": 1.0})
    assert distance(one, other, {"a": 3.0, "b": 2.0}) == pytest.approx(1.0)
    assert distance(one, other, {"a": 3.0, "b": 0.5}) == pytest.approx(np.sqrt(17 / 2))
    assert distance(one, one, {"a": 3.0, "b": 2.0}) == 0.0


def test_galleries_like_those_measured_are_told_so(
    measured: MeasuredGalleries, fitted: Fitted, invent: Invent
) -> None:
    told = measured.familiarity(profile(invent(30, seed=40), fitted))
    assert told is not None
    assert told.nearest in SKILLS
    assert not told.unlike
    assert measured.facing(fitted.rule, profile(invent(30, seed=40), fitted)).cautious is None


@pytest.mark.parametrize("spread", [0.12, 0.3])
def test_a_gallery_whose_writers_vary_as_none_did_is_unlike(
    spread: float, measured: MeasuredGalleries, fitted: Fitted, invent: Invent
) -> None:
    told = measured.familiarity(profile(looser(invent(30, seed=40), spread), fitted))
    assert told is not None
    assert told.unlike
    assert told.distance > told.limit == measured.limit


def test_writers_more_alike_than_any_measured_are_unlike_too(
    measured: MeasuredGalleries, fitted: Fitted, invent: Invent
) -> None:
    same = [
        replace(one, genuine=replace(one.genuine, vectors=one.genuine.vectors[[0] * 8]))
        for one in invent(30, seed=40)
    ]
    told = measured.familiarity(profile(same, fitted))
    assert told is not None
    assert told.unlike


def test_the_number_of_references_makes_no_difference(
    measured: MeasuredGalleries, fitted: Fitted, invent: Invent
) -> None:
    """A pair is a pair, so a gallery of two references each looks like one of five."""
    writers = invent(30, seed=40)
    pairs = [replace(one, genuine=one.genuine[:2]) for one in writers]
    few, many = (measured.familiarity(profile(of, fitted)) for of in (pairs, writers))
    assert few is not None
    assert many is not None
    assert few.distance == pytest.approx(many.distance, abs=0.35)
    assert few.unlike == many.unlike


def test_the_limit_is_the_farthest_that_a_set_lies_from_the_others(
    sets: list[EmbeddedWriter], measured: MeasuredGalleries, fitted: Fitted
) -> None:
    far = []
    for name in SKILLS:
        rest = {other: one for other, one in measured.profiles.items() if other != name}
        left_out = MeasuredGalleries(rest, 0.0, {})
        own = [one for one in sets if one.data_set == name]
        drawn = draw_profiles(own, fitted.rule.scoring)
        assert len(drawn) == DRAWS
        far += [left_out.familiarity(one).distance for one in drawn]  # type: ignore[union-attr]
    assert measured.limit == pytest.approx(max(far), abs=1e-3)


def test_what_is_unlike_gets_a_wider_band(
    measured: MeasuredGalleries, fitted: Fitted, invent: Invent
) -> None:
    strange = profile(looser(invent(30, seed=40), 0.3), fitted)
    wary = measured.facing(fitted.rule, strange)
    assert wary.rule_id != fitted.rule.rule_id
    for count in (1, 2, 3, 5, 8, 10):
        before, after = fitted.rule.calibration_for(count), wary.calibration_for(count)
        levels = [of_set[count].points for of_set in fitted.levels.values()]
        for name in TARGETS:
            was, now = before.points[name], after.points[name]
            assert now.match >= was.match
            assert now.non_match <= was.non_match
            needed = [one[name].match for one in levels]
            assert now.match == highest_to_expect(needed, CAUTIOUS_DEVIATIONS)
            assert now.match - now.non_match >= LEAST_BAND - 1e-9
        assert after.points[USUAL].match > before.points[USUAL].match
    # Who strangers are, a gallery says by itself.
    assert wary.identification_threshold(50, 5) == fitted.rule.identification_threshold(50, 5)


def test_it_is_the_same_when_read_from_a_manifest(
    measured: MeasuredGalleries, fitted: Fitted, invent: Invent
) -> None:
    kept = json.loads(json.dumps({MEASURED_GALLERIES: measured.as_dict()}))
    read = MeasuredGalleries.from_manifest(kept)
    assert read == measured
    strange = profile(looser(invent(30, seed=40), 0.3), fitted)
    again = GalleryProfile.from_dict(json.loads(json.dumps(strange.as_dict())))
    assert read.facing(fitted.rule, again) == measured.facing(fitted.rule, strange)


def test_where_nothing_can_be_told_nothing_is_said(
    measured: MeasuredGalleries, sets: list[EmbeddedWriter], fitted: Fitted, invent: Invent
) -> None:
    assert MeasuredGalleries.from_manifest({}) is None
    two = {name: fitted.levels[name] for name in ("poor", "good")}
    few = MeasuredGalleries.of(sets, fitted.rule.scoring, two)
    assert few.limit is None
    own = profile(invent(30, seed=40), fitted)
    assert few.familiarity(own) is None
    other_model = replace(own, means={"own_other": 0.1}, deviations={"own_other": 0.1})
    assert measured.familiarity(other_model) is None
    assert measured.facing(fitted.rule, other_model) == fitted.rule


def test_a_data_set_of_two_people_is_no_gallery(
    sets: list[EmbeddedWriter], fitted: Fitted, invent: Invent
) -> None:
    pair = invent(2, seed=8, data_set="pair")
    levels = {**fitted.levels, "pair": fitted.levels["good"]}
    found = MeasuredGalleries.of([*sets, *pair], fitted.rule.scoring, levels)
    assert set(found.profiles) == set(SKILLS)


@pytest.mark.parametrize(
    "damaged",
    [
        {},
        {"writers": 25, "means": {"a": 1.0}},
        {"writers": 25, "means": {"a": 1.0}, "deviations": {"b": 1.0}},
        {"writers": 25, "means": {"a": float("nan")}, "deviations": {"a": 1.0}},
        {"writers": 25, "means": {"a": None}, "deviations": {"a": 1.0}},
        {"writers": 25, "means": [1.0], "deviations": [1.0]},
        {"writers": 25, "means": {}, "deviations": {}},
    ],
)
def test_a_damaged_profile_is_refused(damaged: dict[str, object]) -> None:
    with pytest.raises(UnusableRule, match="profile"):
        GalleryProfile.from_dict(damaged)


def test_a_damaged_manifest_is_refused(measured: MeasuredGalleries) -> None:
    whole = measured.as_dict()
    for broken in ({}, {**whole, "levels": {"poor": {"one": {}}}}, {**whole, "limit": "far"}, [1]):
        with pytest.raises(UnusableRule):
            MeasuredGalleries.from_manifest({MEASURED_GALLERIES: broken})


def test_the_shipped_model_knows_what_it_was_measured_on() -> None:
    shipped = read_artifact()
    measured = MeasuredGalleries.from_manifest(shipped.manifest)
    assert measured is not None
    assert set(measured.profiles) == set(shipped.manifest["unseen"]) == set(measured.levels)
    for name, one in measured.profiles.items():
        told = measured.familiarity(one)
        assert told is not None
        assert (told.distance, told.nearest) == (0.0, name)
    # The shipped thresholds are what those levels make them.
    for wider in measured.cautious():
        own = shipped.rule.calibration_for(wider.references).points
        needed = [of_set[wider.references].points for of_set in measured.levels.values()]
        for name, point in wider.points.items():
            assert own[name].match == highest_to_expect([one[name].match for one in needed])
            assert point.match >= own[name].match
