"""SIGTERM while an index of lists is trained: it ends in time, and the next start is sound.

Training goes on for seconds in FAISS, which looks at no signal.
"""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest

from encoder.inference.encoder import load_encoder
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.schema_version import upgrade
from index.registry.writers import NewEnrollment
from service.composition import prepare_folders
from service.settings import Settings, read_settings

WRITERS, EACH = 4800, 5
AT_ONCE = 400
IN_TIME_S = 10.0
LISTS = {"COUNTERSIGN_INDEX_IVF_FROM": "1000"}


@pytest.fixture(scope="module")
def enrolled(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with 24,000 references, which take over five seconds to train lists for."""
    settings = settings_in(tmp_path_factory.mktemp("enrolled"))
    prepare_folders(settings)
    upgrade(settings.database_url)
    encoder = load_encoder()
    random = np.random.default_rng(1)
    hands = random.normal(size=(WRITERS, 1, encoder.dimension))
    vectors = hands + 0.4 * random.normal(size=(WRITERS, EACH, encoder.dimension))
    vectors = (vectors / np.linalg.norm(vectors, axis=2, keepdims=True)).astype(np.float32)
    with closing(Registry(settings.database_url)) as registry:
        registry.models.register(encoder.model_id, encoder.name, encoder.dimension)
        for first in range(0, WRITERS, AT_ONCE):
            new = [
                NewEnrollment(f"W-{writer}", "", reference(writer * EACH + n, vectors[writer, n]))
                for writer in range(first, first + AT_ONCE)
                for n in range(EACH)
            ]
            registry.writers.enroll_many(encoder.model_id, new)
    return settings.data_dir


@pytest.fixture
def large(enrolled: Path, tmp_path: Path) -> Settings:
    """A registry of its own with these references."""
    shutil.copytree(enrolled, tmp_path / "data")
    return settings_in(tmp_path)


def settings_in(folder: Path) -> Settings:
    return read_settings({"COUNTERSIGN_DATA_DIR": str(folder / "data")})


def reference(number: int, vector: np.ndarray) -> NewReference:
    return NewReference(b"", "image/png", b"", f"{number:064x}", {}, vector)


def command(settings: Settings, *arguments: str, **more: str) -> subprocess.Popen[str]:
    environ = os.environ | {"COUNTERSIGN_DATA_DIR": str(settings.data_dir.resolve())} | more
    return subprocess.Popen(
        [sys.executable, "-m", "service.cli", *arguments],
        env=environ,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def require_sound(settings: Settings) -> None:
    """The next start finds everything, and whatever it made of what the last one left is whole."""
    said, complained = command(settings, "index", "check", "--json").communicate()
    report = json.loads(said)
    assert report["clean"], complained
    assert report["index_count"] == WRITERS * EACH
    # What was half written is gone.
    left = [path.name for path in settings.snapshot_dir.iterdir() if path.suffix == ".faiss"]
    assert len(left) == 1


def wait_for(server, text: str) -> None:
    give_up_at = time.monotonic() + 60
    while text not in server.log.read_text():
        assert time.monotonic() < give_up_at
        assert server.process.poll() is None
        time.sleep(0.05)


@pytest.mark.parametrize("later_s", [0.5, 3.0])
def test_a_server_that_trains_as_it_starts_ends_in_time(large, tmp_path, starting, later_s):
    with starting(large, tmp_path / "log", **LISTS) as server:
        wait_for(server, "rebuilt from the registry")
        time.sleep(later_s)
        started_s = time.monotonic()
        server.stop()
        assert time.monotonic() - started_s < IN_TIME_S
        assert "ready at" not in server.log.read_text()
    require_sound(large)


def test_a_server_that_trains_beside_searches_ends_in_time(large, tmp_path, serving):
    command(large, "index", "rebuild").communicate()
    with serving(large, tmp_path / "log", **LISTS) as server:
        time.sleep(0.5)
        assert "The index is now of the kind" not in server.log.read_text()
        started_s = time.monotonic()
        assert server.stop() == 0
        # It may be done before the server gives up waiting for it.
        assert time.monotonic() - started_s < IN_TIME_S
    require_sound(large)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_a_rebuilding_that_is_asked_to_end_does(large, number):
    rebuilding = command(large, "index", "rebuild", **LISTS)
    time.sleep(2.0)
    started_s = time.monotonic()
    rebuilding.send_signal(number)
    rebuilding.communicate()
    assert time.monotonic() - started_s < IN_TIME_S
    # Or it was done by then.
    assert rebuilding.returncode in {-signal.SIGTERM, -signal.SIGINT, 130, 0}
    require_sound(large)
