"""What is the own of an index that processes share; see `test_galleries` for the rest."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from index.errors import ErasureIncomplete, IndexBehind, IndexUnavailable
from index.milvus.address import MilvusAddress
from index.milvus.index import MilvusIndex
from index.milvus.shared_gallery import SharedGallery

MODEL = "a" * 64
DIMENSION = 128


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


def test_the_first_makes_the_index_and_the_others_share_it(second, share):
    here, there = share(), share(second)
    assert (here.report.source, there.report.source) == ("rebuilt", "shared")
    assert here.check().kind == there.check().kind == "milvus"


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
    monkeypatch.setattr("index.milvus.recent_changes.MOST_NEWER", 1)
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


def test_a_search_goes_on_when_the_index_was_made_anew(
    registry, second, share, new_references, unit
):
    here, there = share(), share(second)
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    assert found(here, unit(2)) == [[name] for name in ids_of(added)]
    # Nothing looks in the background where the collection is.
    here._closing.set()
    here._wanted.set()
    here._keeping_up.join(60)
    for _ in range(2):
        there.rebuild()
        # It still goes by the collection that is dropped.
        assert here._recent._base.collection != there._worker.state().collection
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
    registry.writers.create("C-1", "", MODEL, new_references(1))
    gallery.catch_up()
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
