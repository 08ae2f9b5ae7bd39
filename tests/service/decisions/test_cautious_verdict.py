"""Warnings keep a verdict from saying more than the image or the references can bear."""

import numpy as np
import pytest

from encoder.cautions import Caution, as_stored
from encoder.synthesis import encode_png, synthetic_writer
from service.decisions.cautious_verdict import cautious_verdict
from service.decisions.verify import verify
from service.writers.uploads import Upload

FAINT = Caution("faint", "The ink is faint.")


@pytest.mark.parametrize(
    ("verdict", "codes", "heeded"),
    [
        ("match", [], "match"),
        ("inconclusive", ["faint"], "inconclusive"),
        ("non_match", [], "non_match"),
        ("match", ["faint", "cut-edge"], "match"),
        ("non_match", ["faint"], "inconclusive"),
        ("match", ["replay"], "inconclusive"),
        ("match", ["faint", "too-simple"], "inconclusive"),
        ("match", ["seen-before"], "match"),
        ("non_match", ["seen-before"], "non_match"),
        ("match", ["not-distinctive"], "match"),
        ("non_match", ["not-distinctive"], "non_match"),
        ("non_match", ["seen-before", "faint"], "inconclusive"),
    ],
)
def test_a_verdict_heeds_the_warnings(verdict, codes, heeded):
    assert cautious_verdict(verdict, [Caution(code, "") for code in codes]) == heeded


def test_a_stored_warning_of_an_earlier_version_is_a_sentence():
    assert as_stored("Faint.") == {"code": "other", "message": "Faint."}
    assert as_stored(FAINT.as_dict()) == FAINT.as_dict()


def test_a_faint_signature_is_never_called_a_forgery(services, known):
    writer_id = known(1)
    scan = synthetic_writer(2).genuine(0)
    faded = (255 - (255 - scan.astype(np.float64)) * 0.15).astype(np.uint8)
    clear, faint = (
        verify(
            writer_id,
            Upload("query.png", encode_png(one)),
            encoder=services.encoder,
            registry=services.registry,
        )
        for one in (scan, faded)
    )
    assert (clear.verdict, clear.warnings) == ("non_match", ())
    assert faint.comparison.verdict == "non_match"
    assert faint.verdict == faint.as_dict()["verdict"] == "inconclusive"
    assert [one["code"] for one in faint.as_dict()["warnings"]] == ["faint"]
