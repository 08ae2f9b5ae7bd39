"""Pieces of strokes: which are kept, and how signatures match by them, against loops."""

import numpy as np
import pytest
from numpy.typing import NDArray
from threadpoolctl import threadpool_info

from encoder.evaluation.open_set import BEHIND, Drawn, search_scores
from encoder.evaluation.trials import EmbeddedWriter
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
    FAR_MOVE_CELLS,
    LEAST_WEIGHT,
    STIFFNESS,
    TOLERANCE,
    local_matches,
    local_matches_among,
    local_similarities,
)
from encoder.scoring.score import (
    LAST_MATCHED,
    SHORTLIST,
    ClaimScore,
    ClaimWeights,
    Scoring,
    each_claim_score,
)
from encoder.scoring.templates import Signatures, joined

Doubles = NDArray[np.float64]


def invented(count: int, seed: int) -> Pieces:
    rng = np.random.default_rng(seed)
    shapes = rng.normal(size=(count, SHAPE_SIZE))
    shapes /= np.linalg.norm(shapes, axis=1, keepdims=True)
    places = np.stack([rng.integers(0, 36, count), rng.integers(0, 72, count)], axis=1)
    return np.concatenate([np.rint(127 * shapes), places], axis=1).astype(np.int8)


def by_loops(one: Pieces, other: Pieces) -> list[float]:
    """One bent onto the other, by the definition, one piece at a time: alike, bend, roughness."""
    shapes, others_shapes = one[:, :SHAPE_SIZE] / 127, other[:, :SHAPE_SIZE] / 127
    places, others_places = one[:, SHAPE_SIZE:] * 1.0, other[:, SHAPE_SIZE:] * 1.0

    def squared(places: Doubles, far: float) -> Doubles:
        unlike = [[((p - q) ** 2).sum() for q in others_shapes] for p in shapes]
        apart = [[((p - q) ** 2).sum() for q in others_places] for p in places]
        return np.array(unlike) + np.array(apart) / far**2

    found = squared(places, FAR_CELLS)
    weights = np.exp(-found.min(axis=1) / TOLERANCE)
    moves = others_places[found.argmin(axis=1)] - places
    smooth = []
    for place in places:
        near = weights * np.exp(-((place - places) ** 2).sum(axis=1) / (2 * BEND_CELLS**2))
        smooth.append(near @ moves / (near.sum() + STIFFNESS))
    found = squared(places + np.array(smooth), BENT_FAR_CELLS)
    counted = [np.exp(-found.min(axis=axis) / TOLERANCE).mean() for axis in (0, 1)]
    bends = [((move - np.mean(smooth, axis=0)) ** 2).sum() for move in smooth]
    strayed = [((own - move) ** 2).sum() for own, move in zip(moves, smooth, strict=True)]
    rough = weights @ strayed / (weights.sum() + LEAST_WEIGHT)
    cells = (np.sqrt(np.mean(bends)), np.sqrt(rough))
    return [float(np.mean(counted)), *(-float(one) / FAR_MOVE_CELLS for one in cells)]


def test_matches_are_what_their_definition_says() -> None:
    ones = [invented(count, seed) for seed, count in enumerate((7, 30, 1))]
    others = [invented(count, seed) for seed, count in enumerate((12, 5), start=10)]
    expected = np.array([[by_loops(one, other) for other in others] for one in ones])
    assert local_matches(ones, others) == pytest.approx(expected.transpose(2, 0, 1), abs=1e-5)
    assert local_similarities(ones, others) == pytest.approx(expected[:, :, 0], abs=1e-5)
    among = local_matches_among(ones)
    for i, j in ((0, 1), (0, 2), (1, 2)):
        assert among[:, i, j] == pytest.approx(by_loops(ones[i], ones[j]), abs=1e-5)
    assert np.array_equal(among, among.transpose(0, 2, 1))
    assert np.diagonal(among, axis1=1, axis2=2).tolist() == [[1] * 3, [0] * 3, [0] * 3]
    assert local_matches_among(ones[:1]).tolist() == [[[1.0]], [[0.0]], [[0.0]]]
    assert local_matches([], others).shape == (3, 0, 2)
    assert local_matches(ones, []).shape == (3, 3, 0)


