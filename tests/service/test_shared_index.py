"""The service on an index that several replicas share: what callers and operators see of it."""

import json
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from uuid import uuid4

import pytest
from click.testing import CliRunner

from index.milvus.address import read_milvus_url
from service.app import create_app
from service.cli import main
from service.composition import build_services
from service.errors import SettingsError, StartRefused
from service.settings import read_settings


@pytest.fixture
def shared(settings, milvus_lite, monkeypatch):
    """Settings of a replica, and an index of the test's own."""
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 60)
    url = f"milvus+{milvus_lite}?prefix=t{uuid4().hex[:20]}"
    return replace(settings, index_url=url)


@pytest.fixture
def replica(shared):
    services = build_services(shared)
    yield services
    services.close()


@pytest.fixture
def client(replica):
    return create_app(replica).test_client()


@pytest.fixture
def stuck(replica, shared):
    """The lease, in the hand of a process that does nothing with it."""
    identity = read_milvus_url(shared.index_url).identity
    lease = replica.registry.lease(replica.encoder.model_id, identity)
    while lease.take() is None:
        pass
    yield lease
    lease.give_back()


def test_enrolling_identifying_and_erasing(client, files):
    form = {"writer_id": "W-1", "images": files(1, 0, 1, 2)}
    assert client.post("/v1/writers", data=form).status_code == 201
    form = {"writer_id": "W-2", "images": files(2, 0, 1, 2)}
    assert client.post("/v1/writers", data=form).status_code == 201
    found = client.post("/v1/identify", data={"image": files(1, 3)[0]}).json
    assert [one["writer_id"] for one in found["candidates"]] == ["W-1", "W-2"]
    assert client.delete("/v1/writers/W-1").status_code == 204
    found = client.post("/v1/identify", data={"image": files(1, 3)[0]}).json
    assert [one["writer_id"] for one in found["candidates"]] == ["W-2"]
    ready = client.get("/readyz").json
    assert ready["index"]["kind"] == "milvus"
    assert ready["index"]["size"] == 3


def test_a_request_that_waits_in_vain_is_answered_503(client, files, stuck, monkeypatch):
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 0.2)
    monkeypatch.setattr("index.milvus.recent_changes.MOST_NEWER", 1)
    form = {"writer_id": "W-1", "images": files(1, 0, 1)}
    # Enrolling and verifying need no index.
    assert client.post("/v1/writers", data=form).status_code == 201
    verified = client.post("/v1/writers/W-1/verify", data={"image": files(1, 2)[0]})
    assert verified.status_code == 200
    answers = [
        client.post("/v1/identify", data={"image": files(1, 2)[0]}),
        client.get("/readyz"),
    ]
    for answer in answers:
        assert (answer.status_code, answer.mimetype) == (503, "application/problem+json")
        assert answer.json["code"] == "index-behind"
        assert "revision 0, 2 is needed" in answer.json["detail"]
    # The rows are gone at once; what the shared index holds goes when it can be reached.
    assert client.delete("/v1/writers/W-1").status_code == 204
    assert client.get("/v1/erasures").json["pending"] == 1
    monkeypatch.setattr("index.milvus.shared_gallery.REVISION_WAIT_S", 60)
    stuck.give_back()
    answer = client.post("/v1/identify", data={"image": files(1, 2)[0]})
    assert (answer.status_code, answer.json["candidates"]) == (200, [])


def test_a_client_that_is_not_installed_is_named(shared, monkeypatch):
    monkeypatch.setitem(sys.modules, "index.milvus.shared_gallery", None)
    with pytest.raises(StartRefused, match=r"countersign\[milvus\]"):
        build_services(shared)


def test_one_file_serves_one_process():
    given = {"COUNTERSIGN_INDEX_URL": "milvus+file:///srv/index.db"}
    assert read_settings(given).workers == 1
    with pytest.raises(SettingsError, match="one process at a time"):
        read_settings({**given, "COUNTERSIGN_WORKERS": "2"})


def test_an_address_that_is_refused_is_not_repeated():
    with pytest.raises(SettingsError, match=r"milvus\+http://host:19530") as refused:
        read_settings({"COUNTERSIGN_INDEX_URL": "milvus+http://ada:secret@host:port"})
    assert "secret" not in str(refused.value)


def test_the_commands_of_the_index_work_on_a_file_of_milvus_lite(tmp_path, monkeypatch, files):
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path / "data"))
    monkeypatch.setenv("COUNTERSIGN_INDEX_URL", f"milvus+file://{tmp_path}/index.db")
    scans = []
    for n, (content, name) in enumerate(files(1, 0, 1)):
        scans.append(tmp_path / name)
        scans[n].write_bytes(content.getvalue())

    def said(*arguments):
        result = CliRunner().invoke(main, [*map(str, arguments), "--json"], catch_exceptions=False)
        assert result.exit_code in {0, 1}, result.output
        return json.loads(result.stdout)

    said("db", "upgrade")
    said("enroll", "W-1", *scans)
    assert said("index", "stats")["size"] == 2
    checked = said("index", "check")
    assert (checked["clean"], checked["kind"], checked["index_count"]) == (True, "milvus", 2)
    assert checked["opened"] == {"source": "shared", "reason": None, "applied": 0}
    assert said("index", "rebuild")["index"]["kind"] == "milvus"
    assert said("identify", scans[0])["candidates"][0]["writer_id"] == "W-1"
    shown = CliRunner().invoke(main, ["index", "check"], catch_exceptions=False)
    assert "byte for byte" in shown.stdout
    assert (tmp_path / "index.db").stat().st_mode & 0o077 == 0


def test_many_threads_enroll_and_identify_at_once(client, files):
    def first_found(seed):
        own = client.application.test_client()
        form = {"writer_id": f"W-{seed}", "images": files(seed, 0)}
        assert own.post("/v1/writers", data=form).status_code == 201
        found = own.post("/v1/identify", data={"image": files(seed, 0)[0]})
        assert found.status_code == 200
        return found.json["candidates"][0]["writer_id"]

    with ThreadPoolExecutor(6) as pool:
        assert list(pool.map(first_found, range(6))) == [f"W-{seed}" for seed in range(6)]
