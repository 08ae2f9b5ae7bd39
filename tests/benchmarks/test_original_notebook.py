"""The notebook's run as it was: its pairs, and what it varies."""

import numpy as np
import pytest

pytest.importorskip("keras", reason="the notebook's network needs the `train` extra")

from benchmarks import original_notebook


def test_pairs_are_half_of_one_writer_and_half_of_two(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(original_notebook, "PAIRS_OF_EACH_KIND", 12)
    pairs = original_notebook._balanced([4, 3, 5], np.random.default_rng(0))
    writer = np.repeat([0, 1, 2], [4, 3, 5])[pairs.images]
    assert pairs.same.sum() == 12
    assert np.array_equal(writer[:, 0] == writer[:, 1], pairs.same == 1)
    assert len({tuple(pair) for pair in pairs.images}) == 24
    assert np.all(pairs.images[:, 0] != pairs.images[:, 1])


def test_only_the_first_image_of_a_pair_is_varied() -> None:
    images = np.random.default_rng(0).random((40, 128, 128, 1), np.float32)
    numbers = np.stack([np.arange(32), np.arange(8, 40)], axis=1)
    pairs = original_notebook.Pairs(numbers, np.ones(32, np.float32))
    (first, second), same = next(original_notebook._varied(images, pairs, np.arange(32)))
    assert same.shape == (32,)
    found = {images[number].tobytes() for number in numbers[:, 1]}
    assert {image.tobytes() for image in second} == found
    assert not {image.tobytes() for image in first} & {image.tobytes() for image in images}
