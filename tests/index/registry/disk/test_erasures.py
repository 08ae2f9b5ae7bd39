"""The list of erasures, on both databases: what was erased, and whether it is purged."""

from index.registry.registry import Registry

MODEL = "a" * 64


def test_erasures_are_listed_newest_first_and_purged(registry, new_references, tmp_path):
    _, added = registry.writers.create("C-1", "Ada Lind", MODEL, new_references(3))
    registry.references.erase("C-1", added[0].reference_id)
    registry.writers.erase("C-1")
    newest = registry.erasures.newest(5)
    assert [one.reference_count for one in newest] == [2, 1]
    assert [one.state for one in newest] == ["erased", "erased"]
    assert registry.erasures.newest(1) == newest[:1]
    assert registry.erasures.count() == (2, 2)
    assert registry.purge.attempt(tmp_path / "snapshots", lambda: None) == []
    assert registry.erasures.count() == (2, 0)
    assert {one.state for one in registry.erasures.newest(5)} == {"purged"}
    assert registry.erasures.traces(newest) == []


def test_an_older_reader_keeps_erasures_from_being_purged(
    registry, database_url, new_references, tmp_path
):
    """PostgreSQL cannot vacuum what somebody may still see; SQLite cannot cut off its log."""
    registry.writers.create("C-1", "Ada Lind", MODEL, new_references(1))
    other = Registry(database_url)
    with other.reading(MODEL) as reading:
        assert reading.total().writers == 1
        registry.writers.erase("C-1")
        assert len(registry.purge.attempt(tmp_path / "snapshots", lambda: None)) == 1
    assert registry.purge.attempt(tmp_path / "snapshots", lambda: None) == []
    other.close()
