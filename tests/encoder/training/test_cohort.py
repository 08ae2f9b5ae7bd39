"""The cohort of a model is made by code from fixed seeds."""

import numpy as np
import pytest

from encoder.inference.encoder import load_encoder
from encoder.training.cohort import HANDS, make_cohort


def test_the_shipped_cohort_is_what_the_code_makes() -> None:
    encoder = load_encoder()
    shipped = encoder.cohort
    assert shipped is not None
    assert shipped.hand_count == HANDS
    few = make_cohort(encoder.describe, encoder.canvas_size, encoder.rule.spread.population, 2)
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
