import dataclasses
import sqlite3
from datetime import UTC, datetime

import pytest
from sqlalchemy import create_engine, insert

from index.registry.audit_log import ChainReport, DecisionRecord
from index.registry.schema import DecisionRow

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

# A row of chain version 2 and its hash, as they were once written.
OLD_DECISION = {
    "decision_id": "0123456789abcdef" * 2,
    "created_at": datetime(2026, 1, 2, 3, 4, 5, 678, tzinfo=UTC),
    "kind": "identify",
    "verdict": "not_enrolled",
    "writer_id": None,
    "operating_point": None,
    "score": 0.1 + 0.2,
    "log_lr": None,
    "threshold": 1e-17,
    "non_match_threshold": None,
    "model_id": "a" * 64,
    "reference_ids": [4, 1],
    "candidates": [{"writer_id": "C-2", "score": 1 / 3, "reference_id": 4}],
    "probe_sha256": "b" * 64,
    "caller": "Zoë",
    "previous_sha256": "0" * 64,
    "chain_version": 2,
    "sha256": "54df9ed807021810332d2a6a7ea8330a7193baf7ecf5eda671cadb3c604b3594",
}


@pytest.fixture
def recorded(registry):
    return [registry.decisions.record(DECISION) for _ in range(3)] + [
        registry.decisions.record(IDENTIFIED)
    ]


def test_an_empty_trail_and_a_true_one_are_intact(registry):
    assert registry.decisions.verify().intact
    first = registry.decisions.record(DECISION)
    one = registry.decisions.verify()
    registry.decisions.record(IDENTIFIED)
    two = registry.decisions.verify()
    assert one.intact
    assert two.intact
    assert (one.length, two.length) == (1, 2)
    assert one.head_sha256 != two.head_sha256
    assert len(first) == 32


def test_a_long_trail_is_verified_in_batches(registry, monkeypatch, recorded):
    monkeypatch.setattr("index.registry.audit_log._BATCH", 2)
    report = registry.decisions.verify()
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
    report = registry.decisions.verify()
    assert report.broken_at == recorded[1]
    assert report.length == 1


def test_a_removed_decision_is_found(registry, database_file, recorded):
    _tamper(database_file, "DELETE FROM decisions WHERE sequence = 2")
    assert registry.decisions.verify().broken_at == recorded[2]
    _tamper(database_file, "DELETE FROM decisions WHERE sequence = 1")
    assert registry.decisions.verify().broken_at == recorded[2]


def test_a_trail_cut_short_shows_in_its_length_and_head(registry, database_file, recorded):
    before = registry.decisions.verify()
    _tamper(database_file, "DELETE FROM decisions WHERE sequence = 4")
    after = registry.decisions.verify()
    assert after.intact
    assert (after.length, after.head_sha256) != (before.length, before.head_sha256)


@pytest.mark.parametrize("score", [float("nan"), float("inf")])
def test_a_score_that_sql_cannot_keep_is_refused(registry, score):
    with pytest.raises(ValueError, match="JSON"):
        registry.decisions.record(dataclasses.replace(DECISION, score=score))
    assert registry.decisions.verify().length == 0


def test_numbers_are_hashed_as_the_database_gives_them_back(registry):
    """SQLite keeps no sign of zero, and no whole number in a column of real ones."""
    registry.decisions.record(
        dataclasses.replace(
            DECISION, score=-0.0, log_lr=-0.0, threshold=1, non_match_threshold=-0.0
        )
    )
    assert registry.decisions.verify().intact


def test_a_decision_of_chain_version_2_is_verified_for_ever(registry, database_url):
    """A row and its hash as they were once written: what is out there must stay intact."""
    engine = create_engine(database_url)
    with engine.begin() as connection:
        connection.execute(insert(DecisionRow).values(**OLD_DECISION))
    engine.dispose()
    assert registry.decisions.verify() == ChainReport(1, OLD_DECISION["sha256"], None)


def test_the_trail_outlives_an_erased_writer(registry):
    registry.writers.create("C-1", "Ada Lind")
    registry.decisions.record(DECISION)
    registry.writers.erase("C-1")
    report = registry.decisions.verify()
    assert report.intact
    assert report.length == 1


def _tamper(database_file, statement):
    connection = sqlite3.connect(database_file)
    with connection:
        assert connection.execute(statement).rowcount == 1
    connection.close()
