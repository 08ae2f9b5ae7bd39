"""What a search finds on a server that shows no more than it has to, held against the registry."""

import itertools
import threading
import time

import numpy as np
import pytest

from index.errors import IndexUnavailable
from index.milvus.connection import MilvusConnection
from index.milvus.index import MilvusIndex
from index.vectors.vector_index import Neighbours

MODEL = "a" * 64
NEAR = 5


class LateServer:
    """Stands before a server: a search shows what was written up to its time, and nothing newer."""

    def __init__(self, monkeypatch):
        self.ticks = itertools.count(1)
        self.written = []  # When, in which collection, what, and its vector or None.
        self.shown_at = []
        put, remove = MilvusIndex.put, MilvusIndex.remove

        def putting(index, reference_ids, vectors, *rest):
            put(index, reference_ids, vectors, *rest)
            self._note(index, zip(reference_ids.tolist(), vectors, strict=True))

        def removing(index, reference_ids):
            self._note(index, ((one, None) for one in reference_ids.tolist()))
            return remove(index, reference_ids)

        def searching(index, probes, k):
            return self._search(index, probes, k)

        monkeypatch.setattr(MilvusIndex, "put", putting)
        monkeypatch.setattr(MilvusIndex, "remove", removing)
        monkeypatch.setattr(MilvusIndex, "search", searching)
        monkeypatch.setattr(MilvusConnection, "timestamp", lambda _: next(self.ticks))

    def _note(self, index, changes):
        tick = next(self.ticks)
        self.written += [(tick, index.collection, *change) for change in changes]

    def _search(self, index, probes, k):
        until = index._shown["guarantee_timestamp"]
        self.shown_at.append(until)
        held = {
            reference_id: vector
            for tick, collection, reference_id, vector in list(self.written)
            if tick <= until and collection == index.collection
        }
        there = {one: vector for one, vector in held.items() if vector is not None}
        return nearest(there, probes, k)


def nearest(held, probes, k):
    ids = np.array(list(held), dtype=np.int64)
    vectors = np.stack([*held.values(), np.zeros(probes.shape[1], np.float32)])[:-1]
    found = []
    for probe in probes:
        cosines = vectors @ probe
        first = np.argsort(-cosines)[:k]
        found.append(Neighbours(ids[first], cosines[first]))
    return found


@pytest.fixture
def clock(monkeypatch):
    """Return what moves the clock by which a time of the server settles; it stands still."""
    now = [1000.0]

    class Clock:
        monotonic = staticmethod(lambda: now[0])

    monkeypatch.setattr("index.milvus.recent_changes.time", Clock)

    def later(seconds):
        now[0] += seconds

    return later


def registered(registry, probes, k=NEAR):
    """Return what an exact search of the registry finds."""
    ids, vectors = registry.embeddings.vectors_after(MODEL, 0, 10_000)
    return nearest(dict(zip(ids.tolist(), vectors, strict=True)), probes, k)


def assert_right(gallery, registry, probes, k=NEAR):
    found = gallery.search(probes, k)
    for near, right in zip(found, registered(registry, probes, k), strict=True):
        assert near.reference_ids.tolist() == right.reference_ids.tolist()
        assert near.similarities == pytest.approx(right.similarities, abs=1e-5)


def ids_of(added):
    return [one.reference_id for one in added]


def left_alone(gallery):
    """End what drains and looks in the background."""
    gallery._closing.set()
    gallery._wanted.set()
    gallery._keeping_up.join(60)


@pytest.fixture
def stuck(registry, milvus_address):
    """Return what keeps every process from draining, until it is given back."""

    def hold():
        lease = registry.lease(MODEL, milvus_address.identity)
        while lease.take() is None:
            time.sleep(0.01)
        return lease

    return hold


def test_what_no_process_drained_is_found_and_what_is_erased_is_not(
    registry, second, share, new_references, unit, stuck, milvus_address
):
    gallery = share(second)
    _, before = registry.writers.create("C-1", "", MODEL, new_references(6, seed=1))
    gallery.catch_up()
    lease = stuck()
    registry.references.erase("C-1", ids_of(before)[2])
    registry.writers.create("C-2", "", MODEL, new_references(4, seed=2))
    for seed in (1, 2):
        assert_right(gallery, registry, unit(6, seed=seed))
    registry.writers.erase("C-2")
    assert_right(gallery, registry, unit(4, seed=2))
    assert [len(one) for one in gallery.search(unit(2), 100)] == [5, 5]
    lease.give_back()


def test_all_that_changed_may_be_nearest_in_the_collection(
    registry, share, new_references, unit, stuck
):
    gallery = share()
    near = new_references(8, seed=1)
    for one in near:
        one.vector[:] = near[0].vector
    _, added = registry.writers.create("C-1", "", MODEL, near)
    registry.writers.create("C-2", "", MODEL, new_references(3, seed=2))
    gallery.catch_up()
    gallery._recent.look(at_once=True)
    lease = stuck()
    for reference_id in ids_of(added)[:7]:
        registry.references.erase("C-1", reference_id)
    assert_right(gallery, registry, near[0].vector[np.newaxis], k=4)
    lease.give_back()


def test_a_server_may_show_as_little_as_it_promised(
    registry, second, share, new_references, unit, monkeypatch, clock
):
    late = LateServer(monkeypatch)
    gallery = share(second)
    chance = np.random.default_rng(0)
    there = []
    for step in range(40):
        if chance.random() < 0.6 or not there:
            _, added = registry.writers.create(f"W-{step}", "", MODEL, new_references(2, step))
            there += [(f"W-{step}", one) for one in ids_of(added)]
        else:
            registry.references.erase(*there.pop(chance.integers(len(there))))
        if chance.random() < 0.4:
            gallery.catch_up()
        if chance.random() < 0.1:
            gallery.rebuild()
        clock(chance.choice([0.0, 0.3, 1.1]))
        assert_right(gallery, registry, unit(2, seed=step))
    assert len(set(late.shown_at)) > 5, "its times have to move on"


