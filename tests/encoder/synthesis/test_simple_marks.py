"""Simple marks are the same each time, and other ones for each hand, kind and number."""

from contextlib import suppress

import numpy as np
import pytest

from encoder.errors import FailureToAcquire
from encoder.imaging.acquire import acquire
from encoder.synthesis import encode_png
from encoder.synthesis.simple_marks import KINDS, simple_mark


@pytest.mark.parametrize("kind", KINDS)
def test_a_mark_depends_on_its_hand_kind_and_number_alone(kind: str) -> None:
    mark = simple_mark(kind, 1, 0)
    assert np.array_equal(mark, simple_mark(kind, 1, 0))
    for other in (simple_mark(kind, 2, 0), simple_mark(kind, 1, 1)):
        assert mark.shape != other.shape or not np.array_equal(mark, other)


@pytest.mark.parametrize("kind", KINDS)
def test_most_marks_are_read_and_simple(kind: str) -> None:
    turns = []
    for hand in range(10):
        with suppress(FailureToAcquire):  # Strokes may be taken for ruled lines.
            turns.append(acquire(encode_png(simple_mark(kind, hand, 0))).quality.complexity)
    assert len(turns) >= 7
    most = {"zigzag": 7, "initials": 8, "letters": 11}.get(kind, 4)
    assert 0.5 < np.median(turns) < most  # A signature's ink winds 5 to 60 times.


def test_a_kind_that_nobody_draws_is_refused() -> None:
    with pytest.raises(ValueError, match="'heart' is no kind of mark"):
        simple_mark("heart", 1, 0)
