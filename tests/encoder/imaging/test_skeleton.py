"""Thinned ink, and strokes drawn anew, on drawings whose lines are known."""

import cv2
import numpy as np
import pytest

from encoder.imaging.canvas import to_canvas
from encoder.imaging.skeleton import ends_and_junctions, even_strokes, length_px, thin


def drawn(width: int) -> np.ndarray:
    """A wave and a bar across it, drawn with a pen of some width."""
    ink = np.zeros((200, 420), np.uint8)
    x = np.arange(20, 400)
    wave = np.stack([x, 100 + 60 * np.sin(x / 40)], axis=1).astype(np.int32)
    cv2.polylines(ink, [wave], False, 255, width)
    cv2.line(ink, (60, 180), (350, 20), 255, width)
    return ink


def test_a_bar_becomes_a_line() -> None:
    bar = np.zeros((40, 120), np.uint8)
    bar[15:24, 10:110] = 255
    line = thin(bar)
    assert set(np.unique(line)) == {0, 255}
    assert (line > 0).any(axis=0).sum() == np.count_nonzero(line) == length_px(line)
    assert 85 <= length_px(line) <= 100
    assert ends_and_junctions(line) == 2
    assert length_px(thin(np.zeros((5, 5), np.uint8))) == 0


def test_a_cross_has_four_ends_and_meets_once() -> None:
    cross = np.zeros((61, 61), np.uint8)
    cross[30, 5:56] = cross[5:56, 30] = 255
    assert ends_and_junctions(thin(cross)) == 5


def test_thinning_keeps_pieces_and_loops() -> None:
    ink = drawn(9)
    before = cv2.connectedComponents(ink)[0], cv2.connectedComponents(255 - ink)[0]
    lines = thin(ink)
    outside = cv2.connectedComponents(255 - lines, connectivity=4)[0]
    assert (cv2.connectedComponents(lines)[0], outside) == before
    assert np.array_equal(thin(lines), lines)


def test_strokes_drawn_anew_do_not_tell_the_pen() -> None:
    def ink(canvas: np.ndarray) -> float:
        return float(canvas.sum()) / 255

    size = (144, 288)
    fine, broad = drawn(4), drawn(14)
    assert ink(to_canvas(broad, size)) > 2 * ink(to_canvas(fine, size))
    assert ink(even_strokes(broad, size)) == pytest.approx(ink(even_strokes(fine, size)), rel=0.1)
    assert even_strokes(fine, size).shape == size
