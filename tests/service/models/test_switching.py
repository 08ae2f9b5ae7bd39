"""Servers whose model is switched under load, and what one process does while it changes over."""

import json
import os
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from functools import partial
from pathlib import Path

import numpy as np
import pytest

import service
from benchmarks.running import running_server
from encoder.inference.artifact import NETWORK, SHIPPED, read_artifact, write_artifact
from encoder.inference.encoder import load_encoder
from encoder.scoring.local_descriptors import unpack
from service.app import create_app
from service.composition import build_model, with_model
from service.errors import ModelNotReady
from service.models.active_model import keep_model
from service.models.live_services import LiveServices
from service.models.reencode import reencode
from service.models.switching import find_model, switch
from service.writers.uploads import acquire_each, new_references

ROOT = Path(service.__file__).parent.parent
SHIPPED_ID = read_artifact().model_id
CHANGE_TIMEOUT_S = 60


@pytest.fixture(scope="session")
def other_model(tmp_path_factory) -> Path:
    """The shipped network under another identity: a comment is appended to its file."""
    manifest = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    own = {"format", "files", "preprocessing_sha256", "sha256"}
    facts = {name: value for name, value in manifest.items() if name not in own}
    folder = tmp_path_factory.mktemp("models") / "other"
    network = (SHIPPED / NETWORK).read_bytes() + b"\x32\x01x"  # ONNX's field for comments.
    write_artifact(folder, {NETWORK: network}, facts | {"name": "other"})
    return folder


@pytest.fixture
def other_id(other_model) -> str:
    return read_artifact(other_model).model_id


