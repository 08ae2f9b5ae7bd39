"""What the service is promised of a gallery's index, held in this process or by a server."""

import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

import numpy as np
import pytest

from index.errors import InvalidVector

MODEL = "a" * 64
OTHER = "b" * 64
DIMENSION = 128


@dataclass(frozen=True)
class Kind:
    """How a gallery of one kind is opened, and the index inside it reached."""

    open: Callable
    inside: Callable
    counts: Callable  # What `catch_up` may say where so many changes were made.


@pytest.fixture(params=["local", "shared"])
def kind(request, registry) -> Kind:
    if request.param == "local":
        open_gallery = request.getfixturevalue("open_gallery")
        return Kind(open_gallery, lambda gallery: gallery._replayed.index, lambda made: {made})
    from index.milvus.index import MilvusIndex  # noqa: PLC0415  # Seconds to load.

    # What applies changes in the background may have been quicker.
    return Kind(
        request.getfixturevalue("share"),
        lambda gallery: MilvusIndex(gallery._server, gallery._worker.state().collection),
        lambda made: set(range(made + 1)),
    )


@pytest.fixture
def both(registry, second, kind):
    """Two galleries of one registry, as two processes have them."""
    opened = [kind.open(), kind.open(second)]
    yield opened
    for gallery in opened:
        gallery.close()


def found(gallery, vectors, k=1):
    return [one.reference_ids.tolist() for one in gallery.search(vectors, k)]


def ids_of(references):
    return [reference.reference_id for reference in references]


def test_what_is_enrolled_is_found_by_the_next_search(registry, kind, new_references, unit):
    gallery = kind.open()
    assert found(gallery, unit(1), 5) == [[]]
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4))
    assert found(gallery, unit(4)) == [[name] for name in ids_of(added)]
    assert len(gallery.search(unit(1), 50)[0]) == 4
    assert gallery.check().clean


def test_an_index_that_is_opened_holds_what_was_enrolled_before(
    registry, kind, new_references, unit
):
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4))
    gallery = kind.open()
    assert gallery.report.source == "rebuilt"
    assert kind.inside(gallery).reference_ids().tolist() == ids_of(added)
    assert found(gallery, unit(4)) == [[name] for name in ids_of(added)]


def test_what_is_erased_is_not_found_by_the_next_search(registry, kind, new_references, unit):
    gallery = kind.open()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4))
    registry.writers.create("C-2", "", MODEL, new_references(1, seed=5))
    gallery.catch_up()
    registry.references.erase("C-1", added[0].reference_id)
    assert found(gallery, unit(1)) != [[added[0].reference_id]]
    registry.writers.erase("C-1")
    assert len(gallery.search(unit(1), 50)[0]) == 1
    assert gallery.check().clean


def test_catch_up_counts_what_it_was_behind(registry, kind, new_references):
    gallery = kind.open()
    assert gallery.catch_up() == 0
    _, added = registry.writers.create("C-1", "", MODEL, new_references(4))
    assert gallery.catch_up() in kind.counts(4)
    assert kind.inside(gallery).reference_ids().tolist() == ids_of(added)
    assert gallery.catch_up() == 0


def test_a_long_log_is_applied_in_batches(registry, kind, new_references, monkeypatch):
    monkeypatch.setattr("index.sync.change_replay.BATCH_ROWS", 3)
    monkeypatch.setattr("index.sync.change_replay._REBUILD_ROWS", 3)
    monkeypatch.setattr("index.sync.consistency._BATCH", 3)
    gallery = kind.open()
    if worker := sys.modules.get("index.milvus.sync_worker"):
        monkeypatch.setattr(worker, "BATCH_ROWS", 3)
    _, added = registry.writers.create("C-1", "", MODEL, new_references(10))
    registry.references.erase("C-1", added[4].reference_id)
    assert gallery.catch_up() in kind.counts(11)
    assert gallery.check().clean
    gallery.rebuild()
    report = gallery.check()
    assert report.clean
    assert (report.registry_count, report.index_count) == (9, 9)


def test_what_one_enrolls_the_other_finds_in_its_next_search(
    registry, second, both, new_references, unit
):
    here, there = both
    for turn in range(1, 6):
        writing, other = ((registry, there), (second, here))[turn % 2]
        _, added = writing.writers.create(f"C-{turn}", "", MODEL, new_references(2, seed=turn))
        assert found(other, unit(2, seed=turn)) == [[name] for name in ids_of(added)]
    more = second.references.add("C-1", MODEL, new_references(2, seed=9))
    assert found(here, unit(2, seed=9)) == [[name] for name in ids_of(more)]
    second.writers.erase("C-1")
    assert found(here, unit(1, seed=1)) != [[1]]
    for gallery in both:
        report = gallery.check()
        assert (report.clean, report.index_count) == (True, 8)
    for turn in range(2, 6):
        second.writers.erase(f"C-{turn}")
    assert found(here, unit(1, seed=1), 5) == [[]]


