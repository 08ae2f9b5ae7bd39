"""The comparison score, the verdicts and the calibration."""

import itertools
from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration.fit import fit_log_lr, fit_rule
from encoder.errors import TrainingDataError, UnknownOperatingPoint, UnusableRule
from encoder.evaluation.open_set import Drawn, search_scores
from encoder.evaluation.trials import MOST_PEERS, EmbeddedWriter, population_spread, run_trials
from encoder.scoring.copies import Distinct
from encoder.scoring.decision_rule import (
    Calibration,
    Comparison,
    DecisionRule,
    LogRatio,
    OperatingPoint,
    RandomTail,
)
from encoder.scoring.score import (
    NORMALISATION,
    ClaimScore,
    Spread,
    claim_score,
    claim_scores,
    observed_similarity,
    own_similarity,
    similarities,
)
from encoder.scoring.templates import Signatures


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def invented_writers(count: int = 12, seed: int = 0) -> list[EmbeddedWriter]:
    """Embeddings in which forgeries lie between their victim and everyone else."""
    rng = np.random.default_rng(seed)
    writers = []
    for number in range(count):
        centre = unit(rng.normal(size=32))
        genuine = unit(centre + rng.normal(scale=0.08, size=(12, 32)))
        forged = unit(centre + rng.normal(scale=0.16, size=(8, 32)))
        described = (Signatures(genuine), Signatures(forged))
        writers.append(EmbeddedWriter(f"w{number}", f"w{number}", *described))
    return writers


def scored(probes: Signatures, references: Signatures, spread: Spread) -> np.ndarray:
    own = similarities(references, references)
    return claim_scores(similarities(probes, references), own, spread, 0.0)


def test_score_by_hand() -> None:
    references = unit(np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]]))
    probe = unit(np.array([1.0, 0.0]))
    pairs = [references[i] @ references[j] for i, j in itertools.combinations(range(3), 2)]
    nearest = [max(references[i] @ references[j] for j in range(3) if j != i) for i in range(3)]
    own = (np.mean(pairs) + np.mean(nearest)) / 2
    assert observed_similarity(references @ references.T) == pytest.approx(own, abs=1e-6)
    spread = Spread(population=0.5, shrinkage=2.0)
    shrunk = 0.5 * own + 0.5 * 0.5
    expected = (1.0 + (1.0 + 0.8 + 0.6) / 3) / 2 - NORMALISATION * shrunk
    claim = claim_score(Signatures(probe[None]), Signatures(references), spread)
    assert claim.score == pytest.approx(expected, abs=1e-6)
    assert claim.similarities == pytest.approx([1.0, 0.8, 0.6], abs=1e-6)
    assert claim.local_similarities is None


def test_one_reference_takes_the_population() -> None:
    assert own_similarity(np.ones((1, 1), np.float32), Spread(population=0.37)) == 0.37


def test_batch_equals_one_by_one() -> None:
    writer = invented_writers(2)[0]
    spread = Spread()
    together = scored(writer.genuine[5:], writer.genuine[:5], spread)
    apart = [
        claim_score(writer.genuine[[n]], writer.genuine[:5], spread).score for n in range(5, 12)
    ]
    assert together == pytest.approx(apart, abs=1e-6)
    other = invented_writers(2)[1]
    five = np.arange(5)
    galleries = [Drawn(writer, five), Drawn(other, five)]
    nobody = np.zeros((7, 2), np.bool_)
    both, _ = search_scores([Drawn(writer, np.arange(5, 12))], galleries, spread, nobody)
    assert both[:, 0] == pytest.approx(apart, abs=1e-6)
    foreign = scored(writer.genuine[5:], other.genuine[:5], spread)
    assert both[:, 1] == pytest.approx(foreign, abs=1e-6)


