"""A backup of an older version is upgraded when it is restored, and erasures reach into it.

The rows are those that version 0004 of the schema wrote, whose writers have no tokens.
"""

import sqlite3
from datetime import UTC, datetime
from uuid import uuid4

import pytest
from sqlalchemy import create_engine, text

from index.backup.make import make_backup
from index.backup.restore import restore_backup
from index.backup.tombstones import ErasureList
from index.errors import BackupUnusable
from index.registry.registry import Registry
from index.registry.schema_version import current_revision, head_revision, upgrade
from tests.migrations.test_decision_chain import OLD, OLD_HEAD, url  # noqa: F401


def silent(_what: str, _done: int, _total: int) -> None:
    """Show no progress."""


@pytest.fixture
def old_backup(url, tmp_path):  # noqa: F811
    if not url.startswith("sqlite"):
        catch_up_numbers(url)
    path = tmp_path / "old.zip"
    made = make_backup(url, path, "0.0.9", silent)
    assert made.manifest.schema == "0004"
    return path


def catch_up_numbers(url: str) -> None:  # noqa: F811
    """Have PostgreSQL go on after the rows that the dump brought along with their numbers."""
    engine = create_engine(url)
    with engine.begin() as connection:
        for table, column in (
            ("revisions", "revision"),
            ("signature_references", "reference_id"),
            ("model_switches", "sequence"),
        ):
            connection.execute(
                text(
                    f"SELECT setval(pg_get_serial_sequence('{table}', '{column}'), max({column}))"
                    f" FROM {table}"
                )
            )
    engine.dispose()


@pytest.fixture
def empty(url, request, tmp_path):  # noqa: F811
    if url.startswith("sqlite"):
        yield f"sqlite:///{tmp_path / 'restored.db'}"
        return
    server, name = request.getfixturevalue("postgresql_server"), f"empty_{uuid4().hex}"
    engine = create_engine(f"{server}postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text(f"CREATE DATABASE {name}"))
        yield f"{server}{name}"
        connection.execute(text(f"DROP DATABASE {name} WITH (FORCE)"))
    engine.dispose()


def test_an_older_backup_is_restored_into_this_versions_schema(old_backup, empty):
    told = restore_backup(old_backup, empty, (), "test", silent, folder=old_backup.parent)
    assert told.manifest.schema == "0004"
    assert told.schema == current_revision(empty) == head_revision()
    registry = Registry(empty)
    report = registry.decisions.verify()
    assert (report.length, report.head_sha256, report.intact) == (OLD, OLD_HEAD, True)
    assert registry.writers.get("C-1").reference_count == 3
    # Who is enrolled from now on has a token, who was before has none; both can be erased.
    registry.writers.create("C-9", "")
    registry.writers.erase("C-1")
    registry.writers.erase("C-9")
    assert len(registry.erasures.tombstones()) == 2
    registry.close()


def test_erasures_of_an_upgraded_registry_reach_into_its_older_backup(
    old_backup,
    empty,
    url,  # noqa: F811
):
    upgrade(url)
    live = Registry(url)
    others = [one.writer_id for one in live.writers.page().writers if one.writer_id != "C-1"]
    reference = live.references.of_writer(others[0])[0].reference_id
    live.writers.erase("C-1")
    live.references.erase(others[0], reference)
    listed = ErasureList(live.registry_id(), datetime.now(UTC), tuple(live.erasures.tombstones()))
    live.close()
    told = restore_backup(old_backup, empty, [listed], "test", silent, folder=old_backup.parent)
    assert told.repeated.writers == 1
    registry = Registry(empty)
    assert not registry.writers.knows("C-1")
    left = [one.reference_id for one in registry.references.of_writer(others[0])]
    assert reference not in left
    assert registry.decisions.verify().intact
    registry.close()


def test_erasures_of_before_have_no_subject_and_stay_as_they_are(tmp_path):
    """A registry of the version before, in which somebody was erased."""
    file = tmp_path / "registry.db"
    place = f"sqlite:///{file}"
    upgrade(place)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute(
            "INSERT INTO erasures (erased_at, reference_count) VALUES ('2026-01-01', 2)"
        )
    connection.close()
    registry = Registry(place)
    assert registry.erasures.count() == (1, 1)
    assert registry.erasures.tombstones() == []
    registry.close()


def test_a_backup_of_an_unknown_schema_is_refused(tmp_path):
    file = tmp_path / "registry.db"
    upgrade(f"sqlite:///{file}")
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    path = tmp_path / "newer.zip"
    make_backup(f"sqlite:///{file}", path, "9.0.0", silent)
    with pytest.raises(BackupUnusable, match=r"schema '9999'.*version 9\.0\.0"):
        restore_backup(
            path, f"sqlite:///{tmp_path / 'restored.db'}", (), "test", silent, folder=path.parent
        )
    assert not (tmp_path / "restored.db").exists()
