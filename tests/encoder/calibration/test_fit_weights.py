"""Weights of a claim's features, fitted on claims whose features are known."""

from dataclasses import replace

import numpy as np
import pytest

from encoder.calibration import fit_weights as module
from encoder.calibration.fit import fit_log_lr
from encoder.calibration.fit_weights import KIND_SHARES, fit_weights
from encoder.evaluation.trials import Claims

Features = np.ndarray
WRITERS = 10


def claims(seed: int = 0, count: int = 400, offset: float = 0.0, first: int = 0) -> Claims:
    """Two features: one of probes, and one of references that says what the other must be held to.

    Genuine ones lie 1 above forgeries once the second is taken off the first.
    """
    rng = np.random.default_rng(seed)
    features, writer = {}, {}
    for kind, middle in (("genuine", 1.0), ("skilled", 0.0), ("random", -2.0)):
        habits = rng.normal(size=count)
        alike = middle + offset + habits + rng.normal(scale=0.5, size=count)
        features[kind] = np.stack([alike, habits], axis=1)
        writer[kind] = first + np.arange(count) % WRITERS
    return Claims(features, writer)


def together(*parts: Claims) -> Claims:
    return Claims(
        {kind: np.concatenate([part.features[kind] for part in parts]) for kind in KIND_SHARES},
        {kind: np.concatenate([part.writer[kind] for part in parts]) for kind in KIND_SHARES},
    )


ONE = np.full(WRITERS, "one")


def test_what_tells_is_weighed_and_what_the_references_vary_is_taken_off() -> None:
    fitted = fit_weights(claims(), ONE, 3, parts=1)
    alike, habits = fitted.weights
    assert fitted.references == 3
    assert alike > 1
    assert habits == pytest.approx(-alike, rel=0.1)


def test_scores_are_log10_of_odds(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of all that are not genuine, in their shares; the ridge draws scores together a little."""
    monkeypatch.setattr(module, "RIDGE", 1e-6)
    drawn = claims(count=20_000)
    trials = drawn.scored(fit_weights(drawn, ONE, 3, parts=1))
    skilled = round(trials.random.size * KIND_SHARES["skilled"] / KIND_SHARES["genuine"])
    mistaken = np.concatenate([trials.skilled[:skilled], trials.random[skilled:]])
    slope, intercept = fit_log_lr(trials.genuine, mistaken)
    assert slope == pytest.approx(1.0, abs=0.05)
    assert intercept == pytest.approx(0.0, abs=0.05)


def test_what_is_more_alike_is_never_held_against_a_signature() -> None:
    drawn = claims()
    against = {kind: part * [-1, 1] for kind, part in drawn.features.items()}
    backwards = replace(drawn, features=against)
    assert fit_weights(backwards, ONE, 3, parts=1).weights[0] == 0
    assert fit_weights(backwards, ONE, 3, parts=0).weights[0] < -1


def test_every_data_set_weighs_the_same_however_many_claims_it_has() -> None:
    small, large = claims(1, 60), claims(2, 400, offset=3.0, first=WRITERS)
    sets = np.repeat(["small", "large"], WRITERS)
    once = fit_weights(together(small, large), sets, 1, parts=1)
    often = fit_weights(together(small, large, large, large), sets, 1, parts=1)
    assert often.weights == pytest.approx(once.weights, abs=1e-4)
    assert often.intercept == pytest.approx(once.intercept, abs=1e-4)
    assert often.typical == pytest.approx(once.typical, abs=1e-4)
    as_one = np.full(2 * WRITERS, "one")
    pooled = fit_weights(together(small, large, large, large), as_one, 1, parts=1)
    assert pooled.intercept != pytest.approx(once.intercept, abs=0.2)


def test_typical_is_the_mean_genuine_claim_of_the_data_sets() -> None:
    small, large = claims(1, 60), claims(2, 400, offset=3.0, first=WRITERS)
    sets = np.repeat(["small", "large"], WRITERS)
    fitted = fit_weights(together(small, large), sets, 1, parts=1)
    means = [part.features["genuine"].mean(axis=0) for part in (small, large)]
    assert fitted.typical == pytest.approx(np.mean(means, axis=0), abs=1e-5)


def test_a_data_set_without_random_forgeries_still_counts() -> None:
    small, large = claims(1, 60), claims(2, 400, first=WRITERS)
    bare = Claims(
        small.features | {"random": small.features["random"][:0]},
        small.writer | {"random": small.writer["random"][:0]},
    )
    sets = np.repeat(["small", "large"], WRITERS)
    assert np.isfinite(fit_weights(together(bare, large), sets, 1, parts=1).weights).all()
