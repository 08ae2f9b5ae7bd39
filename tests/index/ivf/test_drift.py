"""When a gallery no longer fits what its index was trained on: it is seen, and trained anew."""

from dataclasses import replace

import numpy as np
import pytest

from benchmarks.signature_like import gallery
from index.ivf.build import Sample, filled, lists_for, untuned
from index.ivf.index import IvfIndex

MODEL = "a" * 64
SIZE, MORE = 50_000, 20_000
IVF_FROM = 300


@pytest.fixture(scope="module")
def vectors():
    return gallery(SIZE + MORE, seed=1, probes=1)[0]


@pytest.fixture(scope="module")
def saved(vectors, tmp_path_factory):
    """An index that was trained on its gallery."""
    drawn = np.random.default_rng(0).permutation(SIZE)
    sample = Sample(vectors[drawn[:32_768]], drawn[-100:], vectors[drawn[-100:]])
    batches = [(np.arange(SIZE), vectors[:SIZE])]
    path = tmp_path_factory.mktemp("drift") / "index"
    filled(sample, lists_for(SIZE), batches, lambda index, _exact: index.tuned).save(path)
    return path


@pytest.fixture
def trained(saved, vectors):
    return IvfIndex.load(saved, vectors.shape[1])


def same(vectors):
    return vectors


def turned(vectors):
    """Other directions than those trained on."""
    return np.roll(vectors, 50, axis=1)


def gathered(vectors):
    """All in one direction more than in all others, so that a few lists hold most."""
    towards = vectors + 0.8 * vectors[:5].mean(axis=0)
    return (towards / np.linalg.norm(towards, axis=1, keepdims=True)).astype(np.float32)


@pytest.mark.parametrize(("change", "fits"), [(same, True), (turned, False), (gathered, False)])
@pytest.mark.parametrize("old_ones_leave", [True, False])
def test_what_is_unlike_what_was_trained_on_is_seen(trained, vectors, change, fits, old_ones_leave):
    trained.add(np.arange(SIZE, SIZE + MORE), change(vectors[SIZE:]))
    if old_ones_leave:
        trained.remove(np.arange(MORE))
    assert trained.may_have_drifted()
    assert trained.has_drifted() is not fits


def test_it_is_looked_for_when_an_eighth_has_changed(trained, vectors):
    assert trained.may_have_drifted()  # It was not looked at since it was made, or read from disk.
    assert not trained.has_drifted()
    trained.add(np.arange(SIZE, SIZE + 4000), vectors[SIZE : SIZE + 4000])
    trained.remove(np.arange(2000))
    assert not trained.may_have_drifted()
    trained.remove(np.arange(2000, 2600))
    assert trained.may_have_drifted()
    assert not trained.has_drifted()
    assert not trained.may_have_drifted()


def test_how_well_it_fits_is_kept_with_the_index(trained, vectors, tmp_path):
    assert 0 < trained.tuned.loss < 1 <= trained.tuned.imbalance
    trained.save(tmp_path / "index")
    loaded = type(trained).load(tmp_path / "index", vectors.shape[1])
    assert loaded.tuned == trained.tuned
    assert loaded.may_have_drifted()
    assert not loaded.has_drifted()


def test_an_index_not_trained_on_a_gallery_or_an_empty_one_has_not_drifted(vectors):
    index = untuned(vectors[:4000], 16)
    assert index.fit() == (0.0, 0.0)
    index.add(np.arange(SIZE), turned(vectors[:SIZE]))
    assert index.fit()[0] > 0
    assert not index.may_have_drifted()
    assert not index.has_drifted()


def test_an_index_that_no_longer_fits_its_gallery_is_trained_anew(
    registry, open_gallery, new_references, unit, monkeypatch
):
    monkeypatch.setattr("index.ivf.index._LOOKED_FOR_FROM", IVF_FROM)

    def enroll(seeds, towards):
        for seed in seeds:
            near = unit(30, seed=seed) + 2 * towards
            near /= np.linalg.norm(near, axis=1, keepdims=True)
            references = [
                replace(one, vector=vector)
                for one, vector in zip(new_references(30, seed=seed), near, strict=True)
            ]
            registry.writers.create(f"W-{seed}", "", MODEL, references)

    def index_now(opened):
        opened.catch_up()
        opened._growing.join()
        return opened._replayed.index

    enroll(range(40), unit(1, seed=1000))
    opened = open_gallery(ivf_from=IVF_FROM)
    made = index_now(opened)
    assert made.kind == "ivf"
    enroll(range(40, 60), unit(1, seed=1000))
    assert index_now(opened) is made
    for seed in range(30):
        registry.writers.erase(f"W-{seed}")
    enroll(range(60, 90), unit(1, seed=1001))
    assert index_now(opened) is not made
    assert opened.stats()["kind"] == "ivf"
    assert opened.stats()["tuned_at_size"] == opened.stats()["size"] == 60 * 30
    assert opened.check().clean
