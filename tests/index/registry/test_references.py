import dataclasses

import numpy as np
import pytest

from index.errors import (
    DuplicateReference,
    InvalidPieces,
    InvalidVector,
    NoReferences,
    UnknownModel,
    UnknownReference,
    UnknownWriter,
)
from index.registry.models import GallerySize

MODEL = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def enrolled(registry, new_references):
    """Two writers: C-1 with three references, C-2 with none."""
    _, references = registry.writers.create("C-1", "Ada Lind", MODEL, new_references(3))
    registry.writers.create("C-2", "Bo Ek")
    return references


def test_a_claim_holds_the_writers_vectors_in_the_order_of_enrollment(registry, enrolled, unit):
    claim = registry.embeddings.claim("C-1", MODEL)
    writer = registry.writers.get("C-1")
    assert (claim.writer_id, claim.name) == (writer.writer_id, writer.name)
    assert claim.reference_ids.tolist() == [reference.reference_id for reference in enrolled]
    assert claim.reference_ids.dtype == np.int64
    assert claim.vectors.dtype == np.float32
    assert claim.vectors.tobytes() == unit(3).tobytes()


def test_a_claim_holds_the_pieces_in_the_same_order(registry, enrolled, new_references):
    sent = tuple(reference.pieces for reference in new_references(3))
    assert registry.embeddings.claim("C-1", MODEL).pieces == sent
    assert registry.embeddings.claims(["C-1"], MODEL, with_pieces=True)["C-1"].pieces == sent
    by_vectors = registry.embeddings.claims(["C-1"], MODEL)["C-1"]
    assert by_vectors.pieces is None
    assert by_vectors.vectors.tobytes() == registry.embeddings.claim("C-1", MODEL).vectors.tobytes()
    with registry.reading(MODEL) as frozen:
        assert tuple(one.pieces for one in next(frozen.references(9, images=False))) == sent


def test_pieces_are_of_all_references_of_a_claim_or_of_none(registry, enrolled, new_references):
    bare, empty = (
        dataclasses.replace(one, pieces=pieces)
        for one, pieces in zip(new_references(2, seed=9), (None, b""), strict=True)
    )
    registry.references.add("C-2", MODEL, [empty])
    assert registry.embeddings.claim("C-2", MODEL).pieces == (b"",), (
        "without ink there are none to keep"
    )
    [added] = registry.references.add("C-1", MODEL, [bare])
    assert registry.embeddings.claim("C-1", MODEL).pieces is None
    registry.references.erase("C-1", added.reference_id)
    assert len(registry.embeddings.claim("C-1", MODEL).pieces) == 3


def test_pieces_that_are_too_many_or_not_of_each_are_never_stored(
    registry, enrolled, new_references, unit
):
    large = dataclasses.replace(new_references(1, seed=9)[0], pieces=bytes(65 * 1024))
    with pytest.raises(InvalidPieces, match=r"at most 65536 bytes .* got 66560"):
        registry.references.add("C-1", MODEL, [large])
    assert registry.writers.get("C-1").reference_count == 3
    registry.models.register(OTHER, "newer model", 128)
    ids = [reference.reference_id for reference in enrolled]
    for pieces, words in (([b"a", b"b"], "got 2 for 3"), ([large.pieces] * 3, "at most")):
        with pytest.raises(InvalidPieces, match=words):
            registry.embeddings.put(OTHER, ids, unit(3), pieces)
    assert len(registry.embeddings.missing(OTHER, limit=9)) == 3


def test_there_is_no_claim_without_a_writer_or_references(registry, enrolled):
    with pytest.raises(UnknownWriter):
        registry.embeddings.claim("C-3", MODEL)
    with pytest.raises(NoReferences):
        registry.embeddings.claim("C-2", MODEL)
    with pytest.raises(NoReferences):
        registry.embeddings.claim("C-1", OTHER)
    assert list(registry.embeddings.claims(["C-1", "C-2", "C-3"], MODEL)) == ["C-1"]
    assert registry.embeddings.claims([], MODEL) == {}


