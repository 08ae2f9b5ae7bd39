"""Answers that are given again: kept for a day, erased with whomever they tell of."""

from datetime import UTC, datetime

import pytest
from sqlalchemy import select, update

from index.registry.access.kept_answers import KEPT, LOST_AFTER, Request
from index.registry.schema import IdempotencyKeyRow

ASKED = Request("key:1", "k-1", "a" * 64, "C-1")


def rows(registry):
    with registry._database.read() as connection:
        return connection.execute(select(IdempotencyKeyRow.idempotency_key)).scalars().all()


def age(registry, by):
    with registry._database.write() as connection:
        connection.execute(update(IdempotencyKeyRow).values(created_at=datetime.now(UTC) - by))


def test_a_request_runs_once(registry):
    kept = registry.kept_answers
    assert kept.begin(ASKED) is None
    assert kept.begin(ASKED).status is None
    kept.finish(ASKED, 201, b"{}")
    again = kept.begin(ASKED)
    assert (again.status, again.body, again.request_sha256) == (201, b"{}", "a" * 64)


def test_callers_have_keys_of_their_own(registry):
    assert registry.kept_answers.begin(ASKED) is None
    assert registry.kept_answers.begin(Request("key:2", "k-1", "a" * 64, None)) is None


def test_a_refused_request_may_run_again(registry):
    registry.kept_answers.begin(ASKED)
    registry.kept_answers.abandon(ASKED)
    assert registry.kept_answers.begin(ASKED) is None


def test_answers_are_kept_for_a_day_and_lost_requests_for_ten_minutes(registry):
    kept = registry.kept_answers
    kept.begin(ASKED)
    age(registry, LOST_AFTER)
    assert kept.begin(ASKED) is None
    kept.finish(ASKED, 200, b"{}")
    age(registry, LOST_AFTER)
    assert kept.begin(ASKED).status == 200
    age(registry, KEPT)
    assert kept.begin(ASKED) is None


@pytest.mark.parametrize("told", [b'{"writer_id":"C-9"}', b'{"message":"as C-9 signs"}'])
def test_erasing_a_writer_erases_what_tells_of_them(registry, told):
    kept = registry.kept_answers
    registry.writers.create("C-9", "Ada")
    asked = {
        "about": Request("a", "about", "1", "C-9"),
        "tells": Request("a", "tells", "1", "C-1"),
        "nobody": Request("a", "nobody", "1", "C-1"),
        "running": Request("a", "running", "1", None),
    }
    for one in asked.values():
        kept.begin(one)
    kept.finish(asked["about"], 200, b"{}")
    kept.finish(asked["tells"], 200, told)
    kept.finish(asked["nobody"], 200, b'{"writer_id":"C-1","name":"Ben"}')
    registry.writers.erase("C-9")
    assert rows(registry) == ["nobody"]
    kept.finish(asked["running"], 200, told)  # It comes too late to be kept.
    assert rows(registry) == ["nobody"]
