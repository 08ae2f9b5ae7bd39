"""Erasing, with a real registry, a real index and the shipped model."""

import numpy as np
import pytest

from encoder.scoring.local_descriptors import pack
from index.errors import ErasureIncomplete, UnknownReference, UnknownWriter
from index.registry.database import Database
from service.writers.erase import erase_reference, erase_writer


def test_an_erased_writer_is_neither_known_nor_found(services, uploads, settings, known, ask):
    for seed in (1, 2):
        known(seed, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()
    erase_writer("W-1", registry=services.registry, gallery=services.gallery)
    with pytest.raises(UnknownWriter):
        services.registry.writers.get("W-1")
    found = ask(uploads(1, 0)[0])
    assert [candidate.writer_id for candidate in found.candidates] == ["W-2"]
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


def test_an_erasure_that_a_log_outlives_still_leaves_the_index(services, monkeypatch, known):
    writer_id = known(1, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()

    def stay(_self):
        raise ErasureIncomplete

    monkeypatch.setattr(Database, "purge_erased", stay)
    with pytest.raises(ErasureIncomplete):
        erase_writer(writer_id, registry=services.registry, gallery=services.gallery)
    assert services.gallery.stats()["size"] == 0
    assert services.gallery.stats()["snapshot_revision"] is None
