"""Each check of the doctor on what is as it should be, and on what is not."""

import http.server
import os
import shutil
import socket
import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import SimpleNamespace

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from sqlalchemy import insert

from index.registry.audit.chain import AuditEvent
from index.registry.registry import Registry
from index.registry.schema import ApiKeyRow
from service.doctor import expiry, host, registry, server
from service.doctor.examine import CHECKS, examine, worst
from service.doctor.finding import Finding, Installation
from service.doctor.settings import settings as settings_check
from service.redaction import shown
from service.settings import Settings, origins, read_settings

NOW = datetime.now(UTC)


@pytest.fixture
def installation(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> Iterator[Installation]:
    monkeypatch.setattr(host, "_is_unsynchronised", lambda: False)
    own = {"COUNTERSIGN_DATA_DIR": str(settings.data_dir)}
    made = Installation(settings, origins(own))
    yield made
    made.close()


def only(findings: Iterator[Finding]) -> Finding:
    (found,) = findings
    assert found.remedy is None or found.state != "ok"
    assert found.remedy or found.state == "ok", "It says what is wrong, but not what to do."
    return found


# Settings.


def test_settings_come_with_their_origin() -> None:
    environ = {"COUNTERSIGN_DATA_DIR": "/srv/countersign", "COUNTERSIGN_PORT": "81"}
    options = {"port": "82"}
    made = Installation(read_settings(environ, options), origins(environ, options))
    said = {one.check: one.said for one in settings_check(made)}
    assert said["COUNTERSIGN_PORT"] == "82 (option)"
    assert said["COUNTERSIGN_DATA_DIR"] == "/srv/countersign (environment)"
    assert (
        said["COUNTERSIGN_DATABASE_URL"] == "sqlite:////srv/countersign/registry.db (data folder)"
    )
    assert said["COUNTERSIGN_WORKERS"] == "1 (default)"
    assert said["COUNTERSIGN_MODEL"] == "unset (default)"


@pytest.mark.parametrize(
    ("name", "value", "told"),
    [
        ("database_url", "postgresql+psycopg://ada:hunter2@db/name", "postgresql+psycopg://ada:***@db/name"),
        ("database_url", "postgresql+psycopg://ada:p%40:x@db/name", "postgresql+psycopg://ada:***@db/name"),
        ("database_url", "postgresql://db/n?user=a&password=hunter2&x=1", "postgresql://db/n?user=a&password=***&x=1"),
        ("index_url", "milvus+https://hunter2@milvus:19530/db", "milvus+https://***@milvus:19530/db"),
        ("index_url", "milvus+http://root:hunter2@milvus", "milvus+http://root:***@milvus"),
        ("oidc_client_secret", "hunter2", "***"),
        ("key", "cs_5f0c93a1b2d4_hunter2", "***"),
        ("limits_url", "redis://:hunter2@counts:6379/0", "redis://:***@counts:6379/0"),
        ("host", "127.0.0.1", "127.0.0.1"),
    ],
)  # fmt: skip
def test_no_secret_is_shown(name: str, value: str, told: str) -> None:
    assert shown(name, value) == told


# The registry.


def test_a_schema_of_this_version_is_ok(installation: Installation) -> None:
    assert only(registry.schema(installation)).state == "ok"


@pytest.mark.parametrize("version", ["0009", "9999"])
def test_another_schema_is_a_failure_and_the_rest_is_not_looked_at(
    installation: Installation, version: str
) -> None:
    connection = sqlite3.connect(installation.settings.data_dir / "registry.db")
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.close()
    found = {one.check: one for one in examine(installation)}
    assert found["schema"].state == "failure"
    assert "countersign db upgrade" in str(found["schema"].remedy)
    for name in ("model", "index", "audit trail", "last backup", "keys"):
        assert found[name].state == "warning"
        assert "not looked at" in found[name].said
    assert found["disk"].state == "ok"


def test_no_registry_is_a_failure_and_none_is_made(tmp_path: Path) -> None:
    environ = {"COUNTERSIGN_DATA_DIR": str(tmp_path / "none")}
    made = Installation(read_settings(environ), origins(environ))
    found = {one.check: one for one in examine(made)}
    assert "no registry" in found["schema"].said
    assert found["disk"].state == "ok"
    assert not (tmp_path / "none").exists()


def test_model_and_index_are_ok_and_an_index_that_differs_is_not(
    installation: Installation, known: Callable[..., str]
) -> None:
    known(4, 2)
    assert "2 references of 1 writers" in only(registry.model(installation)).said
    assert only(registry.index(installation)).state == "ok"
    # One is lost without a line in the log, as when somebody writes to the database by hand.
    connection = sqlite3.connect(installation.settings.data_dir / "registry.db")
    with connection:
        connection.execute("DELETE FROM embeddings WHERE reference_id = 1")
    connection.close()
    found = only(registry.index(installation))
    assert found.state == "failure"
    assert "0 references are missing, 1 too many" in found.said
    assert "index rebuild" in str(found.remedy)


def test_a_model_that_cannot_be_loaded_is_a_failure(settings: Settings, tmp_path: Path) -> None:
    made = Installation(replace(settings, model=tmp_path), {})
    found = {one.check: one for one in examine(made)}
    assert found["model"].state == "failure"
    assert found["audit trail"].state == "ok"


def test_a_decision_that_was_changed_is_a_failure(
    installation: Installation, known: Callable[..., str], ask, uploads
) -> None:
    known(4, 2)
    for n in range(2):
        ask(uploads(4, 7 + n)[0])
    assert "2 decisions" in only(registry.audit_trail(installation)).said
    connection = sqlite3.connect(installation.settings.data_dir / "registry.db")
    with connection:
        connection.execute("UPDATE decisions SET verdict = 'match' WHERE sequence = 2")
    connection.close()
    found = only(registry.audit_trail(installation))
    assert found.state == "failure"
    assert "decision" in found.said


def test_an_erasure_that_waits_for_an_hour_is_a_warning(
    installation: Installation, known: Callable[..., str], reading, settings: Settings
) -> None:
    writer_id = known(4, 1)
    assert only(registry.erasures(installation)).state == "ok"
    with reading(settings.data_dir / "registry.db"):
        installation.registry.writers.erase(writer_id)
    assert only(registry.erasures(installation)).state == "ok"
    later = replace(installation, now=NOW + timedelta(hours=2))
    found = only(registry.erasures(later))
    assert (found.state, "1 erasures" in found.said) == ("warning", True)
    later.close()


def test_a_backup_that_is_due_is_a_warning(
    installation: Installation, known: Callable[..., str]
) -> None:
    assert only(registry.last_backup(installation)).state == "ok", "Nobody was ever enrolled."
    known(4, 1)
    assert "none was ever made" in only(registry.last_backup(installation)).said
    installation.registry.audit.append(AuditEvent("restore.done", "test", details={}))
    assert "none since it was restored on 20" in only(registry.last_backup(installation)).said
    installation.registry.audit.append(AuditEvent("backup.made", "test", details={}))
    assert only(registry.last_backup(installation)).state == "ok"
    later = replace(installation, now=NOW + timedelta(days=3))
    found = only(registry.last_backup(later))
    assert found.state == "warning"
    assert "countersign backup" in str(found.remedy)
    later.close()


# The machine.


@pytest.mark.parametrize(
    ("free", "state"), [(10 * 2**20, "failure"), (16 * 2**20 + 1000, "warning"), (2**34, "ok")]
)
def test_room_on_the_disk(
    installation: Installation, monkeypatch: pytest.MonkeyPatch, free: int, state: str
) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _path: SimpleNamespace(free=free))
    assert only(host.disk(installation)).state == state


