"""The ink found is the ink that was written, on forms, coloured paper, phone photos and fax."""

import cv2
import numpy as np
import pytest

from benchmarks.scenes import MARGIN_PX, SCENES, drawn, found_in, overlap, page, png

SEEDS = (7, 21, 33, 41, 52)


@pytest.mark.parametrize("seed", SEEDS)
@pytest.mark.parametrize("name", SCENES)
def test_finds_the_ink_that_was_written(name: str, seed: int) -> None:
    scene, level = SCENES[name]
    data, ink = scene(seed)
    assert overlap(found_in(data, ink.shape), ink) > level


@pytest.mark.parametrize("seed", SEEDS)
def test_a_hand_drawn_underline_stays(seed: int) -> None:
    """As long as the ink and thin, but it sways and slants as a hand does."""
    ink = drawn(seed)
    x = np.arange(MARGIN_PX, ink.shape[1] - MARGIN_PX)
    sway = 2.5 * np.sin(x / 23 + seed) + 0.04 * x
    y = 0.85 * ink.shape[0] - sway
    cv2.polylines(ink, [np.stack([x, y], axis=1).round().astype(np.int32)], False, 255, 4)
    assert overlap(found_in(png(page(ink)), ink.shape), ink) > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_a_straight_stroke_shorter_than_the_ink_stays(seed: int) -> None:
    ink = drawn(seed)
    row, right = round(0.85 * ink.shape[0]), round(0.8 * ink.shape[1])
    cv2.line(ink, (MARGIN_PX, row), (right, row), 255, 4)
    assert overlap(found_in(png(page(ink)), ink.shape), ink) > 0.85


@pytest.mark.parametrize("seed", SEEDS)
def test_upright_strokes_as_high_as_the_ink_stay(seed: int) -> None:
    """A capital M beside low letters: nothing frames it, so it is no form field."""
    ink = drawn(seed)
    column = ink.shape[1] // 3
    cv2.line(ink, (column, MARGIN_PX), (column, ink.shape[0] - MARGIN_PX), 255, 4)
    assert overlap(found_in(png(page(ink)), ink.shape), ink) > 0.85
