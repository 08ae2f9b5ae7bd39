"""What matters is on the chain, by whom, in the transaction of the change; and no secrets are."""

from contextlib import closing
from dataclasses import fields, replace

import pytest
from sqlalchemy import select

from index.errors import RegistryFull
from index.registry.audit import chain
from index.registry.schema import AuditEntryRow, AuditNameRow
from service.audit import started
from service.audit.started import note_start
from service.decisions.recording import Asked
from service.settings import Settings
from service.transfer.gallery_export import export_gallery
from service.transfer.gallery_file import open_gallery_file
from service.transfer.gallery_import import import_gallery
from service.writers.enroll import create_writer, enroll
from service.writers.erase import erase_reference, erase_writer


def told(registry):
    """Kind, actor, subject and details of each entry."""
    with registry._database.read() as connection:
        names = {
            (row.sequence, row.part): row.text
            for row in connection.execute(select(AuditNameRow.__table__))
        }
        rows = connection.execute(
            select(AuditEntryRow.__table__).order_by(AuditEntryRow.sequence)
        ).all()
    return [
        (
            row.kind,
            names.get((row.sequence, "actor")),
            names.get((row.sequence, "subject")),
            row.details,
        )
        for row in rows
    ]


def test_each_change_is_an_entry_by_who_made_it(services, uploads, tmp_path):
    registry = services.registry
    parts = {"encoder": services.encoder, "registry": registry}
    create_writer("C-1", "Ada", uploads(1, 0, 1), caller="user:eve", **parts)
    enroll("C-1", uploads(1, 2), caller="user:bob", **parts)
    registry.writers.rename("C-1", "Ada B.", actor="user:bob")
    file = tmp_path / "gallery.parquet"
    with closing(export_gallery(file, images=True, caller="user:aud", **parts)) as exporting:
        for _ in exporting:
            pass
    erase_reference("C-1", 3, registry=registry, gallery=services.gallery, caller="user:eve")
    assert told(registry)[1:] == [
        ("model.switched", "start", None, {"model": services.encoder.model_id}),
        ("writer.enrolled", "user:eve", "C-1", {"references": [1, 2]}),
        ("reference.added", "user:bob", "C-1", {"references": [3]}),
        ("writer.renamed", "user:bob", "C-1", {}),
        (
            "gallery.exported",
            "user:aud",
            None,
            {"writers": 1, "references": 3, "images": True},
        ),
        ("reference.erased", "user:eve", "C-1", {"reference": 3}),
    ]
    erase_writer("C-1", registry=registry, gallery=services.gallery, caller="user:eve")
    kind, actor, subject, details = told(registry)[-1]
    assert (kind, actor, subject) == ("writer.erased", "user:eve", None)
    assert (details["references"], details["forgotten"]) == (2, [3, 4, 5, 7])
    assert "C-1" not in str(told(registry))
    with open_gallery_file(file) as reader:
        for _ in import_gallery(reader, caller="user:imp", **parts):
            pass
    assert told(registry)[-1] == (
        "gallery.imported",
        "user:imp",
        None,
        {"writers": 1, "references": 3},
    )
    report = registry.trail.verify()
    assert report.intact, report.findings


def test_a_change_whose_entry_cannot_be_written_is_not_made(services, monkeypatch):
    def full(*_):
        raise RegistryFull("The disk is full.")

    monkeypatch.setattr(chain, "append", full)
    with pytest.raises(RegistryFull):
        services.registry.writers.create("C-1", "Ada")
    assert not services.registry.writers.knows("C-1")


def test_a_server_starts_on_a_full_disk_and_its_log_says_what_the_chain_does_not(
    services, monkeypatch, caplog
):
    def full(*_):
        raise RegistryFull("The disk is full.")

    monkeypatch.setattr(services.registry.audit, "append", full)
    note_start(services.settings, services.registry, "rule")
    assert "does not say that a process started" in caplog.text


def test_the_settings_at_the_start_are_told_without_secrets(services):
    settings = replace(
        services.settings,
        database_url="postgresql://user:hunter2@db/x",
        audit_anchor="https://notary/token-abc",
        limits_url="redis://:swordfish@counts/0",
        oidc_client_secret="opensesame",
        key="cs_5f0c93a1b2d4_abracadabra",
        reject="human",
    )
    note_start(settings, services.registry, services.encoder.rule.rule_id)
    first = told(services.registry)[-1][3]
    assert first["settings"]["reject"] == "human"
    assert first["rule"] == services.encoder.rule.rule_id
    text = str(told(services.registry))
    hidden = ("hunter2", "token-abc", "swordfish", "opensesame", "abracadabra")
    for secret in (*hidden, str(settings.data_dir)):
        assert secret not in text
    note_start(replace(settings, database_url="x"), services.registry, "rule")
    assert told(services.registry)[-1][3]["settings_sha256"] != first["settings_sha256"]


def test_a_hash_of_settings_cannot_be_tried_with_guesses_of_a_password(services):
    hashes = set()
    for password in ("hunter2", "hunter3"):
        url = f"postgresql://user:{password}@db/x"
        settings = replace(services.settings, database_url=url, oidc_client_secret=password)
        note_start(settings, services.registry, "rule")
        hashes.add(told(services.registry)[-1][3]["settings_sha256"])
    assert len(hashes) == 1


def test_every_setting_is_told_hashed_or_left_out_on_purpose():
    listed = [*started.SAID, *started.HASHED, *started.LEFT_OUT]
    assert sorted(listed) == sorted(field.name for field in fields(Settings))


@pytest.mark.parametrize(
    ("verdict", "warned", "reject_alone", "disposition", "review"),
    [
        ("match", False, True, "accept", None),
        ("match", True, True, "accept", "warned"),
        ("inconclusive", False, True, "review", "inconclusive"),
        ("non_match", False, True, "reject", None),
        ("non_match", False, False, "review", "rejection"),
        ("non_match", True, False, "review", "rejection"),
    ],
)
def test_software_never_rejects_where_people_alone_may(
    verdict, warned, reject_alone, disposition, review
):
    asked = Asked(reject_alone=reject_alone)
    assert asked.disposition(verdict) == disposition
    assert asked.review(verdict, ["a warning"] if warned else []) == review


@pytest.mark.parametrize(
    ("share", "least", "most"), [(0.0, 0, 0), (0.1, 60, 140), (1.0, 1000, 1000)]
)
def test_a_share_of_accepted_signatures_goes_to_a_person(share, least, most):
    asked = Asked(review_sample=share)
    drawn = [asked.review("match", []) for _ in range(1000)]
    assert least <= drawn.count("sample") <= most
    assert asked.review("not_enrolled", []) is None
