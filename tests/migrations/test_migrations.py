import re
import sqlite3
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.runtime.migration import MigrationContext
from sqlalchemy import create_engine, insert

import index
from index.errors import RegistryUnavailable, SchemaMismatch
from index.registry.database import Database
from index.registry.gallery_calibrations import InUse, NewCalibration
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema import Base, DecisionRow
from index.registry.schema_version import (
    _config,
    current_revision,
    head_revision,
    require_current,
    upgrade,
)
from tests.index.registry.test_audit_log import OLD_DECISION


@pytest.fixture
def file(tmp_path) -> Path:
    return tmp_path / "registry.db"


@pytest.fixture
def url(file) -> str:
    return f"sqlite:///{file}"


def test_the_migrations_make_what_the_models_say(url):
    upgrade(url)
    engine = create_engine(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"compare_type": True, "compare_server_default": True}
        )
        assert compare_metadata(context, Base.metadata) == []
    engine.dispose()


def test_the_migrations_and_the_models_write_the_same_sql(url, file, tmp_path):
    """What Alembic does not compare: checks, names of constraints, numbers never used again."""
    upgrade(url)
    engine = create_engine(f"sqlite:///{tmp_path / 'models.db'}")
    Base.metadata.create_all(engine)
    engine.dispose()
    migrated, declared = statements(file), statements(tmp_path / "models.db")
    del migrated["alembic_version"]
    assert migrated == declared


def statements(file):
    connection = sqlite3.connect(file)
    rows = connection.execute(
        "SELECT name, sql FROM sqlite_master WHERE sql IS NOT NULL AND name NOT LIKE 'sqlite_%'"
    ).fetchall()
    connection.close()
    # SQLite writes a column that was added later on the line of the one before it, and the closing
    # bracket on the line of the last.
    parts = {name: re.split(r"[,\n]", sql.strip().removesuffix(")")) for name, sql in rows}
    return {name: sorted(x.strip() for x in split if x.strip()) for name, split in parts.items()}


def test_every_constraint_has_a_name():
    for table in Base.metadata.tables.values():
        assert all(constraint.name for constraint in table.constraints)
        assert all(own.name for own in table.indexes)


def test_an_unmigrated_database_names_the_command_to_run(url):
    assert current_revision(url) is None
    with pytest.raises(SchemaMismatch, match="countersign db upgrade") as caught:
        require_current(url)
    assert (caught.value.found, caught.value.expected) == (None, head_revision())


def test_an_upgraded_database_is_current_and_upgrading_again_changes_nothing(url):
    assert upgrade(url) == head_revision() == current_revision(url)
    require_current(url)
    first = Registry(url)
    name = first.registry_id()
    first.writers.create("C-1", "Ada Lind")
    first.close()
    upgrade(url)
    again = Registry(url)
    assert again.registry_id() == name
    assert again.writers.get("C-1").name == "Ada Lind"
    again.close()


def test_each_registry_has_a_name_of_its_own(url, tmp_path):
    other = f"sqlite:///{tmp_path / 'other.db'}"
    names = set()
    for one in (url, other):
        upgrade(one)
        registry = Registry(one)
        names.add(registry.registry_id())
        registry.close()
    assert len(names) == 2


def test_a_database_of_a_newer_version_is_left_alone(url, file):
    upgrade(url)
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    connection.close()
    for refused in (require_current, upgrade):
        with pytest.raises(
            SchemaMismatch, match=r"newer version.*countersign db upgrade"
        ) as caught:
            refused(url)
        assert caught.value.found == "9999"
    assert current_revision(url) == "9999"


def test_an_upgrade_that_fails_leaves_the_database_as_it_was(url, file):
    connection = sqlite3.connect(file)
    with connection:
        connection.execute("CREATE TABLE idempotency_keys (something TEXT)")
    connection.close()
    with pytest.raises(RegistryUnavailable, match="already exists"):
        upgrade(url)
    assert set(statements(file)) == {"idempotency_keys"}


def test_processes_that_upgrade_at_once_do_not_disturb_each_other(url):
    program = (
        "import sys; from index.registry.schema_version import upgrade; print(upgrade(sys.argv[1]))"
    )
    root = str(Path(index.__file__).parents[1])
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", program, url],
            cwd=root,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(3)
    ]
    ends = [process.communicate(timeout=60) for process in processes]
    assert [process.returncode for process in processes] == [0] * 3, ends
    assert {out.strip() for out, _ in ends} == {head_revision()}
    require_current(url)


def run_alembic(url, step, revision):
    database = Database(url, foreign_keys=False)
    with database.write() as connection:
        config = _config()
        config.attributes["connection"] = connection
        step(config, revision)
    database.close()


