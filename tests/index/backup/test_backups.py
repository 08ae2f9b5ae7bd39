"""A backup holds all of a registry, whatever is written meanwhile, and comes back as it was."""

import stat
import subprocess
import sys
import time
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from sqlalchemy import create_engine, inspect, select, text

from index.backup.archive import BackupReader
from index.backup.make import make_backup
from index.backup.restore import restore_backup
from index.errors import BackupNotMade, BackupUnusable, PlaceTaken, TombstonesUnusable
from index.registry.access.sessions import Session
from index.registry.access.users import Link
from index.registry.registry import Registry
from index.registry.schema import Base, UserRow
from tests.index.backup.conftest import DECISION, silent
from tests.index.conftest import MODEL

ENROLLING = Path(__file__).parents[1] / "registry" / "enrolling_process.py"


def contents(url: str) -> dict[str, list[tuple[object, ...]]]:
    """All rows of all tables, but of the audit chain, which goes on with the restoring."""
    engine = create_engine(url)
    with engine.connect() as connection:
        found = {
            table.name: sorted(map(repr, connection.execute(select(table)).all()))
            for table in Base.metadata.sorted_tables
            if not table.name.startswith("audit_")
        }
    engine.dispose()
    return found


def test_a_restored_registry_holds_every_row_as_it_was(
    filled, back_up, restore, empty_url, database_url
):
    path, made = back_up()
    url = empty_url()
    told, restored = restore(path, url)
    before = contents(database_url)
    assert contents(url) == before
    assert {"writers", "signature_references", "embeddings", "decisions"} <= {
        name for name, rows in before.items() if rows
    }
    assert told.manifest == made.manifest
    assert restored.registry_id() == filled.registry_id()
    assert restored.changes.head() == filled.changes.head()
    report = restored.decisions.verify()
    assert (report.length, report.head_sha256) == (3, made.manifest.decisions_sha256)
    assert report.intact


def test_a_backup_says_what_is_in_it_and_is_its_owners_alone(filled, back_up, database):
    path, made = back_up()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert made.bytes == path.stat().st_size
    manifest = made.manifest
    assert (manifest.database, manifest.registry_id) == (database, filled.registry_id())
    assert (manifest.rows["writers"], manifest.rows["signature_references"]) == (4, 12)
    assert manifest.revision == filled.changes.revision()
    with BackupReader(path) as reader:
        assert reader.manifest == manifest
    assert sorted(path.parent.glob(f".{path.name}*")) == []


def test_numbers_are_not_given_out_again_after_a_restore(
    filled, back_up, restore, empty_url, new_references
):
    _, last = filled.writers.create("W9", "", MODEL, new_references(2, 9))
    filled.writers.erase("W9")
    _, restored = restore(back_up()[0], empty_url())
    _, added = restored.writers.create("W10", "", MODEL, new_references(1, 10))
    assert added[0].reference_id > max(one.reference_id for one in last)
    assert restored.changes.revision() > filled.changes.revision()


def test_enrollments_go_on_while_a_backup_runs_and_each_before_it_is_in_it(
    filled, database_url, tmp_path, restore, empty_url, child_environment, open_gallery, monkeypatch
):
    monkeypatch.setattr("index.backup.make._PAGES", 8)  # Many steps, as of a large registry.

    def start(number: int) -> subprocess.Popen:
        arguments = [sys.executable, ENROLLING, database_url, f"P{number}", "0"]
        return subprocess.Popen(arguments, stdout=subprocess.PIPE, text=True, env=child_environment)

    processes = [start(number) for number in range(2)]
    acknowledged = []
    try:
        for process in processes:
            acknowledged += [process.stdout.readline().split()[0] for _ in range(10)]
        before = filled.changes.revision()
        path = tmp_path / "busy.zip"

        def slowly(_what: str, _done: int, _total: int) -> None:
            time.sleep(0.02)  # So that others write between its steps.

        made = make_backup(database_url, path, "0.1.0", slowly)
        during = filled.changes.revision()
        later = processes[0].stdout.readline()
    finally:
        for process in processes:
            process.kill()
            process.communicate()
    assert later, "the enrolling went on"
    assert before <= made.manifest.revision < during
    _, restored = restore(path, empty_url())
    assert [one for one in acknowledged if not restored.writers.knows(one)] == []
    assert restored.changes.revision() == made.manifest.revision
    assert restored.decisions.verify().intact
    gallery = open_gallery(restored, folder="restored")
    assert gallery.check().clean
    # Whole enrollments alone: five references each.
    counts = {one.reference_count for one in restored.writers.page(limit=10_000).writers}
    assert counts == {3, 5}


