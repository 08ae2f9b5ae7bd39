"""What is deleted for its age, on both databases: the chain of decisions stays honest."""

from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import insert, select, text, update

from index.registry.disk import expired
from index.registry.schema import AuditEntryRow, DecisionRow, IdempotencyKeyRow
from tests.index.registry.test_audit_log import DECISION

NOW = datetime(2030, 1, 1, tzinfo=UTC)


def keep_answers(registry, *ages_h):
    rows = [
        {
            "caller": "key:1",
            "idempotency_key": f"{number}",
            "request_sha256": "0" * 64,
            "writer_id": None,
            "status": 201,
            "body": b"an answer",
            "created_at": NOW - timedelta(hours=age),
        }
        for number, age in enumerate(ages_h)
    ]
    with registry._database.write() as connection:
        connection.execute(insert(IdempotencyKeyRow), rows)


def test_old_answers_to_repeated_requests_are_deleted(registry, monkeypatch):
    monkeypatch.setattr(expired, "DELETED_AT_ONCE", 2)
    keep_answers(registry, 30, 25, 24.1, 23.9, 1)
    before = NOW - timedelta(hours=24)
    assert [registry.expired.idempotency_keys(before) for _ in range(3)] == [2, 1, 0]
    with registry._database.read() as connection:
        left = connection.execute(select(IdempotencyKeyRow.idempotency_key)).scalars().all()
    assert sorted(left) == ["3", "4"]


@pytest.fixture
def decided(registry):
    """Ten decisions, the first six made before 2030."""
    for _ in range(10):
        registry.decisions.record(DECISION)
    rows = registry.decisions.verify().length
    assert rows == 10
    return registry


def moment_after(registry, count):
    """A moment that parts the first `count` decisions from the rest."""
    with registry._database.read() as connection:
        moments = (
            connection.execute(select(DecisionRow.created_at).order_by(DecisionRow.sequence))
            .scalars()
            .all()
        )
    return moments[count]


def test_decisions_that_were_cut_off_for_their_age_leave_an_intact_chain(decided):
    whole = decided.decisions.verify()
    assert decided.decisions.cut(moment_after(decided, 6)) == 6
    report = decided.decisions.verify()
    assert (report.intact, report.length, report.cut) == (True, 4, 6)
    assert report.head_sha256 == whole.head_sha256
    decided.decisions.record(DECISION)
    assert decided.decisions.cut(moment_after(decided, 3)) == 3
    report = decided.decisions.verify()
    assert (report.intact, report.length, report.cut) == (True, 2, 9)
    assert decided.decisions.cut(moment_after(decided, 0)) == 0


def test_the_newest_decision_stays_to_go_on_from(decided):
    assert decided.decisions.cut(NOW + timedelta(days=36_500)) == 9
    decided.decisions.record(DECISION)
    report = decided.decisions.verify()
    assert (report.intact, report.length, report.cut) == (True, 2, 9)


def test_nothing_is_cut_out_of_the_middle(decided):
    """A clock that was wrong for a while: later decisions that look old stay behind a newer one."""
    with decided._database.write() as connection:
        connection.execute(
            update(DecisionRow)
            .where(DecisionRow.sequence.between(4, 6))
            .values(created_at=datetime(2001, 1, 1, tzinfo=UTC))
        )
    assert decided.decisions.cut(datetime(2010, 1, 1, tzinfo=UTC)) == 0


@pytest.mark.parametrize(
    "statement",
    [
        "DELETE FROM decisions WHERE sequence = 7",
        "DELETE FROM decisions WHERE sequence = 8",
        "UPDATE decisions SET verdict = 'else' WHERE sequence = 7",
        "DELETE FROM audit_names; DELETE FROM audit_entries",
    ],
)
def test_tampering_after_a_cut_is_found(decided, statement):
    decided.decisions.cut(moment_after(decided, 6))
    with decided._database.write() as connection:
        for one in statement.split("; "):
            connection.execute(text(one))
    assert not decided.decisions.verify().intact


def test_a_cut_is_an_entry_of_the_audit_chain(decided):
    with decided._database.read() as connection:
        last = connection.execute(
            select(DecisionRow.sha256).where(DecisionRow.sequence == 6)
        ).scalar_one()
    decided.decisions.cut(moment_after(decided, 6))
    with decided._database.read() as connection:
        entry = connection.execute(
            select(AuditEntryRow.details).where(AuditEntryRow.kind == "decisions.cut")
        ).scalar_one()
    assert entry == {"decisions": 6, "total": 6, "last_sha256": last}
