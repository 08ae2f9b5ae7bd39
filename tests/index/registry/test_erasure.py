"""Erased means that the bytes are nowhere: not in the database, its log, nor a snapshot."""

import hashlib
import sqlite3
import subprocess
import time

import numpy as np

from index.registry.references import NewReference
from index.registry.registry import Registry

MODEL = "a" * 64


def large_reference(number, unit):
    """A reference whose image spills over several pages of the database."""
    image = np.random.default_rng(number).bytes(9000)
    return NewReference(
        image=image,
        media_type="image/png",
        cleaned_png=np.random.default_rng(10**6 + number).bytes(1500),
        sha256=hashlib.sha256(image).hexdigest(),
        quality={"note": f"quality-{number}-of-this-one"},
        vector=unit(1, seed=number)[0],
        filename=f"filename-{number}-of-this-one.png",
        pieces=np.random.default_rng(10**7 + number).bytes(5000),
    )


def traces(reference, everything):
    """Return which parts of a reference are among the bytes; a bit of one counts."""
    parts = {
        "vector": [reference.vector.tobytes()[start : start + 32] for start in (0, 200, 480)],
        "pieces": [reference.pieces[start : start + 32] for start in range(0, 5000, 500)],
        "image": [reference.image[start : start + 32] for start in range(0, 9000, 500)],
        "cleaned": [reference.cleaned_png[start : start + 32] for start in range(0, 1500, 300)],
        "filename": [reference.filename.encode()],
        "quality": [reference.quality["note"].encode()],
    }
    return [part for part, some in parts.items() if any(bit in everything for bit in some)]


def on_disk(tmp_path):
    # In another process: one that closes a file of its database loses its locks on it.
    files = [str(path) for path in tmp_path.rglob("*") if path.is_file()]
    return subprocess.run(["cat", *files], stdout=subprocess.PIPE, check=True).stdout


def test_no_file_holds_anything_of_an_erased_writer(
    registry, database_file, open_gallery, unit, tmp_path
):
    gallery = open_gallery()
    references = {}
    # Writers' rows lie between those of others, so that erasing moves what stays.
    for turn in range(4):
        for person in range(15):
            reference = large_reference(100 * person + turn, unit)
            references.setdefault(person, []).append(reference)
            if turn == 0:
                registry.writers.create(f"W{person}", f"The Name Of {person}:", MODEL, [reference])
            else:
                registry.references.add(f"W{person}", MODEL, [reference])
    gallery.save_snapshot()
    before = on_disk(tmp_path)
    all_parts = ["vector", "pieces", "image", "cleaned", "filename", "quality"]
    assert all(traces(one, before) == all_parts for own in references.values() for one in own)

    for person in range(0, 15, 2):
        assert registry.writers.erase(f"W{person}").reference_count == 4
    first_of_1 = registry.references.of_writer("W1")[0].reference_id
    registry.references.erase("W1", first_of_1)
    gallery.catch_up()
    gallery.forget_snapshots()
    gallery.save_snapshot()

    after = on_disk(tmp_path)
    for person in range(0, 15, 2):
        assert [traces(one, after) for one in references[person]] == [[]] * 4
        assert f"The Name Of {person}:".encode() not in after
        assert f"the name of {person}:".encode() not in after
    assert traces(references[1][0], after) == []
    assert traces(references[1][1], after)
    assert b"The Name Of 1:" in after
    assert gallery.check().clean


def test_erasing_many_vectors_in_any_order_leaves_no_piece(registry, new_references, tmp_path):
    """Small rows move between pages as others go; what they leave behind must be gone too."""
    random = np.random.default_rng(5)
    people = {}
    for person in range(80):
        people[person] = new_references(5, seed=person)
        registry.writers.create(f"W{person}", "", MODEL, people[person])
    gone = random.permutation(80)[:70].tolist()
    for person in gone:
        registry.writers.erase(f"W{person}")
    everything = on_disk(tmp_path)
    for person, references in people.items():
        held = [
            any(one.vector.tobytes()[start : start + 24] in everything for start in (0, 240, 488))
            or one.pieces in everything
            for one in references
        ]
        assert held == [person not in gone] * 5


def test_the_change_log_names_the_reference_and_keeps_nothing_of_it(
    registry, database_file, new_references
):
    _, added = registry.writers.create("C-1", "Ada Lind", MODEL, new_references(1))
    registry.writers.erase("C-1")
    connection = sqlite3.connect(database_file)
    rows = connection.execute("SELECT revision, kind, reference_id, model_id FROM revisions")
    assert rows.fetchall() == [
        (1, "put", added[0].reference_id, MODEL),
        (2, "erase", added[0].reference_id, None),
    ]
    connection.close()


