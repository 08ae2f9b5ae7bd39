"""Enrolling many writers in one transaction, again and again without harm."""

from dataclasses import replace

import pytest

from index.errors import InvalidVector, InvalidWriter, UnknownModel
from index.registry.models import GallerySize
from index.registry.writers import NewEnrollment

MODEL = "a" * 64


@pytest.fixture
def enrollments(new_references):
    """Three references of C-1, two of C-2, and C-3 without any."""
    ada, bo = new_references(3, seed=1), new_references(2, seed=2)
    return [
        *(NewEnrollment("C-1", "Ada Lind", one) for one in ada),
        *(NewEnrollment("C-2", "", one) for one in bo),
        NewEnrollment("C-3", "Cy Berg"),
    ]


def everyone(registry):
    return {
        one.writer_id: (one.name, one.reference_count) for one in registry.writers.page().writers
    }


def test_writers_and_references_are_enrolled_together(registry, enrollments, open_gallery):
    gallery = open_gallery()
    assert registry.writers.enroll_many(MODEL, enrollments) == 5
    assert everyone(registry) == {"C-1": ("Ada Lind", 3), "C-2": ("", 2), "C-3": ("Cy Berg", 0)}
    assert registry.models.gallery_size(MODEL) == GallerySize(2, 5)
    claim = registry.embeddings.claim("C-1", MODEL)
    assert claim.vectors.tobytes() == b"".join(
        x.reference.vector.tobytes() for x in enrollments[:3]
    )
    assert registry.writers.page(search="lind").writers[0].writer_id == "C-1"
    assert gallery.search(claim.vectors[:1], 1)[0].reference_ids == claim.reference_ids[:1]
    assert gallery.check().clean


def test_again_it_adds_what_is_new_and_names_who_has_no_name(registry, enrollments, new_references):
    registry.writers.enroll_many(MODEL, enrollments)
    late = NewEnrollment("C-2", "Bo Ek", new_references(1, seed=3)[0])
    same = NewEnrollment("C-1", "Eve", enrollments[0].reference)
    assert registry.writers.enroll_many(MODEL, [same, late, late, *enrollments]) == 1
    assert everyone(registry) == {
        "C-1": ("Ada Lind", 3),
        "C-2": ("Bo Ek", 3),
        "C-3": ("Cy Berg", 0),
    }
    assert registry.models.gallery_size(MODEL) == GallerySize(2, 6)
    assert registry.writers.enroll_many(MODEL, []) == 0


def test_which_images_are_held_is_asked_by_writer(registry, enrollments):
    registry.writers.enroll_many(MODEL, enrollments)
    first = enrollments[0].reference.sha256
    asked = {("C-1", first), ("C-2", first), ("C-9", first), ("C-1", "0" * 64)}
    assert registry.references.held(asked) == {("C-1", first)}
    assert registry.references.held([]) == set()


def test_all_or_nothing(registry, enrollments):
    long = replace(enrollments[0].reference, vector=enrollments[0].reference.vector * 2)
    for model_id, bad, error in (
        ("b" * 64, enrollments[0], UnknownModel),
        (MODEL, NewEnrollment("no id", ""), InvalidWriter),
        (MODEL, NewEnrollment("C-4", "a\x00b"), InvalidWriter),
        (MODEL, NewEnrollment("C-4", "", long), InvalidVector),
    ):
        with pytest.raises(error):
            registry.writers.enroll_many(model_id, [*enrollments[3:], bad])
    assert everyone(registry) == {}
    assert registry.changes.revision() == 0
