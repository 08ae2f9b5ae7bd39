"""What the audit trail costs: a verification with and without it, and the proof of a long chain.

Both kinds of verification take turns, so that a slow moment of the machine slows both alike: the
ratio counts. Without it, the decision's row alone is written, as before there was more. The long
chain is of decisions with their details and of other entries, half and half.
`python -m benchmarks.audit_cost`.
"""

import argparse
import dataclasses
import json
import os
import secrets
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from unittest import mock
from uuid import uuid4

import cv2
import numpy as np
from sqlalchemy import insert

from encoder.synthesis import encode_png, synthetic_writer
from index.registry import audit_log
from index.registry.audit import chain
from index.registry.audit.basis import RULE
from index.registry.audit.sealing import canonical, text_sha256
from index.registry.database import Database
from index.registry.registry import Registry
from index.registry.schema import (
    AuditEntryRow,
    AuditNameRow,
    DecisionDetailsRow,
    DecisionRow,
    DecisionRuleRow,
)
from index.registry.schema_version import upgrade
from service.composition import build_services, prepare_folders
from service.decisions.recording import Asked
from service.decisions.verify import verify
from service.models.live_services import Services
from service.settings import read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

REFERENCES = 5
BATCH = 5000


def main() -> None:
    """Print the figures as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--rounds", type=int, default=200, help="verifications of each kind (200)")
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the chain (1000000)")
    options = parser.parse_args()
    result: dict[str, Any] = {"load_average_before": os.getloadavg()[0]}
    with tempfile.TemporaryDirectory() as folder:
        result["verification"] = costs(Path(folder), options.rounds)
    with tempfile.TemporaryDirectory() as folder:
        result["chain"] = long_chain(Path(folder), options.entries)
    print(json.dumps(result, indent=1))


def costs(folder: Path, rounds: int) -> dict[str, dict[str, float]]:
    """Milliseconds of a verification, by the kind of query image."""
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(folder)})
    prepare_folders(settings)
    upgrade(settings.database_url)
    services = build_services(settings)
    hand = synthetic_writer(1)
    scans = [encode_png(hand.genuine(number)) for number in range(REFERENCES + 1)]
    uploads = [Upload(f"{number}.png", scan) for number, scan in enumerate(scans)]
    create_writer(
        "C-1",
        "",
        uploads[:REFERENCES],
        encoder=services.encoder,
        registry=services.registry,
    )
    other = encode_png(synthetic_writer(2).genuine(0))
    probes = {"match": scans[-1], "no match": other, "grainy scan": _grainy(scans[-1])}
    found = {name: _paired(services, probe, rounds) for name, probe in probes.items()}
    services.close()
    return found


def _grainy(png: bytes) -> bytes:
    """The same signature on a page whose grain no compression takes away: a file of megabytes."""
    gray = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE)
    page = cv2.copyMakeBorder(gray, 400, 400, 400, 400, cv2.BORDER_CONSTANT, value=255)
    grain = np.random.default_rng(0).integers(0, 12, page.shape, dtype=np.uint8)
    return encode_png(page - np.minimum(page, grain))


def _paired(services: Services, probe: bytes, rounds: int) -> dict[str, float]:
    upload = Upload("probe.png", probe)

    def once() -> tuple[float, float]:
        started_s, cpu_s = time.perf_counter(), time.process_time()
        verify(
            "C-1",
            upload,
            encoder=services.encoder,
            registry=services.registry,
            asked=Asked("benchmark", uuid4().hex),
        )
        return 1000 * (time.perf_counter() - started_s), 1000 * (time.process_time() - cpu_s)

    once()
    with_trail, without = [], []
    for _ in range(rounds):
        with_trail.append(once())
        with _row_alone():
            without.append(once())
    ours, theirs = np.median(with_trail, axis=0), np.median(without, axis=0)
    return {
        "file_kb": round(len(probe) / 1000),
        "with_ms": round(float(ours[0]), 2),
        "without_ms": round(float(theirs[0]), 2),
        "ratio": round(float(ours[0] / theirs[0]), 3),
        "cpu_with_ms": round(float(ours[1]), 2),
        "cpu_without_ms": round(float(theirs[1]), 2),
        "cpu_ratio": round(float(ours[1] / theirs[1]), 3),
    }


@contextmanager
def _row_alone() -> Iterator[None]:
    """Write the decision's row alone, without an entry, details, rule and image."""
    record = audit_log.record

    def alone(connection: Any, decision: audit_log.DecisionRecord) -> str:
        return record(connection, dataclasses.replace(decision, basis=None))

    with (
        mock.patch.object(chain, "append"),
        mock.patch.object(audit_log, "record", alone),
        mock.patch("service.decisions.verify.basis_of", return_value=_Nothing()),
        mock.patch("service.decisions.verify._rests_on", return_value={}),
    ):
        yield


