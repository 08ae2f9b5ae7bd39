"""A registry with decisions, as version 0004 of the schema wrote it, is upgraded and goes on.

`registry_0004.sql` was made by the code of that version: three writers, one of them erased, and
decisions of both kinds with every verdict. It is never to be made anew by later code.
"""

import sqlite3
from dataclasses import replace
from pathlib import Path

import pytest
from alembic import command
from sqlalchemy import create_engine, insert, text

from index.errors import QueryNotKept, SchemaMismatch
from index.registry.audit.chain import AuditChain, AuditEvent
from index.registry.audit.stored import DecisionFilter
from index.registry.audit_log import (
    CHAIN_VERSION,
    GENESIS_SHA256,
    HASHED,
    NOT_HASHED,
    ChainReport,
    DecisionRecord,
    row_sha256,
    verify_batch,
)
from index.registry.database import Database
from index.registry.registry import Registry
from index.registry.schema import DecisionRow
from index.registry.schema_version import _config, require_current, upgrade
from tests.index.registry.test_audit_log import OLD_DECISION

DUMP = (Path(__file__).parent / "registry_0004.sql").read_text(encoding="utf-8")
OLD = 7
OLD_HEAD = "241b4d93c556ad39c6cb6652179ddf20b61ecb6c4df902e8cfff53033b58053a"
DECISION = DecisionRecord(
    kind="verify",
    verdict="match",
    writer_id="C-1",
    operating_point="fmr_skilled=1%",
    score=0.7,
    log_lr=1.5,
    threshold=1 / 3,
    non_match_threshold=0.1,
    model_id="a" * 64,
    reference_ids=(3, 1, 2),
    candidates=None,
    probe_sha256="b" * 64,
    caller="anonymous",
)
# Another value for each column, of its type, that no decision here has.
OTHER = {
    "decision_id": "'00000000000000000000000000000000'",
    "created_at": "'2001-01-01 00:00:00.000000'",
    "kind": "CASE kind WHEN 'verify' THEN 'identify' ELSE 'verify' END",
    "verdict": "'else'",
    "writer_id": "'C-9'",
    "operating_point": "'else'",
    "score": "0.123",
    "log_lr": "0.123",
    "threshold": "0.123",
    "non_match_threshold": "0.123",
    "model_id": "'else'",
    "reference_ids": "'[1, 2]'",
    "candidates": "'[1]'",
    "probe_sha256": "'else'",
    "caller": "'else'",
    "previous_sha256": "'else'",
    "sha256": "'else'",
    "chain_version": "CASE chain_version WHEN 1 THEN 2 ELSE 1 END",
    "details_sha256": "'else'",
    "salt": "NULL",
}


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request, tmp_path) -> str:
    """The database as version 0004 left it."""
    file = tmp_path / "registry.db"
    old = sqlite3.connect(file)
    old.executescript(DUMP)
    if request.param == "postgresql":
        url = request.getfixturevalue("postgresql_url")
        copy(old, url)
    else:
        url = f"sqlite:///{file}"
    old.close()
    return url


def copy(old: sqlite3.Connection, url: str) -> None:
    """Give a PostgreSQL database the schema of 0004, and the rows as they are."""
    database = Database(url)
    with database.write() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, "base")
        command.upgrade(config, "0004")
        connection.execute(text("SET LOCAL TIME ZONE 'UTC'"))
        connection.execute(text("DELETE FROM registry"))
        for table in ("registry", "models", "model_switches", "writers", "signature_references",
                      "embeddings", "revisions", "decisions"):  # fmt: skip
            cursor = old.execute(f"SELECT * FROM {table}")
            names = [column[0] for column in cursor.description]
            places = ", ".join(["%s"] * len(names))
            for row in cursor:
                connection.exec_driver_sql(
                    f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", row
                )
        connection.execute(
            text("SELECT setval(pg_get_serial_sequence('decisions', 'sequence'), :last)"),
            {"last": OLD},
        )
        connection.execute(
            text(
                "SELECT setval(pg_get_serial_sequence('revisions', 'revision'), "
                "(SELECT max(revision) FROM revisions))"
            )
        )
    database.close()