def test_the_first_step_can_be_undone(url):
    upgrade(url)
    run_alembic(url, command.downgrade, "base")
    assert current_revision(url) is None


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_references_of_an_older_schema_have_no_pieces_and_are_compared_as_before(
    request, url, database
):
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    upgrade(url)
    vector = np.eye(1, 4, dtype=np.float32)
    old, new = (
        NewReference(b"image", "image/png", b"cleaned", digit * 64, {}, vector[0], pieces=b"pieces")
        for digit in "12"
    )
    registry = Registry(url)
    registry.models.register("older", "older", 4)
    _, [reference] = registry.writers.create("C-1", "Ada Lind", "older", [old])
    registry.close()
    run_alembic(url, command.downgrade, "0003")
    with pytest.raises(SchemaMismatch, match="countersign db upgrade"):
        require_current(url)
    upgrade(url)
    registry = Registry(url)
    claim = registry.embeddings.claim("C-1", "older")
    assert (claim.reference_ids.tolist(), claim.pieces) == ([reference.reference_id], None)
    assert claim.vectors.tolist() == vector.tolist()
    registry.models.register("newer", "newer", 4)
    registry.embeddings.put("newer", claim.reference_ids.tolist(), vector, [b"its pieces"])
    assert registry.embeddings.claim("C-1", "newer").pieces == (b"its pieces",)
    assert registry.embeddings.claim("C-1", "older").pieces is None
    registry.references.add("C-1", "newer", [new])
    assert registry.embeddings.claim("C-1", "newer").pieces == (b"its pieces", b"pieces")
    registry.writers.erase("C-1")
    registry.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_registry_of_an_older_schema_goes_on_with_its_models_own_rule(request, url, database):
    """Its model, references and decisions stay; a calibration can be put to use and undone."""
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    upgrade(url)
    new = NewReference(b"i", "image/png", b"c", "1" * 64, {}, np.eye(1, 4, dtype=np.float32)[0])
    registry = Registry(url)
    registry.models.register("m" * 64, "model", 4)
    registry.models.begin("m" * 64, "start")
    registry.writers.create("C-1", "Ada Lind", "m" * 64, [new])
    registry.close()
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.execute(insert(DecisionRow).values(**OLD_DECISION))
    engine.dispose()
    run_alembic(url, command.downgrade, "0007")
    with pytest.raises(SchemaMismatch, match="countersign db upgrade"):
        require_current(url)
    upgrade(url)
    registry = Registry(url)
    assert registry.calibrations.in_use() == InUse("m" * 64, None)
    assert registry.embeddings.claim("C-1", "m" * 64).reference_ids.size == 1
    assert registry.decisions.verify().intact
    kept = registry.calibrations.add(NewCalibration("m" * 64, "b", "r", {"n": 1}, 25, 50, "test"))
    registry.calibrations.put_to_use(kept.calibration_id, "b", "test")
    assert registry.calibrations.in_use() == InUse("m" * 64, *[kept.calibration_id] * 2)
    registry.writers.erase("C-1")
    assert registry.calibrations.undo("m" * 64, "test") is None
    registry.close()
    run_alembic(url, command.downgrade, "0007")  # What was kept goes, all else stays.
    upgrade(url)
    registry = Registry(url)
    assert registry.calibrations.in_use() == InUse("m" * 64, None)
    assert registry.decisions.verify().length == 1
    registry.close()


@pytest.mark.parametrize("database", ["sqlite", "postgresql"])
def test_a_registry_of_an_older_schema_takes_keys_users_and_counts(request, url, database):
    if database == "postgresql":
        url = request.getfixturevalue("postgresql_url")
    upgrade(url)
    run_alembic(url, command.downgrade, "0009")
    with pytest.raises(SchemaMismatch, match="countersign db upgrade"):
        require_current(url)
    engine = create_engine(url)
    with engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO api_keys (key_id, name, secret_sha256, scopes, created_at) VALUES "
            f"('0', 'older', '{'a' * 64}', '[\"read\"]', '2026-01-01 00:00:00')"
        )
    engine.dispose()
    upgrade(url)
    registry = Registry(url)
    [older] = registry.keys.all()
    assert (older.scopes, older.last_used_at, older.replaced_by) == (("read",), None, None)
    registry.users.add("ada", "clerk", None, "test")
    registry.close()
    run_alembic(url, command.downgrade, "0009")  # Keys stay, what is new goes.
    upgrade(url)
    registry = Registry(url)
    assert [key.name for key in registry.keys.all()] == ["older"]
    assert registry.users.all() == []
    registry.close()
