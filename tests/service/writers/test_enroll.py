"""Enrolling, with a real registry and the shipped model."""

import pytest

from index.errors import UnknownWriter, WriterExists
from service.errors import ImagesRefused
from service.writers.enroll import create_writer, enroll
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
