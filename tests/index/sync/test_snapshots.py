import base64
import json
import threading

import numpy as np
import pytest

from index.errors import ErasureIncomplete, SnapshotNotSaved
from index.registry.change_log import Position
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.sync.local_gallery import LocalGallery
from index.sync.snapshot import Origin, SnapshotFolder
from index.vectors.flat_index import FlatIndex
from index.vectors.vector_index import RecallTarget

MODEL = "a" * 64
OTHER = "b" * 64


@pytest.fixture
def folder(tmp_path):
    return tmp_path / "snapshots"


@pytest.fixture
def saved(registry, open_gallery, new_references, folder):
    """Five references in the registry and in a snapshot; returns the snapshot's data file."""
    registry.writers.create("C-1", "Ada Lind", MODEL, new_references(5))
    open_gallery().close()
    return data_file(folder)


def data_file(folder):
    (data,) = folder.glob("index-*.faiss")
    return data


def reopened(registry, folder, model_id=MODEL):
    gallery = LocalGallery(registry, model_id, 128, folder, 1000, RecallTarget(80))
    return gallery, gallery.open()


def assert_rebuilt(registry, folder, reason):
    gallery, report = reopened(registry, folder)
    assert report.source == "rebuilt"
    assert reason in report.reason
    assert gallery.check().clean
    assert gallery.stats()["size"] == 5
    # And the next start finds a good one.
    assert reopened(registry, folder)[1].source == "snapshot"


def test_a_start_uses_the_snapshot_and_applies_what_is_newer(
    registry, saved, folder, new_references, unit
):
    registry.references.add("C-1", MODEL, new_references(2, seed=2))
    gallery, report = reopened(registry, folder)
    assert (report.source, report.reason, report.applied) == ("snapshot", None, 2)
    assert len(gallery.search(unit(1), 50)[0]) == 7
    assert gallery.check().clean


def test_a_first_start_says_that_there_was_no_snapshot(registry, folder):
    _, report = reopened(registry, folder)
    assert (report.source, report.reason, report.applied) == ("rebuilt", "there is no snapshot", 0)


