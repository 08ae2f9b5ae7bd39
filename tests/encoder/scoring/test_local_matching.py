"""Pieces of strokes: which are kept, and how signatures match by them, against loops."""

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from encoder.evaluation.open_set import BEHIND, Drawn, search_scores
from encoder.evaluation.trials import EmbeddedWriter, population_spread
from encoder.scoring import local_matching
from encoder.scoring.local_descriptors import (
    NO_PIECES,
    PIECE_SIZE,
    SHAPE_SIZE,
    Pieces,
    choose_pieces,
    pack,
    unpack,
)
from encoder.scoring.local_matching import (
    BEND_CELLS,
    BENT_FAR_CELLS,
    FAR_CELLS,
    STIFFNESS,
    TOLERANCE,
    local_similarities,
    local_similarities_among,
)
from encoder.scoring.score import (
    LOCAL_WEIGHT,
    NORMALISATION,
    OWN_LOCAL,
    SHORTLIST,
    Spread,
    claim_score,
    claim_scores,
    mean_of_pairs,
    own_similarities,
    similarities,
)
from encoder.scoring.templates import Signatures, joined

Doubles = NDArray[np.float64]


def invented(count: int, seed: int) -> Pieces:
    rng = np.random.default_rng(seed)
    shapes = rng.normal(size=(count, SHAPE_SIZE))
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    places = np.stack([rng.integers(0, 36, count), rng.integers(0, 72, count)], axis=1)
    return np.concatenate([np.rint(127 * shapes), places], axis=1).astype(np.int8)


def by_loops(one: Pieces, other: Pieces) -> float:
    """One bent onto the other, by the definition, one piece at a time."""
    shapes, others_shapes = one[:, :SHAPE_SIZE] / 127, other[:, :SHAPE_SIZE] / 127
    places, others_places = one[:, SHAPE_SIZE:] * 1.0, other[:, SHAPE_SIZE:] * 1.0

    def squared(places: Doubles, far: float) -> Doubles:
        unlike = [[((p - q) ** 2).sum() for q in others_shapes] for p in shapes]
        apart = [[((p - q) ** 2).sum() for q in others_places] for p in places]
        return np.array(unlike) + np.array(apart) / far**2

    found = squared(places, FAR_CELLS)
    weights = np.exp(-found.min(axis=1) / TOLERANCE)
    moves = others_places[found.argmin(axis=1)] - places
    bent = []
    for place in places:
        near = weights * np.exp(-((place - places) ** 2).sum(axis=1) / (2 * BEND_CELLS**2))
        bent.append(place + near @ moves / (near.sum() + STIFFNESS))
    found = squared(np.array(bent), BENT_FAR_CELLS)
    counted = [np.exp(-found.min(axis=axis) / TOLERANCE).mean() for axis in (0, 1)]
    return float(np.mean(counted))


def test_local_similarity_is_what_its_definition_says() -> None:
    ones = [invented(count, seed) for seed, count in enumerate((7, 30, 1))]
    others = [invented(count, seed) for seed, count in enumerate((12, 5), start=10)]
    expected = [[by_loops(one, other) for other in others] for one in ones]
    assert local_similarities(ones, others) == pytest.approx(np.array(expected), abs=1e-5)
    pairs = [by_loops(ones[i], ones[j]) for i, j in ((0, 1), (0, 2), (1, 2))]
    assert mean_of_pairs(local_similarities_among(ones)) == pytest.approx(np.mean(pairs), abs=1e-5)
    later = np.triu(local_similarities(ones, ones), 1)
    assert local_similarities_among(ones) == pytest.approx(later + later.T + np.eye(3), abs=1e-5)
    assert local_similarities_among(ones[:1]).tolist() == [[1.0]]
    assert local_similarities([], others).shape == (0, 2)
    assert local_similarities(ones, []).shape == (3, 0)


