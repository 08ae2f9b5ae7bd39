"""From scores to verdicts: how a rule is read, explained, written down, and refused if damaged."""

import copy
import json
import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from encoder.calibration.fit import fit_rule
from encoder.errors import UnknownOperatingPoint, UnusableRule
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.blocks import Blocks
from encoder.scoring.calibrations import Calibration, LogRatio, OperatingPoint, RandomTail
from encoder.scoring.copies import Distinct
from encoder.scoring.decision_rule import Comparison, DecisionRule
from encoder.scoring.score import ClaimScore, ClaimWeights, Scoring
from encoder.scoring.templates import Signatures, joined

Invent = Callable[..., list[EmbeddedWriter]]

SLOPES, INTERCEPTS = st.floats(0, 4), st.floats(-6, 6)
LINES = st.lists(st.tuples(SLOPES, INTERCEPTS), min_size=1, max_size=6).map(tuple)
SCORES = st.lists(st.floats(-5, 5), min_size=1, max_size=20)


@pytest.fixture(scope="module")
def rule(invent: Invent) -> DecisionRule:
    return fit_rule(invent(), Blocks()).rule


def test_verdicts_and_bounds(rule: DecisionRule, invent: Invent) -> None:
    writer = invent()[0]
    near = rule.compare(writer.genuine[[0]], writer.genuine[:5])
    far = rule.compare(Signatures(-writer.genuine.vectors[:1]), writer.genuine[:5])
    assert near.verdict == "match"
    assert far.verdict == "non_match"
    assert near.operating_point == rule.default_operating_point
    bound = rule.calibration_for(5).skilled.bound
    assert far.log_lr == -bound
    random_bound = rule.calibration_for(5).random.bound
    assert (far.log_lr_bound, far.log_lr_random_bound) == (bound, random_bound)
    assert abs(near.log_lr) <= bound
    # Halfway to the writer, a forger's score tells more against a stranger than against a forger.
    forged = rule.compare(writer.forged[[0]], writer.genuine[:5])
    assert forged.log_lr_random > forged.log_lr
    for comparison in (near, far):
        assert comparison.non_match_threshold <= comparison.threshold
    assert far.score < far.non_match_threshold
    stricter = rule.compare(writer.genuine[[0]], writer.genuine[:5], "fmr_skilled=1%")
    assert stricter.threshold >= near.threshold
    with pytest.raises(UnknownOperatingPoint, match="fmr_skilled=1%") as caught:
        rule.compare(writer.genuine[[0]], writer.genuine[:5], "fmr=0")
    assert caught.value.requested == "fmr=0"


@pytest.mark.parametrize(
    ("score", "verdict"),
    [
        (0.31, "match"),
        (0.3, "match"),
        (0.29, "inconclusive"),
        (0.1, "inconclusive"),
        (0.09, "non_match"),
    ],
)
def test_a_comparison_is_read_by_its_calibration(score: float, verdict: str) -> None:
    calibration = Calibration(
        references=3,
        skilled=LogRatio(((10.0, -2.0),), bound=0.95),
        random=LogRatio(((20.0, -1.0),), bound=4.0),
        points={"strict": OperatingPoint(0.5, 0.2), "lax": OperatingPoint(0.3, 0.1)},
        random_tail=RandomTail(0.2, share=0.1, scale=0.05, fpir=0.05, gallery_size=50),
    )
    weights = ClaimWeights(3, (2.0, -0.5), 0.25, (0.75, 0.5))
    features, alike = np.array([0.5, 1.0]), np.full(3, 0.5, np.float32)
    claim = ClaimScore(score, 0.5, features, weights, alike, None, 3)
    which = Distinct((0, 1, 2), (None, None, None))
    comparison = Comparison(claim, calibration, "lax", ("whole",), which)
    assert comparison.verdict == verdict
    assert comparison.score == score
    assert (comparison.threshold, comparison.non_match_threshold) == (0.3, 0.1)
    assert comparison.log_lr == pytest.approx(np.clip(10 * score - 2, -0.95, 0.95))
    assert comparison.log_lr_random == pytest.approx(min(20 * score - 1, 4.0))
    assert (comparison.log_lr_bound, comparison.log_lr_random_bound) == (0.95, 4.0)
    assert comparison.similarities is claim.similarities
    assert comparison.local_similarities is None
    # Less alike than usual by 0.25 at 2 each, and less varied by 0.5 at 0.5 each.
    assert comparison.contributions == {"whole": pytest.approx(-0.5 - 0.25)}


