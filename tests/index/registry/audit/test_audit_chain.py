"""The audit chain: each entry follows the one before, and no name is in it, on both databases."""

import pytest
from sqlalchemy import create_engine, insert, select

from index.registry.audit.chain import (
    GENESIS_SHA256,
    HASHED,
    NOT_HASHED,
    AuditEvent,
    append,
    commitment,
    forget,
    sha256,
)
from index.registry.schema import AuditEntryRow, AuditNameRow, DecisionRow
from tests.index.registry.test_audit_log import DECISION, OLD_DECISION

RENAMED = AuditEvent("writer.renamed", "key:9f2c", subject="C-1001", details={"length": 3})


def rows(registry, table=AuditEntryRow):
    with registry._database.read() as connection:
        return connection.execute(select(table.__table__)).mappings().all()


def test_every_column_is_hashed_or_says_why_not():
    columns = {column.name for column in AuditEntryRow.__table__.columns}
    assert columns == {*HASHED[max(HASHED)], *NOT_HASHED}


def test_the_first_entry_holds_the_head_of_the_decisions_before(registry, database_url):
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(insert(DecisionRow).values(**OLD_DECISION))
    engine.dispose()
    registry.decisions.record(DECISION)
    first, second = rows(registry)
    assert (first["kind"], first["details"]) == ("chain.started", {"decisions": 1})
    assert first["content_sha256"] == OLD_DECISION["sha256"]
    assert first["previous_sha256"] == GENESIS_SHA256
    assert second["previous_sha256"] == first["sha256"]


def test_each_entry_follows_the_one_before_and_hashes_to_what_it_says(registry):
    numbers = [registry.audit.append(RENAMED) for _ in range(3)]
    assert numbers == [2, 3, 4]
    previous = GENESIS_SHA256
    for row in rows(registry):
        assert (row["previous_sha256"], row["sha256"]) == (previous, sha256(row))
        previous = row["sha256"]


def test_names_lie_beside_the_chain_and_the_same_name_never_looks_the_same_in_it(registry):
    registry.audit.append(RENAMED)
    registry.audit.append(RENAMED)
    entries = rows(registry)[1:]
    assert "C-1001" not in str(entries)
    assert "9f2c" not in str(entries)
    assert entries[0]["subject_hmac"] != entries[1]["subject_hmac"]
    for name in rows(registry, AuditNameRow):
        entry = next(one for one in entries if one["sequence"] == name["sequence"])
        assert entry[f"{name['part']}_hmac"] == commitment(name["text"], name["salt"])


def test_a_person_forgotten_leaves_the_chain_whole_and_no_salt(registry):
    registry.audit.append(RENAMED)
    before = rows(registry)
    with registry._database.write() as connection:
        assert forget(connection, "C-1001") == [2]
    assert rows(registry) == before
    assert [row["text"] for row in rows(registry, AuditNameRow)] == ["key:9f2c"]


def test_an_entry_is_undone_with_the_change_that_it_speaks_of(registry):
    def fail(connection):
        append(connection, RENAMED)
        raise OSError

    with pytest.raises(OSError), registry._database.write() as connection:  # noqa: PT011
        fail(connection)
    assert rows(registry) == []