def run(data_dir, *arguments):
    environ = {name: value for name, value in os.environ.items() if "COUNTERSIGN" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *map(str, arguments), "--json"],
        cwd=ROOT,
        env=environ | {"COUNTERSIGN_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


@contextmanager
def repeated(*rounds) -> Iterator[list[int]]:
    """Repeat each of these in a thread of its own; gives their counts, and raises their errors."""
    ended, counts = threading.Event(), [0] * len(rounds)

    def repeat(place, one_round):
        while not ended.is_set():
            one_round(counts[place])
            counts[place] += 1

    with ThreadPoolExecutor(len(rounds)) as pool:
        running = [pool.submit(repeat, *each) for each in enumerate(rounds)]
        try:
            yield counts
        finally:
            ended.set()
        for one in running:
            one.result()


def wait_for_model(servers, model_id) -> None:
    """Until every worker answers with this model: twenty answers in a row from each server."""
    give_up_at = time.monotonic() + CHANGE_TIMEOUT_S
    for server in servers:
        in_a_row = 0
        while in_a_row < 20:
            assert time.monotonic() < give_up_at
            about = json.loads(server.http.request("GET", server.url + "/v1/about").data)
            in_a_row = in_a_row + 1 if about["model"]["id"] == model_id else 0


def test_a_switch_and_a_rollback_under_load_fail_no_request(settings, scan, other_model, other_id):
    data_dir = settings.data_dir
    variables = {"COUNTERSIGN_DATA_DIR": str(data_dir), "COUNTERSIGN_WORKERS": "2"}
    answers, enrolled = [], []

    def image(seed, n, field="image"):
        return [(field, f"{seed}-{n}.png", scan(seed, n))]

    with running_server(variables=variables) as a, running_server(variables=variables) as b:

        def verify(n):
            answers.append(a.post("/v1/writers/W-1/verify", image(1, 5 + n % 3)))
            assert answers[-1]["verdict"] == "match"

        def identify(n):
            answers.append(b.post("/v1/identify", image(2, 5 + n % 3)))
            assert answers[-1]["candidates"][0]["writer_id"] == "W-2"

        def enroll(n):
            # Whoever was enrolled in one process is found in another one at once.
            here, there = (a, b) if n % 2 else (b, a)
            name, seed = f"N-{n}", 100 + n % 20
            here.post("/v1/writers", image(seed, n, "images"), [("writer_id", name)])
            enrolled.append(name)
            another = image(seed, n + 1)  # The reference itself would be a replay.
            # One reference tells little: match or inconclusive.
            assert there.post(f"/v1/writers/{name}/verify", another)["verdict"] != "non_match"
            found = there.post("/v1/identify", another, [("top", "20")])
            assert name in {one["writer_id"] for one in found["candidates"]}

        for seed in range(1, 9):
            images = [one for n in range(3) for one in image(seed, n, "images")]
            a.post("/v1/writers", images, [("writer_id", f"W-{seed}")])
        with repeated(verify, identify, enroll) as counts:
            run(data_dir, "reencode", "--model", other_model)
            for target, command in (
                (other_id, ("switch", "other")),
                (SHIPPED_ID, ("rollback",)),
                (other_id, ("rollback",)),
            ):
                assert run(data_dir, "model", *command)["active"]["id"] == target
                wait_for_model((a, b), target)
        assert min(counts) > 5
        for name in enrolled:  # Also whoever was enrolled while embeddings were being made.
            n = int(name.removeprefix("N-"))
            found = b.post("/v1/identify", image(100 + n % 20, n), [("top", "100")])
            assert name in {one["writer_id"] for one in found["candidates"]}
    assert {one["model"]["id"] for one in answers} == {SHIPPED_ID, other_id}
    with closing(sqlite3.connect(data_dir / "registry.db")) as registry:
        recorded = dict(registry.execute("SELECT decision_id, model_id FROM decisions"))
        switches = registry.execute("SELECT model_id FROM model_switches ORDER BY sequence")
        assert [one for (one,) in switches] == [SHIPPED_ID, other_id, SHIPPED_ID, other_id]
    assert {one["decision_id"]: one["model"]["id"] for one in answers}.items() <= recorded.items()
    assert run(data_dir, "index", "check")["clean"]


@pytest.fixture
def ready(services, known, other_model):
    """Services with two writers whom the other model has seen too."""
    known(1), known(2)
    keep_model(read_artifact(other_model), services.registry)
    for _ in reencode(encoder=load_encoder(other_model), registry=services.registry):
        pass
    return services


def switch_to(services, model_id) -> None:
    target = find_model(model_id, services.registry)
    batches = switch(
        target,
        registry=services.registry,
        build_model=partial(build_model, services.settings, services.registry),
        caller="test",
    )
    for _ in batches:
        pass


def test_what_another_model_sees_is_stored_with_its_pieces(ready, other_id):
    """The network is the same, so they are too."""
    for writer_id in ("W-1", "W-2"):
        ours, theirs = (
            ready.registry.embeddings.claim(writer_id, one) for one in (SHIPPED_ID, other_id)
        )
        assert ours.pieces
        for one, other in zip(ours.pieces, theirs.pieces, strict=True):
            np.testing.assert_allclose(unpack(one), unpack(other), atol=1)


def test_a_process_swaps_encoder_and_index_together(ready, other_id):
    serving = LiveServices(ready, with_model)
    assert serving.current() is ready
    switch_to(ready, other_id)
    assert serving.current() is ready  # It knows everyone, and goes on until the other is open.
    after = serving.settled()
    assert after.encoder.model_id == other_id
    assert after.opened.source == "snapshot"
    assert after.gallery.check().clean
    assert serving.current() is after
    switch_to(ready, SHIPPED_ID)
    assert serving.settled().encoder.model_id == SHIPPED_ID


def test_an_enrollment_that_a_switch_overtakes_is_done_again_with_the_new_model(
    ready, other_id, files
):
    client = create_app(ready).test_client()
    switch_to(ready, other_id)
    answer = client.post("/v1/writers", data={"writer_id": "C-1", "images": files(7, 0, 1)})
    assert answer.status_code == 201
    assert len(ready.registry.embeddings.claim("C-1", other_id).reference_ids) == 2
    answer = client.post("/v1/writers/W-1/references", data={"images": files(1, 7)})
    assert answer.status_code == 201
    found = client.post("/v1/identify", data={"image": files(7, 5)[0]}).get_json()
    assert found["model"]["id"] == other_id
    assert found["candidates"][0]["writer_id"] == "C-1"


def test_who_is_enrolled_after_a_switch_is_waited_for(ready, other_id, files, uploads):
    """A process that has not changed over yet must not say that they are unknown."""
    client = create_app(ready).test_client()
    switch_to(ready, other_id)
    enroll_elsewhere(ready, other_id, uploads)
    answer = client.post("/v1/writers/C-1/verify", data={"image": files(7, 5)[0]})
    assert answer.status_code == 200
    assert answer.get_json()["model"]["id"] == other_id


def test_a_model_that_cannot_be_opened_leaves_the_one_before_as_long_as_it_is_right(
    ready, other_id, files, uploads
):
    client = create_app(ready).test_client()
    switch_to(ready, other_id)
    with closing(sqlite3.connect(ready.settings.data_dir / "registry.db")) as registry, registry:
        registry.execute("UPDATE model_files SET network = x'00' WHERE model_id = ?", (other_id,))
    for _ in range(3):
        answer = client.post("/v1/writers/W-1/verify", data={"image": files(1, 7)[0]})
        assert answer.status_code == 200
        assert answer.get_json()["model"]["id"] == SHIPPED_ID
    enroll_elsewhere(ready, other_id, uploads)
    for path in ("/v1/writers/C-1/verify", "/v1/writers/W-1/verify", "/v1/identify"):
        answer = client.post(path, data={"image": files(7, 5)[0]})
        assert answer.status_code == 503
        assert answer.get_json()["code"] == "model-not-ready"
    with pytest.raises(ModelNotReady):
        LiveServices(ready, with_model).settled()
    assert client.get("/healthz").status_code == 200


def enroll_elsewhere(services, model_id, uploads) -> None:
    """As another process does that works with the other model already."""
    acquired, _ = acquire_each(uploads(7, 0, 1), services.encoder)
    new = new_references(acquired, services.encoder)
    services.registry.writers.create("C-1", "", model_id, new)