def test_parts_add_up_to_the_score_less_that_of_a_usual_genuine_signature() -> None:
    random = np.random.default_rng(2)
    names, features, typical = ("layout", "strokes"), random.normal(size=11), random.normal(size=11)
    weights = ClaimWeights(1, tuple(random.normal(size=11)), 0.75, tuple(typical))
    parts = Scoring((weights,), blocks=Blocks(names, (1, 1), np.eye(2, dtype=np.float32))).parts
    score, usual = weights.scores(np.stack([features, typical])).tolist()
    claim = ClaimScore(score, 0.5, features, weights, np.zeros(1, np.float32), None, 1)
    point = {"only": OperatingPoint(0.0, -1.0)}
    ratio = LogRatio(((1.0, 0.0),), 2.0)
    calibration = Calibration(1, ratio, ratio, point, RandomTail(0.0, 0.1, 1.0, 0.01, 50))
    found = Comparison(claim, calibration, "only", parts, Distinct((0,), (None,))).contributions
    assert list(found) == ["layout", "strokes", "local", "bend", "rough", "richness"]
    assert sum(found.values()) == pytest.approx(score - usual)
    # Of a part belong together how alike the probe is in it and how alike the references are.
    over = np.array(weights.weights) * (features - typical)
    assert found["strokes"] == pytest.approx(over[1] + over[6])
    assert found["richness"] == pytest.approx(over[10])


@pytest.mark.parametrize(
    ("score", "said"),
    [
        (3.0, 2.0),  # All speak for the writer: 3, 2 and 5.
        (2.0, 1.0),
        (1.0, 0.0),  # One is silent.
        (0.5, 0.0),  # They do not agree.
        (-1.0, 0.0),
        (-1.5, -0.5),  # All speak against: -1.5, -2.5 and -0.5.
        (-4.0, -3.0),
    ],
)
def test_a_likelihood_ratio_is_what_every_data_set_supports(score: float, said: float) -> None:
    lines = ((1.0, 0.0), (1.0, -1.0), (1.0, 1.0))
    assert LogRatio(lines, bound=9.0).of(score) == pytest.approx(said)
    assert LogRatio(lines, bound=0.25).of(score) == pytest.approx(min(max(said, -0.25), 0.25))
    assert LogRatio(lines, bound=0.25).unbounded(score) == pytest.approx(said)


@given(LINES, SCORES)
def test_a_likelihood_ratio_never_falls_and_never_says_more_than_a_line(
    lines: tuple[tuple[float, float], ...], scores: list[float]
) -> None:
    ordered = np.sort(scores)
    found = LogRatio(lines, bound=2.0).each(ordered)
    assert (np.diff(found) >= -1e-12).all()
    for score, ratio in zip(ordered, found, strict=True):
        said = [slope * score + intercept for slope, intercept in lines]
        nearest = min(said, key=abs)
        agree = min(said) > 0 or max(said) < 0
        assert ratio == pytest.approx(nearest if agree else 0.0)


def test_thresholds_by_number_of_references(rule: DecisionRule) -> None:
    assert rule.calibration_for(1).references == 1
    assert rule.calibration_for(4).references == 3
    assert rule.calibration_for(50).references == 10
    assert [one.references for one in rule.scoring.weights] == [1, 2, 3, 5, 8, 10]


def test_identification_threshold_grows_with_the_gallery() -> None:
    tail = RandomTail(start=0.2, share=0.1, scale=0.05, fpir=0.05, gallery_size=50)
    thresholds = [tail.threshold(size) for size in (0, 1, 10, 1000, 10**8)]
    assert thresholds[0] == thresholds[1]
    assert thresholds[1:] == sorted(thresholds[1:])
    # Among 50, a tenth of searches pass the start; half of these must not pass the threshold.
    assert np.exp(-(tail.threshold(50) - 0.2) / 0.05) == pytest.approx(0.5)
    # Among twenty times as many, twenty times as many would pass.
    assert np.exp(-(tail.threshold(1000) - 0.2) / 0.05) == pytest.approx(0.5 / 20)


def test_copies_of_a_reference_do_not_move_the_score(rule: DecisionRule, invent: Invent) -> None:
    writer = invent()[1]
    probe, once = writer.genuine[[9]], writer.genuine[:3]
    for copied in ([0], [0, 0, 0], [2, 1, 1]):
        several = joined([once, once[copied]])
        plain, padded = rule.compare(probe, once), rule.compare(probe, several)
        assert padded.score == plain.score
        assert padded.claim.likeness == plain.claim.likeness
        assert padded.claim.references == 3
        assert padded.calibration is plain.calibration
        assert padded.contributions == plain.contributions
        assert len(padded.similarities) == len(several)
    one = rule.compare(probe, joined([once[[0]]] * 5))
    assert one.score == rule.compare(probe, once[[0]]).score
    assert one.calibration.references == 1


