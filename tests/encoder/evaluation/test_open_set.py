"""Open-set searches on embeddings made by hand."""

import numpy as np
import pytest

from encoder.evaluation.open_set import Drawn, match_characteristic, run_searches, search_scores
from encoder.evaluation.trials import PLAIN, EmbeddedWriter
from encoder.scoring.score import SHORTLIST, ClaimWeights, Scoring
from encoder.scoring.templates import Signatures

NOBODY = Signatures(np.zeros((0, 3), np.float32))


def writer(name: str, vector: list[float], count: int = 2, group: str = "") -> EmbeddedWriter:
    genuine = np.tile(np.array(vector, np.float32), (count, 1))
    return EmbeddedWriter(name, group or name, Signatures(genuine), NOBODY)


def test_searches_by_hand() -> None:
    # a and b are 0.6 alike; c is at right angles to both.
    writers = [writer("a", [1, 0, 0]), writer("b", [0.6, 0.8, 0]), writer("c", [0, 0, 1])]
    found = run_searches(writers, 1, PLAIN, draws=1)
    assert found.gallery_size == 3
    assert found.writer.tolist() == [0, 1, 2]
    assert found.rank.tolist() == [1, 1, 1]
    assert found.own == pytest.approx([1, 1, 1])
    assert found.other == pytest.approx([0.6, 0.6, 0.0])
    assert found.missed(1.1).all()
    assert not found.missed(0.9).any()
    assert found.false_alarms(0.5).tolist() == [True, True, False]


def test_a_gallery_in_which_another_is_nearer() -> None:
    stray = np.array([[1, 0, 0], [0, 1, 0]], np.float32)  # Two signatures that are not alike.
    writers = [EmbeddedWriter("a", "a", Signatures(stray), NOBODY), writer("b", [0, 1, 0], 3)]
    for draw_seed in range(4):
        found = run_searches(writers, 1, PLAIN, draws=1, seed=draw_seed)
        nearer_to_b = bool(found.other[0] > found.own[0])
        assert found.rank[0] == (2 if nearer_to_b else 1)
        assert found.missed(-1.0)[0] == nearer_to_b
    assert match_characteristic(np.array([1, 2, 2, 5]))[:5] == [0.25, 0.75, 0.75, 0.75, 1.0]


def test_a_persons_other_names_are_no_false_alarm() -> None:
    same_person = [writer("a1", [1, 0, 0], group="a"), writer("a2", [1, 0, 0], group="a")]
    found = run_searches([*same_person, writer("b", [0, 1, 0])], 1, PLAIN, draws=1)
    assert found.other == pytest.approx([0.0, 0.0, 0.0])


def test_writers_without_a_probe_are_not_in_the_gallery() -> None:
    writers = [writer("a", [1, 0, 0], 3), writer("b", [0, 1, 0], 2)]
    assert run_searches(writers, 2, PLAIN, draws=2).gallery_size == 1
    assert np.isneginf(run_searches(writers, 2, PLAIN, draws=2).other).all()
    nothing = run_searches(writers, 5, PLAIN)
    assert (nothing.rank.size, nothing.gallery_size) == (0, 0)


def test_likeness_orders_writers_and_the_score_names_them() -> None:
    """A steady hand must be met more closely: it may be likest and yet score lower."""
    steady = np.tile(np.array([1, 0, 0], np.float32), (3, 1))
    turn = np.radians([-65, 65, 0, 0])
    unsteady = np.stack([np.cos(turn), np.sin(turn), 0 * turn], axis=1).astype(np.float32)
    harsh = Scoring((ClaimWeights(1, (1.0, -2.0), 0.0, (0.0, 0.0)),), local=False)
    writers = [
        EmbeddedWriter("steady", "steady", Signatures(steady), NOBODY),
        EmbeddedWriter("unsteady", "unsteady", Signatures(unsteady[:3]), NOBODY),
    ]
    probe, gallery = (
        [Drawn(writers[0], np.array([2]))],
        [
            Drawn(writers[0], np.array([0, 1])),
            Drawn(writers[1], np.array([0, 1])),
        ],
    )
    likeness, scores = search_scores(probe, gallery, harsh, np.array([[True, False]]))
    assert likeness[0, 0] > likeness[0, 1]
    assert scores[0, 0] == pytest.approx(1 - 2 * 1, abs=1e-6)
    assert scores[0, 1] > scores[0, 0]


def test_a_writer_too_far_behind_to_be_looked_at_is_missed() -> None:
    """With more than ten writers nearer, at whatever threshold."""
    near = [writer(f"n{n}", [0.0, 1.0, 0.01 * n]) for n in range(SHORTLIST + 1)]
    stray = np.array([[1, 0, 0], [0, 1, 0]], np.float32)  # One far from the other.
    writers = [EmbeddedWriter("stray", "stray", Signatures(stray), NOBODY), *near]
    for seed in range(4):
        found = run_searches(writers, 1, PLAIN, draws=1, seed=seed)
        behind = found.rank[0] > SHORTLIST
        assert np.isneginf(found.own[0]) == behind
        assert not np.isnan(found.own).any()
        if behind:
            assert found.missed(-1e9)[0]
            return
    raise AssertionError("no draw had the far signature for a reference")
