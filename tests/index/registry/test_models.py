"""Which model is active, on both databases: never one that lacks a reference, never a gap."""

import pytest

from index.errors import ModelChanged
from index.registry.models import ModelFiles

MODEL = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def other(registry):
    registry.models.register(OTHER, "other model", 128)
    return OTHER


def embed(registry, model_id, reference_ids, vectors):
    assert registry.embeddings.put(model_id, reference_ids, vectors, None) == len(reference_ids)


def test_a_registry_begins_with_one_model(registry, other):
    assert registry.models.active() is None
    assert registry.models.begin(MODEL, "start") == MODEL
    assert registry.models.begin(OTHER, "start") == MODEL
    assert registry.models.before() is None


def test_it_does_not_begin_with_a_model_that_lacks_references(registry, other, new_references):
    registry.writers.create("C-1", "", MODEL, new_references(2))
    assert registry.models.begin(OTHER, "start") is None
    assert registry.models.begin(MODEL, "start") == MODEL


def test_a_switch_is_counted_and_refused_until_all_are_seen(registry, other, new_references, unit):
    registry.models.begin(MODEL, "start")
    _, added = registry.writers.create("C-1", "", MODEL, new_references(3))
    ids = [one.reference_id for one in added]
    assert registry.models.switch(OTHER, "test") == 3
    embed(registry, OTHER, ids[:2], unit(2, seed=5))
    assert registry.models.switch(OTHER, "test") == registry.models.missing(OTHER) == 1
    assert registry.models.active() == MODEL
    embed(registry, OTHER, ids[2:], unit(1, seed=6))
    assert registry.models.switch(OTHER, "test") == 0
    assert (registry.models.active(), registry.models.before()) == (OTHER, MODEL)
    assert registry.models.seen_by_both(MODEL, OTHER).tolist() == ids
    assert registry.models.switch(MODEL, "test") == 0
    assert (registry.models.active(), registry.models.before()) == (MODEL, OTHER)


def test_an_erased_reference_is_no_longer_missing(registry, other, new_references, unit):
    registry.models.begin(MODEL, "start")
    _, added = registry.writers.create("C-1", "", MODEL, new_references(2))
    embed(registry, OTHER, [added[0].reference_id], unit(1, seed=5))
    registry.references.erase("C-1", added[1].reference_id)
    assert registry.models.switch(OTHER, "test") == 0


def test_only_embeddings_of_the_active_model_are_enrolled(registry, other, new_references):
    registry.models.begin(MODEL, "start")
    registry.models.switch(OTHER, "test")
    with pytest.raises(ModelChanged) as caught:
        registry.writers.create("C-1", "", MODEL, new_references(1))
    assert caught.value.active_id == OTHER
    assert not registry.writers.knows("C-1")
    registry.writers.create("C-1", "", OTHER, new_references(1))
    with pytest.raises(ModelChanged):
        registry.references.add("C-1", MODEL, new_references(1, seed=2))
    assert len(registry.references.of_writer("C-1")) == 1
    assert not registry.models.knows_all(MODEL)
    assert registry.models.knows_all(OTHER)


def test_switches_and_enrollments_at_once_leave_nobody_unseen(
    registry, other, new_references, unit, run_together
):
    """Whatever the order: under the active model, everyone enrolled can be compared with."""
    registry.models.begin(MODEL, "start")
    switched = []

    def enroll():
        for number in range(40):
            references = new_references(1, seed=number)
            try:
                registry.writers.create(f"W-{number}", "", MODEL, references)
            except ModelChanged:
                registry.writers.create(f"W-{number}", "", OTHER, references)

    def switch():
        while not switched:
            waiting = [one for one, *_ in registry.embeddings.missing(OTHER, 100)]
            if waiting:
                embed(registry, OTHER, waiting, unit(len(waiting), seed=9))
            enough = registry.models.gallery_size(MODEL).references >= 10
            if enough and registry.models.switch(OTHER, "test") == 0:
                switched.append(True)

    run_together(enroll, switch)
    assert registry.models.active() == OTHER
    assert registry.models.missing(OTHER) == 0
    assert len(registry.embeddings.claims([f"W-{number}" for number in range(40)], OTHER)) == 40


def test_files_are_kept_and_replaced(registry, other):
    assert registry.models.files(OTHER) is None
    registry.models.keep(OTHER, ModelFiles(b"{}", b"network"))
    registry.models.keep(OTHER, ModelFiles(b"{1}", b"network"))
    assert registry.models.files(OTHER) == ModelFiles(b"{1}", b"network")
    known = {one.model_id: one for one in registry.models.known()}
    assert (known[MODEL].kept, known[OTHER].kept) == (False, True)
    assert known[OTHER].name == "other model"
