"""An index that processes share: what one enrolls, all find; what one erases, none finds."""

import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from index.errors import ErasureIncomplete, IndexBehind, IndexUnavailable, InvalidVector
from index.milvus.address import MilvusAddress
from index.milvus.connection import MilvusConnection
from index.milvus.index import MilvusIndex
from index.milvus.shared_gallery import SharedGallery
from index.registry.lease import Lease
from index.registry.registry import Registry

MODEL = "a" * 64
DIMENSION = 128


@pytest.fixture
def share(registry, milvus_address, monkeypatch):
    """Return `share(registry)`: a gallery on the test's server; `.report` says how it opened."""
    # Tests share the machine with much else; who waits too long is told so where that is tested.
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 60)
    opened = []

    def make(own_registry=registry):
        gallery = SharedGallery(own_registry, MODEL, DIMENSION, milvus_address)
        opened.append(gallery)
        gallery.report = gallery.open()
        return gallery

    yield make
    for gallery in opened:
        gallery.close()
    server = MilvusConnection(milvus_address, f"{registry.registry_id()}_{MODEL}", DIMENSION)
    server.drop_others(None)
    server.close()


@pytest.fixture
def second(database_url):
    """Another process's registry, on the same database."""
    other = Registry(database_url)
    yield other
    other.close()


@pytest.fixture
def run_out(database_url):
    engine = create_engine(database_url)

    def run():
        with engine.begin() as connection:
            connection.execute(text("UPDATE shared_indexes SET expires_at_s = 1"))

    yield run
    engine.dispose()


def found(gallery, vectors, k=1):
    return [one.reference_ids.tolist() for one in gallery.search(vectors, k)]


def ids_of(added):
    return [one.reference_id for one in added]


def test_what_one_enrolls_the_other_finds_in_its_next_search(
    registry, second, share, new_references, unit
):
    here, there = share(), share(second)
    assert (here.report.source, there.report.source) == ("rebuilt", "shared")
    assert found(here, unit(1), 5) == [[]]
    for turn in range(1, 6):
        writing, other = ((registry, there), (second, here))[turn % 2]
        _, added = writing.writers.create(f"C-{turn}", "", MODEL, new_references(2, seed=turn))
        assert found(other, unit(2, seed=turn)) == [[name] for name in ids_of(added)]
    second.writers.erase("C-1")
    assert found(here, unit(1, seed=1)) != [[1]]
    report = there.check()
    assert (report.clean, report.index_count, report.kind) == (True, 8, "milvus")


def test_a_search_that_cannot_be_answered_is_refused(share):
    with pytest.raises(InvalidVector):
        share().search(np.full((1, DIMENSION), np.nan, np.float32), 1)


def test_a_longer_probe_is_cut_as_the_index_is(registry, share, new_references, unit):
    gallery = share()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(1))
    longer = np.concatenate([0.6 * unit(1), 0.8 * unit(1, seed=3)], axis=1)
    assert found(gallery, longer) == [ids_of(added)]


def test_who_waits_for_a_drain_that_does_not_come_is_told_so(
    registry, share, new_references, unit, monkeypatch, milvus_address
):
    gallery = share()
    assert gallery.catch_up() == 0
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 0.3)
    stuck = registry.lease(MODEL, milvus_address.identity)
    while stuck.take() is None:
        pass
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    for ask in (gallery.catch_up, lambda: gallery.search(unit(1), 1), gallery.check):
        with pytest.raises(IndexBehind, match="revision 0, 2 is needed") as behind:
            ask()
        assert (behind.value.reached, behind.value.needed) == (0, 2)
    registry.references.erase("C-1", added[0].reference_id)
    with pytest.raises(ErasureIncomplete, match="may still hold vectors"):
        gallery.forget_snapshots()
    stuck.give_back()
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 60)
    gallery.forget_snapshots()
    assert found(gallery, unit(2)) == [[added[1].reference_id]] * 2


def test_an_erased_reference_is_out_before_the_erasing_is_answered(registry, share, new_references):
    gallery = share()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3))
    gallery.catch_up()
    registry.references.erase("C-1", added[0].reference_id)
    gallery.forget_snapshots()
    state = gallery._worker.state()
    held = MilvusIndex(gallery._server, state.collection).reference_ids()
    assert held.tolist() == ids_of(added)[1:]
    report = gallery.check_erased()
    assert (report.clean, report.erased, report.in_index) == (True, 1, ())


def test_check_names_what_is_missing_extra_and_different(registry, share, new_references, unit):
    gallery = share()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(5))
    names = ids_of(added)
    gallery.catch_up()
    inside = MilvusIndex(gallery._server, gallery._worker.state().collection)
    inside.remove(np.array(names[:1]))
    nudged = unit(5)[1:2].copy()
    nudged.view(np.uint32)[0, 0] ^= 1  # The last bit of one number.
    inside.put(np.array(names[1:2]), nudged)
    inside.put(np.array([999]), unit(1, seed=6))
    report = gallery.check()
    assert (report.missing, report.different, report.extra) == ((1,), (2,), (999,))
    assert (report.registry_count, report.index_count) == (5, 5)
    gallery.rebuild()
    assert gallery.check().clean


