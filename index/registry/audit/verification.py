"""Verifies the whole trail: every entry, and every row beside the chain that an entry speaks of.

Found are rows that were edited, deleted or swapped, a tail that was cut off before an anchor, rules
and images that were replaced. What an entry says was erased or purged is counted, and no finding.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Connection, Row, select

from index.registry.audit import chain
from index.registry.audit.basis import IMAGE, RULE
from index.registry.audit.chain import GENESIS_SHA256, RESTORED, STARTED, Head, commitment
from index.registry.audit.reviews import review_sha256
from index.registry.audit.sealing import text_sha256
from index.registry.audit.stored import ERASED
from index.registry.audit_log import broken
from index.registry.database import Database
from index.registry.schema import (
    AuditEntryRow,
    AuditNameRow,
    DecisionDetailsRow,
    DecisionImageRow,
    DecisionRow,
    DecisionRuleRow,
    ReviewRow,
)

MOST_FINDINGS = 100  # More are counted and not told.
OTHER = "it is not the entry that the anchor signed"
MISSING = (
    "an anchor signed it, and it is missing: the chain was cut off, or an older state of the "
    "database was put in its place"
)
_BATCH = 2000
_IMAGES = 20  # In memory at a time.


@dataclass(frozen=True)
class Finding:
    """Something that is not as it was written: where, and what is wrong with it."""

    where: str
    what: str


@dataclass
class TrailReport:
    """What a verification found; `head` is the end of the chain, to anchor elsewhere."""

    head: Head = field(default_factory=lambda: Head(0, GENESIS_SHA256))
    entries: int = 0
    decisions: int = 0
    erased: int = 0
    purged: int = 0
    images: int = 0
    images_purged: int = 0
    reviews: int = 0
    anchors: int = 0
    finding_count: int = 0
    findings: list[Finding] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether everything is as it was written, or changed by leave."""
        return not self.finding_count

    def add(self, where: str, what: str) -> None:
        """Note something that is wrong."""
        self.finding_count += 1
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(where, what))


class TrailVerification:
    """Verifies the trail of one registry, all of one moment, while others write."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def verify(self, anchors: Sequence[Head] = ()) -> TrailReport:
        """Verify all of it; `anchors` are ends that the chain had, from where nobody could edit."""
        with self._database.snapshot() as connection:
            return verify(connection, anchors)


@dataclass
class _Told:
    """What the chain says of rows elsewhere, by their hashes."""

    recorded: dict[bytes, int] = field(default_factory=dict)  # And by which entry.
    seen: set[bytes] = field(default_factory=set)
    replaced: set[str] = field(default_factory=set)
    removed: set[str] = field(default_factory=set)
    without_image: set[str] = field(default_factory=set)
    forgotten: set[int] = field(default_factory=set)

    @property
    def gone(self) -> set[str]:
        return self.replaced | self.removed

    def take(self, row: Row[*tuple[Any, ...]]) -> None:
        if row.content_sha256 not in {None, GENESIS_SHA256}:
            self.recorded[bytes.fromhex(row.content_sha256)] = row.sequence
        if row.kind not in chain.CHANGING:
            return
        details = row.details
        self.without_image |= {*details.get(chain.WITHOUT_IMAGE, ())}
        self.forgotten |= {*details.get(chain.FORGOTTEN, ())}
        for old, new in details.get(chain.REPLACED, {}).items():
            self.replaced.add(old)
            self._now(old, new, row.sequence)
            if old in self.without_image:
                self.without_image.add(new)
        for old in details.get(chain.REMOVED, ()):
            self.removed.add(old)
            self.recorded.pop(bytes.fromhex(old), None)

    def _now(self, old: str, new: str, number: int) -> None:
        self.recorded[bytes.fromhex(new)] = self.recorded.pop(bytes.fromhex(old), number)

    def knows(self, sha256: str) -> bool:
        """Whether an entry speaks of a row with this hash; notes that the row is there."""
        try:
            digest = bytes.fromhex(sha256)
        except ValueError:
            return False
        self.seen.add(digest)
        return digest in self.recorded


def verify(connection: Connection, anchors: Sequence[Head] = ()) -> TrailReport:
    """Verify the trail as a connection's snapshot shows it."""
    report, told = TrailReport(), _Told()
    _verify_entries(connection, anchors, report, told)
    _verify_names(connection, report, told)
    rules = _verify_rules(connection, report)
    _verify_decisions(connection, report, told, rules)
    _verify_reviews(connection, report, told)
    for digest in told.recorded.keys() - told.seen:
        number = told.recorded[digest]
        report.add(f"entry {number}", "the row that it speaks of is missing, and no entry says why")
    report.purged = len(told.removed)
    return report


