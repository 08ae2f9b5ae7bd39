"""The index that a gallery's size asks for: made beside the searches, swapped in, and tuned."""

import threading

import numpy as np

from index.ivf.packed_blocks import views
from index.ivf.tune import tune
from index.registry.registry import Registry

MODEL = "a" * 64
IVF_FROM = 300


def enroll(registry, new_references, writers, count=30):
    for seed in writers:
        registry.writers.create(f"W-{seed}", "", MODEL, new_references(count, seed=seed))


def grown(gallery):
    """Wait until nothing grows any more, and say which kind it is then."""
    gallery.catch_up()
    gallery._growing.join()
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
    owned = [one.reference_id for one in registry.references.of_writer("W-10")]
    assert [found.reference_ids[0] for found in gallery.search(probes, 50)] == owned

    enroll(registry, new_references, range(11, 44))
    assert grown(gallery) == "ivf"
    assert gallery.stats()["tuned_at_size"] == 1320, "four-fold: trained anew"
    for seed in range(6, 44):
        registry.writers.erase(f"W-{seed}")
    assert grown(gallery) == "ivf", "a little below the threshold it stays"
    for seed in (4, 5):
        registry.writers.erase(f"W-{seed}")
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


def test_a_process_lets_go_of_the_snapshots_file_when_something_is_erased(
    registry, open_gallery, new_references
):
    enroll(registry, new_references, range(12))
    open_gallery(ivf_from=IVF_FROM)
    gallery = open_gallery(ivf_from=IVF_FROM)
    assert gallery.report.source == "snapshot"
    enroll(registry, new_references, [20], count=3)
    gallery.catch_up()
    assert isinstance(gallery._replayed.index._id_map.codes, np.memmap)
    registry.writers.erase("W-3")
    gallery.catch_up()
    assert not isinstance(gallery._replayed.index._id_map.codes, np.memmap)
    assert gallery.check().clean


def test_an_index_tuned_to_other_neighbours_is_made_anew(registry, open_gallery, new_references):
    enroll(registry, new_references, range(12))
    assert open_gallery(ivf_from=IVF_FROM).stats()["tuned_to_nearest"] == 10
    other = open_gallery(ivf_from=IVF_FROM, nearest=1)
    assert other.report.source == "snapshot"
    assert grown(other) == "ivf"
    assert other.stats()["tuned_to_nearest"] == 1
    assert other.stats()["recall_of_nearest"] >= 0.999
    assert other.check().clean
    made = other._replayed.index
    assert grown(other) == "ivf"
    assert other._replayed.index is made
    more = open_gallery(ivf_from=IVF_FROM, nearest=1, fetched=120)
    assert more.report.source == "snapshot"
    assert grown(more) == "ivf"
    assert more._replayed.index.tuned.fetched == 120


def test_searches_and_changes_go_on_while_the_index_is_replaced(
    registry, database_url, open_gallery, new_references, unit, run_together
):
    gallery = open_gallery(ivf_from=IVF_FROM)
    enroll(registry, new_references, range(9))
    gallery.catch_up()
    known = [one.reference_id for one in registry.references.of_writer("W-3")]
    done = threading.Event()

    def search():
        while not done.is_set():
            found = gallery.search(unit(30, seed=3), 50)
            assert [row.reference_ids[0] for row in found] == known

    def change():
        try:
            for seed in range(100, 120):
                enroll(registry, new_references, [seed], count=5)
                assert gallery.search(unit(5, seed=seed), 1)[4].similarities[0] > 0.9
                if seed % 2:
                    registry.writers.erase(f"W-{seed}")
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

    def tune_late(index, exact, **options):
        registry.writers.erase("W-0")
        enroll(registry, new_references, [50])
        return tune(index, exact, **options)

    monkeypatch.setattr("index.ivf.build.tune", tune_late)
    assert grown(gallery) == "ivf"
    assert gallery.check().clean
    assert gallery.check().index_count == 300


def test_a_training_that_fails_leaves_the_index_as_it_is(
    registry, open_gallery, new_references, monkeypatch, caplog
):
    def unavailable(*_):
        raise_from = Registry("sqlite:////nowhere/at/all.db")
        raise_from.changes.head()

    gallery = open_gallery(ivf_from=IVF_FROM)
    enroll(registry, new_references, range(10))
    monkeypatch.setattr("index.sync.rebuild_policy.train", unavailable)
    assert grown(gallery) == "flat"
    assert "stays as it is" in caplog.text
    assert gallery.check().clean


def test_check_sees_a_wrong_code_and_a_wrong_list(registry, open_gallery, new_references, unit):
    enroll(registry, new_references, range(12))
    gallery = open_gallery(ivf_from=IVF_FROM)
    inside = gallery._replayed.index
    first, second = (one.reference_id for one in registry.references.of_writer("W-1")[:2])
    inside.remove(np.array([first]))
    inside.add(np.array([first]), unit(1, seed=400))
    vector = unit(2, seed=1)[1:]
    inside.remove(np.array([second]))
    axes = inside._trained.coarse.axes
    farthest = np.array([np.argmin(inside._trained.centroids @ (vector[0] @ axes))])
    put_into(inside, np.array([second]), vector, farthest)
    third = registry.references.of_writer("W-1")[2].reference_id
    slot = inside._id_map.slots_of(np.array([third]))
    number = int(inside._id_map.lists[slot[0]])
    slots, blocks = views(inside._lists._scanner, number, inside._lists._layout)
    blocks[:] ^= 0x11
    spoilt = set(inside._id_map.ids[slots].tolist())
    assert third in spoilt
    assert set(gallery.check().different) == {first, second} | spoilt


def put_into(index, ids, vectors, lists):
    codes = index._trained.coarse.encode(vectors, index._trained.centroids[lists])
    fine = index._trained.fine.encode(vectors)
    slots = index._id_map.put(ids, lists.astype(np.int16), fine)
    index._lists.append(int(lists[0]), slots, codes)