def test_no_file_is_overwritten_and_nothing_is_left_of_what_fails(filled, database_url, tmp_path):
    path = tmp_path / "there.zip"
    path.write_bytes(b"something else")
    with pytest.raises(BackupNotMade, match=r"there\.zip exists already"):
        make_backup(database_url, path, "0.1.0", silent)
    assert path.read_bytes() == b"something else"

    def fail(_what: str, _done: int, _total: int) -> None:
        raise KeyboardInterrupt

    folder = tmp_path / "backups"
    with pytest.raises(BackupNotMade, match="no folder"):
        make_backup(database_url, folder / "new.zip", "0.1.0", silent)
    folder.mkdir()
    with pytest.raises(KeyboardInterrupt):
        make_backup(database_url, folder / "new.zip", "0.1.0", fail)
    assert list(folder.iterdir()) == []


def test_a_place_that_is_not_empty_is_left_alone(filled, back_up, database_url, database):
    path, _ = back_up()
    before = contents(database_url)
    with pytest.raises(PlaceTaken, match="empty place only"):
        restore_backup(path, database_url, (), "test", silent, folder=path.parent)
    assert contents(database_url) == before


def test_a_damaged_backup_is_refused_wherever_it_is_damaged(filled, back_up, empty_url):
    path, _ = back_up()
    whole = path.read_bytes()
    url = empty_url()
    places = []
    with zipfile.ZipFile(path) as parts:
        for one in parts.infolist():
            # After the header of the part and its name come sizes of 64 bits, then the content.
            start = one.header_offset + 30 + len(one.filename) + 20
            places += range(start, start + one.file_size, max(one.file_size // 10, 1))
    for place in places:
        content = bytearray(whole)
        content[place] ^= 0x10
        path.write_bytes(content)
        with pytest.raises(BackupUnusable):
            restore_backup(path, url, (), "test", silent, folder=path.parent)
    for length in (0, 10, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:length])
        with pytest.raises(BackupUnusable, match="no backup of Countersign, or was cut short"):
            restore_backup(path, url, (), "test", silent, folder=path.parent)
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()
    assert len(places) >= 20


def test_a_backup_with_a_part_that_was_swapped_is_refused(filled, back_up, empty_url, tmp_path):
    """What a checksum of the zip does not find, since it was made anew with the change."""
    path, _ = back_up()
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(other, "w") as new:
        for name in old.namelist():
            new.writestr(name, old.read(name).replace(b"Writer 1", b"Writer 2"))
    with pytest.raises(BackupUnusable, match="sha256 has changed"):
        restore_backup(other, empty_url(), (), "test", silent, folder=path.parent)


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        (b'"format": 1', b'"format": 2', "its format is 2, expected 1"),
        (b'"schema": "0', b'"schema": "9', "install|restore it with that version"),
        (b'"parts"', b'"pirts"', "manifest is damaged"),
        (b'"revision": ', b'"revision": "1", "x": ', "manifest is damaged"),
        (b'"made_at": "2', b'"made_at": "x', "manifest is damaged"),
    ],
)
def test_a_backup_of_a_newer_version_or_another_kind_is_refused(
    filled, back_up, empty_url, tmp_path, old, new, said
):
    path, _ = back_up()
    other = tmp_path / "other.zip"
    with zipfile.ZipFile(path) as source, zipfile.ZipFile(other, "w") as target:
        for name in source.namelist():
            content = source.read(name)
            if name == "manifest.json":
                assert old in content
                content = content.replace(old, new)
            target.writestr(name, content)
    with pytest.raises(BackupUnusable, match=said):
        restore_backup(other, empty_url(), (), "test", silent, folder=path.parent)


def test_a_zip_of_something_else_is_no_backup(empty_url, tmp_path):
    path = tmp_path / "scans.zip"
    with zipfile.ZipFile(path, "w") as scans:
        scans.writestr("ada/1.png", b"a scan")
    with pytest.raises(BackupUnusable, match="no manifest"):
        restore_backup(path, empty_url(), (), "test", silent, folder=path.parent)


def test_a_database_without_a_registry_is_not_backed_up(empty_url, tmp_path):
    with pytest.raises(BackupNotMade, match="countersign db upgrade"):
        make_backup(empty_url(), tmp_path / "new.zip", "0.1.0", silent)
    assert not (tmp_path / "new.zip").exists()


