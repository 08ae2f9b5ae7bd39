"""What is the own of a gallery that this process holds; see `test_galleries` for the rest."""

import shutil

MODEL = "a" * 64


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
