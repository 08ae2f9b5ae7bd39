"""Verify, identify and compare, told with a real registry, a real index and the shipped model."""

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from encoder.errors import ImageError, UnknownOperatingPoint
from index.errors import NoReferences, UnknownWriter
from index.registry.references import NewReference
from service.decisions.compare import compare
from service.decisions.identify import nearest_writers
from service.decisions.verify import verify
from service.errors import ImagesRefused
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

BLANK = Upload("blank.png", b"not an image")


def test_a_genuine_signature_scores_higher_than_anothers(services, uploads, known):
    writer_id = known(1)
    own, other = (
        verify(writer_id, upload, encoder=services.encoder, registry=services.registry)
        for upload in (uploads(1, 9)[0], uploads(2, 9)[0])
    )
    assert own.comparison.score > other.comparison.score
    assert own.comparison.log_lr > other.comparison.log_lr
    assert len(own.references) == 5
    assert own.decision_id != other.decision_id
    assert own.model.model_id == services.encoder.model_id


def test_verify_wants_references_and_a_signature(services, uploads, known):
    create_writer("C-1", "", encoder=services.encoder, registry=services.registry)
    with pytest.raises(NoReferences):
        verify("C-1", uploads(1, 0)[0], encoder=services.encoder, registry=services.registry)
    with pytest.raises(UnknownWriter):
        verify("C-2", uploads(1, 0)[0], encoder=services.encoder, registry=services.registry)
    writer_id = known(1, count=1)
    with pytest.raises(ImageError):
        verify(writer_id, BLANK, encoder=services.encoder, registry=services.registry)


def test_verify_decides_by_the_operating_point_asked_for(services, uploads, known):
    writer_id = known(1)
    thresholds = set()
    for point in services.encoder.rule.operating_points:
        done = verify(
            writer_id,
            uploads(1, 9)[0],
            encoder=services.encoder,
            registry=services.registry,
            operating_point=point,
        )
        assert done.comparison.operating_point == point
        thresholds.add(done.comparison.threshold)
    assert len(thresholds) == len(services.encoder.rule.operating_points)
    with pytest.raises(UnknownOperatingPoint):
        verify(
            writer_id,
            uploads(1, 9)[0],
            encoder=services.encoder,
            registry=services.registry,
            operating_point="fmr=0",
        )


def test_a_second_scan_of_a_reference_identifies_its_writer(services, uploads, known, ask):
    for seed in (1, 2, 3):
        known(seed, count=3)
    [reference, *_] = services.registry.references.of_writer("W-2")
    found = ask(uploads(2, 0)[0], top=2)
    assert found.candidates[0].writer_id == "W-2"
    assert found.candidates[0].name == "Writer 2"
    assert found.candidates[0].reference_id == reference.reference_id
    assert len(found.candidates) == 2
    assert found.candidates[0].score > found.candidates[1].score
    assert found.gallery_size == 3
    assert (found.verdict == "identified") == (found.candidates[0].score >= found.threshold)


def test_nobody_is_identified_in_an_empty_gallery(uploads, ask):
    found = ask(uploads(1, 0)[0])
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
        services.registry.writers.create(
            writer_id, "", services.encoder.model_id, list(references(count, nearness))
        )
    registry, gallery = services.registry, services.gallery
    assert nearest_writers(probe, 1, registry=registry, index=gallery) == ["near"]
    assert nearest_writers(probe, 2, registry=registry, index=gallery)[:2] == ["near", "far"]
    assert nearest_writers(probe, 9, registry=registry, index=gallery) == [
        "near",
        "far",
        "farther",
    ]


def test_compare_answers_as_verify_does_and_keeps_nothing(services, uploads, known):
    writer_id = known(1)
    verified = verify(
        writer_id, uploads(1, 9)[0], encoder=services.encoder, registry=services.registry
    )
    before = services.registry.changes.revision()
    compared = compare(uploads(1, *range(5)), uploads(1, 9)[0], encoder=services.encoder)
    assert compared.decision_id is None
    assert compared.comparison.score == pytest.approx(verified.comparison.score, abs=1e-5)
    assert compared.comparison.verdict == verified.comparison.verdict
    assert [one.filename for one in compared.references] == [f"1-{n}.png" for n in range(5)]
    assert [one.reference_id for one in compared.references] == [None] * 5
    assert services.registry.changes.revision() == before


def test_compare_does_not_pass_over_an_unusable_reference(services, uploads):
    with pytest.raises(ImagesRefused) as refused:
        compare([*uploads(1, 0), BLANK], uploads(1, 9)[0], encoder=services.encoder)
    assert [one.filename for one in refused.value.refused] == ["blank.png"]


def test_verify_and_identify_leave_a_chain_of_decisions_without_names(
    services, uploads, settings, known, ask
):
    writer_id = known(1, count=2)
    probe = uploads(1, 9)[0]
    verified = verify(
        writer_id, probe, encoder=services.encoder, registry=services.registry, caller="clerk"
    )
    found = ask(probe)
    compare(uploads(1, 0), probe, encoder=services.encoder)
    report = services.registry.decisions.verify()
    assert (report.length, report.intact) == (2, True)
    engine = create_engine(settings.database_url)
    with engine.connect() as connection:
        query = text("SELECT * FROM decisions ORDER BY sequence")
        rows = connection.execute(query).mappings().all()
    engine.dispose()
    first, second = rows
    assert (first["decision_id"], first["kind"]) == (verified.decision_id, "verify")
    assert (first["writer_id"], first["caller"]) == (writer_id, "clerk")
    assert (first["score"], first["threshold"]) == (
        verified.comparison.score,
        verified.comparison.threshold,
    )
    assert first["model_id"] == services.encoder.model_id
    assert first["probe_sha256"] == second["probe_sha256"] == probe.sha256
    assert (second["decision_id"], second["kind"]) == (found.decision_id, "identify")
    assert "Writer 1" not in str([dict(row) for row in rows])
