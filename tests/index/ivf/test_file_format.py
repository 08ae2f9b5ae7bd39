"""An index of lists on disk: copied while it changes, mapped into memory, and not trusted."""

import json

import numpy as np
import pytest

from index.errors import SnapshotUnusable
from index.ivf.build import untuned
from index.ivf.index import IvfIndex


@pytest.fixture
def saved(clustered, tmp_path):
    """A file of 4000 references in 16 lists."""
    index = untuned(clustered, 16)
    index.add(np.arange(4000), clustered)
    index.save(tmp_path / "index")
    return tmp_path / "index"


def mapped(index):
    return isinstance(index._id_map.codes, np.memmap)


def test_what_is_loaded_lies_in_the_file_and_changes_do_not_go_there(clustered, saved, listed):
    """So that the processes of a host have it in memory once."""
    before = saved.read_bytes()
    index, other = IvfIndex.load(saved, 128), IvfIndex.load(saved, 128)
    found = listed(other.search(clustered[:50], 20))
    index.add(np.arange(4000, 4100), -clustered[:100])
    assert mapped(index)
    assert mapped(other)
    assert index.holds(np.arange(4000), clustered).all()
    assert index.holds(np.arange(4000, 4100), -clustered[:100]).all()
    assert index.search(-clustered[:1], 1)[0].reference_ids.tolist() == [4000]
    assert saved.read_bytes() == before
    assert listed(other.search(clustered[:50], 20)) == found


def test_what_no_longer_fits_in_the_file_goes_to_memory(clustered, saved):
    index = IvfIndex.load(saved, 128)
    index.add(np.arange(4000, 5000), -clustered[:1000])
    assert not mapped(index)
    assert index.holds(np.arange(4000), clustered).all()
    assert index.holds(np.arange(4000, 5000), -clustered[:1000]).all()


def test_saving_to_the_file_that_it_lies_in_does_it_no_harm(clustered, saved):
    index = IvfIndex.load(saved, 128)
    before = saved.read_bytes()
    index.save(saved)
    assert mapped(index)
    assert index.holds(np.arange(4000), clustered).all()
    assert saved.read_bytes() == before


def test_a_change_made_twice_leaves_it_in_the_file(clustered, saved):
    """As at a start: a snapshot may hold more than it says."""
    index = IvfIndex.load(saved, 128)
    index.remove(np.arange(3990, 4000))
    index.add(np.arange(3990, 4000), clustered[3990:])
    assert mapped(index)
    assert index.holds(np.arange(4000), clustered).all()


@pytest.mark.parametrize("more", [0, 1, 501])  # As many as there is room for: 501.
def test_nothing_is_kept_of_a_file_that_is_let_go_of(clustered, saved, more):
    index = IvfIndex.load(saved, 128)
    index.add(np.arange(4000, 4000 + more), -clustered[:more])
    index.detach()
    assert not mapped(index)
    saved.write_bytes(b"")  # Whoever still read there would die of it.
    index.remove(np.arange(0, 4000, 3))
    kept = np.setdiff1d(np.arange(4000), np.arange(0, 4000, 3))
    assert index.holds(kept, clustered[kept]).all()
    assert index.search(clustered[1:2], 1)[0].reference_ids.tolist() == [1]
    index.add(np.arange(0, 4000, 3), clustered[::3])
    assert index.holds(np.arange(4000), clustered).all()
    assert index.holds(np.arange(4000, 4000 + more), -clustered[:more]).all()


def test_searches_go_on_where_adding_fails_after_all_was_moved(clustered, saved, monkeypatch):
    """As where there is no more memory: they read what is there now, not what was unmapped."""
    index = IvfIndex.load(saved, 128)
    put = index._id_map.put

    def failing(*given):
        put(*given)
        raise MemoryError

    monkeypatch.setattr(index._id_map, "put", failing)
    with pytest.raises(MemoryError):
        index.add(np.arange(4000, 5000), -clustered[:1000])
    assert not mapped(index)
    assert index.search(clustered[1:2], 1)[0].reference_ids.tolist() == [1]


def test_a_loaded_index_counts_as_much_memory_as_one_that_was_made(clustered, saved):
    made = untuned(clustered, 16)
    made.add(np.arange(4000), clustered)
    assert IvfIndex.load(saved, 128).memory_bytes() == made.compacted().memory_bytes()