# Erasures.


def test_who_was_erased_after_the_backup_does_not_come_back(
    filled, back_up, restore, empty_url, erasure_list, open_gallery
):
    path, _ = back_up()
    first = filled.references.of_writer("W1")[0].reference_id
    filled.references.erase("W1", first)
    filled.writers.erase("W0")
    listed = erasure_list(filled)
    told, restored = restore(path, empty_url(), listed)
    assert (told.repeated.writers, told.repeated.references) == (1, 4)
    assert not restored.writers.knows("W0")
    left = [one.reference_id for one in restored.references.of_writer("W1")]
    assert len(left) == 2
    assert first not in left
    assert restored.writers.knows("W2")
    gallery = open_gallery(restored, folder="restored")
    assert gallery.check().clean
    # The restored registry hands the erasures on.
    assert {one.subject for one in listed.tombstones} == {
        one.subject for one in restored.erasures.tombstones()
    }
    assert restored.models.gallery_size(MODEL).references == 8


def test_without_the_list_they_would_come_back(filled, back_up, restore, empty_url):
    path, _ = back_up()
    filled.writers.erase("W0")
    _, restored = restore(path, empty_url())
    assert restored.writers.knows("W0")


def test_who_was_enrolled_anew_before_the_backup_stays(
    filled, back_up, restore, empty_url, erasure_list, new_references
):
    filled.writers.erase("W0")
    filled.writers.create("W0", "Writer 0 again", MODEL, new_references(2, 50))
    path, _ = back_up()
    told, restored = restore(path, empty_url(), erasure_list(filled))
    assert (told.repeated.writers, told.repeated.references) == (0, 0)
    assert restored.writers.get("W0").name == "Writer 0 again"


def test_erasures_go_on_over_a_second_restore(
    filled, back_up, restore, empty_url, erasure_list, new_references
):
    """Somebody erased after the second backup, of whom the first one knew nothing."""
    first, _ = back_up()
    filled.writers.create("W7", "Late", MODEL, new_references(1, 70))
    second, _ = back_up()
    filled.writers.erase("W7")
    _, restored = restore(first, empty_url(), erasure_list(filled))
    assert not restored.writers.knows("W7")
    told, again = restore(second, empty_url(), erasure_list(restored))
    assert told.repeated.writers == 1
    assert not again.writers.knows("W7")


def test_a_number_given_out_twice_over_a_restore_erases_nobody_else(
    filled, back_up, restore, empty_url, erasure_list, new_references
):
    path, _ = back_up()
    [lost] = filled.references.add("W1", MODEL, new_references(1, 70))
    filled.references.erase("W1", lost.reference_id)
    erased = erasure_list(filled)
    url = empty_url()
    _, restored = restore(path, url)
    [other] = restored.references.add("W1", MODEL, new_references(1, 71))
    assert other.reference_id == lost.reference_id
    later = path.with_name("later.zip")
    make_backup(url, later, "0.1.0", silent)
    told, again = restore(later, empty_url(), erased)
    assert told.repeated.references == 0
    left = [one.reference_id for one in again.references.of_writer("W1")]
    assert other.reference_id in left


def test_a_list_of_erasures_tells_nothing_of_anybody(filled, erasure_list):
    filled.writers.create("C-1001", "Ada Lind")
    filled.writers.erase("C-1001")
    text_of = erasure_list(filled).as_json()
    assert len(erasure_list(filled).tombstones) == 2
    assert "C-1001" not in text_of
    assert "Ada" not in text_of
    # Whoever guesses the id has nothing to compare it with: the token is gone.
    with filled._database.read() as connection:
        assert (
            connection.execute(
                text("SELECT count(*) FROM writers WHERE erasure_token IS NULL")
            ).scalar_one()
            == 0
        )


def test_erasures_of_another_registry_are_refused(filled, back_up, empty_url, erasure_list):
    path, _ = back_up()
    listed = erasure_list(filled)
    other = type(listed)("0" * 32, listed.listed_at, listed.tombstones)
    url = empty_url()
    with pytest.raises(TombstonesUnusable, match="is of the registry"):
        restore_backup(path, url, [other], "test", silent, folder=path.parent)
    engine = create_engine(url)
    assert inspect(engine).get_table_names() == []
    engine.dispose()


