"""Erasing, with a real registry, a real index and the shipped model."""

import sqlite3
import time

import numpy as np
import pytest

from encoder.scoring.local_descriptors import pack
from index.errors import ErasureIncomplete, QueryNotKept, UnknownReference, UnknownWriter
from service.composition import with_model
from service.models.live_services import LiveServices
from service.server.purging import Purging
from service.writers.erase import erase_reference, erase_writer


def test_an_erased_writer_is_neither_known_nor_found(services, uploads, settings, known, ask):
    for seed in (1, 2):
        known(seed, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()
    ask(uploads(1, 0)[0])  # Its image is kept, until the writer is erased.
    erase_writer("W-1", registry=services.registry, gallery=services.gallery)
    with pytest.raises(UnknownWriter):
        services.registry.writers.get("W-1")
    assert services.gallery.check().clean
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    scan = uploads(1, 0)[0].data
    described = services.encoder.describe(services.encoder.acquire(scan).canvas[np.newaxis])
    vector, pieces = described.vectors[0].tobytes(), pack(described.pieces[0])
    assert files
    for path in files:
        content = path.read_bytes()
        assert scan[40:400] not in content, path.name
        assert vector not in content, path.name
        assert not any(pieces[at : at + 26] in content for at in range(0, len(pieces), 260)), path
    found = ask(uploads(1, 0)[0])
    assert [candidate.writer_id for candidate in found.candidates] == ["W-2"]


def test_a_query_that_comes_again_after_an_erasure_does_not_keep_it_from_being_purged(
    services, uploads, known, ask
):
    known(1, count=2)
    erase_writer("W-1", registry=services.registry, gallery=services.gallery)
    answer = ask(uploads(1, 0)[0])
    assert Purging(LiveServices(services, with_model)).turn() == 0
    assert services.registry.decisions.kept_image(answer.decision_id)


def test_an_erased_reference_takes_the_query_images_along_that_are_the_same_file(
    services, uploads, known, ask
):
    known(1, count=3)
    same, other = ask(uploads(1, 0)[0]), ask(uploads(1, 7)[0])
    first = services.registry.references.of_writer("W-1")[0]
    erase_reference("W-1", first.reference_id, registry=services.registry, gallery=services.gallery)
    with pytest.raises(QueryNotKept):
        services.registry.decisions.kept_image(same.decision_id)
    assert services.registry.decisions.kept_image(other.decision_id)
    report = services.registry.trail.verify()
    assert report.intact, report.findings


def test_an_erased_reference_leaves_the_others(services, known):
    writer_id = known(1, count=3)
    first, *others = services.registry.references.of_writer(writer_id)
    erase_reference(
        writer_id, first.reference_id, registry=services.registry, gallery=services.gallery
    )
    assert services.registry.references.of_writer(writer_id) == others
    assert services.gallery.check().clean
    with pytest.raises(UnknownReference):
        erase_reference(
            writer_id, first.reference_id, registry=services.registry, gallery=services.gallery
        )


def test_an_erasure_that_a_log_outlives_still_leaves_the_index(services, settings, known):
    writer_id = known(1, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()
    reader = sqlite3.connect(settings.data_dir / "registry.db", isolation_level=None)
    reader.execute("BEGIN")
    reader.execute("SELECT count(*) FROM writers").fetchone()
    started_s = time.monotonic()
    erase_writer(writer_id, registry=services.registry, gallery=services.gallery)
    assert time.monotonic() - started_s < 2
    assert services.gallery.stats()["size"] == 0
    assert services.gallery.stats()["snapshot_revision"] is None
    assert [one.state for one in services.registry.erasures.newest(5)] == ["erased"]
    reader.close()
    purging = Purging(LiveServices(services, with_model))
    assert purging.turn() == 0
    assert [one.state for one in services.registry.erasures.newest(5)] == ["purged"]


def test_an_index_that_cannot_forget_is_tried_again(services, monkeypatch, known, caplog):
    writer_id = known(1, count=2)

    def refuse(_self):
        raise ErasureIncomplete("The snapshot cannot be removed.")

    with monkeypatch.context() as patched:
        patched.setattr(type(services.gallery), "forget_snapshots", refuse)
        erase_writer(writer_id, registry=services.registry, gallery=services.gallery)
        assert "tried again" in caplog.text
        purging = Purging(LiveServices(services, with_model))
        assert purging.turn() == 1
    assert purging.turn() == 0
    assert services.registry.erasures.pending() == []
