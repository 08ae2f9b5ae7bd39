"""Work beside the searches: one thread at a time, however many ask for it."""

import threading

import pytest

from index.sync.background_task import BackgroundTask


class Work:
    """Counts how often it is done, and goes on until it may end."""

    def __init__(self):
        self.begun, self.may_end = 0, threading.Event()

    def __call__(self):
        self.begun += 1
        self.may_end.wait()


@pytest.fixture
def work():
    work = Work()
    yield work
    work.may_end.set()


def test_it_goes_on_once_at_a_time_and_can_be_done_again(work, run_together):
    task = BackgroundTask(work)
    task.join()  # There is nothing to wait for.
    assert not task.started
    run_together(*[task.start] * 8)
    assert task.started
    assert task.running
    task.join(0.01)
    assert task.running
    work.may_end.set()
    task.join()
    assert not task.running
    assert work.begun == 1
    task.start()
    task.join()
    assert work.begun == 2


def test_it_can_be_asked_for_from_within():
    begun = []
    task = BackgroundTask(lambda: begun.append(task.start()))
    task.start()
    task.join(5)
    assert not task.running
    assert len(begun) == 1
