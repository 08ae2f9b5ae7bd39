"""Marks that anyone can make are told, alone and in a claim, and claim no more than others allow.

The marks of these tests are drawn by other hands, in other letters and by another pen than those of
the cohort that comes with the model.
"""

from contextlib import suppress
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
from encoder.scoring.copies import distinct
from encoder.scoring.decision_rule import SIMPLE_LOG_LR
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png, synthetic_writer

REFERENCES = 5


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


def claim(images: list[np.ndarray], encoder: Encoder) -> Simplicity:
    """The last of the images, as a query against the others."""
    acquired, described = read(images, encoder)
    references = described[:-1]
    return simplicity(acquired[-1], described[-1:], references, distinct(references), encoder)


def is_told(found: Simplicity) -> bool:
    return found.by_its_ink or bool(found.cautions)


@pytest.mark.parametrize("kind", MARKS)
def test_marks_that_anyone_can_make_are_told(encoder: Encoder, kind: str) -> None:
    claims = []
    for who in range(200, 210):
        marks = [drawn(kind, who, n) for n in range(REFERENCES + 1)]
        with suppress(UnusableImages):
            claims.append(claim(marks, encoder))
    assert len(claims) >= 5
    told = sum(map(is_told, claims))
    # Of letters in print about four in five are told (docs/robustness.md), of the rest all.
    assert told >= 0.7 * len(claims) if kind.startswith("letters") else told == len(claims)
    assert sum(one.ceiling is not None for one in claims) >= told
    for one in claims:
        assert one.ceiling is None or 0 <= one.ceiling <= np.log10(41 / 2)


def test_letters_are_told_of_by_how_many_make_them(encoder: Encoder) -> None:
    acquired, described = read([drawn("letters JMS", who, 0) for who in range(100, 110)], encoder)
    told = [one for cautions in simple_marks(acquired, described, encoder) for one in cautions]
    assert len(told) >= 4  # The rest is told by its ink, or like too few.
    for one in told:
        assert one.code == "too-simple"
        assert "of 40 other hands" in one.message


def test_signatures_are_not_told(encoder: Encoder) -> None:
    writers = [synthetic_writer(seed) for seed in range(700, 725)]
    acquired, described = read([one.genuine(0) for one in writers], encoder)
    assert sum(bool(one) for one in simple_marks(acquired, described, encoder)) <= 1
    assert not any(
        is_told(claim([one.genuine(n) for n in range(REFERENCES + 1)], encoder))
        for one in writers[:8]
    )


def test_what_the_ink_told_is_not_told_twice(encoder: Encoder) -> None:
    acquired, described = read([drawn("circle", 101, 0)], encoder)
    assert "too-simple" in [one.code for one in acquired[0].quality.warnings]
    assert simple_marks(acquired, described, encoder) == [()]
    found = claim(
        [synthetic_writer(700).genuine(n) for n in range(3)] + [drawn("X", 101, 0)], encoder
    )
    assert (found.by_its_ink, found.cautions) == (True, ())


def test_simple_references_are_told_whatever_is_asked(encoder: Encoder) -> None:
    marks = [drawn("circle", 101, n) for n in range(REFERENCES)]
    found = claim([*marks, synthetic_writer(700).genuine(0)], encoder)
    (one,) = found.cautions
    assert one.message.startswith("The mark that the references show is too simple")
    assert not found.by_its_ink


def test_a_likelihood_ratio_claims_no_more_than_others_marks_allow(encoder: Encoder) -> None:
    acquired, described = read([drawn("letters THK", 1, n) for n in range(6)], encoder)
    plain = encoder.rule.compare(described[5:], described[:5])
    comparison, told = compare_as_it_lies(acquired[5], described[5:], described[:5], encoder)
    cohort = encoder.cohort
    assert cohort is not None
    most = max(
        cohort.distinctiveness(some.vectors).alike for some in (described[5:], described[:5])
    )
    assert [one.code for one in told][-1:] == ["too-simple"]
    assert plain.log_lr_random > comparison.log_lr_random == np.log10(41 / (most + 1))
    assert comparison.log_lr <= comparison.log_lr_random
    assert comparison.score == plain.score


def test_a_model_without_a_cohort_tells_by_the_ink_alone(without_cohort: Encoder) -> None:
    crosses = claim([drawn("X", 101, n) for n in range(4)], without_cohort)
    assert crosses == Simplicity(True, SIMPLE_LOG_LR, ())
    acquired, described = read([drawn("letters THK", 101, 0)], without_cohort)
    assert simple_marks(acquired, described, without_cohort) == [()]
    signature = claim([synthetic_writer(700).genuine(n) for n in range(3)], without_cohort)
    assert signature == Simplicity(False, None, ())
