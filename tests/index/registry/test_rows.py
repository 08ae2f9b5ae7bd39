"""What the registry writes down besides what it is asked for later: moments, callers, the log."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, select

from index.registry.schema import ModelSwitchRow, ReferenceRow, RevisionRow
from index.registry.writers import NewEnrollment

MODEL = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def rows(database_url):
    """Return `rows(table)`: its rows as dictionaries, in the order they were numbered."""
    engine = create_engine(database_url)

    def read(table):
        with engine.connect() as connection:
            query = select(table.__table__).order_by(*table.__table__.primary_key)
            return [dict(row) for row in connection.execute(query).mappings()]

    yield read
    engine.dispose()


def test_writers_and_references_say_when_they_were_enrolled(registry, new_references):
    one, two = new_references(2)
    before = datetime.now(UTC)
    writer, [reference] = registry.writers.create("C-1", "Ada Lind", MODEL, [one])
    between = datetime.now(UTC)
    registry.writers.enroll_many(MODEL, [NewEnrollment("C-2", "Bo Ek", two)])
    after = datetime.now(UTC)
    assert before <= writer.created_at <= between
    assert before <= reference.created_at <= between
    assert registry.writers.get("C-1").created_at == writer.created_at
    assert registry.references.of_writer("C-1")[0].created_at == reference.created_at
    assert between <= registry.writers.get("C-2").created_at <= after
    assert between <= registry.references.of_writer("C-2")[0].created_at <= after


@pytest.mark.parametrize("in_bulk", [False, True])
def test_a_reference_is_kept_as_it_came(registry, new_references, rows, in_bulk):
    new = new_references(3)
    if in_bulk:
        registry.writers.enroll_many(MODEL, [NewEnrollment("C-1", "Ada Lind", one) for one in new])
    else:
        registry.writers.create("C-1", "Ada Lind", MODEL, new)
    for row, one in zip(rows(ReferenceRow), new, strict=True):
        assert row.pop("reference_id")
        assert row.pop("created_at")
        assert row == {
            "writer_id": "C-1",
            "sha256": one.sha256,
            "media_type": "image/tiff",
            "filename": one.filename,
            "quality": {"ink_height_px": 40, "warnings": []},
            "cleaned_png": one.cleaned_png,
            "image": one.image,
        }
    first = rows(ReferenceRow)[0]["reference_id"]
    upload = registry.references.image("C-1", first, cleaned=False)
    assert (upload.data, upload.media_type) == (new[0].image, "image/tiff")
    preview = registry.references.image("C-1", first, cleaned=True)
    assert (preview.data, preview.media_type) == (new[0].cleaned_png, "image/png")


def test_a_switch_says_who_made_which_model_the_active_one_and_when(registry, rows):
    registry.models.register(OTHER, "other model", 128)
    before = datetime.now(UTC)
    registry.models.begin(MODEL, "start")
    between = datetime.now(UTC)
    registry.models.switch(OTHER, "cli:ada")
    after = datetime.now(UTC)
    first, second = rows(ModelSwitchRow)
    assert (first["model_id"], first["caller"]) == (MODEL, "start")
    assert (second["model_id"], second["caller"]) == (OTHER, "cli:ada")
    assert before <= first["switched_at"] <= between <= second["switched_at"] <= after


def test_a_rollback_goes_to_the_model_that_was_active_last(registry):
    for model_id in (OTHER, "c" * 64):
        registry.models.register(model_id, "another", 128)
    for model_id in (MODEL, OTHER, "c" * 64):
        registry.models.switch(model_id, "test")
    assert (registry.models.active(), registry.models.before()) == ("c" * 64, OTHER)


def test_the_change_log_names_what_was_put_and_erased(registry, new_references, rows, unit):
    registry.models.register(OTHER, "other model", 128)
    _, added = registry.writers.create("C-1", "Ada Lind", MODEL, new_references(3))
    one, two, three = (reference.reference_id for reference in added)
    registry.embeddings.put(OTHER, [two], unit(1, seed=5), None)
    registry.references.erase("C-1", one)
    registry.writers.erase("C-1")
    log = rows(RevisionRow)
    # All that one transaction wrote has one mark, which nobody could have guessed.
    marks = [row.pop("mark") for row in log]
    assert len(set(marks)) == 4
    assert marks[0] == marks[1] == marks[2]
    assert marks[5] == marks[6]
    assert all(0 <= mark < 2**63 for mark in marks)
    assert max(marks) > 2**32
    assert [row.pop("revision") for row in log] == [1, 2, 3, 4, 5, 6, 7]
    assert log[:5] == [
        {"kind": "put", "reference_id": one, "model_id": MODEL},
        {"kind": "put", "reference_id": two, "model_id": MODEL},
        {"kind": "put", "reference_id": three, "model_id": MODEL},
        {"kind": "put", "reference_id": two, "model_id": OTHER},
        {"kind": "erase", "reference_id": one, "model_id": None},
    ]
    assert sorted(log[5:], key=lambda row: row["reference_id"]) == [
        {"kind": "erase", "reference_id": two, "model_id": None},
        {"kind": "erase", "reference_id": three, "model_id": None},
    ]
