"""The index that a gallery's size asks for: made beside the searches, swapped in, and tuned."""

import threading
from dataclasses import replace

import numpy as np
import pytest

from index.blocks import PER_BLOCK, layout_of, views
from index.ivf import IvfIndex
from index.registry import Registry
from index.training import ExactNeighbours, Sample, tune, untuned
from index.vectors import unit_vectors

MODEL = "a" * 64
IVF_FROM = 300


def enroll(registry, new_references, writers, count=30):
    for seed in writers:
        registry.create_writer(f"W-{seed}", "", MODEL, new_references(count, seed=seed))


def grown(gallery):
    """Wait until nothing grows any more, and say which kind it is then."""
    gallery.catch_up()
    if gallery._grower is not None:
        gallery._grower.join()
    return gallery.stats()["kind"]


def test_a_gallery_that_grows_gets_lists_and_loses_them_when_it_shrinks(
    registry, open_gallery, new_references, unit
):
    gallery = open_gallery(ivf_from=IVF_FROM)
    enroll(registry, new_references, range(9))
    assert grown(gallery) == "flat"
    enroll(registry, new_references, range(9, 11))
    assert grown(gallery) == "ivf"
    stats = gallery.stats()
    assert stats["tuned_at_size"] == stats["size"] == 330
    assert stats["recall"] >= 0.999
    assert stats["snapshot_revision"] == stats["revision"]
    assert gallery.check().clean
    probes = unit(30, seed=10)
    owned = [one.reference_id for one in registry.list_references("W-10")]
    assert [hits[0].reference_id for hits in gallery.search(probes, 50)] == owned

    enroll(registry, new_references, range(11, 44))
    assert grown(gallery) == "ivf"
    assert gallery.stats()["tuned_at_size"] == 1320, "four-fold: trained anew"
    for seed in range(6, 44):
        registry.erase_writer(f"W-{seed}")
    assert grown(gallery) == "ivf", "a little below the threshold it stays"
    for seed in (4, 5):
        registry.erase_writer(f"W-{seed}")
    assert grown(gallery) == "flat"
    assert gallery.check().clean


def test_a_start_and_a_rebuilding_use_the_kind_that_the_size_asks_for(
    registry, open_gallery, new_references
):
    enroll(registry, new_references, range(12))
    assert open_gallery(ivf_from=IVF_FROM).stats()["kind"] == "ivf"
    again = open_gallery(ivf_from=IVF_FROM)
    assert again.report.source == "snapshot"
    assert again.check().kind == "ivf"
    # The snapshot is used as it is, and replaced beside the searches.
    fewer = open_gallery(ivf_from=1000)
    assert fewer.report.source == "snapshot"
    assert grown(fewer) == "flat"
    fewer.rebuild()
    assert fewer.stats()["kind"] == "flat"
    assert fewer.check().clean


def test_searches_and_changes_go_on_while_the_index_is_replaced(
    registry, database_url, open_gallery, new_references, unit, run_together
):
    gallery = open_gallery(ivf_from=IVF_FROM)
    enroll(registry, new_references, range(9))
    gallery.catch_up()
    known = [one.reference_id for one in registry.list_references("W-3")]
    done = threading.Event()

    def search():
        while not done.is_set():
            hits = gallery.search(unit(30, seed=3), 50)
            assert [row[0].reference_id for row in hits] == known

    def change():
        try:
            for seed in range(100, 120):
                enroll(registry, new_references, [seed], count=5)
                assert gallery.search(unit(5, seed=seed), 1)[4][0].similarity > 0.9
                if seed % 2:
                    registry.erase_writer(f"W-{seed}")
            assert grown(gallery) == "ivf"
        finally:
            done.set()

    run_together(search, search, change)
    assert gallery.check().clean
    assert gallery.check().index_count == 9 * 30 + 10 * 5


def test_what_changes_while_an_index_is_trained_is_in_it(
    registry, database_url, open_gallery, new_references, monkeypatch
):
    gallery = open_gallery(ivf_from=IVF_FROM)
    enroll(registry, new_references, range(10))

    def tune_late(index, exact, recall):
        registry.erase_writer("W-0")
        enroll(registry, new_references, [50])
        tune(index, exact, recall)

    monkeypatch.setattr("index.training.tune", tune_late)
    assert grown(gallery) == "ivf"
    assert gallery.check().clean
    assert gallery.check().index_count == 300


def test_a_training_that_fails_leaves_the_index_as_it_is(
    registry, open_gallery, new_references, monkeypatch, caplog
):
    def unavailable(*_):
        raise_from = Registry("sqlite:////nowhere/at/all.db")
        raise_from.head()

    gallery = open_gallery(ivf_from=IVF_FROM)
    enroll(registry, new_references, range(10))
    monkeypatch.setattr("index.growth.train", unavailable)
    assert grown(gallery) == "flat"
    assert "stays as it is" in caplog.text
    assert gallery.check().clean


def test_check_sees_a_wrong_code_and_a_wrong_list(registry, open_gallery, new_references, unit):
    enroll(registry, new_references, range(12))
    gallery = open_gallery(ivf_from=IVF_FROM)
    inside = gallery._followed.index
    first, second = (one.reference_id for one in registry.list_references("W-1")[:2])
    inside.remove(np.array([first]))
    inside.add(np.array([first]), unit(1, seed=400))
    vector = unit(2, seed=1)[1:]
    inside.remove(np.array([second]))
    farthest = np.array([np.argmin(inside._centroids @ (vector[0] @ inside._trained.rotation))])
    put_into(inside, np.array([second]), vector, farthest)
    third = registry.list_references("W-1")[2].reference_id
    slot = inside._slots.slots_of(np.array([third]))
    number = int(inside._slots.lists[slot[0]])
    slots, blocks = views(inside._scan, number, inside._layout)
    blocks[:] ^= 0x11
    spoilt = set(inside._slots.ids[slots].tolist())
    assert third in spoilt
    assert set(gallery.check().different) == {first, second} | spoilt