def test_images_come_back_as_they_were(registry, enrolled, new_references):
    sent = new_references(3)[1]
    reference_id = enrolled[1].reference_id
    uploaded = registry.references.image("C-1", reference_id)
    cleaned = registry.references.image("C-1", reference_id, cleaned=True)
    assert (uploaded.data, uploaded.media_type) == (sent.image, "image/tiff")
    assert (cleaned.data, cleaned.media_type) == (sent.cleaned_png, "image/png")


def test_a_reference_belongs_to_its_writer_only(registry, enrolled):
    reference_id = enrolled[0].reference_id
    for refused in (registry.references.image, registry.references.erase):
        with pytest.raises(UnknownReference):
            refused("C-2", reference_id)
        with pytest.raises(UnknownReference):
            refused("C-1", 10**6)
        with pytest.raises(UnknownWriter):
            refused("C-3", reference_id)
    assert len(registry.references.of_writer("C-1")) == 3


def test_the_same_image_again_is_refused_with_the_reference_there_is(
    registry, enrolled, new_references
):
    fresh, known = new_references(1, seed=5)[0], new_references(3)[2]
    with pytest.raises(DuplicateReference) as caught:
        registry.references.add("C-1", MODEL, [fresh, known])
    assert caught.value.reference_id == enrolled[2].reference_id
    assert registry.writers.get("C-1").reference_count == 3
    # Another writer may have the very same image: that is for a person to judge.
    assert len(registry.references.add("C-2", MODEL, [known])) == 1


def test_existing_sha256_lets_an_import_go_on(registry, enrolled):
    assert registry.references.sha256_to_id("C-1") == {
        reference.sha256: reference.reference_id for reference in enrolled
    }
    assert registry.references.sha256_to_id("C-3") == {}


@pytest.mark.parametrize(
    "vector",
    [
        np.zeros(128, np.float32),
        np.full(128, np.nan, np.float32),
        np.full(128, np.inf, np.float32),
        np.full(128, 0.1, np.float32),
        np.eye(1, 64, dtype=np.float32)[0],
    ],
    ids=["zero", "nan", "infinite", "not of length 1", "short"],
)
def test_a_vector_that_cannot_be_compared_is_never_stored(
    registry, enrolled, new_references, vector
):
    bad = dataclasses.replace(new_references(1, seed=9)[0], vector=vector)
    with pytest.raises(InvalidVector):
        registry.references.add("C-1", MODEL, [bad])
    with pytest.raises(InvalidVector):
        registry.embeddings.put(MODEL, [enrolled[0].reference_id], vector[np.newaxis], None)
    assert registry.writers.get("C-1").reference_count == 3


def test_what_is_added_needs_a_writer_and_a_model(registry, enrolled, new_references):
    with pytest.raises(UnknownWriter):
        registry.references.add("C-3", MODEL, new_references(1))
    with pytest.raises(UnknownModel):
        registry.references.add("C-1", OTHER, new_references(1, seed=4))
    with pytest.raises(InvalidVector):
        registry.models.register(MODEL, "test model", 64)


def test_a_reference_id_is_never_used_again(registry, enrolled, new_references):
    highest = enrolled[-1].reference_id
    registry.writers.erase("C-1")
    added = registry.references.add("C-2", MODEL, new_references(1))
    assert added[0].reference_id > highest


def test_writers_of_names_owners_and_passes_over_what_is_gone(registry, enrolled):
    ids = [reference.reference_id for reference in enrolled]
    registry.references.erase("C-1", ids[0])
    assert registry.references.writers_of([*ids, 10**9]) == {ids[1]: "C-1", ids[2]: "C-1"}
    assert registry.references.writers_of([]) == {}
    # More than a statement takes parameters.
    assert len(registry.references.writers_of(range(40_000))) == 2


