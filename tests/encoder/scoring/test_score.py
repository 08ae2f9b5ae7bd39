"""The comparison score: its features, its weights, and whom a signature resembles."""

import itertools
from collections.abc import Callable

import numpy as np
import pytest

from encoder.evaluation.open_set import Drawn, search_scores
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.blocks import Blocks
from encoder.scoring.score import (
    BANDWIDTH,
    LIKENESS_OF_PIECES,
    ClaimWeights,
    Scoring,
    claim_features,
    each_claim_score,
    habits_of,
    likenesses,
    stacked,
)
from encoder.scoring.templates import Signatures

Invent = Callable[..., list[EmbeddedWriter]]

rng = np.random.default_rng(3)
SIZES = (3, 5, 4)
NAMES = ("layout", "texture", "strokes")
BLOCKS = Blocks(NAMES, SIZES, np.linalg.qr(rng.normal(size=(12, 12)))[0].astype(np.float32))
ONE = ClaimWeights(1, (2.0, -0.5), 0.25, (0.8, 0.7))
WHOLE = Scoring((ONE, ClaimWeights(3, (3.0, -1.5), -0.25, (0.8, 0.7))), local=False)


def unit(vectors: np.ndarray) -> np.ndarray:
    return (vectors / np.linalg.norm(vectors, axis=-1, keepdims=True)).astype(np.float32)


def scored(probes: Signatures, references: Signatures, scoring: Scoring = WHOLE) -> list[float]:
    return [one.score for one in each_claim_score(probes, references, scoring)]


def test_score_by_hand() -> None:
    references = unit(np.array([[1.0, 0.0], [0.8, 0.6], [0.6, 0.8]]))
    probe = unit(np.array([1.0, 0.0]))
    pairs = [references[i] @ references[j] for i, j in itertools.combinations(range(3), 2)]
    nearest = [max(references[i] @ references[j] for j in range(3) if j != i) for i in range(3)]
    alike = (1.0 + (1.0 + 0.8 + 0.6) / 3) / 2
    own = (np.mean(pairs) + np.mean(nearest)) / 2
    (claim,) = each_claim_score(Signatures(probe[None]), Signatures(references), WHOLE)
    assert claim.features == pytest.approx([alike, own], abs=1e-6)
    assert claim.score == pytest.approx(3 * alike - 1.5 * own - 0.25, abs=1e-6)
    assert claim.weights is WHOLE.weights[1]
    assert claim.similarities == pytest.approx([1.0, 0.8, 0.6], abs=1e-6)
    assert claim.local_similarities is None
    assert claim.references == 3
    most = [np.exp((one - 1.0) / BANDWIDTH) for one in (1.0, 0.8, 0.6)]
    assert claim.likeness == pytest.approx(1.0 + BANDWIDTH * np.log(np.mean(most)), abs=1e-6)


def test_each_block_is_a_feature_of_its_own() -> None:
    parts = [unit(rng.normal(size=(6, size))) for size in SIZES]
    assert BLOCKS.axes is not None
    vectors = (np.concatenate(parts, axis=1) / np.sqrt(3) @ BLOCKS.axes).astype(np.float32)
    weights = ClaimWeights(1, (1.0, 2.0, 4.0, -0.5, -0.25, 0.125), 0.5, (0.0,) * 6)
    scoring = Scoring((weights,), local=False, blocks=BLOCKS)
    assert scoring.parts == NAMES
    probes, references = Signatures(vectors[:2]), Signatures(vectors[2:])
    claims = each_claim_score(probes, references, scoring)
    for number, claim in enumerate(claims):
        expected = []
        for part in parts:
            to = part[number] @ part[2:].T
            expected.append((to.max() + to.mean()) / 2)
        for part in parts:
            own = part[2:] @ part[2:].T
            pairs = own[np.triu_indices(4, 1)].mean()
            nearest = (own - 3 * np.eye(4)).max(axis=1).mean()
            expected.append((pairs + nearest) / 2)
        assert claim.features == pytest.approx(expected, abs=1e-5)
        assert claim.score == pytest.approx(np.dot(weights.weights, expected) + 0.5, abs=1e-5)


