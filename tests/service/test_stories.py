"""The stories, told with a real registry, a real index and the shipped model."""

import numpy as np
import pytest

from encoder.errors import ImageError, UnknownOperatingPoint
from index.database import Database
from index.errors import (
    ErasureIncomplete,
    NoReferences,
    UnknownReference,
    UnknownWriter,
    WriterExists,
)
from index.values import NewReference
from service.compare import compare
from service.enroll import Upload, create_writer, enroll, erase_reference, erase_writer
from service.errors import ImagesRefused
from service.identify import identify, nearest_writers
from service.verify import verify

BLANK = Upload("blank.png", b"not an image")


def known(services, uploads, seed=1, count=5):
    """Enroll an invented writer, and return the id they got."""
    writer_id = f"W-{seed}"
    create_writer(
        writer_id,
        f"Writer {seed}",
        uploads(seed, *range(count)),
        encoder=services.encoder,
        registry=services.registry,
    )
    return writer_id


def ask(services, upload, **options):
    return identify(
        upload,
        encoder=services.encoder,
        registry=services.registry,
        gallery=services.gallery,
        **options,
    )


def test_a_writer_comes_with_references(services, uploads):
    writer, enrollment = create_writer(
        "C-1", "Ada", uploads(1, 0, 1), encoder=services.encoder, registry=services.registry
    )
    assert writer.reference_count == 2
    assert [reference.writer_id for reference in enrollment.references] == ["C-1", "C-1"]
    assert enrollment.refused == ()
    assert services.registry.get_writer("C-1").name == "Ada"


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
        services.registry.get_writer("C-1")


def test_a_writer_is_created_once(services, uploads):
    known(services, uploads, count=1)
    with pytest.raises(WriterExists):
        known(services, uploads, count=1)


def test_usable_images_are_stored_and_others_refused(services, uploads):
    writer_id = known(services, uploads, count=0)
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


def test_one_image_is_one_reference(services, uploads):
    writer_id = known(services, uploads, count=1)
    [first] = services.registry.list_references(writer_id)
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


def test_a_genuine_signature_scores_higher_than_anothers(services, uploads):
    writer_id = known(services, uploads)
    own, other = (
        verify(writer_id, upload, encoder=services.encoder, registry=services.registry)
        for upload in (uploads(1, 9)[0], uploads(2, 9)[0])
    )
    assert own.score > other.score
    assert own.log_lr > other.log_lr
    assert len(own.references) == 5
    assert own.decision_id != other.decision_id
    assert own.model_id == services.encoder.model_id


def test_verify_wants_references_and_a_signature(services, uploads):
    create_writer("C-1", "", encoder=services.encoder, registry=services.registry)
    with pytest.raises(NoReferences):
        verify("C-1", uploads(1, 0)[0], encoder=services.encoder, registry=services.registry)
    with pytest.raises(UnknownWriter):
        verify("C-2", uploads(1, 0)[0], encoder=services.encoder, registry=services.registry)
    writer_id = known(services, uploads, count=1)
    with pytest.raises(ImageError):
        verify(writer_id, BLANK, encoder=services.encoder, registry=services.registry)


def test_verify_decides_by_the_operating_point_asked_for(services, uploads):
    writer_id = known(services, uploads)
    thresholds = set()
    for point in services.encoder.rule.operating_points:
        done = verify(
            writer_id,
            uploads(1, 9)[0],
            encoder=services.encoder,
            registry=services.registry,
            operating_point=point,
        )
        assert done.operating_point == point
        thresholds.add(done.threshold)
    assert len(thresholds) == len(services.encoder.rule.operating_points)
    with pytest.raises(UnknownOperatingPoint):
        verify(
            writer_id,
            uploads(1, 9)[0],
            encoder=services.encoder,
            registry=services.registry,
            operating_point="fmr=0",
        )


def test_a_second_scan_of_a_reference_identifies_its_writer(services, uploads):
    for seed in (1, 2, 3):
        known(services, uploads, seed, count=3)
    [reference, *_] = services.registry.list_references("W-2")
    found = ask(services, uploads(2, 0)[0], top=2)
    assert found.candidates[0].writer_id == "W-2"
    assert found.candidates[0].name == "Writer 2"
    assert found.candidates[0].reference_id == reference.reference_id
    assert len(found.candidates) == 2
    assert found.candidates[0].score > found.candidates[1].score
    assert found.gallery_size == 3
    assert (found.verdict == "identified") == (found.candidates[0].score >= found.threshold)