@dataclasses.dataclass(frozen=True)
class _Nothing:
    mentions: tuple[str, ...] = ()


def long_chain(folder: Path, entries: int) -> dict[str, float]:
    """Write a chain of so many entries, and verify all of it."""
    url = f"sqlite:///{folder / 'registry.db'}"
    upgrade(url)
    _write_chain(url, entries)
    registry = Registry(url)
    started_s, cpu_s = time.perf_counter(), time.process_time()
    report = registry.trail.verify()
    took_s, cpu_s = time.perf_counter() - started_s, time.process_time() - cpu_s
    registry.close()
    return {
        "entries": report.entries,
        "decisions": report.decisions,
        "findings": report.finding_count,
        "seconds": round(took_s, 1),
        "cpu_seconds": round(cpu_s, 1),
        "megabytes": round((folder / "registry.db").stat().st_size / 1e6),
    }


def _write_chain(url: str, entries: int) -> None:
    database = Database(url)
    rule = canonical({"rule": 1})
    with database.write() as connection:
        row = {"rule_sha256": text_sha256(rule), "rule_id": "rule", "rule": rule}
        connection.execute(insert(DecisionRuleRow), row)
        chain.append(connection, chain.AuditEvent("settings.started", "server"))
    head, previous = _head(url), chain.GENESIS_SHA256
    number, done = head.sequence, head.sequence
    sha256 = head.sha256
    while done < entries:
        rows, names, decisions, details = [], [], [], []
        for _ in range(min(BATCH, entries - done)):
            number += 1
            entry: dict[str, Any] = {
                "sequence": number,
                "created_at": datetime.now(UTC),
                "kind": "decision.verify" if number % 2 else "image.viewed",
                "outcome": "match",
                "actor_hmac": None,
                "subject_hmac": None,
                "details": {},
                "content_sha256": None,
                "previous_sha256": sha256,
                "chain_version": chain.CHAIN_VERSION,
            }
            if number % 2:
                decision, text = _decision(number, previous, rule)
                previous = entry["content_sha256"] = decision["sha256"]
                decisions.append(decision)
                details.append({"sequence": number, "details": text})
            else:
                salt = secrets.token_bytes(32)
                entry["actor_hmac"] = chain.commitment("user:ada", salt)
                name = {"sequence": number, "part": "actor", "text": "user:ada", "salt": salt}
                names.append(name)
                entry["details"] = {"reference": number}
            sha256 = chain.sha256(entry)
            rows.append({**entry, "sha256": sha256})
        with database.write() as connection:
            connection.execute(insert(AuditEntryRow), rows)
            connection.execute(insert(AuditNameRow), names)
            connection.execute(insert(DecisionRow), decisions)
            connection.execute(insert(DecisionDetailsRow), details)
        done += len(rows)
    database.close()


def _head(url: str) -> chain.Head:
    registry = Registry(url)
    head = registry.audit.head()
    registry.close()
    return head


def _decision(number: int, previous: str, rule: str) -> tuple[dict[str, Any], str]:
    references = [
        {"reference_id": one, "sha256": "a" * 64, "similarity": 0.8, "local_similarity": 0.7}
        for one in range(REFERENCES)
    ]
    text = canonical({RULE: text_sha256(rule), "references": references, "score": 0.7})
    row: dict[str, Any] = {
        "sequence": number,
        "decision_id": uuid4().hex,
        "created_at": datetime.now(UTC),
        "kind": "verify",
        "verdict": "match",
        "writer_id": f"C-{number}",
        "operating_point": "fmr_skilled=1%",
        "score": 0.71,
        "log_lr": 1.9,
        "threshold": 0.51,
        "non_match_threshold": 0.48,
        "model_id": "a" * 64,
        "reference_ids": list(range(REFERENCES)),
        "candidates": None,
        "probe_sha256": secrets.token_hex(32),
        "caller": "user:ada",
        "previous_sha256": previous,
        "chain_version": audit_log.CHAIN_VERSION,
        "details_sha256": text_sha256(text),
        "salt": secrets.token_bytes(32),
    }
    return {**row, "sha256": audit_log.row_sha256(row)}, text


if __name__ == "__main__":
    main()
