"""Two replicas as processes on one PostgreSQL, each with its own index or with a shared one."""

import http.client
import json
import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import closing
from io import BytesIO
from pathlib import Path
from threading import Thread
from uuid import uuid4

import numpy as np
import pytest
from werkzeug.datastructures import FileStorage
from werkzeug.test import encode_multipart

import service
from encoder.inference.encoder import load_encoder
from index.milvus.address import read_milvus_url
from index.milvus.shared_gallery import SharedGallery
from index.registry.references import NewReference
from index.registry.registry import Registry

ROOT = Path(service.__file__).parent.parent
TIMEOUT_S = 120


class Replica:
    """A server process of one host, with a data folder of its own."""

    def __init__(self, folder: Path, **settings: str) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self._port = free.getsockname()[1]
        environ = {name: value for name, value in os.environ.items() if "COUNTERSIGN" not in name}
        environ |= {f"COUNTERSIGN_{name}": value for name, value in settings.items()}
        environ |= {
            "COUNTERSIGN_DATA_DIR": str(folder),
            "COUNTERSIGN_PORT": str(self._port),
        }
        folder.mkdir(exist_ok=True)
        self._log = (folder / "log").open("w+b")
        self.process = subprocess.Popen(
            [sys.executable, "-m", "service.serve"],
            cwd=ROOT,
            env=environ,
            stdout=self._log,
            stderr=subprocess.STDOUT,
            # A worker is a process of its own; to be killed together, as when a host goes down.
            start_new_session=True,
        )

    def call(self, method, path, body=None, headers=None):
        with closing(http.client.HTTPConnection("127.0.0.1", self._port, timeout=60)) as server:
            server.request(method, path, body, headers or {})
            answer = server.getresponse()
            return answer.status, json.loads(answer.read() or b"null")

    def send(self, path, **form):
        boundary, body = encode_multipart(form)
        return self.call(
            "POST", path, body, {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        )

    def wait(self) -> "Replica":
        give_up_at = time.monotonic() + TIMEOUT_S
        while time.monotonic() < give_up_at:
            assert self.process.poll() is None, self.log()
            try:
                if self.call("GET", "/readyz")[0] == 200:
                    return self
            except OSError:
                time.sleep(0.1)
        raise TimeoutError(self.log())

    def log(self) -> str:
        self._log.seek(0)
        return self._log.read().decode()

    def kill(self) -> None:
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


@pytest.fixture(params=["faiss", "milvus"])
def index_url(request):
    if request.param == "faiss":
        return "faiss:"
    return request.getfixturevalue("shared_url")


@pytest.fixture
def shared_url(milvus_lite):
    return f"milvus+{milvus_lite}?prefix=t{uuid4().hex[:20]}"


@pytest.fixture
def replica(postgresql_url, tmp_path):
    """Return `replica(name, index_url)`: a server process, killed after the test."""
    started = []

    def start(name, url):
        one = Replica(tmp_path / name, DATABASE_URL=postgresql_url, INDEX_URL=url)
        started.append(one)
        return one

    yield start
    for one in started:
        if one.process.poll() is None:
            one.kill()


@pytest.fixture
def image(scan):
    return lambda seed, n: FileStorage(BytesIO(scan(seed, n)), f"{seed}-{n}.png")


def names(answer):
    status, found = answer
    assert status == 200, found
    return [one["writer_id"] for one in found["candidates"]]


def test_what_one_replica_enrolls_or_erases_the_other_knows_in_the_next_request(
    replica, index_url, image
):
    a, b = (replica(name, index_url) for name in "ab")
    a.wait(), b.wait()
    for seed, (here, there) in enumerate([(a, b), (b, a)] * 2):
        form = {"writer_id": f"W-{seed}", "images": [image(seed, 0), image(seed, 1)]}
        assert here.send("/v1/writers", **form)[0] == 201
        assert names(there.send("/v1/identify", image=image(seed, 0), top="1")) == [f"W-{seed}"]
    assert a.call("DELETE", "/v1/writers/W-1")[0] == 204
    assert "W-1" not in names(b.send("/v1/identify", image=image(1, 0)))
    for one in (a, b):
        assert "Traceback" not in one.log()


def test_a_replica_that_is_killed_loses_nothing_that_it_acknowledged(replica, index_url, image):
    a, b = (replica(name, index_url) for name in "ab")
    a.wait(), b.wait()
    acknowledged = []

    def enroll():
        for seed in range(100):
            try:
                answer = a.send("/v1/writers", writer_id=f"W-{seed}", images=[image(seed, 0)])
                a.send("/v1/identify", image=image(seed, 0))
            except (OSError, http.client.HTTPException):
                return
            if answer[0] == 201:
                acknowledged.append(seed)

    enrolling = Thread(target=enroll)
    enrolling.start()
    while len(acknowledged) < 4 and enrolling.is_alive():
        time.sleep(0.01)
    a.kill()
    enrolling.join()
    assert 4 <= len(acknowledged) < 100
    for seed in acknowledged:
        # Where it held the lease, that has to run out first; the answer says so meanwhile.
        while (answer := b.send("/v1/identify", image=image(seed, 0), top="1"))[0] == 503:
            assert answer[1]["code"] == "index-behind"
        assert names(answer) == [f"W-{seed}"]


def test_a_replica_killed_in_the_middle_of_draining_loses_and_doubles_nothing(
    replica, shared_url, postgresql_url
):
    a = replica("a", shared_url).wait()
    encoder, address = load_encoder(None), read_milvus_url(shared_url)
    registry = Registry(postgresql_url)
    lease = registry.lease(encoder.model_id, address.identity)
    for turn in range(20):
        _enroll_random(registry, encoder, f"W-{turn}")
        if _stopped_in_the_middle(a, lease, registry.changes.head().revision):
            break
    else:
        pytest.fail("It drained everything before it could be stopped, each time.")
    a.kill()
    count = registry.models.gallery_size(encoder.model_id).references
    ready = replica("b", shared_url).wait().call("GET", "/readyz")[1]
    assert ready["index"]["size"] == ready["index"]["revision"] == count
    gallery = SharedGallery(registry, encoder.model_id, encoder.index_dimension, address)
    report = gallery.check()
    assert report.clean
    assert report.index_count == count
    gallery.close()
    registry.close()


def _stopped_in_the_middle(replica, lease, head):
    """Stop the replica between two batches, or in one; False where it has come to the end."""
    before = lease.read().position.revision
    while (reached := lease.read().position.revision) < head:
        if reached > before:
            os.killpg(replica.process.pid, signal.SIGSTOP)
            if lease.read().position.revision < head:
                return True
            os.killpg(replica.process.pid, signal.SIGCONT)
    return False


def _enroll_random(registry, encoder, writer_id, count=6000):
    seed = int(writer_id.removeprefix("W-"))
    vectors = np.random.default_rng(seed).standard_normal((count, encoder.dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=1, keepdims=True)).astype(np.float32)
    new = [
        NewReference(b"image", "image/png", b"cleaned", f"{number:064x}", {}, vector, pieces=b"")
        for number, vector in enumerate(vectors)
    ]
    registry.writers.create(writer_id, "", encoder.model_id, new)