def test_a_gallery_sees_only_its_own_models_embeddings(registry, kind, new_references, unit):
    registry.models.register(OTHER, "newer model", DIMENSION)
    old, new = kind.open(folder="old"), kind.open(model_id=OTHER, folder="new")
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3))
    names = ids_of(added)
    assert found(new, unit(1), 5) == [[]]
    registry.embeddings.put(OTHER, names[:2], unit(2, seed=8), None)
    assert found(new, unit(2, seed=8)) == [[names[0]], [names[1]]]
    assert found(old, unit(3)) == [[name] for name in names]
    registry.references.erase("C-1", names[0])
    assert (old.check().index_count, new.check().index_count) == (2, 1)
    assert old.check().clean
    assert new.check().clean


def test_a_search_that_cannot_be_answered_is_refused(kind):
    with pytest.raises(InvalidVector):
        kind.open().search(np.full((1, DIMENSION), np.nan, np.float32), 1)


def test_a_longer_probe_is_cut_as_the_index_is(registry, kind, new_references, unit):
    gallery = kind.open()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(1))
    longer = np.concatenate([0.6 * unit(1), 0.8 * unit(1, seed=3)], axis=1)
    assert found(gallery, longer) == [ids_of(added)]


def test_an_erased_reference_is_out_before_the_erasing_is_answered(registry, kind, new_references):
    gallery = kind.open()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3))
    gallery.catch_up()
    gallery.save_snapshot()
    registry.references.erase("C-1", added[0].reference_id)
    gallery.forget_snapshots()
    report = gallery.check_erased()
    assert (report.clean, report.erased) == (True, 1)
    assert (report.in_index, report.in_snapshot) == ((), ())
    assert kind.inside(gallery).reference_ids().tolist() == ids_of(added)[1:]


def test_check_names_what_is_missing_extra_and_different(registry, kind, new_references, unit):
    gallery = kind.open()
    _, added = registry.writers.create("C-1", "", MODEL, new_references(5))
    names = ids_of(added)
    gallery.catch_up()
    inside = kind.inside(gallery)
    inside.remove(np.array(names[:3]))
    nudged = unit(5)[1:2].copy()
    nudged.view(np.uint32)[0, 0] ^= 1  # The last bit of one number.
    inside.add(np.array([names[1], 999]), np.concatenate([nudged, unit(1, seed=6)]))

    report = gallery.check()
    assert not report.clean
    assert report.missing == (names[0], names[2])
    assert report.different == (names[1],)
    assert report.extra == (999,)
    assert (report.registry_count, report.index_count) == (5, 4)
    assert (report.kind, report.revision) == (inside.kind, registry.changes.revision())

    gallery.rebuild()
    clean = gallery.check()
    assert clean.clean
    assert (clean.registry_count, clean.index_count) == (5, 5)


def held(gallery, probe):
    return set(gallery.search(probe, 50)[0].reference_ids.tolist())


def enroll_and_erase(registry, galleries, new_references, stop_at, number):
    """Each change shows in the search that follows it, in either gallery."""
    turn = 0
    while time.monotonic() < stop_at or not turn:
        references = new_references(3, seed=1000 * number + turn)
        probe = references[1].vector[np.newaxis]
        _, added = registry.writers.create(f"W{number}", "", MODEL, references)
        own = {one.reference_id for one in added}
        assert all(own <= held(gallery, probe) for gallery in galleries)
        registry.writers.erase(f"W{number}")
        assert not any(own & held(gallery, probe) for gallery in galleries)
        turn += 1


def look_after(galleries, stop_at):
    while time.monotonic() < stop_at:
        galleries[0].save_snapshot()
        galleries[1].forget_snapshots()
        assert galleries[1].check().clean


def test_every_change_shows_in_the_next_search_whatever_else_goes_on(
    registry, both, new_references, run_together
):
    """Threads enroll, erase, search, save, forget and check, on two galleries of one registry."""
    stop_at = time.monotonic() + 2.5
    run_together(
        partial(look_after, both, stop_at),
        *(
            partial(enroll_and_erase, registry, both, new_references, stop_at, number)
            for number in range(1, 5)
        ),
    )
    for gallery in both:
        report = gallery.check()
        assert report.clean
        assert report.index_count == 0
