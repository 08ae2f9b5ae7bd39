"""What every vector index must do, one by one; `test_index_threads` has many at once."""

import numpy as np
import pytest

from index.errors import DuplicateReference, InvalidVector, SnapshotNotSaved, SnapshotUnusable

DIMENSION = 128
# A server keeps its index itself.
in_memory = pytest.mark.parametrize("backend", ["flat", "ivf"], indirect=True)


def ids(*numbers):
    return np.array(numbers, dtype=np.int64)


def oracle(probe, held, k):
    """Return the k best ids of {id: vector}, best first, by numpy alone."""
    names = np.array(list(held), dtype=np.int64)
    similarities = np.stack(list(held.values())) @ probe
    best = np.argsort(-similarities, kind="stable")[:k]
    return names[best].tolist(), similarities[best]


def test_an_empty_index_finds_nothing(empty, unit, listed):
    assert empty.size() == 0
    assert listed(empty.search(unit(3), 5)) == [[], [], []]
    assert empty.search(unit(0), 5) == []
    assert empty.reference_ids().tolist() == []
    assert empty.holds(ids(), unit(0)).shape == (0,)
    assert empty.remove(ids(1, 2)) == 0


def test_search_agrees_with_numpy(empty, unit, tolerance):
    vectors, probes = unit(500, seed=1), unit(20, seed=2)
    names = np.random.default_rng(3).permutation(10**12 + np.arange(500))
    empty.add(names, vectors)
    held = dict(zip(names.tolist(), vectors, strict=True))
    for probe, found in zip(probes, empty.search(probes, 10), strict=True):
        expected, similarities = oracle(probe, held, 10)
        names = found.reference_ids.tolist()
        assert names == expected or tolerance > 1e-6
        true = np.stack([held[name] for name in names]) @ probe
        np.testing.assert_allclose(true, similarities, atol=tolerance)
        np.testing.assert_allclose(found.similarities, true, atol=tolerance)


def test_more_neighbours_than_there_are_gives_all_of_them_and_no_other(empty, unit):
    empty.add(ids(5, 6, 7), unit(3))
    found = empty.search(unit(2, seed=9), 1000)
    for row in found:
        assert len(row) == 3
        assert set(row.reference_ids.tolist()) == {5, 6, 7}
        assert (np.abs(row.similarities) <= 1.05).all()
        assert (row.reference_ids.dtype, row.similarities.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("k", [0, -1])
def test_no_neighbours_at_all_cannot_be_asked_for(empty, unit, k):
    with pytest.raises(ValueError, match="at least 1"):
        empty.search(unit(1), k)


def test_removed_references_are_not_found_and_can_come_again(empty, unit):
    vectors = unit(6)
    empty.add(ids(1, 2, 3, 4, 5, 6), vectors)
    assert empty.remove(ids(2, 5, 77)) == 2
    assert empty.size() == 4
    assert empty.reference_ids().tolist() == [1, 3, 4, 6]
    found = empty.search(vectors[1:2], 10)[0].reference_ids
    assert sorted(found.tolist()) == [1, 3, 4, 6]
    assert empty.remove(ids(2)) == 0
    with pytest.raises(KeyError):
        empty.holds(ids(2), vectors[1:2])
    empty.add(ids(2), vectors[1:2])
    assert empty.search(vectors[1:2], 1)[0].reference_ids.tolist() == [2]


def test_the_last_reference_can_be_removed(empty, unit, listed):
    empty.add(ids(1), unit(1))
    assert empty.remove(ids(1)) == 1
    assert listed(empty.search(unit(1), 3)) == [[]]


@pytest.mark.parametrize("again", [(1,), (9, 1), (9, 9)])
def test_an_id_is_never_taken_twice_and_nothing_else_of_that_call_either(empty, unit, again):
    empty.add(ids(1), unit(1))
    with pytest.raises(DuplicateReference):
        empty.add(ids(*again), unit(len(again), seed=5))
    assert empty.reference_ids().tolist() == [1]
    assert empty.holds(ids(1), unit(1)).all()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda vectors: vectors * np.float32("nan"),
        lambda vectors: vectors * np.float32("inf"),
        lambda vectors: vectors * 0,
        lambda vectors: vectors * np.float32(1.1),
        lambda vectors: vectors[:, :64],
        lambda vectors: vectors[0],
    ],
    ids=["nan", "infinite", "zero", "not of length 1", "short", "one-dimensional"],
)
def test_what_is_no_unit_vector_is_refused_and_nothing_is_changed(empty, unit, spoil):
    empty.add(ids(1), unit(1))
    spoilt = spoil(unit(2, seed=4).copy())
    with pytest.raises(InvalidVector):
        empty.add(ids(2, 3), spoilt)
    with pytest.raises(InvalidVector):
        empty.search(spoilt, 1)
    assert empty.reference_ids().tolist() == [1]


