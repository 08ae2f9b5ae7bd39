"""The no-learning floor on canvases whose gradients are known."""

import numpy as np
import pytest

from encoder.evaluation.stress.hog_baseline import HOG_CANVAS, ORIENTATIONS, hog_embed


def stroke(rows: slice, columns: slice) -> np.ndarray:
    canvas = np.zeros(HOG_CANVAS, np.uint8)
    canvas[rows, columns] = 255
    return canvas


def by_orientation(canvas: np.ndarray) -> np.ndarray:
    return np.square(hog_embed(canvas[None]).vectors[0]).reshape(ORIENTATIONS, -1).sum(axis=1)


def test_vectors_are_units_and_zero_without_ink() -> None:
    canvases = np.stack([stroke(slice(20, 70), slice(50, 56)), np.zeros(HOG_CANVAS, np.uint8)])
    vectors = hog_embed(canvases).vectors
    assert vectors.shape == (2, 1152)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx([1.0, 0.0], abs=1e-6)
    assert hog_embed(canvases[:0]).vectors.shape == (0, 1152)


def test_an_upright_stroke_has_level_gradients() -> None:
    assert by_orientation(stroke(slice(0, 96), slice(50, 56)))[0] == pytest.approx(1.0, abs=1e-5)
    level = by_orientation(stroke(slice(40, 46), slice(0, 192)))
    # 90 degrees lie between the bins of 80 and of 100 degrees.
    assert level[4] == pytest.approx(0.5, abs=1e-5)
    assert level[5] == pytest.approx(0.5, abs=1e-5)


def test_nearby_strokes_are_more_alike_than_distant_ones() -> None:
    here, near, far = hog_embed(
        np.stack([stroke(slice(20, 70), slice(x, x + 5)) for x in (50, 53, 120)])
    ).vectors
    assert here @ near > 0.8
    assert here @ far < 0.1
