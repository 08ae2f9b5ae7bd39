"""References that are copies of one image count once, told by their templates alone."""

import cv2
import numpy as np
import pytest

from encoder.inference.encoder import load_encoder
from encoder.scoring.copies import distinct, held_by_both
from encoder.scoring.score import each_claim_score
from encoder.scoring.standing import standings
from encoder.scoring.templates import Signatures, joined
from encoder.synthesis import encode_png, synthetic_writer


@pytest.fixture(scope="module")
def encoder():
    return load_encoder()


def described(encoder, *images):
    return encoder.describe(np.stack([encoder.acquire(one).canvas for one in images]))


def genuine(seed, n):
    return encode_png(synthetic_writer(seed).genuine(n))


def saved_again(seed, n, quality=60):
    picture = synthetic_writer(seed).genuine(n)
    return cv2.imencode(".jpg", picture, [cv2.IMWRITE_JPEG_QUALITY, quality])[1].tobytes()


def test_different_signatures_all_count(encoder):
    found = distinct(described(encoder, *(genuine(1, n) for n in range(6))))
    assert found.kept == (0, 1, 2, 3, 4, 5)
    assert found.copy_of == (None,) * 6
    assert found.all_count


def test_of_copies_the_first_counts(encoder):
    images = [genuine(1, 0), genuine(1, 1), saved_again(1, 0), saved_again(1, 1, 80), genuine(1, 0)]
    found = distinct(described(encoder, *images))
    assert found.kept == (0, 1)
    assert found.copy_of == (None, None, 0, 1, 0)
    assert not found.all_count


def test_without_pieces_only_equal_vectors_are_copies(encoder):
    images = described(encoder, genuine(1, 0), genuine(1, 1), genuine(1, 0))
    assert distinct(Signatures(images.vectors)).copy_of == (None, None, 0)


def test_two_copies_do_not_lock_the_writer_out(encoder):
    once = described(encoder, genuine(9101, 0))
    twice = described(encoder, genuine(9101, 0), saved_again(9101, 0))
    probe = described(encoder, genuine(9101, 3))
    one, both = (encoder.rule.compare(probe, references) for references in (once, twice))
    assert both.score == pytest.approx(one.score, abs=1e-6)
    assert both.threshold == one.threshold
    assert both.references.copy_of == (None, 0)
    assert len(both.similarities) == len(both.local_similarities) == 2
    assert both.claim.references == 1


def test_two_peoples_references_are_told_as_one_where_they_are(encoder):
    own = described(encoder, genuine(1, 0), genuine(1, 1))
    other = described(encoder, genuine(2, 0), saved_again(1, 1), genuine(2, 1))
    assert held_by_both(own.vectors, other.vectors) == ([1], [1])
    assert held_by_both(own.vectors, other.vectors[[0, 2]]) == ([], [])


def test_a_stranger_among_references_is_pointed_out(encoder):
    own = described(encoder, *(genuine(1, n) for n in range(4)))
    stranger = described(encoder, genuine(2, 0))
    for place in (0, 2, 4):
        references = joined([own[:place], stranger, own[place:]])
        found = standings(references, encoder.rule)
        assert [one.place for one in found].index("unlike-others") == place
        assert sum(one.place == "typical" for one in found) == 4


def test_of_two_references_nobody_is_the_stranger(encoder):
    two = described(encoder, genuine(1, 0), genuine(2, 0))
    assert [one.place for one in standings(two, encoder.rule)] == ["typical", "typical"]
    # A copy is no third opinion.
    three = described(encoder, genuine(1, 0), genuine(2, 0), saved_again(1, 0))
    found = standings(three, encoder.rule)
    assert [(one.place, one.copy_of) for one in found] == [
        ("typical", None),
        ("typical", None),
        ("copy", 0),
    ]


def test_likeness_does_not_grow_with_the_number_of_references(encoder):
    probe = described(encoder, genuine(1, 9))
    one = described(encoder, genuine(1, 0))
    same = joined([one] * 3)
    alike = [each_claim_score(probe, known, encoder.rule.scoring)[0] for known in (same, one)]
    assert alike[0].likeness == pytest.approx(alike[1].likeness, abs=1e-5)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_copies_do_not_move_the_score_whatever_the_number_of_references(encoder, count):
    images = [genuine(9102, n) for n in range(count)]
    copies = [saved_again(9102, n, quality) for n in range(min(count, 2)) for quality in (60, 90)]
    once, padded = described(encoder, *images), described(encoder, *images, *copies)
    for probe in (described(encoder, genuine(9102, 7)), described(encoder, genuine(9103, 0))):
        one, many = (encoder.rule.compare(probe, references) for references in (once, padded))
        assert many.score == pytest.approx(one.score, abs=1e-5)
        assert many.contributions == pytest.approx(one.contributions, abs=1e-5)
        assert many.claim.likeness == pytest.approx(one.claim.likeness, abs=1e-5)
        assert (many.verdict, many.threshold) == (one.verdict, one.threshold)
        assert many.log_lr == pytest.approx(one.log_lr, abs=1e-5)


def test_likeness_alone_is_that_of_the_claim(encoder):
    probe = described(encoder, genuine(1, 9))
    references = described(encoder, genuine(1, 0), saved_again(1, 0), genuine(1, 1))
    rule = encoder.rule
    assert rule.likeness(probe, references) == rule.claim(probe, references).likeness
