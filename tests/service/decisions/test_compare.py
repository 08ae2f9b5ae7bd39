"""Comparing signatures that come with the request."""

import pytest

from service.decisions.compare import compare
from service.decisions.verify import verify
from service.errors import ImagesRefused
from service.writers.uploads import Upload

BLANK = Upload("blank.png", b"not an image")


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
