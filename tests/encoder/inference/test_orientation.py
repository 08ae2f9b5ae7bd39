"""Comparing signatures that lie askew, sideways or mirrored."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.scan_kinds import turned
from benchmarks.simple_marks import drawn
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder, load_encoder
from encoder.inference.orientation import (
    POSES,
    compare_as_it_lies,
    describe_posed,
    penalised,
    turned_among,
)
from encoder.inference.turning import Pose, posed
from encoder.scoring.copies import distinct
from encoder.scoring.decision_rule import SIMPLE_LOG_LR
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png, synthetic_writer

Gray = NDArray[np.uint8]
SEEDS = (1, 3, 5)


@pytest.fixture(scope="module")
def encoder() -> Encoder:
    return load_encoder()


def read(gray: Gray, encoder: Encoder) -> tuple[Acquisition, Signatures]:
    acquired = encoder.acquire(encode_png(np.ascontiguousarray(gray)))
    return acquired, encoder.describe(acquired.canvas[None])


def references(seed: int, encoder: Encoder) -> Signatures:
    scans = [encode_png(synthetic_writer(seed).genuine(n)) for n in range(5)]
    return encoder.describe(np.stack([encoder.acquire(one).canvas for one in scans]))


def test_poses_of_ink() -> None:
    ink = np.zeros((20, 40), np.uint8)
    ink[:5, :10] = 255
    assert posed(ink, Pose(90))[:10, -5:].all()  # Clockwise: the corner at the top goes right.
    assert posed(ink, Pose(180))[-5:, -10:].all()
    assert posed(ink, Pose(270))[-10:, :5].all()
    assert posed(ink, Pose(mirrored=True))[:5, -10:].all()
    assert np.array_equal(posed(ink, Pose(180, mirrored=True)), ink[::-1])
    assert np.array_equal(posed(ink, Pose()), ink)
    line = np.zeros((9, 300), np.uint8)
    line[3:6] = 255
    for degrees in (-12, 12):
        askew = posed(line, Pose(degrees))
        rows = [int(np.flatnonzero(askew[:, column]).mean()) for column in (20, -20)]
        assert np.sign(rows[1] - rows[0]) == np.sign(degrees)  # Clockwise: the right end sinks.
        assert askew.shape[0] == pytest.approx(300 * np.sin(np.radians(12)) + 3, abs=4)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize(
    ("lay", "code", "way"),
    [
        (np.rot90, "turned", "clockwise by 90 "),
        (lambda gray: np.rot90(gray, 2), "turned", "clockwise by 180 "),
        (lambda gray: np.rot90(gray, -1), "turned", "clockwise by 270 "),
        (lambda gray: gray[:, ::-1], "mirrored", "mirrored left to right"),
        (lambda gray: gray[::-1], "mirrored", "clockwise by 180 "),
        (lambda gray: gray.T, "mirrored", "degrees"),
    ],
)
def test_a_page_the_wrong_way_round_is_told_and_never_a_match(
    seed: int, lay: Callable[[Gray], Gray], code: str, way: str, encoder: Encoder
) -> None:
    acquired, probe = read(lay(synthetic_writer(seed).genuine(6)), encoder)
    known = references(seed, encoder)
    comparison, told = compare_as_it_lies(acquired, probe, known, encoder)
    assert [one.code for one in told] == [code]
    assert way in told[0].message
    assert comparison.score == encoder.rule.compare(probe, known).score
    assert comparison.verdict != "match"


@pytest.mark.parametrize("seed", SEEDS)
def test_a_plain_match_is_compared_once(
    seed: int, encoder: Encoder, monkeypatch: pytest.MonkeyPatch
) -> None:
    acquired, probe = read(synthetic_writer(seed).genuine(6), encoder)
    known = references(seed, encoder)

    def never(*_: object) -> Signatures:
        raise AssertionError("the network ran again")

    monkeypatch.setattr(Encoder, "describe", never)
    comparison, told = compare_as_it_lies(acquired, probe, known, encoder)
    assert (comparison.verdict, told) == ("match", ())


def test_signatures_a_little_askew_are_straightened_at_a_cost(encoder: Encoder) -> None:
    straightened = matched = 0
    for seed in range(1, 11):
        known = references(seed, encoder)
        for degrees in (-12, 12):
            acquired, probe = read(turned(synthetic_writer(seed).genuine(6), degrees), encoder)
            comparison, told = compare_as_it_lies(acquired, probe, known, encoder)
            matched += comparison.verdict == "match"
            if [one.code for one in told] == ["straightened"]:
                straightened += 1
                lain = describe_posed(acquired, POSES, encoder)
                best = max(
                    penalised(claim.score, pose.degrees)
                    for pose, claim in zip(
                        POSES[:4], encoder.rule.claims(lain, known, distinct(known)), strict=False
                    )
                )
                assert comparison.score == pytest.approx(best, abs=1e-6)
                assert comparison.score > encoder.rule.compare(probe, known).score
    assert matched >= 16
    assert straightened >= 4


def test_other_peoples_signatures_are_not_taken_for_turned_ones(encoder: Encoder) -> None:
    for seed in (1, 2, 3, 4):
        known = references(seed, encoder)
        for other in range(11, 21):
            acquired, probe = read(synthetic_writer(other).genuine(0), encoder)
            comparison, told = compare_as_it_lies(acquired, probe, known, encoder)
            assert (comparison.verdict, told) == ("non_match", ()), (seed, other)


def test_one_signature_upside_down_among_others_is_told(encoder: Encoder) -> None:
    scans = [synthetic_writer(1).genuine(n) for n in range(4)]
    scans[2] = np.rot90(scans[2], 2)
    read_all = [read(one, encoder) for one in scans]
    acquired = [one for one, _ in read_all]
    signatures = encoder.describe(np.stack([one.canvas for one in acquired]))
    told = turned_among(acquired, signatures, encoder)
    assert [[one.code for one in each] for each in told] == [[], [], ["turned"], []]
    assert turned_among(acquired[1:3], signatures[1:3], encoder) == [(), ()]


def test_a_simple_mark_claims_no_more_than_strangers_marks_allow(encoder: Encoder) -> None:
    marks = [encoder.acquire(encode_png(drawn("X", 1, n))) for n in range(6)]
    described = encoder.describe(np.stack([one.canvas for one in marks]))
    plain = encoder.rule.compare(described[5:], described[:5])
    comparison, _ = compare_as_it_lies(marks[5], described[5:], described[:5], encoder)
    assert plain.log_lr > 1  # What the score alone would claim.
    assert comparison.log_lr == comparison.log_lr_random == SIMPLE_LOG_LR
    assert comparison.score == plain.score
    stranger, _ = compare_as_it_lies(marks[5], described[5:], references(1, encoder), encoder)
    assert stranger.log_lr < 0  # It is no ceiling downwards.