def test_one_bad_vector_among_good_ones_is_refused_by_its_row(empty, unit):
    vectors = unit(3).copy()
    vectors[2, 7] = np.nan
    with pytest.raises(InvalidVector, match="row 2"):
        empty.add(ids(1, 2, 3), vectors)
    assert empty.size() == 0


def test_ids_and_vectors_must_be_as_many(empty, unit):
    with pytest.raises(InvalidVector):
        empty.add(ids(1, 2), unit(3))


def test_an_index_knows_whether_it_holds_a_vector(empty, unit):
    vectors = unit(50)
    empty.add(np.arange(50), vectors)
    empty.remove(ids(3, 4))
    asked = ids(49, 0, 10)
    assert empty.holds(asked, vectors[asked]).tolist() == [True, True, True]
    changed = vectors[asked].copy()
    changed[1, 5] += 0.05
    assert empty.holds(asked, changed).tolist() == [True, False, True]
    assert empty.holds(asked, vectors[[49, 10, 0]]).tolist() == [True, False, False]


@in_memory
def test_a_saved_index_is_the_same_and_goes_on(backend, empty, unit, listed, tmp_path):
    vectors = unit(30)
    empty.add(np.arange(30), vectors)
    empty.remove(ids(7))
    empty.save(tmp_path / "index")
    loaded = backend.load(tmp_path / "index", DIMENSION)
    assert loaded.kind == empty.kind
    assert loaded.reference_ids().tolist() == empty.reference_ids().tolist()
    assert listed(loaded.search(vectors, 5)) == listed(empty.search(vectors, 5))
    assert loaded.memory_bytes() >= 29 * DIMENSION
    with pytest.raises(DuplicateReference):
        loaded.add(ids(8), unit(1, seed=3))
    loaded.add(ids(7), vectors[7:8])
    assert loaded.search(vectors[7:8], 1)[0].reference_ids.tolist() == [7]
    assert loaded.remove(np.arange(30)) == 30


@in_memory
def test_an_empty_index_can_be_saved(backend, empty, tmp_path):
    empty.save(tmp_path / "index")
    assert backend.load(tmp_path / "index", DIMENSION).size() == 0


@in_memory
def test_what_is_no_saved_index_is_refused(backend, empty, unit, tmp_path):
    empty.add(np.arange(30), unit(30))
    empty.save(tmp_path / "index")
    whole = (tmp_path / "index").read_bytes()
    for name, content in [("cut", whole[:-1]), ("text", b"hello"), ("nothing", b"")]:
        (tmp_path / name).write_bytes(content)
        with pytest.raises(SnapshotUnusable):
            backend.load(tmp_path / name, DIMENSION)
    with pytest.raises(SnapshotUnusable):
        backend.load(tmp_path / "missing", DIMENSION)
    with pytest.raises(SnapshotUnusable, match="64"):
        backend.load(tmp_path / "index", 64)
    with pytest.raises(SnapshotNotSaved):
        empty.save(tmp_path / "no" / "such" / "folder")