def test_log_lr_recovers_a_known_ratio() -> None:
    # Two normal distributions of equal spread: log LR = (x - 1/2) * 2 / s^2 / ln 10, s = 0.5.
    rng = np.random.default_rng(1)
    mated, nonmated = rng.normal(1.0, 0.5, 40_000), rng.normal(0.0, 0.5, 20_000)
    ratio = fit_log_lr(mated, nonmated, signatures=300)
    assert ratio.slope == pytest.approx(4 / np.log(10), rel=0.05)
    assert ratio.intercept == pytest.approx(-2 / np.log(10), rel=0.05)
    assert ratio.of(100.0) == ratio.bound == 2.0  # Of 300, 1 % may be errors that were not seen.


def test_log_lr_weighs_scores_by_their_shares() -> None:
    rng = np.random.default_rng(2)
    many, few = rng.normal(1.0, 0.5, 1000), rng.normal(2.0, 0.5, 100)
    strangers = rng.normal(0.0, 0.5, 500)
    mated, shares = np.concatenate([many, few]), np.repeat([1 / 2000, 1 / 200], [1000, 100])
    weighed = fit_log_lr(mated, strangers, 300, shares)
    repeated = fit_log_lr(np.concatenate([many, np.tile(few, 10)]), strangers, 300)
    assert weighed.slope == pytest.approx(repeated.slope, rel=1e-2)
    assert weighed.intercept == pytest.approx(repeated.intercept, abs=1e-2)
    assert fit_log_lr(mated, strangers, 300).slope != pytest.approx(weighed.slope, rel=0.05)


def test_likelihood_ratios_take_each_data_set_for_as_much() -> None:
    small = [  # Forged better than the others.
        replace(writer, data_set="small", forged=Signatures(unit(writer.genuine.vectors + 0.1)))
        for writer in invented_writers(4)
    ]
    large = [replace(writer, data_set="large") for writer in invented_writers(12)[4:]]
    copies = [replace(writer, writer_id=f"{writer.writer_id}b") for writer in large]
    once, twice = fit_rule([*small, *large]), fit_rule([*small, *large, *copies])
    at = once.calibration_for(5).points["fmr_skilled=5%"].match
    ratios = [rule.calibration_for(5).skilled.of(at) for rule in (once, twice)]
    assert ratios[0] == pytest.approx(ratios[1], abs=0.1)


def test_rule_keeps_its_target_on_the_writers_it_was_fitted_on() -> None:
    writers = invented_writers()
    rule = fit_rule(writers)
    trials = run_trials(writers, 5, rule.spread)
    for name, target in (("fmr_skilled=1%", 0.01), ("fmr_skilled=10%", 0.10)):
        achieved = np.mean(trials.skilled >= rule.calibration_for(5).points[name].match)
        assert achieved <= target + 1e-9
        assert achieved > target - 0.03
        for references in (1, 2, 3, 5, 8, 10):
            scores = run_trials(writers, references, rule.spread).skilled
            match = rule.calibration_for(references).points[name].match
            assert np.mean(scores >= match) <= target
    assert np.mean(trials.random >= rule.identification_threshold(100, 5)) < 0.01


def test_verdicts_and_bounds() -> None:
    writer = invented_writers()[0]
    rule = fit_rule(invented_writers())
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
        skilled=LogRatio(slope=10.0, intercept=-2.0, bound=0.95),
        random=LogRatio(slope=20.0, intercept=-1.0, bound=4.0),
        points={"strict": OperatingPoint(0.5, 0.2), "lax": OperatingPoint(0.3, 0.1)},
        random_tail=RandomTail(start=0.2, share=0.02, scale=0.05, fpir=0.05),
    )
    claim = ClaimScore(score, 0.5, np.full(3, 0.5, np.float32), None, 3)
    comparison = Comparison(claim, calibration, "lax", Distinct((0, 1, 2), (None, None, None)))
    assert comparison.verdict == verdict
    assert comparison.score == score
    assert (comparison.threshold, comparison.non_match_threshold) == (0.3, 0.1)
    assert comparison.log_lr == pytest.approx(np.clip(10 * score - 2, -0.95, 0.95))
    assert comparison.log_lr_random == pytest.approx(min(20 * score - 1, 4.0))
    assert (comparison.log_lr_bound, comparison.log_lr_random_bound) == (0.95, 4.0)
    assert comparison.similarities is claim.similarities
    assert comparison.local_similarities is None


