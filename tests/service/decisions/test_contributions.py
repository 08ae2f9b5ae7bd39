"""What an answer says a score is made of, and how often such verdicts err."""

import pytest

from encoder.inference.unseen_errors import unseen_errors
from service.decisions.contributions import MEANINGS, contributions
from service.decisions.verify import expected_errors, verify

PARTS = {"layout", "texture", "strokes", "local", "bend", "rough", "richness"}


@pytest.fixture
def verified(services, uploads, known):
    """Return `verified(seed, count)`: another's or one's own signature, compared with writer 1."""

    def make(seed, count=5):
        return verify(
            known(1, count),
            uploads(seed, 9)[0],
            encoder=services.encoder,
            registry=services.registry,
        )

    return make


@pytest.mark.parametrize(("seed", "count"), [(1, 5), (2, 5), (1, 1)])
def test_points_add_up_to_the_score_less_that_of_a_usual_genuine_signature(verified, seed, count):
    comparison = verified(seed, count).comparison
    told = contributions(comparison)
    weights = comparison.claim.weights
    usual = weights.intercept + sum(
        weight * typical for weight, typical in zip(weights.weights, weights.typical, strict=True)
    )
    points = [one["points"] for one in told]
    assert sum(points) == pytest.approx(comparison.score - usual, abs=1e-3)
    assert points == sorted(points)
    assert {one["part"] for one in told} == PARTS
    assert all(one["meaning"] == MEANINGS[one["part"]] for one in told)


def test_another_writers_signature_lacks_in_every_part_what_ones_own_has(services, uploads, known):
    writer_id = known(1)
    own, other = (
        dict(
            verify(
                writer_id,
                uploads(seed, 9)[0],
                encoder=services.encoder,
                registry=services.registry,
            ).comparison.contributions
        )
        for seed in (1, 2)
    )
    assert own.pop("richness") == other.pop("richness")  # It is of the references alone.
    for part, points in own.items():
        assert points > other[part]
    assert all(points < 0 for points in other.values())


def test_every_part_of_every_model_has_a_meaning(services):
    assert set(services.encoder.rule.scoring.parts) | {"whole", "richness"} == set(MEANINGS)


def test_an_answer_states_the_errors_measured_on_data_sets_never_seen(services, verified):
    done = verified(1, 3)
    told = done.as_dict()["expected_errors"]
    name = services.encoder.rule.default_operating_point
    assert done.expected == unseen_errors(services.encoder.manifest, 3, name)
    assert told == done.expected.as_dict()
    measured = [
        of_set["3"]["points"][name]["fmr_skilled"]
        for of_set in services.encoder.manifest["unseen"].values()
    ]
    assert told["fmr_skilled"]["worst"] == pytest.approx(max(measured), abs=1e-3)
    assert told["fmr_skilled"]["mean"] == pytest.approx(sum(measured) / len(measured), abs=1e-3)


def test_copies_of_a_reference_promise_no_more(services, uploads, known, scan):
    """The errors are those of as many references as count."""
    known(1, 1)
    image = scan(1, 0)
    done = verify("W-1", uploads(1, 9)[0], encoder=services.encoder, registry=services.registry)
    encoder = services.encoder
    probe = encoder.describe(encoder.acquire(scan(1, 9)).canvas[None])
    one = encoder.describe(encoder.acquire(image).canvas[None])
    copied = encoder.rule.compare(probe, one[[0, 0, 0, 0, 0]])
    assert expected_errors(copied, encoder) == done.expected
    assert done.expected.references == 1
