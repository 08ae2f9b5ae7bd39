"""Draining the log into a shared index: begun, broken off and begun again, nothing is lost."""

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from index.errors import LeaseLost
from index.milvus.connection import MilvusConnection
from index.milvus.index import MilvusIndex
from index.milvus.sync_worker import SyncWorker
from index.registry.change_log import Position
from index.registry.following.lease import Lease
from index.registry.registry import Registry

MODEL = "a" * 64


class Killed(BaseException):
    """Ends a turn where a process could be killed."""


@pytest.fixture
def server(registry, milvus_address):
    opened = MilvusConnection(milvus_address, f"{registry.registry_id()}_{MODEL}", 128)
    yield opened
    opened.drop_others(None)
    opened.close()


@pytest.fixture
def drain(registry, server):
    return SyncWorker(registry, server, MODEL)


@pytest.fixture
def run_out(database_url):
    """End every lease, as if its time had passed."""
    engine = create_engine(database_url)

    def run():
        with engine.begin() as connection:
            connection.execute(text("UPDATE shared_indexes SET expires_at_s = 1"))

    yield run
    engine.dispose()


@pytest.fixture
def killed_before(monkeypatch):
    """Return `killed_before(owner, name, calls)`: that call of a method never happens, nor more.

    The lease is not given back then, as by a process that is killed.
    """

    def arrange(owner, name, calls=1):
        original, left = getattr(owner, name), [calls]

        def counting(*arguments, **named):
            left[0] -= 1
            if left[0] == 0:
                monkeypatch.setattr(Lease, "give_back", lambda lease: None)
                monkeypatch.setattr(owner, name, original)
                raise Killed
            return original(*arguments, **named)

        monkeypatch.setattr(owner, name, counting)

    return arrange


@pytest.fixture
def assert_equal(registry, server):
    """Assert that the index holds what the registry holds, byte for byte, each once."""

    def check(drain):
        state = drain.state()
        assert state.position == registry.changes.head()
        index = MilvusIndex(server, state.collection)
        ids, vectors = registry.embeddings.vectors_after(MODEL, 0, 1000)
        assert index.reference_ids().tolist() == ids.tolist()
        assert index.size() == len(ids)
        assert index.holds(ids, vectors).all()
        assert index.position() == state.position

    return check


def collections(server):
    return server.client.list_collections()


def ids_of(added):
    return [one.reference_id for one in added]


def test_an_index_is_made_once_and_then_follows(
    registry, drain, server, new_references, assert_equal
):
    registry.writers.create("C-1", "", MODEL, new_references(3, seed=1))
    made = drain.turn()
    assert (made.rows, made.rebuilt) == (3, "there was none yet")
    assert_equal(drain)
    registry.references.add("C-1", MODEL, new_references(2, seed=2))
    followed = drain.turn()
    assert (followed.rows, followed.rebuilt) == (2, None)
    registry.writers.erase("C-1")
    registry.writers.create("C-2", "", MODEL, new_references(1, seed=3))
    assert drain.turn().rows == 6
    assert_equal(drain)
    assert drain.turn().rows == 0
    assert collections(server).count(drain.state().collection) == 1


def test_another_models_embeddings_stay_out(registry, drain, new_references, unit, assert_equal):
    registry.models.register("b" * 64, "other", 128)
    drain.turn()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    registry.embeddings.put("b" * 64, ids_of(added), unit(2, seed=9), None)
    drain.turn()
    assert_equal(drain)


@pytest.mark.parametrize(
    ("owner", "name", "calls"),
    [
        (MilvusIndex, "remove", 2),  # The second batch has not begun,
        (MilvusIndex, "put", 2),  # is half done,
        (Lease, "advance", 2),  # is done and not told of.
    ],
)
def test_a_turn_that_is_killed_is_gone_on_with(
    registry, server, drain, new_references, assert_equal, killed_before, run_out, monkeypatch,
    owner, name, calls,
):  # fmt: skip
    monkeypatch.setattr("index.milvus.sync_worker.BATCH_ROWS", 4)
    drain.turn()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4, seed=1))
    for reference_id in ids_of(added)[:3]:
        registry.references.erase("C-1", reference_id)
    registry.references.add("C-1", MODEL, new_references(6, seed=2))
    killed_before(owner, name, calls)
    with pytest.raises(Killed):
        drain.turn()
    other = SyncWorker(registry, server, MODEL)
    assert other.turn() is None, "the lease of the killed one has not run out"
    run_out()
    assert other.turn().rebuilt is None
    assert_equal(other)


@pytest.mark.parametrize("calls", [1, 2, 3])
def test_a_making_that_is_killed_leaves_the_old_index_and_no_remains(
    registry, server, drain, new_references, assert_equal, killed_before, run_out, monkeypatch,
    calls,
):  # fmt: skip
    monkeypatch.setattr("index.sync.change_replay._REBUILD_ROWS", 3)
    registry.writers.create("C-1", "", MODEL, new_references(6, seed=1))
    drain.turn()
    before = drain.state()
    killed_before(MilvusIndex, "put", calls)
    with pytest.raises(Killed):
        drain.rebuild()
    assert drain.state() == before
    run_out()
    other = SyncWorker(registry, server, MODEL)
    other.turn()
    assert other.state() == before
    assert_equal(other)
    assert [one for one in collections(server) if one.startswith(server._stem)] == [
        before.collection
    ]