def test_what_moved_together_is_alike_and_what_moved_apart_is_not() -> None:
    pieces = invented(60, 1)
    moved, torn, swapped = pieces.copy(), pieces.copy(), pieces.copy()
    moved[:, SHAPE_SIZE] += 3
    torn[:, SHAPE_SIZE] += 3 * np.where(np.arange(60) % 2, 1, -1).astype(np.int8)
    swapped[:, SHAPE_SIZE:] = pieces[::-1, SHAPE_SIZE:]
    same, together, apart, elsewhere = local_similarities([pieces], [pieces, moved, torn, swapped])[
        0
    ]
    assert same == pytest.approx(1, abs=0.01)
    assert together > 0.95
    assert apart < together - 0.05
    assert elsewhere < 0.6


def test_a_signature_without_pieces_is_like_nothing() -> None:
    some = [NO_PIECES, invented(9, 2), NO_PIECES]
    expected = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert local_similarities(some, some) == pytest.approx(expected, abs=1e-5)
    assert local_similarities_among(some) == pytest.approx(expected, abs=1e-6)
    assert local_similarities([NO_PIECES], [invented(9, 2)]) == 0


def test_products_stay_in_one_thread() -> None:
    local_similarities([invented(9, 1)], [invented(8, 2)])
    pools = [pool for pool in threadpool_info() if pool["user_api"] == "blas"]
    assert [pool["num_threads"] for pool in pools] == [1] * len(pools)
    assert pools


def test_of_each_block_the_cell_with_most_ink_is_kept() -> None:
    described = np.zeros((4, 6, SHAPE_SIZE + 1), np.float32)
    described[0, 0, -1], described[0, 0, 3] = 0.2, 1.0
    described[1, 1, -1], described[1, 1, 5] = 0.3, -2.0  # In the same block, and more.
    described[2, 5, -1], described[2, 5, :2] = 0.1, 3.0
    described[3, 0, -1] = 0.001  # Next to nothing.
    kept = choose_pieces(described)
    assert kept.dtype == np.int8
    assert kept[:, SHAPE_SIZE:].tolist() == [[1, 1], [2, 5]]
    assert kept[0, 5] == -127
    assert kept[1, :2].tolist() == [90, 90]
    assert np.count_nonzero(kept[:, :SHAPE_SIZE]) == 3
    assert choose_pieces(np.zeros_like(described)).shape == (0, PIECE_SIZE)


def test_pieces_survive_being_kept() -> None:
    pieces = invented(13, 3)
    assert np.array_equal(unpack(pack(pieces)), pieces)
    assert unpack(b"").shape == (0, PIECE_SIZE)
    with pytest.raises(ValueError, match="multiple of 26"):
        unpack(b"x" * 27)


def signed(seed: int, count: int = 8) -> Signatures:
    """Signatures of one invented hand: pieces of a plan, each a little elsewhere."""
    rng = np.random.default_rng(seed)
    plan, hand = invented(30, seed), rng.normal(size=16)
    vectors, pieces = [], []
    for _ in range(count):
        vector = hand + rng.normal(scale=0.2, size=16)
        vectors.append(vector / np.linalg.norm(vector))
        moved = plan.copy()
        moved[:, SHAPE_SIZE:] += rng.integers(0, 3, (30, 2)).astype(np.int8)
        pieces.append(moved[rng.permutation(30)[:25]])
    return Signatures(np.array(vectors, np.float32), tuple(pieces))


def scored(probes: Signatures, references: Signatures) -> Doubles:
    own = similarities(references, references)
    return claim_scores(similarities(probes, references), own, Spread(), 0.0)


def test_the_score_adds_how_the_pieces_match() -> None:
    signatures, spread = signed(1), Spread(shrinkage=2.0, local=0.5)
    probe, references = signatures[[7]], signatures[:4]
    claim = claim_score(probe, references, spread)
    whole = claim_score(Signatures(probe.vectors), Signatures(references.vectors), spread)
    assert whole.local_similarities is None
    assert claim.similarities == pytest.approx(whole.similarities)
    probe_pieces, pieces = probe.pieces or (), references.pieces or ()
    local = [by_loops(probe_pieces[0], one) for one in pieces]
    assert claim.local_similarities == pytest.approx(local, abs=1e-5)
    own = [by_loops(pieces[j], pieces[i]) for i in range(4) for j in range(i)]
    shrunk = 3 / 5 * np.mean(own) + 2 / 5 * 0.5
    expected = whole.score + LOCAL_WEIGHT * (np.mean(local) - NORMALISATION * shrunk)
    assert claim.score == pytest.approx(expected, abs=1e-5)
    one = claim_score(probe, references[:1], spread)
    expected = LOCAL_WEIGHT * (local[0] - NORMALISATION * 0.5)
    alone = claim_score(Signatures(probe.vectors), Signatures(references.vectors[:1]), spread)
    assert one.score == pytest.approx(alone.score + expected, abs=1e-5)


