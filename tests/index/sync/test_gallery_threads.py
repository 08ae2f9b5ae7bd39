"""Threads that enroll, erase, search, save, forget and check, on two galleries of one registry."""

import time
from functools import partial

import numpy as np
import pytest

from index.registry.registry import Registry

MODEL = "a" * 64


@pytest.fixture
def galleries(registry, database_url, open_gallery):
    second = Registry(database_url)
    opened = [open_gallery(), open_gallery(second)]
    yield opened
    opened[1].close()
    second.close()


def found(gallery, probe):
    return set(gallery.search(probe, 50)[0].reference_ids.tolist())


def enroll_and_erase(registry, galleries, new_references, stop_at, number):
    """Each change shows in the search that follows it, in either gallery."""
    turn = 0
    while time.monotonic() < stop_at:
        references = new_references(3, seed=1000 * number + turn)
        probe = references[1].vector[np.newaxis]
        _, added = registry.writers.create(f"W{number}", "", MODEL, references)
        own = {one.reference_id for one in added}
        assert all(own <= found(gallery, probe) for gallery in galleries)
        registry.writers.erase(f"W{number}")
        assert not any(own & found(gallery, probe) for gallery in galleries)
        turn += 1
    assert turn


def look_after(galleries, stop_at):
    while time.monotonic() < stop_at:
        galleries[0].save_snapshot()
        galleries[1].forget_snapshots()
        assert galleries[1].check().clean


def test_every_change_shows_in_the_next_search_whatever_else_goes_on(
    registry, galleries, new_references, run_together
):
    stop_at = time.monotonic() + 2.5
    run_together(
        partial(look_after, galleries, stop_at),
        *(
            partial(enroll_and_erase, registry, galleries, new_references, stop_at, number)
            for number in range(1, 5)
        ),
    )
    for gallery in galleries:
        report = gallery.check()
        assert report.clean
        assert report.index_count == 0
