"""Anchors and exports: what is signed elsewhere shows what was changed here."""

import http.server
import json
import threading
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from index.registry.audit.chain import AuditEvent
from service.audit.anchors import (
    create_key,
    make_anchor,
    read_anchors,
    read_key,
    read_public_key,
    write_anchor,
)
from service.audit.exporting import export, verify_export
from service.errors import AnchorUnusable, SettingsError
from service.server.anchoring import Anchoring


@pytest.fixture
def key(tmp_path, settings):
    create_key(tmp_path / "audit.pem", settings.data_dir)
    return tmp_path / "audit.pem"


@pytest.fixture
def registry(services):
    for number in range(5):
        services.registry.audit.append(AuditEvent("key.created", "user:eve", details={"n": number}))
    return services.registry


def test_an_anchor_is_read_back_with_its_own_key_only(registry, key, tmp_path, settings):
    anchor = make_anchor(registry, read_key(key))
    assert anchor.head == registry.audit.head()
    for _ in range(2):
        write_anchor(anchor, str(tmp_path / "anchors"))
    lines = (tmp_path / "anchors").read_text().splitlines()
    public = read_public_key(key.with_name("audit.pem.pub"))
    assert read_anchors(lines, public) == [anchor, anchor]
    other = read_public_key(create_key(tmp_path / "other.pem", settings.data_dir))
    with pytest.raises(AnchorUnusable, match="another key"):
        read_anchors(lines, other)


@pytest.mark.parametrize("field", ["registry", "sequence", "sha256", "anchored_at", "signature"])
def test_an_anchor_that_was_changed_is_refused(registry, key, field):
    data = make_anchor(registry, read_key(key)).as_dict()
    data[field] = 1 if field == "sequence" else "A" * 86 + "=="
    with pytest.raises(AnchorUnusable, match="does not bear out"):
        read_anchors([json.dumps(data)], None)


@pytest.mark.parametrize("line", ["", "{}", "[]", "x", '{"format": "countersign-anchor/1"}'])
def test_what_is_no_anchor_is_refused(line):
    with pytest.raises(AnchorUnusable):
        read_anchors([line], None)


def test_a_key_is_its_owners_and_never_in_the_data_folder(key, settings, tmp_path):
    assert key.stat().st_mode & 0o777 == 0o600
    with pytest.raises(SettingsError, match="outside the data folder"):
        create_key(settings.data_dir / "audit.pem", settings.data_dir)
    with pytest.raises(FileExistsError):
        create_key(key, settings.data_dir)
    with pytest.raises(SettingsError, match="cannot be read"):
        read_key(key.with_name("audit.pem.pub"))


def test_an_export_is_verified_without_the_database(registry, key):
    anchor = make_anchor(registry, read_key(key))
    lines = list(export(registry, None, None, "user:aud"))
    report = verify_export(lines, [anchor])
    assert report.intact, report.findings
    assert (report.first, report.anchors) == (1, 1)
    assert report.head == registry.audit.head()
    assert "user:" not in "".join(lines)


def edited(lines):
    entry = json.loads(lines[3])
    return [*lines[:3], json.dumps({**entry, "outcome": "x"}), *lines[4:]]


def swapped(lines):
    return [*lines[:3], lines[4], lines[3], *lines[5:]]


CHANGES = {
    "edited": edited,
    "deleted": lambda lines: [*lines[:3], *lines[4:]],
    "swapped": swapped,
    "cut off": lambda lines: lines[:3],
    "garbled": lambda lines: [*lines[:3], "{}", *lines[3:]],
    "the first deleted": lambda lines: [lines[0], *lines[2:]],
}


@pytest.mark.parametrize("change", CHANGES)
def test_an_export_that_was_changed_is_found(registry, key, change):
    anchor = make_anchor(registry, read_key(key))
    lines = list(export(registry, None, None, "user:aud"))
    report = verify_export(CHANGES[change](lines), [anchor])
    # Where the beginning is missing, the export says from where on it is.
    assert not report.intact or (change == "the first deleted" and report.first > 1)


def test_an_export_of_a_time_holds_its_entries_alone(registry):
    middle = datetime.now(UTC)
    registry.audit.append(AuditEvent("key.revoked", "user:eve"))
    after = [json.loads(one) for one in export(registry, middle, None, "user:aud")]
    assert [one["kind"] for one in after[1:]] == ["key.revoked", "audit.exported"]
    before = list(export(registry, None, middle, "user:aud"))
    assert verify_export(before).intact
    assert "key.revoked" not in "".join(before)
    later = verify_export([json.dumps(one) for one in after])
    assert later.intact
    assert later.first > 1


def test_a_file_of_another_registry_or_kind_is_refused(registry, key):
    anchor = make_anchor(registry, read_key(key))
    lines = list(export(registry, None, None, "user:aud"))
    with pytest.raises(AnchorUnusable, match="another registry"):
        verify_export(lines, [replace(anchor, registry_id="x")])
    with pytest.raises(AnchorUnusable, match="audit export"):
        verify_export(lines[1:])


def test_the_server_anchors_by_itself(services, registry, key, tmp_path, known, uploads):
    """Once, and again when its time has come and the chain has grown."""
    services = replace(
        services,
        settings=replace(
            services.settings, audit_key=key, audit_anchor=str(tmp_path / "anchors"), keep_queries=1
        ),
    )

    class Live:
        def current(self):
            return services

    keeping = Anchoring(Live())
    keeping.turn()
    keeping.turn()
    file = tmp_path / "anchors"
    assert len(file.read_text().splitlines()) == 1
    keeping._anchored_s -= timedelta(minutes=61).total_seconds()
    keeping.turn()
    assert len(file.read_text().splitlines()) == 1  # Nothing was added to the chain.
    keeping._anchored_s -= timedelta(minutes=61).total_seconds()
    registry.audit.append(AuditEvent("key.created", "user:eve"))
    keeping.turn()
    anchors = read_anchors(file.read_text().splitlines(), None)
    assert len(anchors) == 2
    assert registry.trail.verify([one.head for one in anchors]).intact


def test_an_anchor_is_sent_to_a_url(registry, key):
    came = []

    class Taker(http.server.BaseHTTPRequestHandler):
        def do_POST(self):
            came.append(self.rfile.read(int(self.headers["Content-Length"])).decode())
            self.send_response(201)
            self.end_headers()

        def log_message(self, *_):
            pass

    server = http.server.HTTPServer(("127.0.0.1", 0), Taker)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        anchor = make_anchor(registry, read_key(key))
        write_anchor(anchor, f"http://127.0.0.1:{server.server_port}/anchors")
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    assert read_anchors(came, None) == [anchor]