def test_a_restore_is_an_entry_of_the_audit_chain(filled, back_up, restore, empty_url):
    path, made = back_up()
    _, restored = restore(path, empty_url())
    with restored._database.read() as connection:
        rows = connection.execute(text("SELECT kind, details FROM audit_entries")).all()
    assert rows[-1].kind == "restore.done"
    assert made.sha256 in str(rows[-1].details)


# Indexes.


def test_a_snapshot_newer_than_the_restored_registry_is_not_trusted(
    filled, back_up, restore, empty_url, open_gallery, new_references
):
    path, _ = back_up()
    gallery = open_gallery()
    filled.writers.create("W7", "Lost", MODEL, new_references(4, 70))
    gallery.save_snapshot()
    _, restored = restore(path, empty_url())
    # It goes on to where the snapshot stands: the number fits then, the history does not.
    for person in (80, 81):
        restored.writers.create(f"W{person}", "", MODEL, new_references(3, person))
    assert restored.changes.revision() >= filled.changes.revision()
    again = open_gallery(restored)
    assert again.report.source == "rebuilt"
    assert "restored from a backup" in again.report.reason
    assert again.check().clean


def test_a_snapshot_older_than_the_backup_is_used_and_follows_the_erasures(
    filled, back_up, restore, empty_url, open_gallery, erasure_list
):
    open_gallery().save_snapshot()
    path, _ = back_up()
    filled.writers.erase("W0")
    _, restored = restore(path, empty_url(), erasure_list(filled))
    again = open_gallery(restored)
    assert again.report.source == "snapshot"
    assert again.check().clean
    assert again.check_erased().clean


def test_a_shared_index_begins_anew_after_a_restore(filled, back_up, restore, empty_url):
    """What came after the backup is in the collection, and its place in SQL does not say so."""
    lease = filled.lease(MODEL, "http://127.0.0.1:1/default/countersign")
    state = lease.take()
    lease.advance(type(state)("collection_1", filled.changes.head()))
    _, restored = restore(back_up()[0], empty_url())
    assert restored.lease(MODEL, "http://127.0.0.1:1/default/countersign").read().collection is None


def test_nobody_is_signed_in_after_a_restore_and_no_link_sets_a_password(
    filled, back_up, restore, empty_url
):
    """Signing out, and the use of a link, may have come after the backup."""
    now = datetime.now(UTC)
    filled.users.add("ada", "admin", Link("1" * 64, now + timedelta(days=1)), "test")
    filled.sessions.begin("2" * 64, Session("s1", "ada", "admin", now, now, "127.0.0.1", "browser"))
    _, restored = restore(back_up()[0], empty_url())
    assert [one.username for one in restored.users.all()] == ["ada"]
    assert restored.sessions.find("2" * 64) is None
    with restored._database.read() as connection:
        kept = connection.execute(select(UserRow.link_sha256, UserRow.link_expires_at)).one()
    assert tuple(kept) == (None, None)


def test_a_restored_registry_takes_decisions_and_erasures(filled, back_up, restore, empty_url):
    _, restored = restore(back_up()[0], empty_url())
    restored.decisions.record(DECISION)
    restored.writers.erase("W2")
    assert restored.decisions.verify().length == 4
    assert isinstance(restored, Registry)
    restored.require_usable()


# Moving to another database.


def test_a_registry_moves_from_sqlite_to_postgresql_with_every_row(
    filled, back_up, restore, database, database_url, request, new_references, erasure_list
):
    if database == "postgresql":
        path, _ = back_up()
        with pytest.raises(BackupUnusable, match="cannot be brought into SQLite"):
            restore(path, f"sqlite:///{path.parent / 'new.db'}")
        return
    _, last = filled.writers.create("W9", "", MODEL, new_references(2, 9))
    filled.writers.erase("W9")
    path, _ = back_up()
    server = request.getfixturevalue("postgresql_server")
    url = f"{server}moved_{path.stem}"
    engine = create_engine(f"{server}postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE moved_{path.stem}"))
        try:
            _, moved = restore(path, url)
            assert contents(url) == contents(database_url)
            assert moved.decisions.verify() == filled.decisions.verify()
            _, added = moved.writers.create("W10", "", MODEL, new_references(1, 10))
            assert added[0].reference_id > max(one.reference_id for one in last)
            moved.decisions.record(DECISION)
            assert moved.decisions.verify().length == 4
            assert list(path.parent.glob(".moving*")) == []
            moved.close()
        finally:
            connection.execute(text(f"DROP DATABASE moved_{path.stem} WITH (FORCE)"))
    engine.dispose()
