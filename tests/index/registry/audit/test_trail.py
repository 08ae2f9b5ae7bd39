"""The whole trail verified, on both databases: each kind of tampering is found, leave is not."""

import dataclasses
import hashlib
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
from sqlalchemy import create_engine, text

from index.registry.audit.basis import DecisionBasis
from index.registry.audit.chain import RESTORED, AuditEvent
from index.registry.audit.holds import Hold
from index.registry.audit.reviews import NewReview
from index.registry.references import NewReference
from tests.index.registry.test_audit_log import DECISION as WITHOUT_A_PROBE
from tests.index.registry.test_audit_log import IDENTIFIED

DECISION = dataclasses.replace(WITHOUT_A_PROBE, probe_sha256="b" * 64)
IMAGE = b"an image" * 100
FAR = datetime(9000, 1, 1, tzinfo=UTC)


def decided(record=DECISION, image=IMAGE, mentions=(), **details):
    basis = DecisionBasis(details, "rule", '{"rule":1}', image, "image/png", tuple(mentions))
    digest = hashlib.sha256(image).hexdigest()
    return dataclasses.replace(record, probe_sha256=digest, basis=basis)


@pytest.fixture
def written(registry):
    """A writer, four decisions, a review and some events; returns the decisions' ids."""
    model = "a" * 64
    vector = np.eye(1, 128, dtype=np.float32)[0]
    new = NewReference(b"i", "image/png", b"c", "1" * 64, {}, vector)
    registry.writers.create("C-1", "Ada Lind", model, [new], actor="user:eve")
    registry.writers.create("C-9", "Bo Berg", actor="user:eve")
    registry.writers.rename("C-1", "Ada Berg", actor="user:eve")
    warned = [{"code": "seen-before", "message": "This file matched C-9 before."}]
    candidates = [
        {"writer_id": "C-9", "score": 0.7, "reference_id": 4},
        {"writer_id": "C-8", "score": 0.5, "reference_id": 5},
    ]
    ids = [
        registry.decisions.record(decided(score=1, warnings=warned, mentions=["C-9"])),
        registry.decisions.record(decided(score=2, image=b"another image")),
        registry.decisions.record(
            decided(
                dataclasses.replace(IDENTIFIED, candidates=candidates, reference_ids=(4, 5)),
                candidates=candidates,
                mentions=["C-9", "C-8"],
            )
        ),
        registry.decisions.record(DECISION),  # As commands of an older version would: no basis.
    ]
    registry.reviews.record(ids[1], NewReview("user:bob", "reject", "loops", "Not Ada's."), 2)
    registry.decisions.image(ids[0], "user:bob")
    return ids


@pytest.fixture
def sql(database_url):
    engine = create_engine(database_url)

    def run(statement, **values):
        with engine.begin() as connection:
            return connection.execute(text(statement), values).rowcount

    yield run
    engine.dispose()


def test_an_untouched_trail_is_intact_and_counted(registry, written):
    report = registry.trail.verify()
    assert report.intact, report.findings
    assert (report.decisions, report.images, report.reviews) == (4, 3, 1)
    assert (report.erased, report.purged) == (0, 0)
    # The start, two enrollments, a renaming, four decisions, a review and a look at an image.
    assert report.entries == 10
    assert registry.audit.head() == report.head


TAMPERING = {
    "entry edited": ("UPDATE audit_entries SET outcome = 'x' WHERE sequence = 3", "its content"),
    "details of an entry edited": (
        "UPDATE audit_entries SET details = '{}' WHERE sequence = 2",
        "its content",
    ),
    "entry deleted": ("DELETE FROM audit_entries WHERE sequence = 6", "does not follow"),
    "first entry deleted": ("DELETE FROM audit_entries WHERE sequence = 1", "does not follow"),
    "name edited": (
        "UPDATE audit_names SET text = 'user:mallory' WHERE sequence = 2 AND part = 'actor'",
        "its actor is not what it was",
    ),
    "name deleted": (
        "DELETE FROM audit_names WHERE sequence = 2 AND part = 'subject'",
        "its subject is missing",
    ),
    "decision edited": ("UPDATE decisions SET score = 9 WHERE sequence = 2", "its content"),
    "caller edited": ("UPDATE decisions SET caller = 'x' WHERE sequence = 2", "its content"),
    "last decision deleted": ("DELETE FROM decisions WHERE sequence = 4", "is missing"),
    "details replaced": (
        "UPDATE decision_details SET details = '{}' WHERE sequence = 2",
        "what it rests on was replaced",
    ),
    "details deleted": (
        "DELETE FROM decision_details WHERE sequence = 2",
        "what it rests on is missing",
    ),
    "rule replaced": ("UPDATE decision_rules SET rule = '{}'", "rule"),
    "rule deleted": ("DELETE FROM decision_rules", "the rule that it was decided by"),
    "image replaced": (
        (
            "UPDATE decision_images SET image = (SELECT image FROM decision_images "
            "WHERE sequence = 1) WHERE sequence = 2"
        ),
        "its query image was replaced",
    ),
    "image deleted": ("DELETE FROM decision_images WHERE sequence = 2", "its query image is miss"),
    "review edited": ("UPDATE reviews SET outcome = 'accept'", "its content"),
    "review deleted": ("DELETE FROM reviews", "is missing"),
}