def test_what_others_can_read_is_a_warning(installation: Installation) -> None:
    assert only(host.permissions(installation)).state == "ok"
    file = installation.settings.data_dir / "registry.db"
    file.chmod(0o640)
    found = only(host.permissions(installation))
    assert found.state == "warning"
    assert str(file) in found.said
    file.chmod(0o600)
    installation.settings.data_dir.chmod(0o755)
    assert only(host.permissions(installation)).state == "warning"


def test_what_another_account_owns_is_a_failure(
    installation: Installation, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: os.getuid() + 1)
    found = only(host.permissions(installation))
    assert (found.state, "another account" in found.said) == ("failure", True)


def test_the_clock(installation: Installation, monkeypatch: pytest.MonkeyPatch) -> None:
    assert only(host.clock(installation)).state == "ok"
    monkeypatch.setattr(host, "_is_unsynchronised", lambda: True)
    assert "nothing synchronises it" in only(host.clock(installation)).said
    installation.registry.audit.append(AuditEvent("backup.made", "test"))
    earlier = replace(installation, now=NOW - timedelta(days=1))
    found = only(host.clock(earlier))
    assert (found.state, "newest entry" in found.said) == ("failure", True)
    earlier.close()
    monkeypatch.setattr(Registry, "clock_s", lambda _self: NOW.timestamp() - 60)
    found = only(host.clock(installation))
    assert (found.state, "from the database's" in found.said) == ("warning", True)