def test_nobody_is_identified_in_an_empty_gallery(services, uploads):
    found = ask(services, uploads(1, 0)[0])
    assert (found.verdict, found.candidates, found.gallery_size) == ("not_enrolled", (), 0)


def test_the_search_goes_on_past_one_writers_many_references(services):
    rng = np.random.default_rng(5)
    dimension = services.encoder.dimension
    probe = np.zeros(dimension, np.float32)
    probe[0] = 1

    def references(count, nearness):
        for n in range(count):
            noise = rng.normal(size=dimension)
            vector = nearness * probe + noise / np.linalg.norm(noise)
            vector = (vector / np.linalg.norm(vector)).astype(np.float32)
            yield NewReference(b"x", "image/png", b"x", f"{nearness}-{n}", {}, vector)

    for writer_id, count, nearness in (("near", 300, 9), ("far", 1, 1), ("farther", 1, 0.5)):
        services.registry.create_writer(
            writer_id, "", services.encoder.model_id, list(references(count, nearness))
        )
    registry, gallery = services.registry, services.gallery
    assert nearest_writers(probe, 1, registry=registry, gallery=gallery) == ["near"]
    assert nearest_writers(probe, 2, registry=registry, gallery=gallery)[:2] == ["near", "far"]
    assert nearest_writers(probe, 9, registry=registry, gallery=gallery) == [
        "near",
        "far",
        "farther",
    ]


def test_an_erased_writer_is_neither_known_nor_found(services, uploads, settings):
    for seed in (1, 2):
        known(services, uploads, seed, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()
    erase_writer("W-1", registry=services.registry, gallery=services.gallery)
    with pytest.raises(UnknownWriter):
        services.registry.get_writer("W-1")
    found = ask(services, uploads(1, 0)[0])
    assert [candidate.writer_id for candidate in found.candidates] == ["W-2"]
    assert services.gallery.check().clean
    files = [path for path in settings.data_dir.rglob("*") if path.is_file()]
    scan = uploads(1, 0)[0].data
    vector = services.encoder.embed(services.encoder.acquire(scan).canvas[np.newaxis])[0].tobytes()
    assert files
    for path in files:
        content = path.read_bytes()
        assert scan[40:400] not in content, path.name
        assert vector not in content, path.name


def test_an_erased_reference_leaves_the_others(services, uploads):
    writer_id = known(services, uploads, count=3)
    first, *others = services.registry.list_references(writer_id)
    erase_reference(
        writer_id, first.reference_id, registry=services.registry, gallery=services.gallery
    )
    assert services.registry.list_references(writer_id) == others
    assert services.gallery.check().clean
    with pytest.raises(UnknownReference):
        erase_reference(
            writer_id, first.reference_id, registry=services.registry, gallery=services.gallery
        )


def test_compare_answers_as_verify_does_and_keeps_nothing(services, uploads):
    writer_id = known(services, uploads)
    verified = verify(
        writer_id, uploads(1, 9)[0], encoder=services.encoder, registry=services.registry
    )
    before = services.registry.head_revision()
    compared = compare(uploads(1, *range(5)), uploads(1, 9)[0], encoder=services.encoder)
    assert compared.decision_id is None
    assert compared.score == pytest.approx(verified.score, abs=1e-5)
    assert compared.verdict == verified.verdict
    assert [one.filename for one in compared.references] == [f"1-{n}.png" for n in range(5)]
    assert [one.reference_id for one in compared.references] == [None] * 5
    assert services.registry.head_revision() == before


def test_compare_does_not_pass_over_an_unusable_reference(services, uploads):
    with pytest.raises(ImagesRefused) as refused:
        compare([*uploads(1, 0), BLANK], uploads(1, 9)[0], encoder=services.encoder)
    assert [one.filename for one in refused.value.refused] == ["blank.png"]


def test_an_erasure_that_a_log_outlives_still_leaves_the_index(services, uploads, monkeypatch):
    writer_id = known(services, uploads, count=2)
    services.gallery.catch_up()
    services.gallery.save_snapshot()

    def stay(_self):
        raise ErasureIncomplete

    monkeypatch.setattr(Database, "purge_erased", stay)
    with pytest.raises(ErasureIncomplete):
        erase_writer(writer_id, registry=services.registry, gallery=services.gallery)
    assert services.gallery.stats()["size"] == 0
    assert services.gallery.stats()["snapshot_revision"] is None
