"""Local matches are computed once, and never taken for those of other signatures."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest

from encoder.evaluation import local_match_cache
from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.open_set import run_searches
from encoder.evaluation.trials import EmbeddedWriter, run_trials
from encoder.scoring.local_descriptors import SHAPE_SIZE, Pieces
from encoder.scoring.local_matching import local_matches
from encoder.scoring.score import ClaimWeights, Scoring
from encoder.scoring.templates import Signatures

WEIGHTS = (1.0, 2.0, 3.0, 4.0, -0.5, -1.5, -2.5, -3.5, 0.25)
SCORING = Scoring((ClaimWeights(1, WEIGHTS, 0.0, (0.0,) * 9),))


def signed(count: int, seed: int) -> Signatures:
    rng = np.random.default_rng(seed)
    vectors = rng.normal(size=(count, 8)).astype(np.float32)
    shapes = rng.normal(size=(count, 9, SHAPE_SIZE))
    shapes *= 127 / np.linalg.norm(shapes, axis=-1, keepdims=True)
    places = rng.integers(0, 30, (count, 9, 2))
    pieces = tuple(np.concatenate([np.rint(shapes), places], axis=-1).astype(np.int8))
    return Signatures(vectors / np.linalg.norm(vectors, axis=1, keepdims=True), pieces)


def writer(number: int) -> EmbeddedWriter:
    return EmbeddedWriter(f"w{number}", f"w{number}", signed(4, number), signed(2, number + 1000))


@pytest.fixture
def computed(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """How many pairs of signatures were matched, call by call."""
    counts: list[int] = []

    def counted(ones: Sequence[Pieces], others: Sequence[Pieces]) -> np.ndarray:
        counts.append(len(ones) * len(others))
        return local_matches(ones, others)

    monkeypatch.setattr(local_match_cache, "local_matches", counted)
    return counts


def test_only_what_was_not_asked_for_before_is_computed(computed: list[int]) -> None:
    ones, others, cache = signed(5, 1), signed(3, 2), LocalMatchCache()
    expected = local_matches(ones.pieces or (), others.pieces or ())
    assert np.array_equal(cache.between(ones, others, [3, 1]), expected[:, [3, 1]])
    assert computed == [2 * 3]
    assert np.array_equal(cache.between(ones, others), expected)
    assert computed == [2 * 3, 3 * 3]
    turned = ones.with_vectors(-ones.vectors)
    assert np.array_equal(cache.between(turned, others, slice(1, 4)), expected[:, 1:4])
    assert computed == [2 * 3, 3 * 3]
    cache.between(others, ones)  # Bent the other way: not the same.
    assert computed == [2 * 3, 3 * 3, 3 * 5]


def test_signatures_without_pieces_have_none() -> None:
    ones = signed(2, 1)
    assert LocalMatchCache().between(ones, Signatures(ones.vectors)) is None
    assert LocalMatchCache().between(Signatures(ones.vectors), ones) is None


def test_nothing_is_taken_for_signatures_that_come_later() -> None:
    """Objects that are gone leave their places in memory, and so their ids, to others."""
    cache, kept = LocalMatchCache(), signed(3, 0)
    for seed in range(1, 30):
        stranger = signed(3, seed)
        expected = local_matches(stranger.pieces or (), kept.pieces or ())
        assert np.array_equal(cache.between(stranger, kept), expected)
        del stranger


def test_runs_with_one_cache_score_as_runs_of_their_own(computed: list[int]) -> None:
    writers = [writer(number) for number in range(4)]
    cache = LocalMatchCache()
    for references in (1, 2, 3):
        together = run_trials(writers, references, SCORING, 3, cache=cache)
        found = run_searches(writers, references, SCORING, 3, cache=cache)
        alone = run_trials(writers, references, SCORING, 3)
        for kind in ("genuine", "skilled", "random"):
            assert np.array_equal(getattr(together, kind), getattr(alone, kind))
        anew = run_searches(writers, references, SCORING, 3)
        assert np.array_equal(found.own, anew.own)
        assert np.array_equal(found.other, anew.other)
    computed.clear()
    run_trials(writers, 2, SCORING, 3, cache=cache)
    run_searches(writers, 2, SCORING, 3, cache=cache)
    assert computed == []
    other = replace(writers[0], genuine=signed(4, 99))
    run_trials([other, *writers[1:]], 2, SCORING, 3, cache=cache)
    assert computed
