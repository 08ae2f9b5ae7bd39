import shutil

import numpy as np
import pytest

from index.errors import InvalidVector
from index.registry.registry import Registry

MODEL = "a" * 64
OTHER = "b" * 64


def found(gallery, vectors, k=1):
    return [one.reference_ids.tolist() for one in gallery.search(vectors, k)]


def ids_of(references):
    return [reference.reference_id for reference in references]


def test_what_is_enrolled_is_found_by_the_next_search(registry, open_gallery, new_references, unit):
    gallery = open_gallery()
    assert found(gallery, unit(1), 5) == [[]]
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4))
    assert found(gallery, unit(4)) == [[name] for name in ids_of(added)]
    assert len(gallery.search(unit(1), 50)[0]) == 4
    assert gallery.check().clean


def test_what_is_erased_is_not_found_by_the_next_search(
    registry, open_gallery, new_references, unit
):
    gallery = open_gallery()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4))
    registry.writers.create("C-2", "", MODEL, new_references(1, seed=5))
    gallery.catch_up()
    registry.references.erase("C-1", added[0].reference_id)
    assert found(gallery, unit(1)) != [[added[0].reference_id]]
    registry.writers.erase("C-1")
    assert len(gallery.search(unit(1), 50)[0]) == 1
    assert gallery.check().clean


def test_catch_up_counts_what_it_applied(registry, open_gallery, new_references):
    gallery = open_gallery()
    assert gallery.catch_up() == 0
    registry.writers.create("C-1", "", MODEL, new_references(4))
    assert gallery.catch_up() == 4
    assert gallery.catch_up() == 0


def test_a_long_log_is_applied_in_batches(
    registry, open_gallery, new_references, unit, monkeypatch
):
    monkeypatch.setattr("index.sync.change_replay.BATCH_ROWS", 3)
    monkeypatch.setattr("index.sync.change_replay._REBUILD_ROWS", 3)
    monkeypatch.setattr("index.sync.consistency._BATCH", 3)
    gallery = open_gallery()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(10))
    registry.references.erase("C-1", added[4].reference_id)
    assert gallery.catch_up() == 11
    assert gallery.check().clean
    gallery.rebuild()
    report = gallery.check()
    assert report.clean
    assert (report.registry_count, report.index_count) == (9, 9)


def test_two_registries_and_galleries_on_one_file_follow_each_other(
    registry, database_url, open_gallery, new_references, unit
):
    second = Registry(database_url)
    here, there = open_gallery(), open_gallery(second)
    try:
        _, one = registry.writers.create("C-1", "", MODEL, new_references(2, seed=1))
        assert found(there, unit(2, seed=1)) == [[name] for name in ids_of(one)]
        two = second.references.add("C-1", MODEL, new_references(2, seed=2))
        assert found(here, unit(2, seed=2)) == [[name] for name in ids_of(two)]
        second.writers.erase("C-1")
        assert found(here, unit(1, seed=1), 5) == [[]]
        assert here.check().clean
        assert there.check().clean
    finally:
        there.close()
        second.close()


def test_a_gallery_sees_only_its_own_models_embeddings(
    registry, open_gallery, new_references, unit
):
    registry.models.register(OTHER, "newer model", 128)
    old, new = open_gallery(folder="old"), open_gallery(model_id=OTHER, folder="new")
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3))
    names = ids_of(added)
    assert found(new, unit(1), 5) == [[]]
    registry.embeddings.put(OTHER, names[:2], unit(2, seed=8), None)
    assert found(new, unit(2, seed=8)) == [[names[0]], [names[1]]]
    assert found(old, unit(3)) == [[name] for name in names]
    registry.references.erase("C-1", names[0])
    assert (old.check().index_count, new.check().index_count) == (2, 1)
    assert old.check().clean
    assert new.check().clean


def test_a_search_that_cannot_be_answered_is_refused(open_gallery):
    with pytest.raises(InvalidVector):
        open_gallery().search(np.full((1, 128), np.nan, np.float32), 1)


def test_check_names_what_is_missing_extra_and_different(
    registry, open_gallery, new_references, unit
):
    gallery = open_gallery()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(5))
    names = ids_of(added)
    gallery.catch_up()
    inside = gallery._replayed.index
    inside.remove(np.array(names[:3]))
    nudged = unit(5)[1:2].copy()
    nudged.view(np.uint32)[0, 0] ^= 1  # The last bit of one number.
    inside.add(np.array([names[1], 999]), np.concatenate([nudged, unit(1, seed=6)]))

    report = gallery.check()
    assert not report.clean
    assert report.missing == (names[0], names[2])
    assert report.different == (names[1],)
    assert report.extra == (999,)
    assert (report.registry_count, report.index_count) == (5, 4)
    assert (report.kind, report.revision) == ("flat", registry.changes.revision())

    gallery.rebuild()
    clean = gallery.check()
    assert clean.clean
    assert (clean.registry_count, clean.index_count) == (5, 5)


def test_a_registry_restored_under_a_running_gallery_is_noticed(
    registry, database_file, open_gallery, new_references, unit
):
    gallery = open_gallery()
    registry.writers.create("C-1", "", MODEL, new_references(2, seed=1))
    registry.writers.erase("C-1")  # Cuts off the log, so that one file is the whole backup.
    shutil.copy(database_file, f"{database_file}.backup")
    registry.writers.create("C-2", "", MODEL, new_references(3, seed=2))
    assert len(gallery.search(unit(1), 50)[0]) == 3

    registry.close()
    for suffix in ("-wal", "-shm"):
        database_file.with_name(database_file.name + suffix).unlink(missing_ok=True)
    shutil.copy(f"{database_file}.backup", database_file)
    registry.writers.create("C-3", "", MODEL, new_references(4, seed=3))
    assert len(gallery.search(unit(1), 50)[0]) == 4
    assert gallery.check().clean


def test_stats_tell_sizes_and_revisions(registry, open_gallery, new_references):
    gallery = open_gallery()
    registry.writers.create("C-1", "", MODEL, new_references(3))
    gallery.catch_up()
    stats = gallery.stats()
    assert stats.pop("memory_bytes") > 3 * 128 * 4
    assert stats == {
        "kind": "flat",
        "size": 3,
        "dimension": 128,
        "revision": 3,
        "snapshot_revision": 0,
        "recall": 1.0,
    }
    gallery.save_snapshot()
    assert gallery.stats()["snapshot_revision"] == 3