def entry_fault(row: Any, previous_sha256: str) -> str | None:
    """Say why an entry does not fit after the one before it; None where it does."""
    if row.chain_version not in chain.HASHED:
        return f"its chain version {row.chain_version} is not known: it was changed, or is newer"
    if row.previous_sha256 != previous_sha256:
        return "it does not follow the entry before it: one was removed, added or swapped"
    if row.sha256 != chain.sha256(row._mapping):
        return "its content is not what its hash says"
    return None


class AnchorFaults:
    """Compares a chain with what anchors signed of it, entry by entry.

    After a restore, anchors from after the backup sign what was lost. That is a finding all the
    same, since an old backup would be a way to lose a decision; it says of the restore besides.
    """

    def __init__(self, signed: Mapping[int, str]) -> None:
        """Begin a comparison; `signed` holds the hashes that anchors signed, by the entries."""
        self._waiting = dict(signed)
        self._other: list[int] = []
        self._restored: int | None = None

    def take(self, row: Any) -> None:
        """Look at the next entry of the chain."""
        if self._waiting.pop(row.sequence, row.sha256) != row.sha256:
            self._other.append(row.sequence)
        if row.kind == RESTORED:
            self._restored = row.sequence

    def found(self, missing: str, after: int = 0) -> Iterator[tuple[int, str]]:
        """Yield the entries that are not as signed, and what is wrong with each.

        Of those that did not come, only the ones after an entry count; `missing` says it of them.
        """
        said = ""
        if self._restored is not None:
            said = (
                f"; entry {self._restored} says that a backup was restored, which loses what came "
                "after it"
            )
        for number in self._other:
            yield number, f"{OTHER}{said}"
        for number in sorted(one for one in self._waiting if one > after):
            yield number, f"{missing}{said}"


def _verify_entries(
    connection: Connection, anchors: Sequence[Head], report: TrailReport, told: _Told
) -> None:
    signed = {one.sequence: one.sha256 for one in anchors if one.sequence}
    faults = AnchorFaults(signed)
    previous = GENESIS_SHA256
    for row in chain.read_entries(connection):
        fault = entry_fault(row, previous)
        if fault is not None:
            report.add(f"entry {row.sequence}", fault)
        if not report.entries and row.kind != STARTED:
            report.add(f"entry {row.sequence}", f"the first entry should be of kind {STARTED}")
        faults.take(row)
        told.take(row)
        previous = row.sha256
        report.entries += 1
        report.head = Head(row.sequence, row.sha256)
    report.anchors = len(anchors)
    for number, fault in faults.found(MISSING):
        report.add(f"entry {number}", fault)


def _verify_names(connection: Connection, report: TrailReport, told: _Told) -> None:
    committed = select(
        AuditEntryRow.sequence, AuditEntryRow.actor_hmac, AuditEntryRow.subject_hmac
    ).where(AuditEntryRow.actor_hmac.is_not(None) | AuditEntryRow.subject_hmac.is_not(None))
    for rows in _batches(connection, committed, AuditEntryRow.sequence):
        names = _names(connection, rows[0].sequence, rows[-1].sequence)
        for row in rows:
            for part, expected in (("actor", row.actor_hmac), ("subject", row.subject_hmac)):
                found = names.get((row.sequence, part))
                if found is not None and found != expected:
                    report.add(f"entry {row.sequence}", f"its {part} is not what it was")
                missing = found is None and expected is not None
                if missing and row.sequence not in told.forgotten:
                    report.add(f"entry {row.sequence}", f"its {part} is missing")