def test_while_an_index_is_made_anew_the_old_one_is_kept_up(
    registry, server, drain, new_references, assert_equal, monkeypatch
):
    monkeypatch.setattr("index.sync.change_replay._REBUILD_ROWS", 3)
    _, added = registry.writers.create("C-1", "", MODEL, new_references(9, seed=1))
    drain.turn()
    old = MilvusIndex(server, drain.state().collection)
    put, held = MilvusIndex.put, []

    def meanwhile(index, reference_ids, *rest):
        if index.collection != old.collection:
            held.append(old.reference_ids().tolist())
            if len(held) == 2:
                registry.references.erase("C-1", ids_of(added)[8])
                registry.references.add("C-1", MODEL, new_references(1, seed=2))
        put(index, reference_ids, *rest)

    monkeypatch.setattr(MilvusIndex, "put", meanwhile)
    assert drain.rebuild().rebuilt == "it was asked for"
    erased, enrolled = ids_of(added)[8], ids_of(registry.references.of_writer("C-1"))[-1]
    assert erased in held[1]
    assert erased not in held[2]
    assert enrolled in held[2]
    assert drain.state().collection != old.collection
    assert old.collection not in collections(server)
    assert_equal(drain)


def test_what_a_process_writes_late_is_put_right(
    registry, server, drain, new_references, run_out, assert_equal, monkeypatch
):
    """It slept with a batch in hand, past its lease, while another drained an erasure."""
    drain.turn()
    registry.writers.create("C-1", "", MODEL, new_references(1, seed=1))
    registry.writers.create("C-2", "", MODEL, new_references(1, seed=2))
    other = SyncWorker(registry, server, MODEL)
    put = MilvusIndex.put

    def asleep(*arguments):
        monkeypatch.setattr(MilvusIndex, "put", put)
        run_out()
        registry.writers.erase("C-1")
        other.turn()
        assert_equal(other)
        put(*arguments)

    monkeypatch.setattr(MilvusIndex, "put", asleep)
    with pytest.raises(LeaseLost):
        drain.turn()
    assert MilvusIndex(server, drain.state().collection).size() == 2
    assert drain.turn().rebuilt is None
    assert_equal(drain)


def test_a_collection_that_is_gone_is_made_anew(
    registry, server, drain, new_references, assert_equal
):
    registry.writers.create("C-1", "", MODEL, new_references(3))
    drain.turn()
    gone = drain.state().collection
    server.client.drop_collection(gone)
    assert gone in drain.turn().rebuilt
    assert_equal(drain)


def test_an_index_of_another_history_is_made_anew(
    registry, server, drain, new_references, assert_equal
):
    """The registry was restored from a backup: the row in SQL is as old as the log is."""
    registry.writers.create("C-1", "", MODEL, new_references(3, seed=1))
    drain.turn()
    ahead = MilvusIndex(server, drain.state().collection)
    lost = new_references(1, seed=2)[0].vector[np.newaxis]
    ahead.put(np.array([4]), lost, Position(4, 12345))
    registry.references.add("C-1", MODEL, new_references(2, seed=3))
    assert "backup" in drain.turn().rebuilt
    assert_equal(drain)


def test_an_index_restored_from_a_backup_is_caught_up(
    registry, server, drain, new_references, assert_equal
):
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2, seed=1))
    drain.turn()
    early = drain.state().position
    registry.references.erase("C-1", ids_of(added)[0])
    registry.references.add("C-1", MODEL, new_references(2, seed=2))
    drain.turn()
    index = MilvusIndex(server, drain.state().collection)
    vectors = np.stack([one.vector for one in new_references(2, seed=1)])
    index.remove(index.reference_ids())
    index.put(np.array(ids_of(added)), vectors, early)
    assert drain.turn().rows == 3
    assert_equal(drain)


def test_two_registries_share_a_server_and_nothing_else(
    registry, server, drain, new_references, milvus_address, tmp_path, migrated_file, assert_equal
):
    other_file = tmp_path / "other.db"
    other_file.write_bytes(migrated_file.read_bytes())
    other = Registry(f"sqlite:///{other_file}")
    other.models.register(MODEL, "test model", 128)
    # The copy of a new database bears the same name; a real one would not.
    second = MilvusConnection(milvus_address, f"another_{MODEL}", 128)
    try:
        other.writers.create("X", "", MODEL, new_references(2, seed=8))
        registry.writers.create("C-1", "", MODEL, new_references(3, seed=1))
        drain.turn()
        SyncWorker(other, second, MODEL).rebuild()
        drain.rebuild()
        assert_equal(drain)
    finally:
        second.drop_others(None)
        second.close()
        other.close()
