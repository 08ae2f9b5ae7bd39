"""Enrolling and erasing, told with a real registry, a real index and the shipped model."""

import numpy as np
import pytest

from encoder.scoring.local_descriptors import pack
from index.errors import ErasureIncomplete, UnknownReference, UnknownWriter, WriterExists
from index.registry.database import Database
from service.errors import ImagesRefused
from service.writers.enroll import create_writer, enroll
from service.writers.erase import erase_reference, erase_writer
from service.writers.uploads import Upload

BLANK = Upload("blank.png", b"not an image")


def test_a_writer_comes_with_references(services, uploads):
    writer, enrollment = create_writer(
        "C-1", "Ada", uploads(1, 0, 1), encoder=services.encoder, registry=services.registry
    )
    assert writer.reference_count == 2
    assert [reference.writer_id for reference in enrollment.references] == ["C-1", "C-1"]
    assert enrollment.refused == ()
    assert services.registry.writers.get("C-1").name == "Ada"


def test_a_writer_may_come_without(services):
    writer, enrollment = create_writer(
        "C-1", "", encoder=services.encoder, registry=services.registry
    )
    assert writer.reference_count == 0
    assert enrollment.references == ()


def test_no_writer_is_created_of_unusable_images(services):
    with pytest.raises(ImagesRefused) as refused:
        create_writer("C-1", "Ada", [BLANK], encoder=services.encoder, registry=services.registry)
    assert [one.filename for one in refused.value.refused] == ["blank.png"]
    with pytest.raises(UnknownWriter):
        services.registry.writers.get("C-1")


def test_a_writer_is_created_once(known):
    known(1, count=1)
    with pytest.raises(WriterExists):
        known(1, count=1)


def test_usable_images_are_stored_and_others_refused(services, uploads, known):
    writer_id = known(1, count=0)
    done = enroll(
        writer_id,
        [*uploads(1, 0), BLANK],
        encoder=services.encoder,
        registry=services.registry,
    )
    assert len(done.references) == 1
    assert [(one.filename, one.code) for one in done.refused] == [
        ("blank.png", "unsupported-format")
    ]


def test_one_image_is_one_reference(services, uploads, known):
    writer_id = known(1, count=1)
    [first] = services.registry.references.of_writer(writer_id)
    done = enroll(
        writer_id,
        uploads(1, 0, 1, 1),
        encoder=services.encoder,
        registry=services.registry,
    )
    assert len(done.references) == 1
    assert [one.code for one in done.refused] == ["duplicate-image", "duplicate-image"]
    assert f"reference {first.reference_id}" in done.refused[0].reason
    assert "1-1.png" in done.refused[1].reason


def test_an_unknown_writer_enrolls_nothing(services, uploads):
    with pytest.raises(UnknownWriter):
        enroll("W-9", uploads(1, 0), encoder=services.encoder, registry=services.registry)


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
