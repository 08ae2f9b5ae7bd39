"""A signature's ink is found among print, lines, stamps and other hands."""

import time
from contextlib import suppress

import cv2
import numpy as np
import pytest

from benchmarks.document_drawing import ink_of, scan_of
from benchmarks.document_kinds import KINDS
from benchmarks.documents import judged, scene
from benchmarks.image_fuzz import made
from encoder.documents.find import find_signature
from encoder.documents.hands import other_hands
from encoder.documents.marks import Marks
from encoder.errors import ImageError
from encoder.imaging.acquire import acquire

SEEDS = (3, 7, 8)
# By kind, the overlap with the truth that each member reaches.
LEVELS = {
    "alone": 0.98,
    "printed name above": 0.9,
    "printed name at the right": 0.85,
    "printed date": 0.9,
    "box with caption": 0.85,
    "dotted line below": 0.95,
    "dotted line through": 0.9,
    "dashed line": 0.85,
    "dash-dot line": 0.85,
    "blue stamp beside": 0.9,
    "blue stamp over": 0.8,
    "grey stamp beside": 0.9,
    "cheque": 0.9,
    "punched holes": 0.85,
}


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", LEVELS)
def test_keeps_the_signature_alone(name: str, seed: int) -> None:
    found, share, _ = judged(*scene(name, seed, 0))
    assert share > LEVELS[name]
    assert found.any()


@pytest.mark.parametrize("seed", range(1, 26))
def test_a_signature_by_itself_stays_as_it_is(seed: int) -> None:
    scan = scan_of(seed)
    ink = ink_of(scan)
    found = find_signature(ink, scan)
    assert np.array_equal(found.kept, ink)
    assert not found.left_out
    assert not found.sure


@pytest.mark.parametrize("seed", SEEDS)
def test_a_second_signature_below_is_told(seed: int) -> None:
    assert judged(*scene("second signature below", seed, 0))[2] in {"refused", "warned"}


@pytest.mark.parametrize("name", ["printed name touching", "red stamp over"])
def test_print_across_strokes_is_told(name: str) -> None:
    """Some letters cannot be parted from the strokes: the answer must say so."""
    told = [judged(*scene(name, seed, 0))[2] for seed in (4, 8, 10)]
    assert "warned" in told


def test_a_wavering_flourish_below_is_no_second_signature() -> None:
    ink = np.zeros((220, 500), np.uint8)
    x = np.arange(40, 460)
    letters = 70 + 45 * np.sin(x / 11) * np.sin(x / 37)
    flourish = 180 + 9 * np.sin(x / 60)
    for y in (letters, flourish):
        cv2.polylines(ink, [np.stack([x, y], axis=1).round().astype(np.int32)], False, 255, 4)
    assert other_hands(Marks.of(ink), 255 - ink) is None
    assert not find_signature(ink, 255 - ink).left_out


def test_figures_and_letters_of_a_hand_are_no_print() -> None:
    """Block letters, each of another height on a wavering line."""
    rng = np.random.default_rng(4)
    ink = np.zeros((140, 620), np.uint8)
    for number, letter in enumerate("MARTINEZ"):
        at = (20 + 72 * number, 95 + int(rng.integers(-9, 10)))
        cv2.putText(ink, letter, at, cv2.FONT_HERSHEY_SIMPLEX, rng.uniform(1.6, 2.4), 255, 4)
    found = find_signature(ink, 255 - ink)
    assert np.array_equal(found.kept, ink)


def test_print_alone_is_kept_for_others_to_judge() -> None:
    ink = np.zeros((60, 420), np.uint8)
    cv2.putText(ink, "PRINTED NAME", (10, 40), cv2.FONT_HERSHEY_SIMPLEX, 1.2, 255, 3)
    assert np.array_equal(find_signature(ink, 255 - ink).kept, ink)


def test_a_page_of_specks_takes_no_longer_than_a_form() -> None:
    ink = np.zeros((1200, 1200), np.uint8)
    ink[::6, ::6] = 255
    start = time.perf_counter()
    found = find_signature(ink, 255 - ink)
    assert time.perf_counter() - start < 1.0
    assert not found.left_out


def test_every_kind_can_be_drawn() -> None:
    for name in KINDS:
        picture, truth = scene(name, 2, 1)
        assert picture.shape[:2] == truth.shape
        assert truth.any()


@pytest.mark.filterwarnings("error::RuntimeWarning")
@pytest.mark.parametrize("number", [5, 18])
def test_marks_of_which_none_has_the_middle_height_write_nothing_to_the_log(number: int) -> None:
    """Half are low and half are high, so that the median lies between."""
    _, data = made(np.random.default_rng((1, number)))
    with suppress(ImageError):
        acquire(data)


@pytest.mark.parametrize("number", [44, 53])
def test_very_many_marks_of_one_size_have_no_outline(number: int) -> None:
    """None of them is large enough to be a piece of a frame."""
    _, data = made(np.random.default_rng((3, number)))
    with suppress(ImageError):
        acquire(data)
