"""The notebook's run as it was: its pairs, what it varies, how it ends and goes on."""

import json
import sys
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

keras = pytest.importorskip("keras", reason="the notebook's network needs the `train` extra")

from benchmarks import original_notebook  # noqa: E402


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
    batches = original_notebook.VariedPairs(images, pairs, np.arange(32))
    (first, second), same = batches[0]
    assert same.shape == (32,)
    found = {images[number].tobytes() for number in numbers[:, 1]}
    assert {image.tobytes() for image in second} == found
    assert not {image.tobytes() for image in first} & {image.tobytes() for image in images}


def test_a_batch_depends_on_its_epoch_and_number_alone() -> None:
    images = np.random.default_rng(0).random((100, 128, 128, 1), np.float32)
    numbers = np.stack([np.arange(96), np.arange(4, 100)], axis=1)
    pairs = original_notebook.Pairs(numbers, np.arange(96) % 2)
    batches = original_notebook.VariedPairs(images, pairs, np.arange(96))
    assert len(batches) == 3
    (second_of_all, _), labels = batches[1]
    batches.begin(epoch=1, step=0)
    assert not np.array_equal(batches[1][1], labels)  # Another order.
    batches.begin(epoch=0, step=1)
    assert len(batches) == 2
    np.random.seed(7)  # noqa: NPY002 - what Keras's variations draw from.
    (again, _), again_labels = batches[0]
    assert np.array_equal(again, second_of_all)
    assert np.array_equal(again_labels, labels)


def test_says_how_many_epochs_it_took_and_goes_on_with_a_finished_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    folder = tmp_path / "invented"
    _write_writers(folder)
    monkeypatch.setattr(original_notebook, "PAIRS_OF_EACH_KIND", 8)
    monkeypatch.setattr(original_notebook, "BATCH", 4)
    monkeypatch.setattr(original_notebook, "PATIENCE", 1)
    # With this, an epoch changes too much for the next one to be better: it stops early.
    monkeypatch.setattr(original_notebook, "LEARNING_RATE", 5.0)
    monkeypatch.setattr(original_notebook, "notebook_base_network", _small_network)
    monkeypatch.setattr(original_notebook, "measure", lambda folds, effort: {"results": {}})
    run = tmp_path / "run"
    argv = ["", str(folder), "--run", str(run), "--epochs", "30", "--json"]
    monkeypatch.setattr(sys, "argv", argv)
    original_notebook.main()
    answer = json.loads(capsys.readouterr().out)
    state = json.loads((run / "state.json").read_text(encoding="utf-8"))
    assert answer["epochs"] == state["epoch"] == answer["best_epoch"] + 1 < 30
    assert np.argmin(state["monitored"]) == answer["best_epoch"] - 1
    log = (run / "log.csv").read_text(encoding="utf-8")
    original_notebook.main()
    assert json.loads(capsys.readouterr().out) == answer
    assert (run / "log.csv").read_text(encoding="utf-8") == log  # Nothing was trained again.
    monkeypatch.setattr(sys, "argv", [*argv, "--epochs", "31"])
    with pytest.raises(SystemExit, match="another recipe, seed or data"):
        original_notebook.main()


def _write_writers(folder: Path) -> None:
    rng = np.random.default_rng(0)
    for writer in range(8):
        (folder / str(writer)).mkdir(parents=True)
        for number in range(3):
            for kind in ("genuine", "forged"):
                path = folder / str(writer) / f"{kind}_{number}.png"
                cv2.imwrite(str(path), rng.integers(0, 256, (40, 60), np.uint8))


def _small_network() -> Any:
    inputs = keras.Input((128, 128, 1))
    pooled = keras.layers.GlobalAveragePooling2D()(keras.layers.Conv2D(4, 5, strides=4)(inputs))
    return keras.Model(inputs, keras.layers.Dense(8)(pooled), name="notebook_base_network")
