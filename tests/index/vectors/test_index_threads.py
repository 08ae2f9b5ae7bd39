"""Many threads on one index for two seconds or more: nothing crashes, and every answer is right."""

import threading
import time
from functools import partial

import numpy as np
import pytest

from index.vectors.rwlock import ReadersWriterLock

DIMENSION = 128
STABLE = 200  # Ids below this are always there.
ALL = 1000
TURNS = 6  # At least, however slow the machine.


def change(index, everything, stop_at, first):
    """Add and remove ids of one's own."""
    random = np.random.default_rng(first)
    mine = np.arange(first, first + STABLE)
    turns = 0
    while time.monotonic() < stop_at or turns < TURNS:
        some = random.choice(mine, size=int(random.integers(1, 40)), replace=False)
        index.add(some, everything[some])
        assert index.search(everything[some[:1]], 1)[0].reference_ids.tolist() == [some[0]]
        assert index.remove(some) == len(some)
        turns += 1


def look(index, everything, stop_at, tolerance, seed):
    """Search near known vectors; numpy says what every answer may be."""
    random = np.random.default_rng(seed)
    turns = 0
    while time.monotonic() < stop_at or turns < TURNS:
        probe = everything[random.integers(ALL)] + 0.05 * random.standard_normal(DIMENSION)
        probe = (probe / np.linalg.norm(probe)).astype(np.float32)
        found = index.search(probe[np.newaxis], 10)[0]
        assert_possible(everything @ probe, found, tolerance)
        turns += 1


def assert_possible(truth, found, tolerance):
    names, similarities = found.reference_ids.tolist(), found.similarities.tolist()
    assert len(names) == len(set(names)) == 10
    assert similarities == sorted(similarities, reverse=True)
    np.testing.assert_allclose(truth[names], similarities, atol=tolerance + 1e-5)
    nearer = np.flatnonzero(truth[:STABLE] > similarities[-1] + tolerance + 1e-5)
    assert set(nearer.tolist()) <= set(names), "what is there and nearer must be found"


@pytest.mark.parametrize("backend", ["flat", "ivf"], indirect=True)
def test_eight_threads_add_remove_and_search_and_every_answer_is_right(
    empty, unit, run_together, tolerance
):
    everything = unit(ALL, seed=1)
    empty.add(np.arange(STABLE), everything[:STABLE])
    stop_at = time.monotonic() + 2.0
    run_together(
        *(partial(change, empty, everything, stop_at, first) for first in range(200, ALL, 200)),
        *(partial(look, empty, everything, stop_at, tolerance, seed) for seed in range(4)),
    )
    assert empty.reference_ids().tolist() == list(range(STABLE))
    assert empty.holds(np.arange(STABLE), everything[:STABLE]).all()


def test_an_interrupted_writer_keeps_no_reader_waiting(monkeypatch):
    lock = ReadersWriterLock()

    def interrupt(_self, _timeout=None):
        raise KeyboardInterrupt

    with lock.reading():
        monkeypatch.setattr(threading.Condition, "wait", interrupt)
        with pytest.raises(KeyboardInterrupt), lock.writing():
            pytest.fail("a reader holds the lock")
        with lock.reading():  # Would wait, and so be interrupted, for a writer that has given up.
            pass


def test_an_interrupted_writer_lets_the_readers_go_that_waited_behind_it(monkeypatch):
    lock, behind = ReadersWriterLock(), threading.Event()
    wait, main = threading.Condition.wait, threading.current_thread()

    def read():
        with lock.reading():
            pass

    reader = threading.Thread(target=read, daemon=True)

    def wait_or_interrupt(self, timeout=None):
        if threading.current_thread() is not main:
            behind.set()
            return wait(self, timeout)
        self.release()
        reader.start()
        behind.wait()
        self.acquire()
        raise KeyboardInterrupt

    with lock.reading():
        monkeypatch.setattr(lock._turn, "wait", partial(wait_or_interrupt, lock._turn))
        with pytest.raises(KeyboardInterrupt), lock.writing():
            pytest.fail("a reader holds the lock")
        reader.join(10)
        assert not reader.is_alive()