def test_a_flipped_byte_anywhere_in_the_data_is_found(registry, saved, folder):
    whole = saved.read_bytes()
    for place in (0, 20, len(whole) // 2, len(whole) - 1):
        data = data_file(folder)
        spoilt = bytearray(data.read_bytes())
        spoilt[place] ^= 1
        data.write_bytes(spoilt)
        assert_rebuilt(registry, folder, "sha256")


@pytest.mark.parametrize("left", [0, 1, 100, -1])
def test_a_truncated_snapshot_is_found(registry, saved, folder, left):
    saved.write_bytes(saved.read_bytes()[:left])
    assert_rebuilt(registry, folder, "sha256")


def test_a_missing_data_file_is_found(registry, saved, folder):
    saved.unlink()
    assert_rebuilt(registry, folder, "cannot be read")


def test_a_missing_manifest_leaves_no_snapshot(registry, saved, folder):
    (folder / "manifest.json").unlink()
    assert_rebuilt(registry, folder, "there is no snapshot")
    assert not saved.exists(), "data that no manifest names is cleared away"


@pytest.mark.parametrize(
    "content",
    [pytest.param("[" * 100_000, id="deep"), "", "{", "[]", "{}", "null", '{"format": 1}', "\xff"],
)
def test_a_torn_manifest_is_found(registry, saved, folder, content):
    (folder / "manifest.json").write_bytes(content.encode("latin-1"))
    assert_rebuilt(registry, folder, "manifest is damaged")


def test_no_bit_of_the_manifest_flips_unnoticed(registry, saved, folder, monkeypatch):
    """Whatever bit flips, the index that results is the registry's."""
    monkeypatch.setattr(LocalGallery, "_save_or_warn", lambda self: None)
    manifest = folder / "manifest.json"
    whole = manifest.read_bytes()
    rebuilt = 0
    places = range(0, len(whole), 3)
    for place in places:
        spoilt = bytearray(whole)
        spoilt[place] ^= 1 << (place % 7)
        manifest.write_bytes(spoilt)
        gallery, report = reopened(registry, folder)
        assert gallery.check().clean
        rebuilt += report.source == "rebuilt"
    # White space may become other white space.
    assert rebuilt > 0.9 * len(places)


@pytest.mark.parametrize(
    ("field", "value", "reason"),
    [
        ("model_id", OTHER, "another model"),
        ("registry_id", "0" * 32, "another registry"),
        ("dimension", 64, "another dimension"),
        ("kind", "other", "another kind"),
        ("format", 2, "another format"),
        ("revision", 6, "restored from a backup"),
        ("mark", 1, "restored from a backup"),
        ("revision", "5", "manifest is damaged"),
        ("revision", 2**63, "manifest is damaged"),
        ("mark", -(2**64), "manifest is damaged"),
        ("file", "index-\0.faiss", "manifest is damaged"),
        ("file", "..", "outside the folder"),
        ("file", "../elsewhere", "outside"),
    ],
)
def test_a_snapshot_of_something_else_is_found(registry, saved, folder, field, value, reason):
    manifest = json.loads((folder / "manifest.json").read_text())
    (folder / "manifest.json").write_text(json.dumps({**manifest, field: value}))
    assert_rebuilt(registry, folder, reason)


def test_a_snapshot_of_another_model_is_found(registry, saved, folder, unit):
    registry.models.register(OTHER, "newer model", 128)
    ids = [reference.reference_id for reference in registry.references.of_writer("C-1")]
    registry.embeddings.put(OTHER, ids, unit(5, seed=4), None)
    gallery, report = reopened(registry, folder, OTHER)
    assert report.source == "rebuilt"
    assert "another model" in report.reason
    assert gallery.check().clean


def test_a_snapshot_of_another_registry_is_found(saved, folder, tmp_path, new_references):
    url = f"sqlite:///{tmp_path / 'another.db'}"
    upgrade(url)
    another = Registry(url)
    another.models.register(MODEL, "test model", 128)
    another.writers.create("C-9", "", MODEL, new_references(5, seed=9))
    try:
        assert_rebuilt(another, folder, "another registry")
    finally:
        another.close()


def test_a_registry_restored_from_a_backup_does_not_get_a_newer_index(
    registry, database_file, saved, folder, new_references, tmp_path
):
    """Also where the restored registry has grown past the snapshot's revision since."""
    registry.references.erase("C-1", registry.references.of_writer("C-1")[0].reference_id)
    backup = tmp_path / "backup.db"
    backup.write_bytes(database_file.read_bytes())
    registry.references.add("C-1", MODEL, new_references(2, seed=2))
    reopened(registry, folder)[0].close()
    restored = Registry(f"sqlite:///{backup}")
    try:
        for seed in (3, 4):
            gallery, report = reopened(restored, folder)
            assert report.source == "rebuilt"
            assert "backup" in report.reason
            assert gallery.check().clean
            restored.references.add("C-1", MODEL, new_references(seed, seed=seed))
            reopened(registry, folder)[0].close()
    finally:
        restored.close()


def test_a_snapshot_is_left_alone_when_nothing_is_new(registry, saved, folder):
    gallery, _ = reopened(registry, folder)
    gallery.save_snapshot()
    gallery.close()
    assert data_file(folder) == saved


def test_an_interrupted_save_leaves_the_snapshot_before_it(
    registry, saved, folder, new_references, monkeypatch
):
    registry.references.add("C-1", MODEL, new_references(2, seed=2))
    gallery, _ = reopened(registry, folder)
    with monkeypatch.context() as patch:
        patch.setattr("index.sync.snapshot.SnapshotFolder._commit", _full_disk)
        with pytest.raises(SnapshotNotSaved, match="No space left"):
            gallery.save_snapshot()
    assert data_file(folder) == saved, "and nothing half written beside it"
    assert reopened(registry, folder)[1].applied == 2
    gallery.save_snapshot()
    assert len(list(folder.glob("index-*"))) == 1
    assert reopened(registry, folder)[1].applied == 0


def _full_disk(*_):
    raise OSError(28, "No space left on device")


def test_a_folder_that_cannot_be_written_stops_no_start(registry, new_references, tmp_path, unit):
    (tmp_path / "a file").write_text("in the way")
    registry.writers.create("C-1", "", MODEL, new_references(2))
    gallery, report = reopened(registry, tmp_path / "a file" / "snapshots")
    assert report.source == "rebuilt"
    assert len(gallery.search(unit(1), 5)[0]) == 2
    with pytest.raises(SnapshotNotSaved):
        gallery.save_snapshot()
    with pytest.raises(ErasureIncomplete):
        gallery.forget_snapshots()
    gallery.close()


def test_many_changes_save_a_snapshot_by_themselves(registry, folder, new_references, monkeypatch):
    monkeypatch.setattr("index.sync.local_gallery.SAVE_AFTER_CHANGES", 4)
    gallery, _ = reopened(registry, folder)
    registry.writers.create("C-1", "", MODEL, new_references(3))
    gallery.catch_up()
    assert gallery.stats()["snapshot_revision"] == 0
    registry.references.add("C-1", MODEL, new_references(1, seed=2))
    gallery.catch_up()
    gallery._saving.join()
    assert gallery.stats()["snapshot_revision"] == 4
    gallery.close()


def test_nothing_saved_after_forgetting_holds_what_was_erased(
    registry, open_gallery, new_references, folder
):
    """Savers run all the time; after each erasure and forgetting, no file has the bytes."""
    kept = new_references(50, seed=1)
    registry.writers.create("keep", "", MODEL, kept)
    gallery, saver = open_gallery(), open_gallery()
    done = threading.Event()

    def save_for_ever():
        while not done.is_set():
            saver._saved = None
            saver.save_snapshot()

    thread = threading.Thread(target=save_for_ever)
    thread.start()
    try:
        for turn in range(10):
            references = new_references(3, seed=100 + turn)
            registry.writers.create("gone", "", MODEL, references)
            gallery.save_snapshot()
            registry.writers.erase("gone")
            gallery.forget_snapshots()
            on_disk = b"".join(_read(path) for path in folder.iterdir())
            assert not any(one.vector.tobytes() in on_disk for one in references)
    finally:
        done.set()
        thread.join()
    gallery.save_snapshot()
    assert kept[0].vector.tobytes() in data_file(folder).read_bytes()


def _read(path):
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return b""


def test_a_start_after_a_half_done_erasure_finishes_it(registry, saved, folder, new_references):
    """The process that erased was killed before it could forget the snapshot."""
    erased = new_references(5)[2].vector.tobytes()
    assert erased in saved.read_bytes()
    registry.references.erase("C-1", registry.references.of_writer("C-1")[2].reference_id)
    _, report = reopened(registry, folder)
    assert report.source == "snapshot"
    assert erased not in b"".join(path.read_bytes() for path in folder.iterdir())
    assert np.frombuffer(erased, np.float32).size == 128


# A snapshot of format 1 as it was once written: two references, 3 and 5, of four dimensions.
WRITTEN = {
    "format": 1,
    "registry_id": "00000000000000000000000000000001",
    "model_id": MODEL,
    "dimension": 4,
    "kind": "flat",
    "revision": 7,
    "mark": 11,
    "file": "index-7-6b1e8eaeb81645e98605ce41fd4be328.faiss",
    "sha256": "cee7f421749151914348e70c33934bb6062be6ad89af7cd35f810b490dcbdb09",
}
WRITTEN_DATA = (
    "SXhNMgQAAAACAAAAAAAAAAAAEAAAAAAAAAAQAAAAAAABAAAAAEl4RkkEAAAAAgAAAAAAAAAAABAAAAAAAAAAEAAAAAAA"
    "AQAAAAAIAAAAAAAAAAAAgD8AAAAAAAAAAAAAAAAAAAAAAACAPwAAAAAAAAAAAgAAAAAAAAADAAAAAAAAAAUAAAAAAAAA"
)


def test_a_snapshot_that_an_earlier_version_wrote_is_loaded(folder):
    """Where this fails, raise the format: a start then says why it rebuilds."""
    folder.mkdir()
    (folder / WRITTEN["file"]).write_bytes(base64.b64decode(WRITTEN_DATA))
    (folder / "manifest.json").write_text(json.dumps(WRITTEN))
    origin = Origin(WRITTEN["registry_id"], MODEL, 4)
    index, position = SnapshotFolder(folder).load({"flat": FlatIndex}, origin)
    assert position == Position(revision=7, mark=11)
    assert index.reference_ids().tolist() == [3, 5]
    [near] = index.search(np.eye(1, 4, dtype=np.float32), 2)
    assert (near.reference_ids.tolist(), near.similarities.tolist()) == ([3, 5], [1, 0])


def test_a_snapshot_says_what_it_is_of(registry, saved, folder):
    head = registry.changes.head()
    manifest = json.loads((folder / "manifest.json").read_text())
    assert len(manifest.pop("sha256")) == 64
    assert manifest == {
        "format": 1,
        "registry_id": registry.registry_id(),
        "model_id": MODEL,
        "dimension": 128,
        "kind": "flat",
        "revision": head.revision,
        "mark": head.mark,
        "file": saved.name,
    }