def test_a_new_model_sees_the_references_in_portions_and_can_be_resumed(registry, enrolled, unit):
    registry.models.register(OTHER, "newer model", 128)
    registry.models.register(OTHER, "newer model", 128)
    todo = registry.embeddings.missing(OTHER, limit=2)
    [after_those] = registry.embeddings.missing(OTHER, limit=2, after=todo[-1][0])
    assert after_those[0] > todo[-1][0] > todo[0][0]
    assert [reference_id for reference_id, *_ in todo] == [
        reference.reference_id for reference in enrolled[:2]
    ]
    assert todo[0][1] == registry.references.image("C-1", enrolled[0].reference_id).data
    ids, vectors = [reference_id for reference_id, *_ in todo], unit(2, seed=7)
    assert registry.embeddings.put(OTHER, ids, vectors, [b"one", b"two"]) == 2
    again = registry.embeddings.put(OTHER, ids, unit(2, seed=8), [b"1", b"2"])
    assert again == 0, "never replaced"
    claim = registry.embeddings.claim("C-1", OTHER)
    assert claim.vectors.tobytes() == vectors.tobytes()
    assert claim.pieces == (b"one", b"two")
    assert len(registry.embeddings.missing(OTHER, limit=9)) == 1
    assert not registry.embeddings.missing(MODEL, limit=9)


def test_a_reference_erased_while_it_was_encoded_is_passed_over(registry, enrolled, unit):
    registry.models.register(OTHER, "newer model", 128)
    ids = [reference.reference_id for reference in enrolled]
    registry.references.erase("C-1", ids[1])
    assert registry.embeddings.put(OTHER, ids, unit(3), [b"one", b"two", b"three"]) == 2
    assert registry.embeddings.claim("C-1", OTHER).reference_ids.tolist() == [ids[0], ids[2]]
    assert registry.embeddings.claim("C-1", OTHER).pieces == (b"one", b"three")


def test_sizes_follow_every_change_for_each_model(registry, enrolled, new_references, unit):
    registry.models.register(OTHER, "newer model", 128)
    assert registry.models.gallery_size(MODEL) == GallerySize(writers=1, references=3)
    assert registry.models.gallery_size(OTHER) == GallerySize(writers=0, references=0)
    registry.references.add("C-2", MODEL, new_references(2, seed=3))
    registry.embeddings.put(OTHER, [enrolled[0].reference_id], unit(1), None)
    assert registry.models.gallery_size(MODEL) == GallerySize(writers=2, references=5)
    assert registry.models.gallery_size(OTHER) == GallerySize(writers=1, references=1)
    registry.references.erase("C-1", enrolled[0].reference_id)
    assert registry.models.gallery_size(MODEL) == GallerySize(writers=2, references=4)
    assert registry.models.gallery_size(OTHER) == GallerySize(writers=0, references=0)
    registry.writers.erase("C-2")
    assert registry.models.gallery_size(MODEL) == GallerySize(writers=1, references=2)
    assert registry.models.gallery_size("c" * 64) == GallerySize(writers=0, references=0)


def test_a_sample_of_few_references_is_of_all_of_them_and_the_same_again(registry, new_references):
    assert registry.references.sampled(10) == {}
    for name in ("C-1", "C-2"):
        registry.writers.create(name, "", MODEL, new_references(3, seed=int(name[-1])))
    every = registry.references.sampled(10)
    assert sorted(every.values()) == ["C-1"] * 3 + ["C-2"] * 3
    assert list(registry.references.sampled(10).items()) == list(every.items())
    some = registry.references.sampled(4)
    assert len(some) == 4
    assert some.items() <= every.items()
    registry.writers.erase("C-1")
    assert set(registry.references.sampled(10).values()) == {"C-2"}


def test_a_sample_of_many_references_is_drawn_from_all_of_them(registry, new_references):
    """Of ids that reach far beyond what is wanted, some are drawn; erased ones are passed over."""
    for number in range(40):
        registry.writers.create(f"C-{number}", "", MODEL, new_references(3, seed=number))
    for number in range(0, 40, 2):
        registry.writers.erase(f"C-{number}")
    drawn = registry.references.sampled(6)
    assert len(drawn) == 6
    assert drawn == registry.references.sampled(6)
    assert {int(name[2:]) % 2 for name in drawn.values()} == {1}
    assert len({int(name[2:]) // 10 for name in drawn.values()}) > 1
    for number in range(1, 39, 2):  # Hardly any are left.
        registry.writers.erase(f"C-{number}")
    assert set(registry.references.sampled(6).values()) == {"C-39"}
    assert len(registry.references.sampled(6)) == 3
