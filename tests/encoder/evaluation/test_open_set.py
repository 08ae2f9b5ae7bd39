"""Open-set searches on embeddings made by hand."""

import numpy as np
import pytest

from encoder.evaluation.open_set import match_characteristic, run_searches
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.score import Spread
from encoder.scoring.templates import Signatures

PLAIN = Spread(population=0.0)
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
    assert not run_searches(writers, 5, PLAIN).rank.size