def test_the_kernel_is_asked_whether_the_clock_is_synchronised() -> None:
    assert host._is_unsynchronised() in {True, False}


# A running server.


@contextmanager
def answering(status: int, body: bytes) -> Iterator[int]:
    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self) -> None:  # The library's name.
            self.send_response(status if self.path == "/readyz" else 404)
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    listening = http.server.HTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=listening.serve_forever)
    thread.start()
    try:
        yield listening.server_address[1]
    finally:
        listening.shutdown()
        thread.join()
        listening.server_close()


@pytest.mark.parametrize(
    ("status", "body", "state", "words"),
    [
        (200, b"{}", "ok", "ready"),
        (507, b'{"detail": "The disk is full."}', "failure", "The disk is full."),
        (404, b"<html>", "failure", "another program"),
    ],
)
def test_a_server_that_answers(
    settings: Settings, status: int, body: bytes, state: str, words: str
) -> None:
    with answering(status, body) as port:
        found = only(server.server(Installation(replace(settings, port=port), {})))
    assert (found.state, words in found.said) == (state, True)


def test_a_server_that_does_not_answer(
    settings: Settings, free_port: Callable[[], int], monkeypatch: pytest.MonkeyPatch
) -> None:
    found = only(server.server(Installation(replace(settings, port=free_port()), {})))
    assert (found.state, "none answers" in found.said) == ("warning", True)
    monkeypatch.setattr(server, "TIMEOUT_S", 0.2)
    with socket.create_server(("127.0.0.1", 0)) as silent:
        port = silent.getsockname()[1]
        found = only(server.server(Installation(replace(settings, port=port), {})))
    assert (found.state, "does not answer" in found.said) == ("failure", True)


# What ends on a day.


def test_keys_that_end(installation: Installation) -> None:
    assert only(expiry.keys(installation)).state == "ok"
    days = {"scanner": 5, "archive": -3, "web": 90, "lost": 2, "always": None}
    rows = [
        {
            "key_id": name,
            "name": name,
            "secret_sha256": name.ljust(64, "0"),
            "scopes": ["verify"],
            "created_at": NOW,
            "expires_at": None if left is None else NOW + timedelta(days=left),
            "revoked_at": NOW if name == "lost" else None,
        }
        for name, left in days.items()
    ]
    with installation.registry._database.write() as connection:
        connection.execute(insert(ApiKeyRow), rows)
    found = only(expiry.keys(installation))
    assert found.state == "warning"
    for name in days:
        assert (name in found.said) == (name in {"scanner", "archive"}), name


def write_certificate(path: Path, ends_in: timedelta) -> Path:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "countersign.example")])
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(NOW - timedelta(days=400))
        .not_valid_after(NOW + ends_in)
        .sign(key, hashes.SHA256())
    )
    path.write_bytes(made.public_bytes(serialization.Encoding.PEM))
    return path


@pytest.mark.parametrize(("days", "state"), [(-1, "failure"), (10, "warning"), (60, "ok")])
def test_a_certificate_that_ends(settings: Settings, tmp_path: Path, days: int, state: str) -> None:
    path = write_certificate(tmp_path / "tls.pem", timedelta(days=days))
    made = SimpleNamespace(settings=SimpleNamespace(tls_cert=path), now=NOW)
    assert only(expiry.certificate(made)).state == state  # type: ignore[arg-type]


def test_no_certificate_and_what_is_none(settings: Settings, tmp_path: Path) -> None:
    assert only(expiry.certificate(Installation(settings, {}))).state == "ok"
    path = tmp_path / "tls.pem"
    path.write_text("not a certificate", encoding="utf-8")
    made = SimpleNamespace(settings=SimpleNamespace(tls_cert=path), now=NOW)
    assert only(expiry.certificate(made)).state == "failure"  # type: ignore[arg-type]


# All of them.


def test_every_check_says_something_and_leaves_nothing_open(
    installation: Installation, known: Callable[..., str]
) -> None:
    known(4, 2)
    found = list(examine(installation))
    names = {one.check for one in found}
    assert set(CHECKS) - {"settings"} <= names
    assert {one.check: one.said for one in found if one.state == "failure"} == {}
    assert worst(found) == "warning"  # No server, no backup.


def test_the_worst_counts() -> None:
    findings = [Finding(state, state, "") for state in ("ok", "failure", "warning")]
    assert worst(findings) == "failure"
    assert worst(findings[:1]) == "ok"
    assert worst([]) == "ok"