def test_answers_kept_for_repeated_requests_go_with_the_writer(registry, database_file, tmp_path):
    registry.writers.create("C-1", "Ada Lind")
    connection = sqlite3.connect(database_file)
    with connection:
        connection.executemany(
            "INSERT INTO idempotency_keys VALUES ('caller', ?, 'f', ?, 201, ?, '2026-01-01')",
            [("one", "C-1", b"an answer with Ada Lind"), ("two", "C-2", b"another answer")],
        )
    connection.close()
    registry.writers.erase("C-1")
    everything = on_disk(tmp_path)
    assert b"an answer with Ada Lind" not in everything
    assert b"another answer" in everything


def purge(registry, tmp_path):
    """Take a turn of purging; return how many erasures are left, and where their traces are."""
    left = registry.purge.attempt(tmp_path / "snapshots", lambda: None)
    return len(left), {one.path.name for one in registry.purge.traces(tmp_path / "snapshots")}


def test_a_reader_keeps_nobody_waiting_and_the_bytes_are_purged_after_it(
    registry, database_file, unit, tmp_path, reading
):
    gone, stays = large_reference(1, unit), large_reference(2, unit)
    registry.writers.create("C-1", "The Name Of Ada:", MODEL, [gone])
    registry.writers.create("C-2", "The Name Of Ben:", MODEL, [stays])
    with reading(database_file):
        started_s = time.monotonic()
        registry.writers.erase("C-1")
        registry.writers.create("C-3", "")
        assert time.monotonic() - started_s < 1
        assert not registry.writers.knows("C-1")
        left, places = purge(registry, tmp_path)
        assert left == 1
        assert places & {database_file.name, f"{database_file.name}-wal"}
        assert traces(gone, on_disk(tmp_path))
    # Another process finishes what this one began.
    other = Registry(f"sqlite:///{database_file}")
    assert purge(other, tmp_path) == (0, set())
    other.close()
    everything = on_disk(tmp_path)
    assert traces(gone, everything) == []
    assert b"The Name Of Ada:" not in everything
    assert traces(stays, everything)
    (done,) = registry.erasures.newest(5)
    assert (done.state, done.reference_count) == ("purged", 1)
    assert sqlite3.connect(database_file).execute("SELECT traces FROM erasures").fetchall() == [
        (None,)
    ]


def test_bytes_that_others_have_too_are_no_trace(registry, database_file, unit, tmp_path, reading):
    """The same scan, the same name: what is enrolled is not what was erased."""
    shared = large_reference(1, unit)
    for writer_id in ("C-1", "C-2"):
        registry.writers.create(writer_id, "Ada Lindgren", MODEL, [shared])
    with reading(database_file):
        registry.writers.erase("C-1")
    assert len(registry.erasures.pending()) == 1
    assert purge(registry, tmp_path) == (0, set())
    assert registry.erasures.count() == (1, 0)


def test_a_snapshot_that_holds_a_vector_is_found(registry, open_gallery, unit, tmp_path):
    reference = large_reference(1, unit)
    registry.writers.create("C-1", "", MODEL, [reference])
    open_gallery().save_snapshot()
    registry.writers.erase("C-1")
    folder = next(path.parent for path in tmp_path.rglob("manifest.json"))
    assert len(registry.purge.attempt(folder, lambda: None)) == 1
    assert {one.path.suffix for one in registry.purge.traces(folder)} == {".faiss"}
    for path in folder.iterdir():
        path.unlink()
    assert registry.purge.attempt(folder, lambda: None) == []


def test_the_list_of_erasures_holds_nothing_of_what_was_erased(
    registry, database_file, unit, tmp_path, reading
):
    reference = large_reference(1, unit)
    registry.writers.create("C-77", "The Name Of Ada:", MODEL, [reference])
    with reading(database_file):
        registry.writers.erase("C-77")
    connection = sqlite3.connect(database_file)
    content = b"".join(
        str(value).encode() if not isinstance(value, bytes) else value
        for line in connection.execute("SELECT * FROM erasures")
        for value in line
    )
    connection.close()
    assert len(content) > 300
    assert b"Ada" not in content
    assert b"C-77" not in content
    pieces = [reference.image[at : at + 4] for at in range(9000 - 3)]
    assert not any(piece in content for piece in pieces)


def test_what_was_erased_is_looked_for_in_the_index_and_on_disk(
    registry, open_gallery, new_references
):
    _, gone = registry.writers.create("C-1", "", MODEL, new_references(3, seed=1))
    registry.writers.create("C-2", "", MODEL, new_references(2, seed=2))
    gallery = open_gallery()
    gallery.save_snapshot()
    assert gallery.check_erased().clean
    registry.writers.erase("C-1")
    names = tuple(one.reference_id for one in gone)
    report = gallery.check_erased()
    assert (report.erased, report.in_index, report.in_snapshot) == (3, (), names)
    assert not report.clean
    gallery.forget_snapshots()
    report = gallery.check_erased()
    assert report.clean
    assert report.snapshot == "there is no snapshot"
    gallery.save_snapshot()
    report = gallery.check_erased()
    assert report.clean
    assert report.snapshot is None
