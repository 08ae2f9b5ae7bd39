"""Centres: computed as the formula says, taken off before each comparison, kept with a rule."""

import json
from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration.data_set_centres import centre_data_sets, centre_writer
from encoder.calibration.fit import fit_rule, fit_rules
from encoder.calibration.refit import recalibrate
from encoder.errors import UnusableRule
from encoder.evaluation.protocols import drawn
from encoder.evaluation.trials import EmbeddedWriter, run_trials
from encoder.scoring.centring import SHRINKAGE, centre_of, centred
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import NORMALISATION
from encoder.scoring.templates import Signatures


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def invented(
    count: int, offset: float = 0.0, name: str = "", seed: int = 0
) -> list[EmbeddedWriter]:
    """Writers of one data set, who all share an offset in a direction of the data set's own."""
    rng = np.random.default_rng(seed)
    shared = offset * unit(rng.normal(size=32))
    writers = []
    for number in range(count):
        hand = unit(rng.normal(size=32)) + shared
        genuine = unit(hand + rng.normal(scale=0.08, size=(12, 32)))
        forged = unit(hand + rng.normal(scale=0.16, size=(8, 32)))
        described = (Signatures(genuine), Signatures(forged))
        writers.append(EmbeddedWriter(f"w{number}", f"w{number}", *described, name))
    return writers


@pytest.fixture(scope="module")
def rule() -> DecisionRule:
    return fit_rule(invented(30))


@pytest.fixture(scope="module")
def adapted(rule: DecisionRule) -> DecisionRule:
    centre = centre_of((w.genuine.vectors[:3] for w in invented(20, 0.6, seed=1)), 32)
    return replace(rule, centre=centre.vector)


def test_the_centre_is_the_shrunk_mean_of_writers_means() -> None:
    first = unit(np.array([[1.0, 0, 0], [0, 1, 0]]))
    second = unit(np.array([[0, 0, 1.0]]))
    centre = centre_of(iter([first, np.zeros((0, 3), np.float32), second]), 3)
    assert SHRINKAGE == 5
    assert centre.vector == pytest.approx((0.5 / 7, 0.5 / 7, 1 / 7), abs=1e-6)
    assert (centre.writers, centre.references) == (2, 3)
    assert centre.length == pytest.approx(np.sqrt(1.5) / 7, abs=1e-4)
    assert centre.lift == 0.0  # The two writers' means have nothing in common.
    nobody = centre_of([], 3)
    assert (nobody.vector, nobody.writers, nobody.lift) == ((0.0, 0.0, 0.0), 0, 0.0)


def test_the_lift_is_the_mean_similarity_of_two_writers() -> None:
    for offset in (0.0, 0.6):
        means = [w.genuine.vectors[:4].mean(axis=0) for w in invented(15, offset, seed=2)]
        pairs = [a @ b for i, a in enumerate(means) for j, b in enumerate(means) if i != j]
        galleries = (w.genuine.vectors[:4] for w in invented(15, offset, seed=2))
        centre = centre_of(galleries, 32)
        assert centre.lift == pytest.approx(np.mean(pairs), abs=1e-4)


def test_centred_scores_are_those_of_vectors_less_the_centre(adapted: DecisionRule) -> None:
    writer = invented(1, 0.6, seed=1)[0]
    probe, references = writer.genuine.vectors[11], writer.genuine.vectors[:4]
    centre = np.array(adapted.centre)
    ours = [(v - centre) / np.linalg.norm(v - centre) for v in references]
    asked = (probe - centre) / np.linalg.norm(probe - centre)
    similarities = np.array([one @ asked for one in ours])
    among = np.array([[a @ b for b in ours] for a in ours])
    mean = (among.sum() - 4) / 12
    highest = np.mean([max(np.delete(row, i)) for i, row in enumerate(among)])
    weight = 3 / (3 + adapted.spread.shrinkage)
    own = weight * (mean + highest) / 2 + (1 - weight) * adapted.spread.population
    expected = (similarities.max() + similarities.mean()) / 2 - NORMALISATION * own

    asking, known = writer.genuine[[11]], writer.genuine[:4]
    comparison = adapted.compare(asking, known)
    assert comparison.score == pytest.approx(expected, abs=1e-5)
    assert comparison.similarities == pytest.approx(similarities, abs=1e-5)
    assert adapted.claim(asking, known).score == comparison.score
    plain = replace(adapted, centre=None)
    assert plain.claim(asking, known).score != pytest.approx(expected, abs=1e-3)
    less = (Signatures(unit(vectors - centre)) for vectors in (probe[None], references))
    assert plain.compare(*less).score == pytest.approx(expected, abs=1e-5)