def put_into(index, ids, vectors, lists):
    codes = index._encoded(vectors @ index._trained.rotation, lists)
    fine = index._trained.fine.encode(vectors)
    slots = index._slots.put(ids, lists.astype(np.int16), fine)
    index._append(int(lists[0]), slots, codes)


@pytest.fixture
def clustered(unit):
    """Vectors of 400 writers, 10 each, as near one another as references are."""
    spread = np.repeat(unit(400, seed=1), 10, axis=0) + 1.3 * unit(4000, seed=2)
    return unit_vectors(spread / np.linalg.norm(spread, axis=1, keepdims=True), 128)


def neighbours(vectors, rows):
    """The 10 nearest others of some rows, by numpy alone."""
    similarities = vectors[rows] @ vectors.T
    similarities[np.arange(len(rows)), rows] = -np.inf
    return np.argsort(-similarities, axis=1)[:, :10]


def test_tuning_looks_into_as_few_lists_as_reach_the_recall(clustered):
    names = np.arange(4000) + 10**9
    rows = np.arange(0, 4000, 20)
    exact = ExactNeighbours(Sample(clustered, names[rows], clustered[rows]))
    for start in range(0, 4000, 700):
        exact.see(names[start : start + 700], clustered[start : start + 700])
    exact.finish()
    index = untuned(clustered, 64)
    index.add(names, clustered)
    truth = neighbours(clustered, rows)
    used = []
    for asked in (0.5, 0.8, 0.99):
        tune(index, exact, asked)
        details = index.details()
        hits = index.search(clustered[rows], 51)
        found = [
            len(set((row + 10**9).tolist()) & {hit.reference_id for hit in hit_row})
            for row, hit_row in zip(truth, hits, strict=True)
        ]
        assert details["recall"] == pytest.approx(sum(found) / 2000, abs=0.002)
        assert details["recall"] >= asked
        nearest = [
            row[0] + 10**9 in {hit.reference_id for hit in own}
            for row, own in zip(truth, hits, strict=True)
        ]
        assert details["recall_of_nearest"] == pytest.approx(np.mean(nearest), abs=0.006)
        used.append(details["nprobe"])
    assert used[0] < used[1] < used[2] < 64


def test_more_lists_are_looked_into_where_the_nearest_hold_too_few(clustered):
    index = untuned(clustered, 64)
    index.add(np.arange(4000), clustered)
    everything = index.tuning
    index.tuning = replace(everything, nprobe=1)
    assert len(index.search(clustered[:1], 10)[0]) == 10
    assert {hit.reference_id for hit in index.search(clustered[:1], 5000)[0]} == set(range(4000))


def test_a_compact_index_answers_as_before(clustered):
    index = untuned(clustered, 64)
    index.add(np.arange(4000), clustered)
    index.remove(np.arange(0, 4000, 7))
    before = index.search(clustered[:50], 20)
    index = index.compacted()
    for was, now in zip(before, index.search(clustered[:50], 20), strict=True):
        assert was == now
    index.add(np.arange(0, 4000, 7), clustered[::7])
    assert index.holds(np.arange(4000), clustered).all()


def test_a_save_keeps_no_search_and_no_change_waiting(clustered, tmp_path, monkeypatch):
    index = untuned(clustered, 64)
    index.add(np.arange(4000), clustered)
    read = index._copied_lists

    def reading_slowly():
        for number, one in enumerate(read()):
            if number == 32:
                index.remove(np.arange(100))
                index.add(np.arange(5000, 5100), clustered[:100])
                assert index.search(clustered[:1], 1)[0][0].reference_id == 5000
            yield one

    monkeypatch.setattr(index, "_copied_lists", reading_slowly)
    index.save(tmp_path / "index")
    loaded = IvfIndex.load(tmp_path / "index", 128)
    stable = np.arange(100, 4000)
    assert loaded.holds(stable, clustered[stable]).all()
    assert loaded.tuning == index.tuning


def test_blocks_are_laid_out_as_faiss_does_it(clustered):
    """FAISS's own packer knows no blocks of 128: what it makes of many is the measure."""
    index = untuned(clustered, 16)
    index._scan.add(clustered @ index._trained.rotation)
    layout = layout_of(index._scan.code_size)
    for number in range(16):
        ids, blocks = views(index._scan, number, layout)
        vectors = clustered[ids] @ index._trained.rotation
        codes = index._encoded(vectors, np.full(len(ids), number))
        assert np.array_equal(layout.unpack(blocks, np.arange(len(ids))), codes)
        assert np.array_equal(layout.pack(codes), blocks)


def test_what_is_removed_leaves_no_code_behind(clustered):
    index = untuned(clustered, 16)
    index.add(np.arange(4000), clustered)
    gone = np.arange(0, 4000, 3)
    slots = index._slots.slots_of(gone)
    index.remove(gone)
    assert not index._slots.codes[slots].any()
    for number in range(16):
        ids, blocks = views(index._scan, number, index._layout)
        behind = np.arange(len(ids), len(blocks) * PER_BLOCK)
        assert not index._layout.unpack(blocks, behind).any()
    kept = np.setdiff1d(np.arange(4000), gone)
    assert index.holds(kept, clustered[kept]).all()
    index.add(gone, clustered[gone])
    assert index.holds(np.arange(4000), clustered).all()
