"""The archive of one decision: complete, readable, and proved by what is in it alone."""

import hashlib
import hmac
import json
import zipfile
from dataclasses import replace
from io import BytesIO

import pypdfium2
import pytest

from index.registry.audit.reviews import NewReview
from service.audit.anchors import create_key, read_anchors, read_public_key
from service.audit.evidence import evidence
from service.audit.exporting import verify_export
from service.decisions.recording import Asked
from service.decisions.verify import verify
from service.writers.erase import erase_writer


@pytest.fixture
def signing(services, settings, tmp_path):
    create_key(tmp_path / "audit.pem", settings.data_dir)
    return replace(services, settings=replace(settings, audit_key=tmp_path / "audit.pem"))


@pytest.fixture
def answer(services, known, uploads):
    known(1, count=3)
    return verify(
        "W-1",
        uploads(1, 9)[0],
        encoder=services.encoder,
        registry=services.registry,
        asked=Asked("user:ada"),
    )


def archive_of(services, answer):
    data = evidence(answer.decision_id, services=services, caller="user:aud")
    return zipfile.ZipFile(BytesIO(data))


def test_the_archive_holds_the_record_the_images_and_a_report(signing, answer, uploads):
    said = NewReview("user:bob", "reject", "loops <b>", "Not Ada's & not Bo's; fünf Schleifen.")
    signing.registry.reviews.record(answer.decision_id, said, 2)
    archive = archive_of(signing, answer)
    references = signing.registry.references.of_writer("W-1")
    assert {one for one in archive.namelist() if one.startswith("images/")} == {
        "images/query.png",
        *(f"images/reference-{one.reference_id}.png" for one in references),
    }
    assert archive.read("images/query.png") == uploads(1, 9)[0].data
    record = json.loads(archive.read("decision.json"))
    assert record["details"]["score"] == answer.comparison.score
    page = archive.read("report.html").decode()
    assert "loops &lt;b&gt;" in page
    assert page.count("<img") == 4
    document = pypdfium2.PdfDocument(archive.read("report.pdf"))
    text = "".join(page.get_textpage().get_text_range() for page in document)
    assert answer.decision_id in text
    assert "fünf Schleifen" in text
    assert "user:ada" in text


def test_the_proof_stands_on_its_own(signing, answer, tmp_path):
    for _ in range(3):
        archive = archive_of(signing, answer)
    row = json.loads(archive.read("proof/row.json"))
    text = json.dumps(row["content"], sort_keys=True, separators=(",", ":"))
    digest = hmac.new(bytes.fromhex(row["salt"]), text.encode(), hashlib.sha256).hexdigest()
    assert digest == row["sha256"]
    lines = archive.read("proof/chain.jsonl").decode().splitlines()
    assert json.loads(lines[1])["content_sha256"] == digest
    public = read_public_key(tmp_path / "audit.pem.pub")
    anchors = read_anchors(archive.read("proof/anchor.jsonl").decode().splitlines(), public)
    report = verify_export(lines, anchors)
    assert report.intact, report.findings
    assert report.anchors == 1


def test_of_an_erased_decision_the_archive_holds_what_stayed(services, answer):
    erase_writer("W-1", registry=services.registry, gallery=services.gallery)
    archive = archive_of(services, answer)
    assert not [one for one in archive.namelist() if one.startswith("images/")]
    assert "proof/anchor.jsonl" not in archive.namelist()
    assert "W-1" not in "".join(archive.read(one).decode("latin-1") for one in archive.namelist())
    assert verify_export(archive.read("proof/chain.jsonl").decode().splitlines()).intact


def test_an_identification_is_reported_with_its_candidates(services, known, ask, uploads):
    for seed in (1, 2):
        known(seed, count=2)
    archive = archive_of(services, ask(uploads(1, 9)[0]))
    page = archive.read("report.html").decode()
    assert "W-1" in page
    assert "W-2" in page
    assert len([one for one in archive.namelist() if one.startswith("images/reference")]) == 4