def test_thresholds_by_number_of_references() -> None:
    rule = fit_rule(invented_writers())
    assert rule.calibration_for(1).references == 1
    assert rule.calibration_for(4).references == 3
    assert rule.calibration_for(50).references == 10


def test_identification_threshold_grows_with_the_gallery() -> None:
    tail = RandomTail(start=0.2, share=0.02, scale=0.05, fpir=0.05)
    thresholds = [tail.threshold(size) for size in (0, 1, 10, 1000, 10**8)]
    assert thresholds[0] == thresholds[1]
    assert thresholds[1:] == sorted(thresholds[1:])
    # At 1000 writers each may pass with a chance of about 5.1e-5.
    assert np.exp(-(tail.threshold(1000) - 0.2) / 0.05) * 0.02 == pytest.approx(5.129e-5, rel=1e-3)


@pytest.mark.parametrize("references", [1, 3, 10])
def test_identification_threshold_keeps_its_target_for_every_number_of_references(
    references: int,
) -> None:
    writers = invented_writers(30)
    rule = fit_rule(writers)
    trials = run_trials(invented_writers(30, seed=1), references, rule.spread)
    # In a gallery of 30 writers, one comparison may pass with a chance of about 0.17%.
    passed = np.mean(trials.random >= rule.identification_threshold(30, references))
    assert passed < 3 * 0.0017


def test_rule_survives_json() -> None:
    rule = fit_rule(invented_writers())
    assert DecisionRule.from_dict(rule.as_dict()) == rule
    with pytest.raises(UnusableRule, match="lacks its default operating point"):
        DecisionRule.from_dict(rule.as_dict() | {"default_operating_point": ["fmr_skilled=5%"]})


def test_too_little_to_calibrate_on() -> None:
    with pytest.raises(TrainingDataError, match="came 2 writers"):
        fit_rule(invented_writers(2))
    one_person = [replace(writer, group="w0") for writer in invented_writers()]
    with pytest.raises(TrainingDataError, match="came 1 writers"):
        fit_rule(one_person)
    strangers = [replace(writer, data_set=writer.writer_id) for writer in invented_writers()]
    with pytest.raises(TrainingDataError, match="two people or more"):
        fit_rule(strangers)


def test_random_forgeries_are_of_the_same_text_where_texts_are_known() -> None:
    names = [f"w{person}_n{text}" for text in range(3) for person in range(4)]
    writers = [
        replace(writer, writer_id=name, group=name.split("_")[0])
        for writer, name in zip(invented_writers(12), names, strict=True)
    ]
    assert run_trials(writers, 5, Spread()).random.size == 12 * 3 * 10


def test_of_very_many_peers_a_hundred_are_drawn() -> None:
    writers = invented_writers(MOST_PEERS + 20)
    trials = run_trials(writers, 5, Spread(), draws=1)
    assert trials.random.size == MOST_PEERS * len(writers)
    few = run_trials(writers[: MOST_PEERS + 1], 5, Spread(), draws=1)
    assert few.random.size == MOST_PEERS * (MOST_PEERS + 1)


def test_random_forgeries_come_from_the_same_data_set() -> None:
    near, far = invented_writers(4), invented_writers(4, seed=1)
    both = [*near, *(replace(writer, data_set="far") for writer in far)]
    trials = run_trials(both, 5, Spread())
    assert trials.random.size == 8 * 3 * 10
    alone = run_trials(near, 5, Spread())
    assert np.array_equal(trials.random[trials.random_writer < 4], alone.random)


def test_the_population_of_less_than_a_pair_is_the_default() -> None:
    assert population_spread(invented_writers(), 1) == Spread()
