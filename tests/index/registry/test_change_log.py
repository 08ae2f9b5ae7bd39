import shutil

import pytest

from index.errors import HistoryForked
from index.registry.change_log import START, Position
from index.registry.registry import Registry

MODEL = "a" * 64
OTHER = "b" * 64


def test_the_log_tells_what_was_put_and_erased_and_then_nothing(registry, new_references, unit):
    assert registry.changes.since(START, MODEL, 10) is None
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3))
    ids = [reference.reference_id for reference in added]

    changes = registry.changes.since(START, MODEL, 10)
    assert changes.reference_ids.tolist() == changes.touched.tolist() == ids
    assert changes.vectors.tobytes() == unit(3).tobytes()
    assert registry.changes.since(changes.position, MODEL, 10) is None
    assert changes.position.revision == registry.changes.revision()

    registry.references.erase("C-1", ids[1])
    later = registry.changes.since(changes.position, MODEL, 10)
    assert (later.touched.tolist(), later.reference_ids.size) == ([ids[1]], 0)
    assert (later.rows, later.erasures) == (1, 1)


def test_what_was_put_and_erased_since_is_not_put(registry, new_references):
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    registry.references.erase("C-1", added[0].reference_id)
    changes = registry.changes.since(START, MODEL, 10)
    assert changes.reference_ids.tolist() == [added[1].reference_id]
    # Nor where the erasure is a line that this batch does not reach.
    first = registry.changes.since(START, MODEL, 1)
    assert (first.touched.tolist(), first.reference_ids.size) == ([added[0].reference_id], 0)


def test_batches_join_up(registry, new_references):
    _, added = registry.writers.create("C-1", "", MODEL, new_references(7))
    seen, position = [], START
    while changes := registry.changes.since(position, MODEL, 3):
        assert changes.rows <= 3
        seen += changes.reference_ids.tolist()
        position = changes.position
    assert seen == [reference.reference_id for reference in added]


def test_another_models_embeddings_touch_nothing_of_this_one(registry, new_references, unit):
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    position = registry.changes.head()
    registry.models.register(OTHER, "newer model", 128)
    registry.embeddings.put(OTHER, [added[0].reference_id], unit(1, seed=3), None)
    mine = registry.changes.since(position, MODEL, 10)
    assert (mine.touched.size, mine.reference_ids.size, mine.rows) == (0, 0, 1)
    theirs = registry.changes.since(position, OTHER, 10)
    assert theirs.reference_ids.tolist() == [added[0].reference_id]
    assert theirs.vectors.tobytes() == unit(1, seed=3).tobytes()


def test_changes_that_no_search_can_see_are_not_in_the_log(registry, new_references):
    registry.writers.create("C-1", "Ada Lind")
    registry.writers.rename("C-1", "Ada Berg")
    assert registry.changes.revision() == 0


def test_a_log_that_is_another_one_is_noticed(registry, database_file, new_references, tmp_path):
    registry.writers.create("C-1", "", MODEL, new_references(2, seed=1))
    shutil.copy(database_file, tmp_path / "backup.db")
    shutil.copy(f"{database_file}-wal", tmp_path / "backup.db-wal")
    registry.writers.create("C-2", "", MODEL, new_references(2, seed=2))
    position = registry.changes.head()

    restored = Registry(f"sqlite:///{tmp_path / 'backup.db'}")
    try:
        with pytest.raises(HistoryForked):
            restored.changes.since(position, MODEL, 10)
        # The same revision number again, with another past.
        restored.writers.create("C-3", "", MODEL, new_references(4, seed=3))
        assert restored.changes.revision() > position.revision
        with pytest.raises(HistoryForked):
            restored.changes.since(position, MODEL, 10)
    finally:
        restored.close()
    with pytest.raises(HistoryForked):
        registry.changes.since(Position(0, 1), MODEL, 10)
