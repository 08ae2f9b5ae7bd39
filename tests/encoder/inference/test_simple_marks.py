"""Marks that anyone can make are told, alone and in a claim, and claim no more than others allow.

The marks of these tests are drawn by other hands, in other letters and by another pen than those of
the cohort that comes with the model.
"""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.simple_marks import MARKS, drawn
from encoder.errors import ImageError
from encoder.imaging.acquire import Acquisition
from encoder.inference.artifact import read_artifact
from encoder.inference.encoder import Encoder, load_encoder
from encoder.inference.orientation import compare_as_it_lies
from encoder.inference.simple_marks import Simplicity, simple_marks, simplicity
from encoder.scoring.decision_rule import SIMPLE_LOG_LR
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png, synthetic_writer


class UnusableImages(Exception):
    """Too few of the marks of one hand are accepted."""


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


@pytest.fixture(scope="module")
def without_cohort() -> Encoder:
    return Encoder(replace(read_artifact(), cohort=None, cohort_file=None))


def read(images: list[np.ndarray], encoder: Encoder) -> tuple[list[Acquisition], Signatures]:
    acquired = []
    for image in images:
        try:
            acquired.append(encoder.acquire(encode_png(image)))
        except ImageError:
            continue  # Some strokes are refused.
    if len(acquired) < len(images) / 2:
        raise UnusableImages
    return acquired, encoder.describe(np.stack([one.canvas for one in acquired]))


def each(images: list[np.ndarray], encoder: Encoder) -> list[Simplicity]:
    """What is told of the images that are accepted."""
    acquired, described = read(images, encoder)
    return [simplicity(one, described[[number]], encoder) for number, one in enumerate(acquired)]


def is_told(found: Simplicity) -> bool:
    return found.by_its_ink or bool(found.cautions)


@pytest.mark.parametrize("kind", MARKS)
def test_marks_that_anyone_can_make_are_told(encoder: Encoder, kind: str) -> None:
    found = each([drawn(kind, who, n) for who in range(200, 210) for n in range(3)], encoder)
    told = sum(map(is_told, found))
    # Of letters in print about four in five are told (docs/robustness.md), of the rest all.
    assert told >= 0.6 * len(found) if kind.startswith("letters") else told == len(found)
    for one in found:
        assert (one.ceiling is not None) == is_told(one)  # Who is not told is not held down.
        assert one.ceiling is None or 0 <= one.ceiling <= np.log10(41 / 4)


def test_letters_are_told_of_by_how_many_make_them(encoder: Encoder) -> None:
    acquired, described = read([drawn("letters JMS", who, 0) for who in range(100, 110)], encoder)
    told = [one for cautions in simple_marks(acquired, described, encoder) for one in cautions]
    assert len(told) >= 4  # The rest is told by its ink, or like too few.
    for one in told:
        assert one.code == "too-simple"
        assert "of 40 other hands" in one.message


def test_signatures_are_not_told(encoder: Encoder) -> None:
    writers = [synthetic_writer(seed) for seed in range(700, 725)]
    found = each([one.genuine(0) for one in writers], encoder)
    assert len(found) == 25
    assert sum(map(is_told, found)) <= 1
    assert sum(one.ceiling is not None for one in found) <= 1


def test_what_the_ink_told_is_not_told_twice(encoder: Encoder) -> None:
    acquired, described = read([drawn("circle", 101, 0)], encoder)
    assert "too-simple" in [one.code for one in acquired[0].quality.warnings]
    assert simple_marks(acquired, described, encoder) == [()]
    found = simplicity(acquired[0], described, encoder)
    assert (found.by_its_ink, found.cautions) == (True, ())
    assert found.ceiling is not None
    assert found.ceiling <= SIMPLE_LOG_LR


def test_a_likelihood_ratio_claims_no_more_than_others_marks_allow(encoder: Encoder) -> None:
    acquired, described = read([drawn("letters THK", 1, n) for n in range(6)], encoder)
    plain = encoder.rule.compare(described[5:], described[:5])
    comparison, told = compare_as_it_lies(acquired[5], described[5:], described[:5], encoder)
    cohort = encoder.cohort
    assert cohort is not None
    alike = cohort.distinctiveness(described.vectors[5]).alike
    assert [one.code for one in told][-1:] == ["too-simple"]
    assert plain.log_lr_random > comparison.log_lr_random == np.log10(41 / (alike + 1))
    assert comparison.log_lr <= comparison.log_lr_random
    assert comparison.score == plain.score


def test_a_model_without_a_cohort_tells_by_the_ink_alone(without_cohort: Encoder) -> None:
    marks = [drawn("X", 101, 0), drawn("letters THK", 1, 5), synthetic_writer(700).genuine(0)]
    cross, letters, signature = each(marks, without_cohort)
    assert cross == Simplicity(True, SIMPLE_LOG_LR, ())
    assert letters == signature == Simplicity(False, None, ())
    acquired, described = read(marks, without_cohort)
    assert simple_marks(acquired, described, without_cohort) == [(), (), ()]