def test_a_rule_without_a_centre_takes_vectors_as_they_are(rule: DecisionRule) -> None:
    writer = invented(1, seed=3)[0]
    assert rule.centre is None
    assert rule.centred(writer.genuine).vectors is writer.genuine.vectors
    at_origin = replace(rule, centre=(0.0,) * 32)
    probe, references = writer.genuine[[11]], writer.genuine[:5]
    assert at_origin.claim(probe, references).score == pytest.approx(
        rule.claim(probe, references).score, abs=1e-6
    )


def test_the_centre_itself_resembles_nothing() -> None:
    vectors = unit(np.array([[1.0, 1.0], [1.0, 0.0]]))
    moved = centred(vectors, vectors[1])
    assert np.array_equal(moved[1], [0.0, 0.0])
    assert np.linalg.norm(moved[0]) == pytest.approx(1.0)
    assert moved.dtype == np.float32


def test_a_rule_comes_back_from_json_with_its_centre(
    rule: DecisionRule, adapted: DecisionRule
) -> None:
    again = DecisionRule.from_dict(json.loads(json.dumps(adapted.as_dict())))
    assert again == adapted
    assert again.rule_id == adapted.rule_id
    assert len({rule.rule_id, adapted.rule_id}) == 2
    assert len(rule.rule_id) == 12
    with pytest.raises(UnusableRule, match="lacks 'centre'"):
        DecisionRule.from_dict({k: v for k, v in rule.as_dict().items() if k != "centre"})


def test_each_data_set_has_a_centre_of_genuine_signatures_alone() -> None:
    one, two = invented(12, 0.6, "one", seed=4), invented(12, 0.6, "two", seed=5)
    both = centre_data_sets([*one, *two])
    for part, start in ((one, 0), (two, 12)):
        galleries = [w.genuine.vectors[drawn(12, start + n)] for n, w in enumerate(part)]
        assert {len(gallery) for gallery in galleries} == {5}
        offset = np.array(centre_of(galleries, 32).vector)
        for before, after in zip(part, both[start:], strict=False):
            for was, is_now in ((before.genuine, after.genuine), (before.forged, after.forged)):
                moved = unit(was.vectors - offset)
                assert is_now.vectors == pytest.approx(moved, abs=1e-5)
    anew = [replace(w, forged=Signatures(unit(w.forged.vectors + 1.0))) for w in one]
    genuine = [writers[3].genuine.vectors for writers in (centre_data_sets(anew), both)]
    assert np.array_equal(*genuine)


def test_thresholds_fitted_on_centred_scores_hold_where_another_offset_is() -> None:
    """The plain rule lets more forgeries pass of a data set whose offset it has not seen."""
    development = invented(40, 0.2, "seen", seed=6)
    plain, fitted = fit_rules(development)
    assert plain == fit_rule(development)
    assert fitted.centre is None
    unseen = invented(40, 1.5, "unseen", seed=7)
    galleries = [w.genuine.vectors[:5] for w in unseen]
    offset = np.asarray(centre_of(galleries, 32).vector, np.float32)
    less = [centre_writer(writer, offset) for writer in unseen]

    def passed(rule: DecisionRule, writers: list[EmbeddedWriter]) -> float:
        threshold = rule.calibration_for(5).points["fmr_skilled=5%"].match
        return float(np.mean(run_trials(writers, 5, rule.spread).skilled >= threshold))

    assert passed(plain, unseen) > 0.5
    assert passed(fitted, less) < 0.2
    before, after = (
        centre_of((w.genuine.vectors[:5] for w in writers), 32).lift for writers in (unseen, less)
    )
    assert before > 0.5
    assert abs(after) < 0.1


def test_recalibration_keeps_the_centre_and_fits_centred_scores(adapted: DecisionRule) -> None:
    writers = invented(25, 0.6, seed=1)
    fitted, changes = recalibrate(adapted, writers)
    assert fitted.centre == adapted.centre
    assert any(not change.kept_because for change in changes)
    less = [centre_writer(writer, adapted.offset) for writer in writers]
    by_hand = recalibrate(replace(adapted, centre=None), less)[0]
    assert fitted == replace(by_hand, centre=adapted.centre)
