import sqlite3
from functools import partial

import pytest
from sqlalchemy.exc import IntegrityError

from index.errors import RegistryUnavailable
from index.registry.database import Database
from index.registry.registry import Registry

MODEL = "a" * 64


def test_every_connection_is_durable_strict_and_erases(database_url):
    database = Database(database_url)
    expected = {
        "journal_mode": "wal",
        "foreign_keys": 1,
        "secure_delete": 1,
        "synchronous": 2,
        "busy_timeout": 30_000,
    }
    with database.read() as first, database.write() as second:
        for connection in (first, second):
            found = {
                name: connection.exec_driver_sql(f"PRAGMA {name}").scalar_one() for name in expected
            }
            assert found == expected
    database.close()


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("not a url", "cannot be read"),
        ("sqlite://", "in memory"),
        ("sqlite:///:memory:", "in memory"),
        ("sqlite:///file:x?mode=memory&uri=true", "in memory"),
        ("mysql://host/name", "mysql"),
        ("postgresql+nosuch://host/name", "driver"),
    ],
)
def test_a_database_that_cannot_hold_a_registry_is_refused(url, message):
    with pytest.raises(RegistryUnavailable, match=message):
        Registry(url)


def test_a_database_that_cannot_be_opened_says_so(tmp_path):
    registry = Registry(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    with pytest.raises(RegistryUnavailable, match="unable to open"):
        registry.changes.revision()


def test_nobody_else_can_read_a_new_registry_whatever_its_folder_allows(tmp_path):
    tmp_path.chmod(0o755)
    database = Database(f"sqlite:///{tmp_path / 'registry.db'}")
    with database.write() as connection:
        connection.exec_driver_sql("CREATE TABLE writers (name TEXT)")
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes.keys() == {"registry.db", "registry.db-wal", "registry.db-shm"}
    assert set(modes.values()) == {0o600}
    database.close()


def test_a_file_that_is_no_database_says_so(tmp_path):
    (tmp_path / "letter.db").write_bytes(b"Dear registry, " * 500)
    registry = Registry(f"sqlite:///{tmp_path / 'letter.db'}")
    with pytest.raises(RegistryUnavailable, match="not a database"):
        registry.changes.revision()


def test_a_locked_database_is_waited_for_and_then_reported(
    database_file, database_url, monkeypatch
):
    monkeypatch.setattr("index.registry.database.BUSY_TIMEOUT_S", 0.3)
    registry = Registry(database_url)
    other = sqlite3.connect(database_file, isolation_level=None)
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(RegistryUnavailable, match="locked"):
        registry.writers.create("C-1", "")
    assert not registry.writers.page().writers, "reading goes on"
    other.execute("ROLLBACK")
    registry.writers.create("C-1", "")
    other.close()
    registry.close()


def insert(database, rows):
    with database.write() as connection:
        for row in rows:
            statement = (
                "INSERT INTO writers (writer_id, name, search_text, created_at) VALUES (?, ?, ?, ?)"
            )
            connection.exec_driver_sql(statement, row)


def test_a_failed_transaction_leaves_nothing_and_its_message_tells_no_name(database_url):
    database = Database(database_url)
    row = ("C-1", "Ada Lind", "ada lind", "2026-01-01")
    with pytest.raises(IntegrityError) as caught:
        insert(database, [row, row])
    assert "Ada" not in str(caught.value)
    with database.read() as connection:
        assert connection.exec_driver_sql("SELECT count(*) FROM writers").scalar_one() == 0
    database.close()


def test_writing_threads_wait_for_each_other(registry, new_references, run_together):
    """Readers that turn writers would fail here with a locked database, and not wait."""

    def work(number):
        for turn in range(8):
            name = f"W{number}-{turn}"
            registry.writers.create(name, "", MODEL, new_references(1, seed=turn))
            registry.writers.rename(name, "renamed")

    run_together(*(partial(work, number) for number in range(5)))
    assert registry.models.gallery_size(MODEL).writers == 40
    assert registry.changes.revision() == 40
