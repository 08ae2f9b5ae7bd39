"""The production server: two processes on one registry, its start, its refusals and its end."""

import socket
from contextlib import suppress
from dataclasses import replace
from io import BytesIO

import numpy as np
import pytest
from sqlalchemy import create_engine, text
from werkzeug.datastructures import FileStorage

from index.errors import SchemaMismatch
from index.registry.references import NewReference
from index.registry.registry import Registry
from service.composition import build_services, prepare_folders
from service.errors import SettingsError, StartRefused
from service.serve import listen, serve
from service.settings import is_loopback, read_settings


def test_what_one_process_enrolls_the_other_identifies_at_once(settings, tmp_path, scan, serving):
    def file(seed, n):
        return FileStorage(BytesIO(scan(seed, n)), f"{seed}-{n}.png")

    with (
        serving(settings, tmp_path / "a.log") as a,
        serving(settings, tmp_path / "b.log", COUNTERSIGN_WORKERS="2") as b,
    ):
        for seed, (here, there) in enumerate([(a, b), (b, a)] * 3):
            form = {"writer_id": f"W-{seed}", "images": [file(seed, 0), file(seed, 1)]}
            assert here.send("/v1/writers", **form)[0] == 201
            status, found = there.send("/v1/identify", image=file(seed, 0), top="1")
            assert status == 200
            assert found["candidates"][0]["writer_id"] == f"W-{seed}"
            assert found["gallery_size"] == seed + 1
        assert a.call("DELETE", "/v1/writers/W-1")[0] == 204
        for _ in range(4):
            status, found = b.send("/v1/identify", image=file(1, 0))
            assert "W-1" not in {one["writer_id"] for one in found["candidates"]}
        huge = b'{"writer_id": "W-9", "name": "' + b"x" * 2**20 + b'"}'
        # The server may also hang up on a body that it will not read.
        with suppress(OSError):
            status, _ = b.call("POST", "/v1/writers", huge, {"Content-Type": "application/json"})
            assert status == 413
        status, _ = b.call(
            "POST",
            "/v1/writers",
            iter([b'{"writer_id": "W-9"}', b" " * 2**17]),  # In chunks, without a length.
            {"Content-Type": "application/json"},
        )
        assert status == 411
        assert b.call("GET", "/v1/writers/W-9")[0] == 404
        assert b.call("GET", "/v1/writers", headers={"Host": "evil.example"})[0] == 421
        assert a.stop() == 0
        assert b.call("GET", "/healthz")[0] == 200
    assert "Traceback" not in (tmp_path / "a.log").read_text()
    assert "Traceback" not in (tmp_path / "b.log").read_text()
    services = build_services(settings)
    try:
        assert services.opened.source == "snapshot"
        assert services.gallery.check().clean
        assert services.registry.models.gallery_size(services.encoder.model_id).writers == 5
    finally:
        services.close()


def test_an_unknown_schema_is_refused_with_the_command_that_helps(tmp_path, refusal):
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path / "new")})
    prepare_folders(settings)
    assert "countersign db upgrade" in refusal(settings)


def test_a_schema_from_the_future_is_refused(settings):
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    engine.dispose()
    with pytest.raises(SchemaMismatch):
        serve(settings)


def test_references_that_the_model_has_not_seen_are_refused(settings, refusal):
    registry = Registry(settings.database_url)
    registry.models.register("another", "another", 4)
    vector = np.eye(1, 4, dtype=np.float32)[0]
    new = NewReference(b"x", "image/png", b"x", "0" * 64, {}, vector)
    registry.writers.create("C-1", "", "another", [new])
    registry.close()
    assert "countersign index rebuild" in refusal(settings)


def test_an_address_where_another_program_listens_is_refused(settings):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(StartRefused, match="COUNTERSIGN_PORT"):
            serve(replace(settings, port=taken.getsockname()[1]))


def test_localhost_is_served_at_its_address(settings, monkeypatch, free_port):
    named = replace(settings, host="localhost", port=free_port())
    with listen(named) as listening:
        assert is_loopback(listening.getsockname()[0])

    def elsewhere(*_args, **_more):
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("0.0.0.0", named.port))]

    monkeypatch.setattr(socket, "getaddrinfo", elsewhere)
    with pytest.raises(SettingsError, match="loopback address only"):
        listen(named)


def test_bad_settings_are_refused(settings, refusal):
    said = refusal(settings, COUNTERSIGN_HOST="0.0.0.0", COUNTERSIGN_AUTH="off")
    assert "COUNTERSIGN_HOST" in said
