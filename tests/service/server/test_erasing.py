"""Erasing on a running server: at once whoever reads, proved afterwards, also on a full disk."""

import json
import os
import sqlite3
import subprocess
import time
from contextlib import ExitStack, closing, suppress
from io import BytesIO

import pytest
from werkzeug.datastructures import FileStorage

from index.registry.schema_version import upgrade
from service.composition import prepare_folders
from service.settings import read_settings


def until(condition, patience_s=30.0):
    give_up_at = time.monotonic() + patience_s
    while not (found := condition()):
        assert time.monotonic() < give_up_at
        time.sleep(0.05)
    return found


def image(scan, seed, n):
    return FileStorage(BytesIO(scan(seed, n)), f"{seed}-{n}.png")


def listed(server):
    return json.loads(server.call("GET", "/v1/erasures")[1])


def on_disk(folder, content):
    return any(content in path.read_bytes() for path in folder.rglob("*") if path.is_file())


def test_a_reader_that_stays_open_keeps_neither_erasure_nor_verification_waiting(
    settings, tmp_path, serving, scan, reading
):
    reader = ExitStack()
    with serving(settings, tmp_path / "first.log") as server:
        for seed in (1, 2):
            form = {"writer_id": f"W-{seed}", "name": f"The Name Of {seed}:"}
            assert server.send("/v1/writers", **form, images=image(scan, seed, 0))[0] == 201
        reader.enter_context(reading(settings.data_dir / "registry.db"))
        started_s = time.monotonic()
        assert server.call("DELETE", "/v1/writers/W-1")[0] == 204
        assert server.call("GET", "/v1/writers/W-1")[0] == 404
        for _ in range(5):
            assert server.send("/v1/writers/W-2/verify", image=image(scan, 2, 1))[0] == 200
        assert time.monotonic() - started_s < 5
        erasures = listed(server)
        assert (erasures["total"], erasures["pending"]) == (1, 1)
        assert erasures["erasures"][0]["state"] == "erased"
        assert b"countersign_erasures_pending 1.0" in server.call("GET", "/metrics")[1]
        assert on_disk(settings.data_dir, b"The Name Of 1:")
    # What is left to do outlives the process.
    with reader, serving(settings, tmp_path / "second.log") as server:
        assert listed(server)["pending"] == 1
        reader.close()
        until(lambda: listed(server)["pending"] == 0)
        assert listed(server)["erasures"][0]["state"] == "purged"
        assert not on_disk(settings.data_dir, b"The Name Of 1:")
        assert not on_disk(settings.data_dir, scan(1, 0)[60:200])
        assert on_disk(settings.data_dir, b"The Name Of 2:")
        assert b"countersign_erasures_pending 0.0" in server.call("GET", "/metrics")[1]


@pytest.fixture
def small_disk(tmp_path):
    """Settings on a file system of 96 MiB in memory."""
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=96m", "tmpfs", str(disk)]
    if os.geteuid() or subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("Mounting a small file system takes the rights of root.")
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(disk / "data")})
    prepare_folders(settings)
    upgrade(settings.database_url)
    yield settings
    subprocess.run(["umount", "-l", str(disk)], check=True)


def test_a_full_disk_is_called_so_and_erasing_works_on_it(small_disk, tmp_path, serving, scan):
    disk = small_disk.data_dir.parent
    with serving(small_disk, tmp_path / "log") as server:
        for seed in (1, 2):
            form = {"writer_id": f"W-{seed}", "name": f"The Name Of {seed}:"}
            assert server.send("/v1/writers", **form, images=image(scan, seed, 0))[0] == 201
        until((small_disk.data_dir / "registry.db-reserve").exists)
        with (disk / "filler").open("wb", buffering=0) as filler, suppress(OSError):
            while filler.write(bytes(2**12)):
                pass
        assert server.call("GET", "/healthz")[0] == 200
        status, body = server.call("GET", "/readyz")
        assert (status, json.loads(body)["code"]) == (507, "disk-full")
        status, problem = 200, {}
        for _ in range(400):  # The log has some room left.
            status, problem = server.send("/v1/writers/W-2/verify", image=image(scan, 2, 1))
            if status != 200:
                break
        assert (status, problem["code"]) == (507, "disk-full")
        assert "full" in problem["detail"]
        assert server.call("DELETE", "/v1/writers/W-1")[0] == 204
        assert server.call("GET", "/v1/writers/W-1")[0] == 404
        (disk / "filler").unlink()
        until(lambda: server.call("GET", "/readyz")[0] == 200)
        assert server.send("/v1/writers/W-2/verify", image=image(scan, 2, 1))[0] == 200
        until(lambda: listed(server)["pending"] == 0)
        assert not on_disk(small_disk.data_dir, b"The Name Of 1:")
        until((small_disk.data_dir / "registry.db-reserve").exists)


@pytest.mark.parametrize("how", ["removed", "replaced"])
def test_a_registry_that_is_not_there_any_more_is_not_written_to(settings, tmp_path, serving, how):
    path = settings.data_dir / "registry.db"
    with serving(settings, tmp_path / "log") as server:
        other = path.with_name("other.db")
        upgrade(f"sqlite:///{other}")
        path.rename(path.with_name("moved.db"))
        if how == "replaced":
            other.rename(path)
        status, body = server.call("GET", "/readyz")
        assert (status, json.loads(body)["code"]) == (503, "registry-replaced")
        body = b'{"writer_id": "W-1"}'
        json_type = {"Content-Type": "application/json"}
        status, body = server.call("POST", "/v1/writers", body, json_type)
        assert (status, json.loads(body)["code"]) == (503, "registry-replaced")
        assert server.call("GET", "/healthz")[0] == 200
    with closing(sqlite3.connect(path.with_name("moved.db"))) as moved:
        assert moved.execute("SELECT count(*) FROM writers").fetchone() == (0,)