def test_stats_tell_sizes_revision_and_where_it_is(registry, share, new_references):
    gallery = share()
    registry.writers.create("C-1", "", MODEL, new_references(3))
    assert gallery.catch_up() in {0, 3}  # The drainer may have been quicker.
    stats = gallery.stats()
    assert stats.pop("collection").startswith(gallery._server._stem)
    assert stats == {
        "kind": "milvus",
        "size": 3,
        "dimension": DIMENSION,
        "revision": 3,
        "snapshot_revision": None,
        "memory_bytes": 0,
        "index_type": "AUTOINDEX",
    }


def test_a_search_goes_on_while_the_index_is_made_anew(
    registry, second, share, new_references, unit, monkeypatch
):
    here, there = share(), share(second)
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    assert found(here, unit(2)) == [[name] for name in ids_of(added)]
    read = Lease.read
    stale = here._worker.state()
    there.rebuild()
    # The collection goes between the moment that a search asks for its name and its search.
    answers = [stale]
    monkeypatch.setattr(Lease, "read", lambda lease: answers.pop() if answers else read(lease))
    assert found(here, unit(2)) == [[name] for name in ids_of(added)]


def test_a_collection_that_somebody_dropped_comes_back(registry, share, new_references, unit):
    gallery = share()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(1))
    assert found(gallery, unit(1)) == [ids_of(added)]
    gone = gallery._worker.state().collection
    gallery._server.client.drop_collection(gone)
    while True:
        try:
            assert found(gallery, unit(1)) == [ids_of(added)]
            break
        except IndexUnavailable:
            continue
    assert gallery._worker.state().collection != gone


def test_a_server_that_is_not_there_is_named_without_the_password(registry):
    nowhere = MilvusAddress("http://127.0.0.1:1", "ada:secret")
    with pytest.raises(IndexUnavailable, match="cannot be used") as refused:
        SharedGallery(registry, MODEL, DIMENSION, nowhere)
    assert "secret" not in str(refused.value)


def test_a_rebuilding_waits_for_who_writes_and_says_so(
    registry, share, milvus_address, monkeypatch
):
    gallery = share()
    monkeypatch.setattr("index.milvus.shared_gallery.LEASE_S", 0.1)
    stuck = registry.lease(MODEL, milvus_address.identity)
    while stuck.take() is None:
        pass
    with pytest.raises(IndexUnavailable, match="Another process is writing"):
        gallery.rebuild()


def test_a_process_killed_in_the_middle_of_draining_loses_and_doubles_nothing(
    registry, database_url, share, new_references, milvus_address, child_environment, run_out
):
    gallery = share()
    gallery.close()  # Only the process drains.
    program = Path(__file__).parent / "draining_process.py"
    for turn in range(3):
        _, added = registry.writers.create(f"K-{turn}", "", MODEL, new_references(40, seed=turn))
        registry.references.erase(f"K-{turn}", added[0].reference_id)
        process = subprocess.Popen(
            [sys.executable, program, database_url, milvus_address.uri, milvus_address.prefix],
            env=child_environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        lines = [process.stdout.readline() for _ in range(3 + turn)]
        process.send_signal(signal.SIGKILL)
        process.communicate()
        reached = int(lines[-1])
        assert reached < registry.changes.head().revision, "it was killed in the middle"
        run_out()  # What waiting would do.
        after = share()
        report = after.check()
        assert report.clean
        assert (
            report.index_count == registry.models.gallery_size(MODEL).references == 39 * (turn + 1)
        )
        after.close()


def test_a_drainer_that_an_unforeseen_error_ended_is_started_again(
    registry, share, new_references, unit, monkeypatch
):
    gallery = share()
    turn, broken = gallery._worker.turn, [True]

    def breaking():
        if broken.pop() if broken else False:
            raise RuntimeError("nobody foresaw this")
        return turn()

    monkeypatch.setattr(gallery._worker, "turn", breaking)
    monkeypatch.setattr("threading.excepthook", lambda _failed: None)
    _, added = registry.writers.create("C-1", "", MODEL, new_references(1))
    assert found(gallery, unit(1)) == [ids_of(added)]
    assert not broken


def test_an_index_in_the_middle_of_a_making_that_failed_leaves_its_remains_to_the_next(
    registry, share, new_references, run_out, monkeypatch
):
    gallery = share()
    registry.writers.create("C-1", "", MODEL, new_references(1))
    gallery.catch_up()
    put = MilvusIndex.put

    def failing(index, *arguments):
        monkeypatch.setattr(MilvusIndex, "put", put)
        raise IndexUnavailable("The server went away.")

    monkeypatch.setattr(MilvusIndex, "put", failing)
    with pytest.raises(IndexUnavailable, match="went away"):
        gallery.rebuild()
    kept = gallery._worker.state().collection

    def own():
        stem = gallery._server._stem
        return {one for one in gallery._server.client.list_collections() if one.startswith(stem)}

    assert len(own()) == 2
    run_out()
    registry.writers.erase("C-1")
    gallery.forget_snapshots()
    assert own() == {kept}