def _names(connection: Connection, low: int, high: int) -> dict[tuple[int, str], str]:
    rows = connection.execute(
        select(AuditNameRow.__table__).where(AuditNameRow.sequence.between(low, high))
    )
    return {(row.sequence, row.part): commitment(row.text, row.salt) for row in rows}


def _verify_rules(connection: Connection, report: TrailReport) -> set[str]:
    """Check the rules that decided; return the hashes of those that are as they were."""
    good = set()
    for row in connection.execute(select(DecisionRuleRow.__table__)):
        if text_sha256(row.rule) == row.rule_sha256:
            good.add(row.rule_sha256)
        else:
            report.add(f"rule {row.rule_id}", "it was replaced: it is not what its hash says")
    return good


def _verify_decisions(
    connection: Connection, report: TrailReport, told: _Told, rules: set[str]
) -> None:
    previous, gone = GENESIS_SHA256, told.gone
    query = select(DecisionRow.__table__)
    for rows in _batches(connection, query, DecisionRow.sequence):
        beside = _Beside(connection, rows[0].sequence, rows[-1].sequence)
        for row in rows:
            fault = broken(row._mapping, previous, gone)
            if fault is None and not told.knows(row.sha256) and row.salt is not None:
                fault = "no entry speaks of it: it was added, or brought back after an erasure"
            elif fault is None:
                fault = beside.fault(row, told, rules)
            if fault is not None:
                report.add(f"decision {row.decision_id}", fault)
            previous = row.sha256
            report.decisions += 1
            report.erased += row.probe_sha256 == ERASED
        report.images += beside.image_count
        report.images_purged += beside.images_purged


class _Beside:
    """What lies beside a range of decisions, by their numbers."""

    def __init__(self, connection: Connection, low: int, high: int) -> None:
        details = connection.execute(
            select(DecisionDetailsRow.__table__).where(
                DecisionDetailsRow.sequence.between(low, high)
            )
        )
        self._details: dict[int, str] = {row.sequence: row.details for row in details}
        images = connection.execution_options(yield_per=_IMAGES).execute(
            select(DecisionImageRow.sequence, DecisionImageRow.image).where(
                DecisionImageRow.sequence.between(low, high)
            )
        )
        self._images = {row.sequence: hashlib.sha256(row.image).hexdigest() for row in images}
        self.images_purged = 0

    @property
    def image_count(self) -> int:
        """How many of the decisions have their image."""
        return len(self._images)

    def fault(self, row: Row[*tuple[Any, ...]], told: _Told, rules: set[str]) -> str | None:
        """Say what is wrong with what lies beside a decision; None where all is right."""
        text = self._details.get(row.sequence)
        if (None if text is None else text_sha256(text)) != row.details_sha256:
            return "what it rests on was replaced" if text else "what it rests on is missing"
        details: Mapping[str, Any] = {} if text is None else json.loads(text)
        if details and details[RULE] not in rules:
            return "the rule that it was decided by was replaced or is missing"
        image = self._images.get(row.sequence)
        if image is not None and image != row.probe_sha256:
            return "its query image was replaced"
        if image is None and details.get(IMAGE):
            self.images_purged += 1
            if row.sha256 not in told.without_image:
                return "its query image is missing, and no entry says why"
        return None


def _verify_reviews(connection: Connection, report: TrailReport, told: _Told) -> None:
    for rows in _batches(connection, select(ReviewRow.__table__), ReviewRow.review_id):
        for row in rows:
            if row.sha256 != review_sha256(row._mapping):
                report.add(f"review {row.review_id}", "its content is not what its hash says")
            elif not told.knows(row.sha256):
                report.add(f"review {row.review_id}", "no entry speaks of it")
            report.reviews += 1


def _batches(
    connection: Connection, query: Any, number: Any
) -> Iterator[Sequence[Row[*tuple[Any, ...]]]]:
    """Yield the rows of a query in the order of their numbers, some at a time."""
    after = 0
    while True:
        rows = connection.execute(query.where(number > after).order_by(number).limit(_BATCH)).all()
        if not rows:
            return
        yield rows
        after = getattr(rows[-1], number.key)