@pytest.fixture
def upgraded(url):
    upgrade(url)
    registry = Registry(url)
    yield registry
    registry.close()


@pytest.fixture
def continued(upgraded, url):
    """The database's engine, two decisions later."""
    upgraded.decisions.record(DECISION)
    upgraded.decisions.record(
        replace(DECISION, kind="identify", candidates=[{"writer_id": "C-1", "score": 0.7}])
    )
    engine = create_engine(url)
    yield engine
    engine.dispose()


def test_decisions_of_the_version_before_are_intact_after_the_upgrade(url):
    with pytest.raises(SchemaMismatch, match="countersign db upgrade") as caught:
        require_current(url)
    assert caught.value.found == "0004"
    upgrade(url)
    require_current(url)
    registry = Registry(url)
    assert registry.decisions.verify() == ChainReport(OLD, OLD_HEAD, None)
    assert registry.writers.get("C-1").reference_count == 3
    registry.close()


def test_an_upgraded_chain_goes_on_in_the_newest_version(upgraded, continued):
    report = upgraded.decisions.verify()
    assert report == ChainReport(OLD + 2, report.head_sha256, None)
    with continued.connect() as connection:
        rows = connection.execute(text("SELECT * FROM decisions ORDER BY sequence")).all()
    assert [row.chain_version for row in rows] == [1] * OLD + [CHAIN_VERSION] * 2
    assert {(row.kind, row.verdict) for row in rows[:OLD]} == {
        ("verify", "match"),
        ("verify", "inconclusive"),
        ("verify", "non_match"),
        ("identify", "identified"),
        ("identify", "not_enrolled"),
    }
    assert rows[OLD].previous_sha256 == OLD_HEAD
    assert report.head_sha256 == rows[-1].sha256


def test_tampering_is_found_in_old_decisions_and_in_new_ones(continued):
    columns = {column.name for column in DecisionRow.__table__.columns}
    assert OTHER.keys() == columns - {"sequence"}
    for sequence in (1, 4, OLD, OLD + 1, OLD + 2):
        own = OTHER.keys() - ({"details_sha256", "salt"} if sequence <= OLD else set())
        for column in own:
            other = OTHER[column]
            report = tampered(
                continued, f"UPDATE decisions SET {column} = {other} WHERE sequence = {sequence}"
            )
            assert report.broken_at is not None, (sequence, column)
            assert report.length == sequence - 1, (sequence, column)
            assert report.reason
    removed = tampered(continued, "DELETE FROM decisions WHERE sequence = 3")
    assert (removed.length, removed.reason) == (2, "it does not follow the decision before it")


def tampered(engine, statement: str) -> ChainReport:
    """What the chain says after a change, which is then undone."""
    with engine.connect() as connection:
        assert connection.execute(text(statement)).rowcount == 1
        _, report = verify_batch(connection, 0, ChainReport(0, GENESIS_SHA256, None))
        connection.rollback()
        _, undone = verify_batch(connection, 0, ChainReport(0, GENESIS_SHA256, None))
    assert undone.intact
    return report


def test_a_decision_of_an_unknown_chain_version_is_broken_and_says_why(continued):
    report = tampered(continued, "UPDATE decisions SET chain_version = 99 WHERE sequence = 8")
    assert report.length == OLD
    assert report.reason == (
        "its chain version is 99, expected one of 1, 2, 3: it was changed, or a newer version "
        "wrote it"
    )


def test_decisions_that_a_server_of_the_version_before_still_writes_are_intact(upgraded, continued):
    """While servers are replaced one by one, the old ones write on and name no chain version."""
    columns = ", ".join((*HASHED[1], *NOT_HASHED))
    with continued.begin() as connection:
        for statement in (
            "DELETE FROM decisions WHERE sequence > 7",
            "CREATE TEMPORARY TABLE written AS SELECT * FROM decisions WHERE sequence = 7",
            "DELETE FROM decisions WHERE sequence = 7",
            f"INSERT INTO decisions ({columns}) SELECT {columns} FROM written",
        ):
            connection.execute(text(statement))
    assert upgraded.decisions.verify() == ChainReport(OLD, OLD_HEAD, None)