def test_only_a_time_that_has_settled_is_searched_at(
    registry, share, new_references, unit, monkeypatch, clock
):
    late = LateServer(monkeypatch)
    gallery = share()
    left_alone(gallery)
    registry.writers.create("C-1", "", MODEL, new_references(2))
    gallery._turn()
    for _ in range(3):
        clock(0.4)
        assert_right(gallery, registry, unit(2))
    noted = gallery._recent._next.timestamp
    clock(0.9)
    assert_right(gallery, registry, unit(2))
    assert late.shown_at[-1] < noted
    clock(0.2)
    assert_right(gallery, registry, unit(2))
    assert late.shown_at[-1] == noted
    assert not gallery._recent._newer, "the collection shows it all"


def test_the_servers_time_is_read_after_the_collections_place(
    registry, share, new_references, unit, monkeypatch, clock
):
    """Between the two a batch may be written, which a time read first would not show."""
    LateServer(monkeypatch)
    gallery = share()
    left_alone(gallery)

    def drained_first():
        gallery._turn()
        return gallery._worker.state()

    monkeypatch.setattr(gallery._recent, "_read_state", drained_first)
    for seed in range(4):
        registry.writers.create(f"W-{seed}", "", MODEL, new_references(2, seed=seed))
        clock(1.1)
        assert_right(gallery, registry, unit(2, seed=seed))


def test_a_collection_that_was_set_back_is_followed_from_there(
    registry, share, new_references, unit, monkeypatch, clock, stuck
):
    """As a process does that writes after its lease, or a backup of the server that is restored."""
    LateServer(monkeypatch)
    gallery = share()
    left_alone(gallery)
    registry.writers.create("C-1", "", MODEL, new_references(2, seed=1))
    gallery._turn()
    early = gallery._worker.state()
    _, added = registry.writers.create("C-2", "", MODEL, new_references(2, seed=2))
    gallery._turn()
    for _ in range(3):
        clock(1.1)
        assert_right(gallery, registry, unit(2, seed=2))
    assert not gallery._recent._newer, "the collection shows it all"
    MilvusIndex(gallery._server, early.collection).remove(np.array(ids_of(added)))
    lease = stuck()
    lease.advance(early)
    gallery._recent.look(at_once=True)
    assert_right(gallery, registry, unit(2, seed=2))
    lease.give_back()


def test_more_than_can_be_searched_beside_is_waited_for(
    registry, share, new_references, unit, monkeypatch
):
    monkeypatch.setattr("index.milvus.recent_changes.MOST_NEWER", 3)
    gallery = share()
    for seed in range(4):
        registry.writers.create(f"W-{seed}", "", MODEL, new_references(4, seed=seed))
        assert_right(gallery, registry, unit(4, seed=seed))


def test_an_embedding_put_anew_counts_as_it_is_now(registry, share, new_references, unit, stuck):
    gallery = share()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3, seed=1))
    gallery.catch_up()
    lease = stuck()
    registry.embeddings.put(MODEL, ids_of(added), unit(3, seed=7), None)
    for seed in (1, 7):
        assert_right(gallery, registry, unit(3, seed=seed))
    lease.give_back()


def test_another_replica_enrolls_and_erases_while_this_one_searches(
    registry, second, share, new_references
):
    """What was acknowledged before a search is in its answer; what was erased before is not."""
    share()
    gallery = share(second)
    stop, there, gone = threading.Event(), {}, set()

    def change():
        for seed in range(1000):
            if stop.is_set():
                return
            new = new_references(1, seed=seed)
            _, added = registry.writers.create(f"W-{seed}", "", MODEL, new)
            there[seed] = (added[0].reference_id, new[0].vector)
            if seed % 2 and seed > 3:
                reference_id, _ = there.pop(seed - 3)
                registry.writers.erase(f"W-{seed - 3}")
                gone.add(reference_id)
            time.sleep(0.05)

    changing = threading.Thread(target=change)
    changing.start()
    try:
        give_up_at, searches = time.monotonic() + 6, 0
        while time.monotonic() < give_up_at:
            erased, known = set(gone), dict(there)
            for seed in list(known)[-3:]:
                reference_id, vector = known[seed]
                near = gallery.search(vector[np.newaxis], 50)[0]
                assert not erased & set(near.reference_ids.tolist())
                if seed in there:
                    assert near.reference_ids[0] == reference_id
                searches += 1
    finally:
        stop.set()
        changing.join()
    assert searches > 20
    assert len(gone) > 3


def test_a_server_that_does_not_answer_holds_up_one_and_not_the_next(
    registry, share, new_references, unit, monkeypatch, clock
):
    gallery = share()
    left_alone(gallery)
    registry.writers.create("C-1", "", MODEL, new_references(1))
    assert_right(gallery, registry, unit(1))
    asked, answer = threading.Event(), threading.Event()

    def silent(_server):
        asked.set()
        answer.wait(60)
        raise IndexUnavailable("The server went away.")

    monkeypatch.setattr(MilvusConnection, "timestamp", silent)
    clock(1.1)
    refused = []

    def search():
        try:
            gallery.search(unit(1), 1)
        except IndexUnavailable as error:
            refused.append(error)

    waiting = threading.Thread(target=search)
    waiting.start()
    assert asked.wait(60)
    assert_right(gallery, registry, unit(1))  # What is known is as right as before.
    answer.set()
    waiting.join()
    assert len(refused) == 1
