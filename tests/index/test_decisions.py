import dataclasses
import sqlite3

import pytest

from index.values import DecisionRecord

DECISION = DecisionRecord(
    kind="verify",
    verdict="match",
    writer_id="C-1",
    operating_point="fmr_skilled=1%",
    score=0.1 + 0.2,
    log_lr=-1.5e-7,
    threshold=1 / 3,
    non_match_threshold=0.1,
    model_id="a" * 64,
    reference_ids=(3, 1, 2),
    candidates=None,
    probe_sha256="0" * 64,
    caller="anonymous",
)
IDENTIFIED = dataclasses.replace(
    DECISION,
    kind="identify",
    verdict="not_enrolled",
    writer_id=None,
    operating_point=None,
    log_lr=None,
    candidates=[{"writer_id": "C-9", "score": 0.7, "reference_id": 4}],
)


@pytest.fixture
def recorded(registry):
    return [registry.record_decision(DECISION) for _ in range(3)] + [
        registry.record_decision(IDENTIFIED)
    ]


def test_an_empty_trail_and_a_true_one_are_intact(registry):
    assert registry.verify_decisions().intact
    first = registry.record_decision(DECISION)
    one = registry.verify_decisions()
    registry.record_decision(IDENTIFIED)
    two = registry.verify_decisions()
    assert one.intact
    assert two.intact
    assert (one.length, two.length) == (1, 2)
    assert one.head_sha256 != two.head_sha256
    assert len(first) == 32


def test_a_long_trail_is_verified_in_batches(registry, monkeypatch, recorded):
    monkeypatch.setattr("index.decisions._BATCH", 2)
    report = registry.verify_decisions()
    assert report.intact
    assert report.length == 4


@pytest.mark.parametrize(
    "tampering",
    [
        "UPDATE decisions SET verdict = 'non_match' WHERE sequence = 2",
        "UPDATE decisions SET score = score + 1e-12 WHERE sequence = 2",
        "UPDATE decisions SET writer_id = 'C-2' WHERE sequence = 2",
        "UPDATE decisions SET created_at = '2001-01-01 00:00:00.000000' WHERE sequence = 2",
        "UPDATE decisions SET reference_ids = '[3, 1]' WHERE sequence = 2",
        "UPDATE decisions SET sha256 = 'f' WHERE sequence = 2",
        "UPDATE decisions SET candidates = '[]' WHERE sequence = 2",
    ],
)
def test_a_changed_decision_is_found(registry, database_file, recorded, tampering):
    _tamper(database_file, tampering)
    report = registry.verify_decisions()
    assert report.broken_at == recorded[1]
    assert report.length == 1


def test_a_removed_decision_is_found(registry, database_file, recorded):
    _tamper(database_file, "DELETE FROM decisions WHERE sequence = 2")
    assert registry.verify_decisions().broken_at == recorded[2]
    _tamper(database_file, "DELETE FROM decisions WHERE sequence = 1")
    assert registry.verify_decisions().broken_at == recorded[2]


def test_a_trail_cut_short_shows_in_its_length_and_head(registry, database_file, recorded):
    before = registry.verify_decisions()
    _tamper(database_file, "DELETE FROM decisions WHERE sequence = 4")
    after = registry.verify_decisions()
    assert after.intact
    assert (after.length, after.head_sha256) != (before.length, before.head_sha256)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_sql_cannot_keep_is_refused(registry, score):
    with pytest.raises(ValueError, match="JSON"):
        registry.record_decision(dataclasses.replace(DECISION, score=score))
    assert registry.verify_decisions().length == 0


def test_the_trail_outlives_an_erased_writer(registry):
    registry.create_writer("C-1", "Ada Lind")
    registry.record_decision(DECISION)
    registry.erase_writer("C-1")
    report = registry.verify_decisions()
    assert report.intact
    assert report.length == 1


def _tamper(database_file, statement):
    connection = sqlite3.connect(database_file)
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()
