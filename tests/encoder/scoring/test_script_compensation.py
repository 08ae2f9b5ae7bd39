"""Scripts: told by references alone, brought to the level of those forged best."""

import json
from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration.data_set_centres import centre_writer
from encoder.calibration.fit import fit_rules
from encoder.calibration.fit_compensations import fit_compensations
from encoder.errors import UnusableRule
from encoder.evaluation.trials import EmbeddedWriter, run_trials
from encoder.scoring.centring import centre_of
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import Spread, claim_score
from encoder.scoring.script_compensation import ScriptCompensation
from encoder.scoring.templates import Signatures


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def invented(name: str, count: int, skill: float, seed: int) -> list[EmbeddedWriter]:
    """Writers of a data set with an offset of its own; forgeries are the nearer, the less skill."""
    shared = unit(np.random.default_rng(len(name)).normal(size=32))
    rng = np.random.default_rng(seed)
    writers = []
    for number in range(count):
        hand = unit(rng.normal(size=32)) + shared
        genuine = Signatures(unit(hand + rng.normal(scale=0.08, size=(12, 32))))
        forged = Signatures(unit(hand + rng.normal(scale=skill, size=(8, 32))))
        writers.append(EmbeddedWriter(f"{name}{number}", f"{name}{number}", genuine, forged, name))
    return writers


def passed(rule: DecisionRule, writers: list[EmbeddedWriter]) -> float:
    match = rule.calibration_for(5).points["fmr_skilled=5%"].match
    return float(np.mean(run_trials(writers, 5, rule.spread).skilled >= match))


def test_one_threshold_keeps_its_promise_for_either_script() -> None:
    plain, _ = fit_rules([*invented("near", 40, 0.13, 1), *invented("farther", 40, 0.25, 2)])
    assert [one.name for one in plain.spread.compensations] == ["farther"]
    near, farther = invented("near", 40, 0.13, 3), invented("farther", 40, 0.25, 4)
    assert 0.02 < passed(plain, near) < 0.09
    assert 0.02 < passed(plain, farther) < 0.09
    without = replace(plain, spread=replace(plain.spread, compensations=()))
    assert passed(without, farther) < 0.01
    stranger = invented("neither of both", 20, 0.2, 5)
    compensation = plain.spread.compensations[0]
    allowances = [compensation.allowance(writer.genuine.vectors[:5]) for writer in stranger]
    assert (
        np.median(allowances) == 0
    )  # A script that was not learned is mostly judged as the one forged best.
    assert np.mean(allowances) < 0.2 * dict(compensation.amounts)[5]


def test_an_adapted_model_tells_the_script_of_its_gallery_once() -> None:
    _, centred = fit_rules([*invented("near", 40, 0.13, 1), *invented("farther", 40, 0.25, 2)])
    assert [one.name for one in centred.spread.compensations] == ["farther"]
    for name, skill, share in (("near", 0.13, 0.0), ("farther", 0.25, 1.0)):
        gallery = invented(name, 40, skill, 3)
        centre = centre_of((writer.genuine.vectors[:5] for writer in gallery), 32)
        rule = centred.adapted_to(centre)
        assert rule.centre == centre.vector
        raised = rule.spread.allowance(np.zeros((5, 32), np.float32))  # Whatever the claim.
        whole = dict(centred.spread.compensations[0].amounts)[5]
        assert raised == pytest.approx(share * whole, abs=0.01)
        less = [centre_writer(writer, rule.offset) for writer in gallery]
        assert 0.02 < passed(rule, less) < 0.09


def test_an_allowance_is_by_how_far_references_are_in_the_script() -> None:
    compensation = ScriptCompensation(
        "x", axis=(1.0, 0.0), offset=0.0, amounts=((1, 0.3), (2, 0.2))
    )
    spread = Spread(compensations=(compensation,))
    for along, expected in ((0.0, 0.0), (0.35, 0.0), (0.5, 0.1), (0.65, 0.2), (1.0, 0.2)):
        references = np.array([[along, 1.0], [along, -1.0]], np.float32)
        assert spread.allowance(references) == pytest.approx(expected, abs=1e-6)
    assert Spread().allowance(np.ones((1, 2), np.float32)) == 0.0
    assert spread.allowance(np.ones((1, 2), np.float32)) == pytest.approx(0.3)
    assert spread.allowance(np.ones((9, 2), np.float32)) == pytest.approx(0.2)
    several = Spread(compensations=(compensation, replace(compensation, amounts=((1, 0.4),))))
    assert several.allowance(np.ones((1, 2), np.float32)) == pytest.approx(0.4)


def test_the_score_of_a_claim_has_its_allowance() -> None:
    writer = invented("near", 1, 0.1, 6)[0]
    compensation = ScriptCompensation("x", axis=(0.0,) * 32, offset=1.0, amounts=((1, 0.25),))
    plain, raised = (
        claim_score(writer.genuine[[7]], writer.genuine[:5], spread).score
        for spread in (Spread(), Spread(compensations=(compensation,)))
    )
    assert raised == pytest.approx(plain + 0.25, abs=1e-6)


def test_scripts_are_told_by_least_squares_and_made_only_where_something_lacks() -> None:
    near, farther = invented("near", 30, 0.1, 7), invented("farther", 30, 0.1, 8)
    among = {
        "near": [w.genuine.vectors for w in near[:20]],
        "farther": [w.genuine.vectors for w in farther[:20]],
    }
    (compensation,) = fit_compensations(among, {"near": ((1, 0.0),), "farther": ((1, 0.1),)})
    ours = [compensation.allowance(w.genuine.vectors[:1]) for w in farther[20:]]
    theirs = [compensation.allowance(w.genuine.vectors[:1]) for w in near[20:]]
    assert min(np.mean(np.array(ours) > 0.05), np.mean(np.array(theirs) < 0.05)) > 0.9
    assert fit_compensations({"farther": among["farther"]}, {"farther": ((1, 0.1),)}) == ()


def test_a_rule_with_compensations_comes_back_from_json() -> None:
    rule = fit_rules([*invented("near", 12, 0.13, 1), *invented("farther", 12, 0.25, 2)])[0]
    again = DecisionRule.from_dict(json.loads(json.dumps(rule.as_dict())))
    assert again == rule
    assert again.rule_id == rule.rule_id
    less = rule.as_dict()
    del less["spread"]["kinds"]
    with pytest.raises(UnusableRule, match="lacks 'kinds'"):
        DecisionRule.from_dict(less)
