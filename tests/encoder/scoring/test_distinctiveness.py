"""How many other hands make a mark as like is counted, and bounds what a match may claim."""

import io
import math

import numpy as np
import pytest

from encoder.errors import UnusableCohort
from encoder.scoring.distinctiveness import LEAST_OF_OWN, Cohort, Distinctiveness

OWN = 0.6  # How alike one person's signatures are here, so that the bar is 0.39.


def unit(*elements: float) -> np.ndarray:
    vector = np.zeros(8, np.float32)
    vector[: len(elements)] = elements
    return vector / np.linalg.norm(vector)


def near(axis: int, cosine: float, aside: int) -> np.ndarray:
    """A unit vector at this cosine to an axis, the rest along another."""
    vector = np.zeros(8, np.float32)
    vector[axis], vector[aside] = cosine, math.sqrt(1 - cosine**2)
    return vector


@pytest.fixture
def cohort() -> Cohort:
    """Two marks of one hand along the first axis, one of another hand there, one of a third off."""
    marks = np.stack([unit(1, 0.01), unit(1, 0.02), unit(1, 0, 0.01), unit(0, 0, 0, 1)])
    return Cohort.of(marks, ["a", "b", "c", "d"], [0, 0, 1, 2], OWN)


def test_hands_are_counted_and_not_their_marks(cohort: Cohort) -> None:
    found = cohort.distinctiveness(near(0, 0.5, 5))
    assert found == Distinctiveness(2, 3)
    assert cohort.distinctiveness(unit(0, 0, 0, 0, 1)) == Distinctiveness(0, 3)


def test_as_like_as_one_persons_signatures_is_as_like(cohort: Cohort) -> None:
    bar = LEAST_OF_OWN * OWN
    assert cohort.distinctiveness(near(0, bar + 0.01, 5)).alike == 2
    assert cohort.distinctiveness(near(0, bar - 0.01, 5)).alike == 0


def test_marks_that_are_alike_whoever_makes_them_take_more(cohort: Cohort) -> None:
    strokes = np.stack([unit(1, 0.1 * n) for n in range(4)])
    of_one_kind = Cohort.of(strokes, ["stroke"] * 4, range(4), OWN)
    assert of_one_kind.bars.min() > 0.9
    query = near(0, 0.5, 5)  # A signature that holds such a stroke and more.
    assert of_one_kind.distinctiveness(query).alike == 0
    assert cohort.distinctiveness(query).alike == 2  # Of kinds that differ from hand to hand.


@pytest.mark.parametrize(
    ("alike", "ceiling", "told"),
    [
        (0, None, False),
        (1, None, False),
        (2, None, False),  # One hand in twenty.
        (3, math.log10(41 / 4), True),
        (20, math.log10(41 / 21), True),
        (40, 0.0, True),
    ],
)
def test_what_others_make_too_bounds_what_a_match_claims(
    alike: int, ceiling: float | None, told: bool
) -> None:
    found = Distinctiveness(alike, 40)
    assert found.ceiling == ceiling
    caution = found.caution
    assert (caution is not None) == found.is_shared == told
    if caution is not None:
        assert caution.code == "too-simple"
        assert f"the marks of {alike} of 40 other hands" in caution.message


def test_a_cohort_is_read_as_it_was_written(cohort: Cohort) -> None:
    content = cohort.as_bytes()
    again = Cohort.from_bytes(content, 8)
    assert np.abs(again.marks - cohort.marks).max() < 1e-6
    assert again.bars.tolist() == cohort.bars.tolist()
    assert again.hands.tolist() == [0, 0, 1, 2]
    assert again.hand_count == 3


def packed(**parts: np.ndarray) -> bytes:
    content = io.BytesIO()
    np.savez(content, **parts)
    return content.getvalue()


def test_what_is_no_cohort_of_the_model_is_refused(cohort: Cohort) -> None:
    content = cohort.as_bytes()
    with pytest.raises(UnusableCohort, match=r"expected marks \(m, 9\) as int8.* \(4, 8\) int8"):
        Cohort.from_bytes(content, 9)
    levels, line = np.zeros((2, 8), np.int8), np.zeros(2, np.float32)
    hands = np.zeros(2, np.uint8)
    pickled = np.array([{}, {}], object)
    for broken, why in (
        (b"", "damaged"),
        (content[:-40], "damaged"),
        (packed(marks=levels, scales=line, bars=line), "damaged"),
        (packed(marks=levels, scales=line, bars=line, hands=pickled), "damaged"),
        (packed(marks=levels, scales=line, bars=line[:1], hands=hands), "other embeddings"),
        (packed(marks=levels.astype(int), scales=line, bars=line, hands=hands), "other embed"),
        (packed(marks=levels[:0], scales=line[:0], bars=line[:0], hands=hands[:0]), "other emb"),
    ):
        with pytest.raises(UnusableCohort, match=why):
            Cohort.from_bytes(broken, 8)