def test_of_many_references_the_last_alone_are_compared_with_each_other() -> None:
    signatures, spread = signed(1, count=OWN_LOCAL + 30), Spread()
    probe, references = signatures[[0]], signatures[1:]
    own = own_similarities(references)
    assert own.whole.shape == (OWN_LOCAL + 29,) * 2
    last = references[-OWN_LOCAL:]
    assert own.local is not None
    assert own.local == pytest.approx(own.local.T)
    later = np.triu_indices(OWN_LOCAL, 1)
    assert own.local[later] == pytest.approx(similarities(last, last).local[later], abs=1e-6)
    claim = claim_score(probe, references, spread)
    assert claim.local_similarities is not None
    assert claim.local_similarities.shape == (OWN_LOCAL + 29,)
    # Nothing hangs on how many are compared at once.
    pieces = references.pieces or ()
    few = np.concatenate([local_similarities(pieces, [one]) for one in pieces[:3]], axis=1)
    assert local_similarities(pieces * 4, pieces[:3])[: len(pieces)] == pytest.approx(few, abs=1e-6)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local_matching, "TOGETHER", 60)
        assert local_similarities(pieces, pieces[:6])[:, :3] == pytest.approx(few, abs=1e-6)


def test_a_batch_scores_as_one_by_one() -> None:
    signatures, other = signed(1), signed(2)
    probes = joined([signatures[5:], other[:2]])
    together = scored(probes, signatures[:3])
    apart = [claim_score(probes[[n]], signatures[:3], Spread()).score for n in range(5)]
    assert together == pytest.approx(apart, abs=1e-5)
    assert scored(signatures[:0], signatures[:3]).shape == (0,)


def test_a_search_looks_at_the_pieces_of_the_most_alike_alone() -> None:
    hands = [signed(seed) for seed in range(SHORTLIST + 4)]
    writers = [EmbeddedWriter(str(n), str(n), hand, hand[:0]) for n, hand in enumerate(hands)]
    gallery = [Drawn(writer, np.arange(3)) for writer in writers]
    asked = [Drawn(w, np.array([7])) for w in writers]
    same = np.eye(len(writers), dtype=np.bool_)
    scores, others = search_scores(asked, gallery, Spread(), same)
    probes = joined([hand[[7]] for hand in hands])
    full = np.stack([scored(probes, hand[:3]) for hand in hands], axis=1)
    listed = scores > -BEHIND / 2
    assert (listed.sum(axis=1) == SHORTLIST).all()
    assert scores[listed] == pytest.approx(full[listed], abs=1e-5)
    assert (scores.argmax(axis=1) == np.arange(len(hands))).all()
    # Whoever is left out makes room for one more.
    strangers = others > -BEHIND / 2
    assert (strangers.sum(axis=1) == SHORTLIST).all()
    assert not strangers[same].any()
    assert others[strangers] == pytest.approx(full[strangers], abs=1e-5)


def test_the_population_of_pieces_is_that_of_drawn_references() -> None:
    writers = [EmbeddedWriter(str(n), str(n), signed(n), signed(n)[:0]) for n in range(4)]
    spread = population_spread(writers)
    own = [
        mean_of_pairs(local_similarities(w.genuine.pieces or (), w.genuine.pieces or ()))
        for w in writers
    ]
    assert spread.local == pytest.approx(np.mean(own), abs=0.02)
    assert spread.local != Spread().local
