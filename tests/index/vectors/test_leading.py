"""An index of the leading elements of longer vectors: less memory, the same registry."""

import hashlib

import numpy as np
import pytest

from index.errors import InvalidVector
from index.registry.references import NewReference
from index.sync.local_gallery import LocalGallery
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import RecallTarget

MODEL = "c" * 64
WHOLE = 576
INDEXED = 128


@pytest.fixture
def long(unit):
    """Return `long(n, seed)`: unit vectors (n, 576) most of whose length is in the first 128."""

    def make(n, seed=0):
        vectors = unit(n, seed, WHOLE) * np.where(np.arange(WHOLE) < INDEXED, 1.0, 0.2)
        vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
        return vectors.astype(np.float32)

    return make


@pytest.fixture
def enroll(registry, long):
    """Enroll writer W-`seed` with n references of 576 numbers; return their ids."""
    registry.models.register(MODEL, "long vectors", WHOLE)

    def make(n, seed):
        references = []
        for number, vector in enumerate(long(n, seed)):
            image = f"{seed} {number}".encode()
            sha256 = hashlib.sha256(image).hexdigest()
            references.append(NewReference(image, "image/png", b"c", sha256, {}, vector))
        _, added = registry.writers.create(f"W-{seed}", "", MODEL, references)
        return [one.reference_id for one in added]

    return make


@pytest.fixture
def open_short(registry, tmp_path):
    opened = []

    def make():
        gallery = LocalGallery(registry, MODEL, INDEXED, tmp_path / "short", 1000, RecallTarget(80))
        report = gallery.open()
        opened.append(gallery)
        return gallery, report

    yield make
    for gallery in opened:
        gallery.close()


def test_leading_elements_have_unit_length_and_keep_their_directions(long):
    vectors = long(200)
    short = leading(vectors, INDEXED)
    assert short.shape == (200, INDEXED)
    assert short.dtype == np.float32
    assert short.flags.c_contiguous
    np.testing.assert_allclose(np.linalg.norm(short, axis=1), 1.0, atol=1e-6)
    cosines = np.sum(short * vectors[:, :INDEXED], axis=1)
    np.testing.assert_allclose(cosines, np.linalg.norm(vectors[:, :INDEXED], axis=1), rtol=1e-6)


def test_vectors_of_the_right_length_stay_as_they_are(long):
    vectors = long(3)
    assert leading(vectors, WHOLE) is vectors


def test_the_bytes_of_a_row_do_not_depend_on_its_batch(long):
    vectors = long(5000)
    together = leading(vectors, INDEXED)
    for row in range(0, 5000, 61):
        assert leading(vectors[row : row + 1], INDEXED).tobytes() == together[row].tobytes()
    assert leading(vectors[::-1], INDEXED).tobytes() == together[::-1].tobytes()
    assert leading(np.asfortranarray(vectors), INDEXED).tobytes() == together.tobytes()


def test_a_vector_without_leading_length_becomes_the_first_axis():
    vectors = np.eye(WHOLE, dtype=np.float32)[[INDEXED, 0]]
    assert leading(vectors, INDEXED).tolist() == np.eye(1, INDEXED).repeat(2, 0).tolist()
    tiny = vectors[:1].copy()
    tiny[0, 1] = np.float32(1e-45)  # The least number there is; its square has no float32.
    assert leading(tiny, INDEXED).tolist() == np.eye(1, INDEXED, 1).tolist()


@pytest.mark.parametrize(
    "spoil",
    [
        lambda vectors: vectors * np.float32("nan"),
        lambda vectors: vectors * 0,
        lambda vectors: vectors * 2,
        lambda vectors: vectors[:, :64],
        lambda vectors: vectors[0],
    ],
    ids=["nan", "zero", "not of length 1", "short", "one-dimensional"],
)
def test_what_is_no_unit_vector_is_refused(long, spoil):
    with pytest.raises(InvalidVector):
        leading(spoil(long(2)), INDEXED)


def test_a_short_index_follows_a_registry_of_long_vectors(
    registry, enroll, open_short, long, listed
):
    early = enroll(40, seed=1)
    gallery, report = open_short()
    assert report.source == "rebuilt"
    late = enroll(30, seed=2)
    for names, seed in [(early, 1), (late, 2)]:
        vectors = long(len(names), seed)
        found = gallery.search(vectors, 1)
        assert [one.reference_ids[0] for one in found] == names
        assert listed(gallery.search(leading(vectors, INDEXED), 1)) == listed(found)
    assert gallery.check().clean
    assert gallery.stats()["dimension"] == INDEXED

    gallery.save_snapshot()
    registry.references.erase("W-1", early[0])
    registry.writers.erase("W-2")
    assert len(gallery.search(long(1), 100)[0]) == 39
    again, report = open_short()
    assert (report.source, report.applied) == ("snapshot", 31)
    assert again.check().clean
    again.rebuild()
    assert again.check().clean
    assert again.check().index_count == 39


def test_check_sees_one_bit_of_a_short_vector(registry, enroll, open_short, long):
    names = enroll(3, seed=1)
    gallery, _ = open_short()
    inside = gallery._replayed.index
    inside.remove(np.array(names[:1]))
    nudged = leading(long(1, 1), INDEXED).copy()
    nudged.view(np.uint32)[0, 5] ^= 1
    inside.add(np.array(names[:1]), nudged)
    assert gallery.check().different == (names[0],)