@pytest.mark.parametrize("tampering", TAMPERING)
def test_tampering_is_found(registry, written, sql, tampering):
    statement, what = TAMPERING[tampering]
    if "decisions WHERE" in statement:
        for table in ("decision_details", "decision_images"):
            sql(f"DELETE FROM {table} WHERE sequence = 4")
    # Whoever edits the database can leave out what keeps its tables together.
    if "DELETE FROM audit_entries" in statement:
        sql("DELETE FROM audit_names WHERE sequence IN (1, 6)")
    assert sql(statement) > 0
    report = registry.trail.verify()
    assert not report.intact
    assert any(what in f"{one.where} {one.what}" for one in report.findings), report.findings


@pytest.mark.parametrize(
    ("table", "key"), [("audit_entries", "sequence"), ("decisions", "sequence")]
)
def test_swapped_rows_are_found(registry, sql, table, key):
    for _ in range(3):
        registry.decisions.record(DECISION)
    for before, after in ((2, 99), (3, 2), (99, 3)):
        sql(f"UPDATE {table} SET {key} = {after} WHERE {key} = {before}")
    report = registry.trail.verify()
    assert any("does not follow" in one.what for one in report.findings), report.findings


def test_a_tail_cut_off_everywhere_is_found_by_an_anchor_alone(registry, written, sql):
    anchor = registry.trail.verify().head
    registry.decisions.record(DECISION)
    newer = registry.audit.head()
    assert registry.trail.verify([anchor, newer]).intact
    sql("DELETE FROM decisions WHERE sequence = 5")
    sql("DELETE FROM audit_entries WHERE sequence = :last", last=newer.sequence)
    assert registry.trail.verify([anchor]).intact
    report = registry.trail.verify([anchor, newer])
    assert [one.where for one in report.findings] == [f"entry {newer.sequence}"]
    assert "cut off" in report.findings[0].what


def test_another_entry_in_the_place_of_an_anchored_one_is_found(registry, written, sql):
    registry.audit.append(AuditEvent("key.created", "user:eve"))
    anchor = registry.audit.head()
    sql("DELETE FROM audit_names WHERE sequence = :last", last=anchor.sequence)
    sql("DELETE FROM audit_entries WHERE sequence = :last", last=anchor.sequence)
    registry.audit.append(AuditEvent("key.created", "user:mallory"))
    last = registry.audit.head()
    report = registry.trail.verify([dataclasses.replace(anchor, sequence=last.sequence)])
    assert [one.what for one in report.findings] == ["it is not the entry that the anchor signed"]


def test_what_a_restore_lost_is_a_finding_that_names_the_restore(registry, written, sql):
    """Anchors from after the backup cannot hold any more: an old backup could hide a decision."""
    registry.audit.append(AuditEvent("key.created", "user:ada"))
    registry.audit.append(AuditEvent("key.created", "user:ada"))
    registry.audit.append(AuditEvent("key.created", "user:ada"))
    lost = [registry.audit.head()]
    lost.append(dataclasses.replace(lost[0], sequence=lost[0].sequence - 2, sha256="0" * 64))
    sql("DELETE FROM audit_names WHERE sequence > :last", last=lost[0].sequence - 3)
    sql("DELETE FROM audit_entries WHERE sequence > :last", last=lost[0].sequence - 3)
    registry.audit.append(AuditEvent(RESTORED, "command line:ada"))
    entry = registry.audit.head().sequence
    assert registry.trail.verify([registry.audit.head()]).intact
    found = {one.where: one.what for one in registry.trail.verify(lost).findings}
    assert found.keys() == {f"entry {one.sequence}" for one in lost}
    assert all(f"entry {entry} says that a backup was restored" in one for one in found.values())


def test_an_erasure_takes_the_writer_out_and_the_trail_stays_whole(registry, written, sql):
    registry.writers.erase("C-1", actor="user:eve")
    report = registry.trail.verify()
    assert report.intact, report.findings
    assert report.erased == 3
    for number in (0, 1, 3):
        stored = registry.decisions.get(written[number])
        assert (stored.state, stored.writer_id, stored.details) == ("erased", None, None)
        assert (stored.reference_ids, stored.probe_sha256) == ([], None)
        assert stored.verdict == "match"  # What came of it stays, for the statistics.
    assert registry.decisions.get(written[1]).reviews[0].comment is None
    assert registry.decisions.get(written[1]).reviews[0].outcome == "reject"
    assert everything(registry).count("C-1") == 0
    # Going on after it, and tampering with what it left.
    registry.decisions.record(DECISION)
    assert registry.trail.verify().intact
    assert registry.decisions.verify().intact
    sql("UPDATE decisions SET verdict = 'non_match' WHERE sequence = 1")
    assert not registry.trail.verify().intact