def test_a_single_reference_has_no_habits_but_how_much_there_is_to_it() -> None:
    block = np.ones((2, 1, 1), np.float32)
    local = np.ones((3, 1, 1), np.float32)
    assert habits_of(block, None, None).tolist() == [0, 0]
    assert habits_of(block, local, [20]) == pytest.approx([0] * 5 + [np.log(20)])
    assert habits_of(block, local, [0])[-1] == 0.0
    # The mean of logarithms, of all references.
    two = np.ones((2, 2, 2), np.float32)
    assert habits_of(two, np.ones((3, 2, 2), np.float32), [10, 1000])[-1] == pytest.approx(
        np.log(100)
    )


def test_a_claim_has_as_many_features_as_its_weights() -> None:
    assert (WHOLE.features, WHOLE.parts) == (2, ("whole",))
    with_pieces = Scoring((), blocks=BLOCKS)
    assert with_pieces.parts == (*NAMES, "local", "bend", "rough")
    assert with_pieces.features == 13
    assert Scoring((), local=False, blocks=BLOCKS).features == 6


def test_weights_are_those_for_the_number_of_references() -> None:
    taken = [WHOLE.weights_for(count).references for count in (0, 1, 2, 3, 50)]
    assert taken == [1, 1, 1, 3, 3]
    signatures = Signatures(unit(rng.normal(size=(5, 8))))
    two, three = (each_claim_score(signatures[[0]], signatures[1:n], WHOLE)[0] for n in (3, 4))
    assert (two.weights.references, three.weights.references) == (1, 3)


def test_what_is_more_alike_never_scores_lower() -> None:
    references = unit(rng.normal(size=(4, 12)))
    habits = WHOLE.habits(Signatures(references))
    found = WHOLE.similarities(Signatures(unit(rng.normal(size=(1, 12)))), Signatures(references))
    before = ONE.scores(claim_features(found, habits))[0]
    for place in range(4):
        raised = found.blocks.copy()
        raised[0, 0, place] += 0.01
        more = type(found)(found.whole, raised, None)
        assert ONE.scores(claim_features(more, habits))[0] > before


def test_batch_equals_one_by_one(invent: Invent) -> None:
    writer, other = invent(2)
    together = scored(writer.genuine[5:], writer.genuine[:5])
    apart = [scored(writer.genuine[[n]], writer.genuine[:5])[0] for n in range(5, 12)]
    assert together == pytest.approx(apart, abs=1e-6)
    assert scored(writer.genuine[:0], writer.genuine[:5]) == []
    assert scored(writer.genuine[5:], writer.genuine[:5]) == together  # By the habits kept.
    five = np.arange(5)
    galleries = [Drawn(writer, five), Drawn(other, five)]
    nobody = np.zeros((7, 2), np.bool_)
    likeness, both = search_scores([Drawn(writer, np.arange(5, 12))], galleries, WHOLE, nobody)
    assert both[:, 0] == pytest.approx(apart, abs=1e-6)
    assert both[:, 1] == pytest.approx(scored(writer.genuine[5:], other.genuine[:5]), abs=1e-6)
    alike = [one.likeness for one in each_claim_score(writer.genuine[5:], other.genuine[:5], WHOLE)]
    assert likeness[:, 1] == pytest.approx(alike, abs=1e-6)


def test_likeness_is_led_by_the_nearest_and_does_not_grow_with_their_number() -> None:
    whole = np.array([[0.9, 0.2, 0.1]], np.float32)
    alike = likenesses(whole)[0]
    assert whole.mean() < alike < whole.max()
    assert likenesses(np.tile(whole, 7))[0] == pytest.approx(alike, abs=1e-6)
    assert likenesses(whole[:, :1])[0] == pytest.approx(0.9, abs=1e-6)
    local = np.zeros((3, 1, 3), np.float32)
    local[0], local[1:] = 0.25, -5.0  # Of the local measures, the similarity alone counts.
    assert likenesses(whole, local)[0] == pytest.approx(alike + LIKENESS_OF_PIECES / 4, abs=1e-6)


def test_groups_of_probes_are_put_one_below_another(invent: Invent) -> None:
    first, second = invent(2)
    references = first.genuine[:3]
    parts = [WHOLE.similarities(one, references) for one in (first.genuine[3:], second.genuine)]
    both = stacked(parts)
    assert both.whole.shape == (9 + 12, 3)
    assert both.blocks.shape == (1, 21, 3)
    assert both.local is None
    assert np.array_equal(both.of([9], [2, 0]).whole, parts[1].whole[[0]][:, [2, 0]])
    assert np.array_equal(both.of([9], [2, 0]).blocks, parts[1].blocks[:, [0]][:, :, [2, 0]])
