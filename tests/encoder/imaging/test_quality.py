"""What is warned of, and refused, in an image that was read: each kind with its figures."""

from collections.abc import Callable
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.scan_kinds import compressed, cut, ink_high, marker, outlined, shrunk
from benchmarks.simple_marks import MARKS, drawn
from encoder.errors import FailureToAcquire
from encoder.imaging.acquire import Acquisition, acquire
from encoder.imaging.complexity import complexity
from encoder.synthesis import encode_png, synthetic_writer

Gray = NDArray[np.uint8]
FIELD_CASES = Path(__file__).parents[4] / "shared" / "field-cases"
SEED = 2


def scan() -> Gray:
    return synthetic_writer(SEED).genuine(0)


def read(gray: Gray) -> Acquisition:
    return acquire(encode_png(np.ascontiguousarray(gray)))


def codes(gray: Gray) -> list[str]:
    return [one.code for one in read(gray).quality.warnings]


def dot() -> Gray:
    page = np.full((200, 300), 235, np.uint8)
    cv2.circle(page, (145, 95), 45, 30, cv2.FILLED)
    return page


def blots() -> Gray:
    page = np.full((200, 300), 235, np.uint8)
    cv2.circle(page, (90, 95), 40, 30, cv2.FILLED)
    cv2.ellipse(page, (190, 100), (50, 35), 0, 0, 360, 30, cv2.FILLED)
    return page


def test_a_clean_scan_is_not_warned_of() -> None:
    assert codes(scan()) == []


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda gray: shrunk(gray, 1 / 3), "low-resolution"),
        (lambda gray: ink_high(gray, 40), "low-resolution"),
        (lambda gray: compressed(gray, 4, 0.5), "jpeg-blocks"),
        (lambda gray: cut(gray, "left", 0.2), "cut-edge"),
        (lambda gray: cut(gray, "right", 0.2), "cut-edge"),
        (lambda gray: cut(gray, "top", 0.2), "cut-edge"),
        (lambda gray: cut(gray, "bottom", 0.2), "cut-edge"),
        (outlined, "hollow"),
        (marker, "wide-pen"),
    ],
)
def test_what_a_scan_does_to_ink_is_warned_of(change: Callable[[Gray], Gray], code: str) -> None:
    assert code in codes(change(scan()))


def test_a_warning_says_what_was_found_and_what_is_needed() -> None:
    small = read(shrunk(scan(), 1 / 4)).quality
    message = next(one.message for one in small.warnings if one.code == "low-resolution")
    assert f"{small.ink_width_px} x {small.ink_height_px} pixels" in message
    needed = int(message.split(" are compared")[0].rsplit(" ", 1)[-1])
    assert small.ink_height_px < needed < 200
    assert "300 dpi" in message


def test_ink_too_small_for_any_comparison_is_refused_with_what_is_needed() -> None:
    with pytest.raises(FailureToAcquire) as caught:
        read(ink_high(scan(), 12))
    assert caught.value.code == "too-small"
    assert "at least" in str(caught.value)


def test_some_paper_around_the_ink_is_no_cut() -> None:
    gray = scan()
    ink = read(gray)
    box = cv2.boundingRect((gray < 150).astype(np.uint8))
    left, top, width, height = box
    room = 4
    tight = gray[top - room : top + height + room, left - room : left + width + room]
    assert "cut-edge" not in codes(tight)
    assert ink.quality.ink_height_px == pytest.approx(height, abs=4)


def test_dark_insides_of_wide_strokes_count_as_ink_missing() -> None:
    """A ring of wide pen around a dark disc is a blot; around paper it is a circle."""
    with pytest.raises(FailureToAcquire) as caught:
        read(dot())
    assert caught.value.code == "not-writing"
    ring = np.full((200, 300), 235, np.uint8)
    cv2.circle(ring, (145, 95), 45, 30, 8)
    assert [one.code for one in read(ring).quality.warnings if one.code == "too-simple"]


@pytest.mark.parametrize("gray", [dot(), 255 - dot(), blots()])
def test_blots_are_refused(gray: Gray) -> None:
    with pytest.raises(FailureToAcquire) as caught:
        read(gray)
    assert caught.value.code == "not-writing"


@pytest.mark.parametrize("kind", ["X", "tick", "circle", "two initials"])
@pytest.mark.parametrize("person", range(3))
def test_marks_that_anyone_can_make_are_too_simple(kind: str, person: int) -> None:
    found = read(drawn(kind, person, 0)).quality
    assert "too-simple" in [one.code for one in found.warnings]
    message = next(one.message for one in found.warnings if one.code == "too-simple")
    assert f"{found.complexity:.1f} times" in message


@pytest.mark.parametrize("kind", ["stroke", "plus"])
def test_marks_of_straight_strokes_are_refused_or_too_simple(kind: str) -> None:
    outcomes = {_code(drawn(kind, person, 0)) for person in range(8)}
    assert "too-simple" in outcomes
    assert outcomes <= {"too-simple", "ruled-or-print", "too-little-ink"}


def _code(gray: Gray) -> str:
    try:
        return codes(gray)[-1]
    except FailureToAcquire as error:
        return error.code


def test_invented_signatures_are_not_too_simple() -> None:
    for seed in range(1, 26):
        assert "too-simple" not in codes(synthetic_writer(seed).genuine(0)), seed


@pytest.mark.parametrize(
    ("points", "turns"), [([[(20, 80), (180, 30)]], 1), ([[(20, 20), (180, 180)]] * 2, 1)]
)
def test_a_stroke_turns_once(points: list[list[tuple[int, int]]], turns: int) -> None:
    ink = np.zeros((200, 200), np.uint8)
    for start, end in points:
        cv2.line(ink, start, end, 255, 5)
    assert complexity(ink).turns == pytest.approx(turns, abs=0.1)


def test_complexity_counts_pieces_and_does_not_hang_on_size_or_pen() -> None:
    ink = np.zeros((200, 400), np.uint8)
    cv2.line(ink, (20, 20), (120, 180), 255, 5)
    cv2.line(ink, (120, 20), (20, 180), 255, 5)
    cv2.ellipse(ink, (280, 100), (70, 70), 0, 0, 360, 255, 5)
    found = complexity(ink)
    assert (found.pieces, found.most) == (2, pytest.approx(3, abs=0.15))
    assert found.turns == pytest.approx(5, abs=0.2)
    assert found.is_simple
    large = cv2.resize(ink, None, fx=3, fy=3, interpolation=cv2.INTER_NEAREST)
    wide = cv2.dilate(ink, np.ones((5, 5), np.uint8))
    for other in (large, wide):
        assert complexity(other.astype(np.uint8)).turns == pytest.approx(found.turns, abs=0.4)
    assert complexity(np.zeros((5, 5), np.uint8)).turns == 0
    assert set(MARKS) > {"X", "circle"}


@pytest.mark.skipif(not FIELD_CASES.is_dir(), reason="the field cases are not beside the checkout")
def test_field_cases() -> None:
    cross = acquire((FIELD_CASES / "xmark.png").read_bytes())
    assert [one.code for one in cross.quality.warnings] == ["too-simple"]
    with pytest.raises(FailureToAcquire) as caught:
        acquire((FIELD_CASES / "bigdot.png").read_bytes())
    assert caught.value.code == "not-writing"