def test_an_empty_index_is_saved_and_loaded(clustered, tmp_path):
    untuned(clustered, 16).save(tmp_path / "index")
    index = IvfIndex.load(tmp_path / "index", 128)
    assert index.size() == 0
    index.add(np.arange(4000), clustered)
    assert index.holds(np.arange(4000), clustered).all()


def test_a_file_is_refused_wherever_it_ends(clustered, saved):
    whole = saved.read_bytes()
    saved.write_bytes(b"[" * 4096 + whole[4096:])
    with pytest.raises(SnapshotUnusable):
        IvfIndex.load(saved, 128)
    for end in (0, 1, 4095, 4096, 4097, len(whole) // 10, len(whole) // 2, len(whole) - 1):
        saved.write_bytes(whole[:end])
        with pytest.raises(SnapshotUnusable):
            IvfIndex.load(saved, 128)
    saved.write_bytes(whole + b"x")
    with pytest.raises(SnapshotUnusable):
        IvfIndex.load(saved, 128)


def test_a_save_keeps_no_search_and_no_change_waiting(clustered, tmp_path, monkeypatch):
    index = untuned(clustered, 64)
    index.add(np.arange(4000), clustered)
    read = index._copied_lists

    def reading_slowly():
        for number, one in enumerate(read()):
            if number == 32:
                index.remove(np.arange(100))
                index.add(np.arange(5000, 5100), clustered[:100])
                assert index.search(clustered[:1], 1)[0].reference_ids.tolist() == [5000]
            yield one

    monkeypatch.setattr(index, "_copied_lists", reading_slowly)
    index.save(tmp_path / "index")
    loaded = IvfIndex.load(tmp_path / "index", 128)
    stable = np.arange(100, 4000)
    assert loaded.holds(stable, clustered[stable]).all()
    assert loaded.tuned == index.tuned


@pytest.mark.parametrize(("here", "there"), [(64, 128), (128, 64)])
def test_a_snapshot_goes_to_a_machine_with_another_processor(
    clustered, listed, tmp_path, monkeypatch, here, there
):
    """Its blocks have another size there; what is found is the same, and goes on to be."""
    monkeypatch.setattr("index.ivf.inverted_lists.PER_BLOCK", here)
    index = untuned(clustered, 16)
    index.add(np.arange(3990), clustered[:3990])
    index.remove(np.arange(0, 300))
    index.save(tmp_path / "here")
    monkeypatch.setattr("index.ivf.inverted_lists.PER_BLOCK", there)
    moved = IvfIndex.load(tmp_path / "here", 128)
    assert (index._lists._layout.per_block, moved._lists._layout.per_block) == (here, there)
    moved.save(tmp_path / "there")
    assert (tmp_path / "here").read_bytes() == (tmp_path / "there").read_bytes()
    for one in (index, moved):
        one.add(np.arange(3990, 4000), clustered[3990:])
        one.remove(np.arange(300, 400))
    assert listed(moved.search(clustered[:50], 20)) == listed(index.search(clustered[:50], 20))
    assert moved.holds(np.arange(400, 4000), clustered[400:]).all()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("lists", None),
        ("lists", "4"),
        ("lists", 10**12),
        ("lists", 10**19),
        ("cells", [1]),
        ("lists", 15),
        ("lists", 8193),
        ("cells", 0),
        ("cells", True),
        ("rows", 99),
        ("rows", 0),
        ("rows", -113),
        ("rows", 114),
        ("rows", 113.0),
        ("rows", 10**12),
        ("rows", 10**30),
        ("nprobe", "x"),
        ("nprobe", 1000),
        ("first", 0),
        ("first", None),
        ("first_candidates", 0),
        ("enough", None),
        ("candidates", 0),
        ("more", 1),
    ],
)
def test_a_file_with_wrong_numbers_is_refused(clustered, tmp_path, name, value):
    index = untuned(clustered, 16)
    index.add(np.arange(100), clustered[:100])
    index.save(tmp_path / "index")
    whole = (tmp_path / "index").read_bytes()
    spoilt = json.loads(whole[:4096]) | {name: value}
    (tmp_path / "index").write_bytes(json.dumps(spoilt).encode().ljust(4096) + whole[4096:])
    with pytest.raises(SnapshotUnusable):
        IvfIndex.load(tmp_path / "index", 128)
