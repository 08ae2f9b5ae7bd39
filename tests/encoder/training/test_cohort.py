"""The cohort of a model is made by code from fixed seeds."""

import numpy as np
import pytest

from encoder.evaluation.trials import EmbeddedWriter
from encoder.inference.encoder import load_encoder
from encoder.scoring.templates import Signatures
from encoder.training.cohort import HANDS, OWN, make_cohort, own_similarity


def test_the_shipped_cohort_is_what_the_code_makes() -> None:
    encoder = load_encoder()
    shipped = encoder.cohort
    assert shipped is not None
    assert shipped.hand_count == HANDS
    few = make_cohort(encoder.describe, encoder.canvas_size, OWN, 2)
    assert few.hand_count == 2
    same = shipped.hands < 2
    # Networks differ by a few millionths from machine to machine, a level is a hundredth.
    assert np.abs(few.marks - shipped.marks[same]).max() < 0.01
    assert np.linalg.norm(shipped.marks, axis=1) == pytest.approx(
        np.ones(len(shipped.marks)), abs=0.02
    )


def test_every_hand_is_in_it_with_nearly_all_of_its_marks() -> None:
    shipped = load_encoder().cohort
    assert shipped is not None
    counts = np.bincount(shipped.hands)
    assert len(counts) == HANDS
    assert counts.min() >= 16  # Of 20; some strokes are refused.


def test_every_writer_says_as_much_of_how_alike_one_persons_signatures_are() -> None:
    axes = np.eye(4, dtype=np.float32)
    alike, unlike, alone = axes[[0, 0, 0, 0]], axes[[0, 1]], axes[[2]]
    writers = [
        EmbeddedWriter(str(number), str(number), Signatures(vectors), Signatures(axes[:0]))
        for number, vectors in enumerate((alike, unlike, alone))
    ]
    assert own_similarity(writers) == pytest.approx(0.5)
    assert own_similarity(writers[2:]) == OWN


def test_a_data_set_of_many_writers_on_mixed_media_moves_the_median_little() -> None:
    axes = np.eye(4, dtype=np.float32)
    alike, near, unlike = axes[[0, 0]], np.stack([axes[0], (axes[0] + axes[1]) / 2**0.5]), axes[:2]

    def writers(vectors, data_set, count):
        signatures = Signatures(np.asarray(vectors, np.float32))
        return [
            EmbeddedWriter(str(number), str(number), signatures, signatures[[]], data_set)
            for number in range(count)
        ]

    sets = writers(alike, "a", 2) + writers(near, "b", 2) + writers(unlike, "mixed", 50)
    assert own_similarity(sets) == pytest.approx(0.5**0.5)
