"""The bag of strokes sums what lies between pieces and words, wherever on the canvas they are."""

import numpy as np
import pytest
from numpy.typing import NDArray

keras = pytest.importorskip("keras", reason="networks need the `train` extra")

from encoder.networks.stroke_layers import WINDOW, StrokeBag, StrokePieces  # noqa: E402
from encoder.training.fit_vocabulary import fit_vocabulary  # noqa: E402

Floats = NDArray[np.float32]
SIZE, WORDS, SHARPNESS = 5, 6, 10.0


@pytest.fixture
def cells() -> Floats:
    """Some ink by direction, away from the edges."""
    rng = np.random.default_rng(0)
    drawn = np.zeros((8, 20, 30, 9), np.float32)
    drawn[:, 6:14, 7:20] = rng.random((8, 8, 13, 9)) * (rng.random((8, 8, 13, 1)) < 0.5)
    return drawn


@pytest.fixture
def bag(cells: Floats) -> keras.Sequential:
    return fitted_bag(cells)


def fitted_bag(cells: Floats) -> keras.Sequential:
    pieces, bag = StrokePieces(SIZE), StrokeBag(WORDS, SHARPNESS)
    together = keras.Sequential([pieces, bag])
    together(cells)
    fit_vocabulary(pieces, bag, cells)
    return together


def summed(bag: keras.Sequential, cells: Floats) -> Floats:
    """The same by loops over windows and words."""
    axes, mean, words = (np.asarray(weight) for weight in bag.weights)
    framed = np.pad(cells, ((1, 2), (1, 2), (0, 0)))
    total = np.pad(cells.sum(axis=-1), 1)
    sums, ink = np.zeros((WORDS, SIZE)), 0.0
    for row, column in np.ndindex(*cells.shape[:2]):
        around = total[row : row + 3, column : column + 3]
        inside = np.pad(np.ones(cells.shape[:2]), 1)[row : row + 3, column : column + 3].sum()
        weight = np.sqrt(around.sum() / inside) if around.sum() / inside > 1e-3 else 0.0
        window = framed[row : row + WINDOW, column : column + WINDOW]
        length = np.sqrt(window.sum() + 1e-6) + 1e-2
        piece = np.tensordot(np.sqrt(window + 1e-8) / length, axes, 3) - mean[0]
        share = np.exp(-SHARPNESS * ((piece - words) ** 2).sum(axis=1))
        sums += weight * (share / share.sum())[:, None] * (piece - words)
        ink += weight
    rooted = np.sign(sums) * np.sqrt(np.abs(sums / (ink + 1e-6)))
    return np.ravel(rooted / (np.linalg.norm(rooted, axis=1, keepdims=True) + 1e-3))


def test_the_bag_is_what_its_definition_says(bag: keras.Sequential, cells: Floats) -> None:
    for one, given in zip(np.asarray(bag(cells))[:3], cells, strict=False):
        assert one == pytest.approx(summed(bag, given), abs=2e-4)


def test_where_a_stroke_is_does_not_matter(bag: keras.Sequential, cells: Floats) -> None:
    moved = np.roll(cells, (2, 5), axis=(1, 2))
    assert np.asarray(bag(moved)) == pytest.approx(np.asarray(bag(cells)), abs=1e-4)


def test_words_are_pieces_that_there_are(bag: keras.Sequential, cells: Floats) -> None:
    """Of two kinds of strokes, each gets words; a page without ink is nothing, not an error."""
    words = np.asarray(bag.weights[2])
    assert words.shape == (WORDS, SIZE)
    assert len(np.unique(words.round(4), axis=0)) == WORDS
    assert not np.abs(np.asarray(bag(np.zeros_like(cells)))).max() > 1e-2


def test_the_same_seed_gives_the_same_words(bag: keras.Sequential, cells: Floats) -> None:
    again = fitted_bag(cells)
    for one, other in zip(bag.weights, again.weights, strict=True):
        assert np.array_equal(np.asarray(one), np.asarray(other))
