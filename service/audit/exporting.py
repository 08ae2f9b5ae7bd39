"""The audit chain as JSON lines, and its verification apart from any server and database.

The first line says what the export is of; each other line is an entry. No personal data is in it:
names lie beside the chain, as do the rows that entries speak of.
"""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any

from index.registry.audit.chain import GENESIS_SHA256, HASHED, AuditEvent, Head
from index.registry.audit.verification import (
    MOST_FINDINGS,
    AnchorFaults,
    Finding,
    entry_fault,
)
from index.registry.registry import Registry
from service.audit.anchors import Anchor
from service.errors import AnchorUnusable

FORMAT = "countersign-audit-export/1"
CUT_OFF = (
    "an anchor signed it, and the export ends before it: it was cut off, or is of an earlier time"
)


@dataclass
class ExportReport:
    """What an export's verification found; entries before the first are not in it."""

    first: int = 0
    head: Head = field(default_factory=lambda: Head(0, GENESIS_SHA256))
    entries: int = 0
    anchors: int = 0  # How many sign an entry of the export.
    findings: list[Finding] = field(default_factory=list)

    @property
    def intact(self) -> bool:
        """Whether every entry is as it was written."""
        return not self.findings

    def add(self, where: str, what: str) -> None:
        """Note something that is wrong."""
        if len(self.findings) < MOST_FINDINGS:
            self.findings.append(Finding(where, what))


def export(
    registry: Registry, since: datetime | None, until: datetime | None, caller: str
) -> Iterator[str]:
    """Yield the lines of an export; that it was made is an entry of the chain."""
    registry.audit.append(AuditEvent("audit.exported", caller))
    yield json.dumps(
        {
            "format": FORMAT,
            "registry": registry.registry_id(),
            "from": None if since is None else since.isoformat(),
            "to": None if until is None else until.isoformat(),
            "exported_at": datetime.now(UTC).isoformat(timespec="seconds"),
        }
    )
    for row in registry.audit.entries(since, until):
        yield json.dumps(entry_as_dict(row))


def entry_as_dict(row: Any) -> dict[str, Any]:
    """An entry, ready for JSON, with all that its hash covers."""
    content = {name: getattr(row, name) for name in HASHED[row.chain_version]}
    moment = row.created_at.isoformat(timespec="microseconds")
    return {"sequence": row.sequence, **content, "created_at": moment, "sha256": row.sha256}


def verify_export(lines: Iterable[str], anchors: Sequence[Anchor] = ()) -> ExportReport:
    """Verify an export: each entry follows the one before, and anchored ones are what was signed.

    Raises:
        AnchorUnusable: the first line is not an export's, or is of another registry than an anchor.
    """
    reading = iter(lines)
    _require_export(next(reading, ""), anchors)
    signed = {one.head.sequence: one.head.sha256 for one in anchors}
    faults = AnchorFaults(signed)
    report = ExportReport()
    previous: str | None = None
    for number, line in enumerate(reading, 2):
        row = _entry(line)
        if row is None:
            report.add(f"line {number}", "it is no entry of an audit chain")
            continue
        if previous is None:
            report.first = row.sequence
            previous = row.previous_sha256 if row.sequence > 1 else GENESIS_SHA256
        fault = entry_fault(row, previous)
        if fault is not None:
            report.add(f"entry {row.sequence}", fault)
        report.anchors += row.sequence in signed
        faults.take(row)
        previous = row.sha256
        report.entries += 1
        report.head = Head(row.sequence, row.sha256)
    # What was before the first entry was not asked for, and a gap is found by the hashes.
    for entry, fault in faults.found(CUT_OFF, after=report.head.sequence):
        report.add(f"entry {entry}", fault)
    return report


def _require_export(line: str, anchors: Sequence[Anchor]) -> None:
    try:
        header = json.loads(line)
        known = header["format"] == FORMAT
        registry_id = str(header["registry"])
    except (KeyError, TypeError, ValueError) as error:
        raise AnchorUnusable(
            "Expected an export made by `countersign audit export`; another file came."
        ) from error
    if not known:
        raise AnchorUnusable(f"The export is of another format: {header['format']!r}.")
    if any(one.registry_id != registry_id for one in anchors):
        raise AnchorUnusable("The anchors are of another registry than the export.")


def _entry(line: str) -> Any:
    """An entry as `entry_fault` reads it; None where the line is none."""
    try:
        row = json.loads(line)
        row["created_at"] = datetime.fromisoformat(row["created_at"])
        names = {*HASHED.get(row["chain_version"], ()), "sequence", "sha256", "previous_sha256"}
        if not names <= row.keys() or not isinstance(row["sequence"], int):
            return None
    except (KeyError, TypeError, ValueError):
        return None
    return SimpleNamespace(**row, _mapping=row)