def test_old_decisions_are_read_back_and_the_whole_trail_goes_on_from_their_head(url, upgraded):
    """Entries of the chain as version 0009 wrote them, over decisions of version 0004."""
    database = Database(url)
    downgraded(database, "0009")
    chain = AuditChain(database)
    chain.append(AuditEvent("writer.renamed", "key:1", subject="C-1"))
    database.close()
    upgrade(url)
    page = upgraded.decisions.page(DecisionFilter(), None, 50)
    assert len(page.decisions) == OLD
    assert {one.state for one in page.decisions} == {"without-details"}
    oldest = upgraded.decisions.get(page.decisions[-1].decision_id)
    assert (oldest.details, oldest.rule, oldest.entry) == (None, None, None)
    with pytest.raises(QueryNotKept):
        upgraded.decisions.kept_image(oldest.decision_id)
    upgraded.decisions.record(DECISION)
    report = upgraded.trail.verify()
    assert report.intact, report.findings
    assert (report.decisions, report.entries) == (OLD + 1, 3)
    engine = create_engine(url)
    with engine.begin() as connection:  # The old tail cut off, which nothing told before.
        connection.execute(text("DELETE FROM decisions WHERE sequence >= 7"))
        connection.execute(text("DELETE FROM audit_entries WHERE sequence = 3"))
    engine.dispose()
    report = upgraded.trail.verify()
    assert [one.where for one in report.findings] == ["entry 1"]
    assert "missing" in report.findings[0].what


def test_an_erasure_leaves_decisions_of_the_version_before_as_they_hang_together(upgraded):
    before = upgraded.decisions.verify()
    upgraded.decisions.record(DECISION)
    upgraded.writers.erase("C-1")
    report = upgraded.trail.verify()
    assert report.intact, report.findings
    assert report.erased == 1
    assert before.length == OLD
    assert upgraded.decisions.page(DecisionFilter(writer_id="C-1"), None, 50).decisions


def test_a_server_of_the_version_before_writes_on_between_decisions_of_this_one(upgraded, url):
    """In version 2, after the last row whatever its version; erasures come to pass all the same."""
    upgraded.decisions.record(DECISION)
    engine = create_engine(url)
    with engine.begin() as connection:
        last = connection.execute(
            text("SELECT sha256 FROM decisions ORDER BY sequence DESC LIMIT 1")
        ).scalar()
        row = {**OLD_DECISION, "previous_sha256": last}
        connection.execute(insert(DecisionRow).values(**{**row, "sha256": row_sha256(row)}))
    engine.dispose()
    upgraded.decisions.record(DECISION)
    assert upgraded.decisions.verify().intact
    upgraded.writers.erase("C-1")  # Which gives the first of the three another hash.
    assert upgraded.decisions.verify().length == OLD + 3
    report = upgraded.trail.verify()
    assert report.intact, report.findings
    assert report.erased == 2


def downgraded(database: Database, revision: str) -> None:
    with database.write() as connection:
        config = _config()
        config.attributes["connection"] = connection
        command.downgrade(config, revision)


def test_sqlite_adds_the_column_in_place(tmp_path):
    """Without copying the table, which may have millions of rows."""
    connection = sqlite3.connect(tmp_path / "registry.db")
    connection.executescript(DUMP)
    place = "SELECT rootpage FROM sqlite_master WHERE name = 'decisions'"
    before = connection.execute(place).fetchone()
    upgrade(f"sqlite:///{tmp_path / 'registry.db'}")
    assert connection.execute(place).fetchone() == before
    connection.close()


def test_every_column_of_a_decision_is_hashed_or_left_out_for_a_reason():
    hashed = HASHED[CHAIN_VERSION]
    columns = [column.name for column in DecisionRow.__table__.columns]
    assert sorted([*hashed, *NOT_HASHED]) == sorted(columns), (
        "Decide on each new column: a new chain version that hashes it, or a reason in NOT_HASHED."
    )
    assert all(NOT_HASHED.values())
