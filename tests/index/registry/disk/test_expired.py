"""What is deleted for its age, on both databases."""

from datetime import UTC, datetime, timedelta

from sqlalchemy import insert, select

from index.registry.disk import expired
from index.registry.schema import IdempotencyKeyRow

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