def test_an_erasure_of_a_candidate_leaves_the_others(registry, written):
    registry.writers.erase("C-9", actor="user:eve")
    report = registry.trail.verify()
    assert report.intact, report.findings
    identified = registry.decisions.get(written[2])
    assert [one["writer_id"] for one in identified.candidates] == ["C-8"]
    assert [one["writer_id"] for one in identified.details["candidates"]] == ["C-8"]
    assert identified.reference_ids == [5]
    verified = registry.decisions.get(written[0])
    assert verified.writer_id == "C-1"
    assert verified.details["warnings"][0]["message"] == "This file matched (erased) before."
    assert registry.decisions.kept_image(written[0]).data == IMAGE
    assert everything(registry).count("C-9") == 0


def test_a_row_put_back_after_an_erasure_is_found(registry, written, sql):
    before = registry.decisions.get(written[1])
    registry.writers.erase("C-1")
    sql(
        "UPDATE decisions SET writer_id = 'C-1', sha256 = :sha256 WHERE sequence = 2",
        sha256=before.sha256,
    )
    assert not registry.trail.verify().intact


def test_a_row_deleted_without_an_entry_is_no_erasure(registry, written, sql):
    registry.writers.erase("C-9")
    for table in ("reviews", "review_tasks", "decision_details", "decision_images", "decisions"):
        sql(f"DELETE FROM {table} WHERE sequence = 2")
    report = registry.trail.verify()
    assert any("missing, and no entry says why" in one.what for one in report.findings)


def test_retention_purges_images_and_decisions_by_leave(registry, written):
    assert registry.retention.purge_images(datetime(2001, 1, 1, tzinfo=UTC)) == 0
    assert registry.retention.purge_images(FAR) == 3
    report = registry.trail.verify()
    assert report.intact, report.findings
    assert (report.images, report.images_purged) == (0, 3)
    registry.writers.erase("C-9")  # Rows whose image went before get new hashes.
    assert registry.trail.verify().intact
    assert registry.retention.purge_decisions(FAR) == 5  # Four, and a review.
    registry.decisions.record(DECISION)
    report = registry.trail.verify()
    assert report.intact, report.findings
    assert (report.decisions, report.purged) == (1, 5)
    assert registry.decisions.verify().intact


def test_a_hold_outlasts_retention_and_an_erasure_says_what_stays(registry, written):
    until = datetime.now(UTC) + timedelta(days=400)
    registry.decisions.hold(written[1], Hold("proceedings", "user:aud", until))
    assert registry.retention.purge_images(FAR) == 2
    erased = registry.writers.erase("C-1")
    [held] = erased.held
    assert (held.decision_id, held.reason, held.held_until) == (written[1], "proceedings", until)
    assert registry.retention.purge_decisions(FAR) == 3
    stored = registry.decisions.get(written[1])
    assert (stored.state, stored.writer_id, stored.hold.erasure_waits) == ("whole", "C-1", True)
    assert registry.decisions.kept_image(written[1]).data == b"another image"
    assert registry.retention.erase_after_holds() == 0
    assert registry.trail.verify().intact
    # Ended, the erasure goes on.
    ended = Hold("over", "user:aud", datetime.now(UTC) - timedelta(seconds=1))
    registry.decisions.hold(written[1], ended)
    assert registry.retention.erase_after_holds() == 2  # The decision, and words of its review.
    assert registry.decisions.get(written[1]).state == "erased"
    report = registry.trail.verify()
    assert report.intact, report.findings


def test_many_at_once_leave_one_chain(registry):
    """Decisions, looks, reviews, purges and erasures from eight threads; no deadlock, no fork."""

    def work(number):
        writer_id = f"C-{number}"
        registry.writers.create(writer_id, "", actor=f"user:{number}")
        own = dataclasses.replace(DECISION, writer_id=writer_id)
        ids = [registry.decisions.record(decided(own, score=n)) for n in range(4)]
        registry.reviews.record(ids[0], NewReview(f"user:{number}b", "accept"), 2)
        registry.decisions.image(ids[1], "user:aud")
        registry.retention.purge_images(datetime(2001, 1, 1, tzinfo=UTC))
        if number % 2:
            registry.writers.erase(writer_id)
        else:
            registry.writers.rename(writer_id, "Ada")

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(16)))
    report = registry.trail.verify()
    assert report.intact, report.findings
    assert (report.decisions, report.erased, report.reviews) == (64, 32, 16)


def everything(registry):
    """All rows of the trail as text, but for what the audit chain says it forgot."""
    tables = ("decisions", "decision_details", "decision_mentions", "audit_names", "audit_entries")
    with registry._database.read() as connection:
        rows = [connection.execute(text(f"SELECT * FROM {one}")).all() for one in tables]
    return str(rows)
