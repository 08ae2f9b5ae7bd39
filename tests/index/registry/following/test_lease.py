"""Who may write to a shared index: one at a time, by the database's clock."""

import time
from threading import Barrier

import pytest
from sqlalchemy import create_engine, text

from index.errors import LeaseLost
from index.registry.change_log import START, Position
from index.registry.following.lease import LEASE_S, SharedIndex
from index.registry.registry import Registry

MODEL = "a" * 64
ADDRESS = "http://host:19530"
AHEAD = SharedIndex("collection", Position(7, 77))


@pytest.fixture
def sql(database_url):
    """Return `sql(statement)`: run it on the database, whoever works there; one number or None."""
    engine = create_engine(database_url)

    def run(statement):
        with engine.begin() as connection:
            result = connection.execute(text(statement))
            return result.scalar() if result.returns_rows else None

    yield run
    engine.dispose()


@pytest.fixture
def run_out(sql):
    """End every lease, as if its time had passed."""
    return lambda: sql("UPDATE shared_indexes SET expires_at_s = 1")


@pytest.fixture
def lease(registry):
    return lambda address=ADDRESS, model=MODEL: registry.lease(model, address)


def test_an_index_that_nobody_made_is_at_the_start(lease):
    assert lease().read() == SharedIndex(None, START)


def test_one_holds_it_and_the_next_goes_on_where_that_one_was(lease):
    first, second = lease(), lease()
    assert first.take() == SharedIndex(None, START)
    assert second.take() is None
    assert first.take() is None  # One thread at a time, of whatever process.
    first.advance(AHEAD)
    assert second.read() == AHEAD
    first.give_back()
    assert second.take() == AHEAD
    assert not second.taken_over


def test_models_and_servers_have_leases_of_their_own(lease):
    assert lease().take() is not None
    assert lease("http://other:19530").take() is not None
    assert lease(model="b" * 64).take() is not None
    assert lease().take() is None


def test_who_lost_it_changes_nothing_and_learns_of_it(lease, run_out):
    slow, quick = lease(), lease()
    slow.take()
    slow.advance(AHEAD)
    run_out()
    with pytest.raises(LeaseLost):  # Run out is lost, taken by another or not.
        slow.advance(SharedIndex("collection", Position(8, 88)))
    assert quick.take() == AHEAD
    assert quick.taken_over
    further = SharedIndex("collection", Position(9, 99))
    quick.advance(further)
    with pytest.raises(LeaseLost):
        slow.advance(SharedIndex("collection", Position(8, 88)))
    slow.give_back()
    assert lease().take() is None, "what is not one's own cannot be given back"
    assert quick.read() == further


def test_it_runs_by_the_databases_clock_and_every_step_renews_it(lease, sql):
    until = "SELECT expires_at_s FROM shared_indexes"
    held = lease()
    held.take()
    first = sql(until)
    assert 0 < first - time.time() <= LEASE_S + 1  # Unix time, in seconds.
    held.advance(AHEAD)
    second = sql(until)
    assert second >= first
    held.advance(AHEAD)
    assert sql(until) > first
    held.give_back()
    assert sql(until) == 0


def test_of_many_at_once_one_takes_it(database_url, registry, run_together):
    ready = Barrier(8)
    taken = []

    def take():
        own = Registry(database_url)
        try:
            lease = own.lease(MODEL, ADDRESS)
            ready.wait()
            taken.append(lease.take())
        finally:
            own.close()

    run_together(*[take] * 8)
    assert len(taken) == 8
    assert sum(one is not None for one in taken) == 1
