"""Verifying, with a real registry and the shipped model."""

import pytest

from encoder.errors import ImageError, UnknownOperatingPoint
from index.errors import NoReferences, UnknownWriter
from service.decisions.verify import verify
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