def test_what_moved_together_is_alike_and_what_moved_apart_is_not() -> None:
    pieces = invented(60, 1)
    moved, torn, swapped = pieces.copy(), pieces.copy(), pieces.copy()
    moved[:, SHAPE_SIZE] += 3
    torn[:, SHAPE_SIZE] += 3 * np.where(np.arange(60) % 2, 1, -1).astype(np.int8)
    swapped[:, SHAPE_SIZE:] = pieces[::-1, SHAPE_SIZE:]
    found = local_matches([pieces], [pieces, moved, torn, swapped])[:, 0]
    same, together, apart, elsewhere = found[0]
    assert same == pytest.approx(1, abs=0.01)
    assert together > 0.95
    assert apart < together - 0.05
    assert elsewhere < 0.6
    _, bend, rough = found
    assert bend[0] == pytest.approx(0, abs=1e-4)
    assert bend[0] > bend[1] > bend[3]  # All moved alike needs less bending than all elsewhere.
    assert rough[0] > rough[1] > rough[2] > rough[3]


def test_a_signature_without_pieces_is_like_nothing() -> None:
    some = [NO_PIECES, invented(9, 2), NO_PIECES]
    expected = np.array([[0, 0, 0], [0, 1, 0], [0, 0, 0]])
    assert local_similarities(some, some) == pytest.approx(expected, abs=1e-5)
    assert local_matches(some, some)[1:] == pytest.approx(np.zeros((2, 3, 3)), abs=1e-4)
    among = local_matches_among(some)
    assert among[0] == pytest.approx(expected, abs=1e-6)
    assert not among[1:].any()
    assert not local_matches([NO_PIECES], [invented(9, 2)]).any()


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


# Of the block, then of local similarity, bend and roughness: of the probe, of the references; and
# how many pieces these have.
WEIGHTS = (1.0, 2.0, 3.0, 4.0, -0.5, -1.5, -2.5, -3.5, 0.25)
PIECEWISE = Scoring((ClaimWeights(1, WEIGHTS, 0.125, (0.0,) * 9),))


def scored(probes: Signatures, references: Signatures) -> Doubles:
    return np.array([one.score for one in each_claim_score(probes, references, PIECEWISE)])


def compared(probe: Signatures, references: Signatures) -> ClaimScore:
    return each_claim_score(probe, references, PIECEWISE)[0]


def test_the_score_adds_how_the_pieces_match() -> None:
    signatures = signed(1)
    probe, references = signatures[[7]], signatures[:4]
    claim = compared(probe, references)
    probe_pieces, pieces = probe.pieces or (), references.pieces or ()
    local = np.array([by_loops(probe_pieces[0], one) for one in pieces])
    assert claim.local_similarities == pytest.approx(local[:, 0], abs=1e-5)
    own = [by_loops(pieces[i], pieces[j]) for i in range(4) for j in range(i + 1, 4)]
    to = (references.vectors @ probe.vectors[0]).tolist()
    among = references.vectors @ references.vectors.T
    nearest = (among - 3 * np.eye(4)).max(axis=1).mean()
    features = [
        (max(to) + np.mean(to)) / 2,
        *local.mean(axis=0),
        (among[np.triu_indices(4, 1)].mean() + nearest) / 2,
        *np.mean(own, axis=0),
        np.log(25),
    ]
    assert claim.features == pytest.approx(features, abs=1e-5)
    assert claim.score == pytest.approx(np.dot(WEIGHTS, features) + 0.125, abs=1e-4)
    one = compared(probe, references[:1])
    assert one.features[1:] == pytest.approx([*local[0], 0, 0, 0, 0, np.log(25)], abs=1e-5)