def test_habits_are_kept_by_references_and_by_rule(rule: DecisionRule, invent: Invent) -> None:
    """What one rule or one writer keeps is never another's."""
    first, second = invent()[:2]
    fresh = DecisionRule.from_dict(rule.as_dict(), Blocks())
    for references in (first.genuine[:4], second.genuine[:4], first.genuine[:5]):
        kept, anew = (one.compare(first.genuine[[9]], references) for one in (rule, fresh))
        assert kept.score == anew.score
        assert kept.contributions == anew.contributions
        fresh = DecisionRule.from_dict(rule.as_dict(), Blocks())


def test_rule_survives_json(rule: DecisionRule) -> None:
    written = json.loads(json.dumps(rule.as_dict()))
    read = DecisionRule.from_dict(written, Blocks())
    assert read == rule
    assert read.rule_id == rule.rule_id
    assert read.as_dict() == rule.as_dict()
    shuffled = {**written, "calibrations": written["calibrations"][::-1]}
    shuffled["scoring"] = {
        **written["scoring"],
        "weights": written["scoring"]["weights"][::-1],
    }
    assert DecisionRule.from_dict(shuffled, Blocks()) == rule


def replaced(data: Any, path: tuple[str | int, ...], value: Any) -> Any:
    """The same with another value at a path; without it, where the value is ... itself."""
    changed = copy.deepcopy(data)
    part = changed
    for step in path[:-1]:
        part = part[step]
    if value is ...:
        del part[path[-1]]
    else:
        part[path[-1]] = value
    return changed


FIRST, SECOND = ("scoring", "weights", 0), ("scoring", "weights", 1)
SKILLED, RANDOM = ("calibrations", 0, "skilled"), ("calibrations", 2, "random")


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("scoring",), ..., "lacks 'scoring'"),
        (("scoring", "local"), ..., "lacks 'local'"),
        (("scoring", "weights"), [], "has no weights"),
        (("scoring", "weights"), None, "wrong form"),
        ((*FIRST, "typical"), ..., "lacks 'typical'"),
        ((*FIRST, "weights"), [1.0], "weighs 1 features; this network's claims have 2"),
        ((*SECOND, "weights"), [1.0, 1.0, 1.0], "weighs 3 features"),
        ((*SECOND, "typical"), [1.0], "features; this network's claims have 2"),
        (("scoring", "local"), True, "weighs 2 features; this network's claims have 9"),
        ((*SECOND, "weights", 0), -0.001, "lowers the score of what is more alike"),
        ((*FIRST, "weights", 0), math.nan, "not finite"),
        ((*FIRST, "weights", 1), math.inf, "not finite"),
        ((*SECOND, "intercept"), -math.inf, "not finite"),
        ((*SECOND, "typical", 1), math.nan, "not finite"),
        ((*FIRST, "intercept"), "much", "wrong form"),
        ((*SKILLED, "lines"), [], "without a line"),
        ((*RANDOM, "lines"), [[1.0]], "wrong form"),
        ((*RANDOM, "lines"), ..., "lacks 'lines'"),
        ((*SKILLED, "lines", 0, 0), math.nan, "not finite"),
        ((*SKILLED, "lines", 0, 1), math.inf, "not finite"),
        ((*RANDOM, "bound"), math.nan, "not finite"),
        ((*RANDOM, "lines", 0, 0), -0.5, "falls where the score rises"),
        (("calibrations", 0, "random_tail", "start"), math.nan, "random tail holds a number"),
        (("calibrations", 0, "random_tail", "scale"), "wide", "wrong form"),
        (("calibrations", 0, "points", "fmr_skilled=1%", "match"), math.inf, "points hold"),
        (("calibrations", 0, "points", "fmr_skilled=1%", "non_match"), math.nan, "points hold"),
        (("calibrations",), [], "default operating point"),
        (("calibrations", 1, "points", "fmr_skilled=1%"), ..., "differ in their operating points"),
        (("default_operating_point",), ["fmr_skilled=5%"], "lacks its default operating point"),
        (("default_operating_point",), ..., "lacks 'default_operating_point'"),
    ],
)
def test_a_damaged_rule_is_refused(
    rule: DecisionRule, path: tuple[str | int, ...], value: Any, why: str
) -> None:
    written = json.loads(json.dumps(rule.as_dict()))
    with pytest.raises(UnusableRule, match=why):
        DecisionRule.from_dict(replaced(written, path, value), Blocks())


def test_what_references_have_in_common_may_lower_the_score(rule: DecisionRule) -> None:
    written = replaced(rule.as_dict(), (*FIRST, "weights"), [0.5, -4.0])
    read = DecisionRule.from_dict(written, Blocks())
    assert read.scoring.weights[0].weights == (0.5, -4.0)


@pytest.mark.parametrize("data", [[], None, "", {}, {"scoring": {}}])
def test_what_is_no_rule_is_refused(data: Any) -> None:
    with pytest.raises(UnusableRule, match="The decision rule "):
        DecisionRule.from_dict(data, Blocks())