def test_without_pieces_only_the_blocks_count() -> None:
    signatures = signed(1)
    scoring = Scoring((ClaimWeights(1, (1.0, -0.5), 0.0, (0.0, 0.0)),), local=False)
    bare = Signatures(signatures.vectors)
    for known in (signatures, bare):
        (claim,) = each_claim_score(known[[7]], known[:4], scoring)
        assert claim.features.shape == (2,)
        assert claim.local_similarities is None


def test_of_many_references_the_last_alone_are_compared_with_each_other() -> None:
    signatures = signed(1, count=LAST_MATCHED + 30)
    probe, references = signatures[[0]], signatures[1:]
    pieces = references.pieces or ()
    claim = compared(probe, references)
    assert claim.local_similarities is not None
    assert claim.local_similarities.shape == (LAST_MATCHED + 29,)
    assert claim.features[1] == pytest.approx(claim.local_similarities.mean(), abs=1e-5)
    later = np.triu_indices(LAST_MATCHED, 1)
    last = local_matches_among(pieces[-LAST_MATCHED:])[:, later[0], later[1]].mean(axis=1)
    assert claim.features[5:8] == pytest.approx(last, abs=1e-5)
    everyone = references.vectors @ references.vectors.T
    assert everyone.shape == (LAST_MATCHED + 29,) * 2
    nearest = (everyone - 3 * np.eye(len(everyone))).max(axis=1).mean()
    whole = (everyone[np.triu_indices(len(everyone), 1)].mean() + nearest) / 2
    assert claim.features[4] == pytest.approx(whole, abs=1e-5)
    # Nothing hangs on how many are compared at once.
    few = np.concatenate([local_matches(pieces, [one]) for one in pieces[:3]], axis=2)
    alone = local_matches(pieces * 4, pieces[:3])[:, : len(pieces)]
    assert alone == pytest.approx(few, abs=1e-6)
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(local_matching, "TOGETHER", 60)
        assert local_matches(pieces, pieces[:6])[..., :3] == pytest.approx(few, abs=1e-6)


def test_a_batch_scores_as_one_by_one() -> None:
    signatures, other = signed(1), signed(2)
    probes = joined([signatures[5:], other[:2]])
    together = scored(probes, signatures[:3])
    apart = [compared(probes[[n]], signatures[:3]).score for n in range(5)]
    assert together == pytest.approx(apart, abs=1e-5)
    assert scored(signatures[:0], signatures[:3]).shape == (0,)


def test_a_search_looks_at_the_pieces_of_the_most_alike_alone() -> None:
    hands = [signed(seed) for seed in range(SHORTLIST + 4)]
    writers = [EmbeddedWriter(str(n), str(n), hand, hand[:0]) for n, hand in enumerate(hands)]
    gallery = [Drawn(writer, np.arange(3)) for writer in writers]
    asked = [Drawn(w, np.array([7])) for w in writers]
    same = np.eye(len(writers), dtype=np.bool_)
    likeness, scores = search_scores(asked, gallery, PIECEWISE, same)
    probes = joined([hand[[7]] for hand in hands])
    full = [each_claim_score(probes, hand[:3], PIECEWISE) for hand in hands]
    listed = likeness > -BEHIND / 2
    assert np.array_equal(listed, ~np.isnan(scores))
    # With everybody there, and with the probe's own person left out, who makes room for one more.
    assert (listed.sum(axis=1) == SHORTLIST + 1).all()
    for number, writer in np.argwhere(listed):
        assert scores[number, writer] == pytest.approx(full[writer][number].score, abs=1e-4)
        assert likeness[number, writer] == pytest.approx(full[writer][number].likeness, abs=1e-5)
    assert (likeness.argmax(axis=1) == np.arange(len(hands))).all()
    # Those not looked at keep their order, behind all others.
    whole = [hand.vectors[:3] @ probes.vectors.T for hand in hands]
    highest = np.stack([one.max(axis=0) for one in whole], axis=1)
    assert likeness[~listed] + BEHIND == pytest.approx(highest[~listed], abs=0.06)
