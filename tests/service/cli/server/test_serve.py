"""The demo's writers and `countersign serve`, in processes of their own."""

import json
import re
import shutil
import signal
import socket
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.writers.demo import REFERENCES_EACH, WRITERS

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Start = Callable[..., subprocess.Popen[str]]


@pytest.fixture(scope="module")
def demo_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A data folder with the demo's writers, and query signatures beside it in `probes`."""
    root = tmp_path_factory.mktemp("demo")
    runner = CliRunner(env={"COUNTERSIGN_DATA_DIR": str(root / "data")})
    done = runner.invoke(main, ["demo", "--json", "--probes", str(root / "probes")])
    assert done.exit_code == 0, done.output
    said = json.loads(done.stdout)
    assert (said["writers"], said["references"]) == (WRITERS, WRITERS * REFERENCES_EACH)
    assert sorted(said["probes"]) == sorted(map(str, (root / "probes").iterdir()))
    return root


@pytest.fixture
def demo(demo_folder: Path, data_dir: Path) -> Path:
    shutil.copytree(demo_folder / "data", data_dir)
    return demo_folder / "probes"


@pytest.fixture
def port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listening:
        number: int = listening.getsockname()[1]
    return number


def wait_until_ready(port: int, process: subprocess.Popen[str]) -> Any:
    for _ in range(600):
        assert process.poll() is None, "the server ended"
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/readyz") as answer:
                return json.load(answer)
        except urllib.error.URLError:
            time.sleep(0.1)
    raise AssertionError("the server was not ready in a minute")


def test_demo_writers_can_be_told_from_each_other_and_from_strangers(
    demo: Path, answer: Answer
) -> None:
    for number in range(1, 5):
        _, said = answer("identify", demo / f"DEMO-{number:02}-genuine.png", "--top", 1)
        assert [one["writer_id"] for one in said["candidates"]] == [f"DEMO-{number:02}"]
    assert answer("identify", demo / "not-enrolled-1.png")[0] == 1


def test_the_demo_never_mixes_with_anyone_enrolled(
    demo_folder: Path, data_dir: Path, run: Run
) -> None:
    assert run("db", "upgrade").exit_code == 0
    references = [demo_folder / "probes" / f"new-writer-{n}.png" for n in (1, 2)]
    assert run("enroll", "C-1", *references).exit_code == 0
    result = run("demo")
    assert result.exit_code == 2
    assert "empty registry" in result.stderr


def test_signatures_to_try_are_written_beside_the_demos_writers(
    demo: Path, answer: Answer, tmp_path: Path
) -> None:
    code, said = answer("demo", "--probes", tmp_path / "again")
    assert code == 0
    assert said["references"] == 0
    names = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert names == sorted(path.name for path in demo.iterdir())


def test_serves_from_a_damaged_snapshot_and_says_so(
    demo: Path, start: Start, run: Run, data_dir: Path, port: int
) -> None:
    assert run("index", "stats").exit_code == 0
    (saved,) = (data_dir / "snapshots").glob("index-*")
    content = bytearray(saved.read_bytes())
    content[-1] ^= 1
    saved.write_bytes(content)
    server = start("serve", "--demo", "--port", port)
    ready = wait_until_ready(port, server)
    assert ready["status"] == "ok"
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/v1/about") as about:
        assert json.load(about)["gallery"]["writers"] == WRITERS  # The demo was not added again.
    server.send_signal(signal.SIGTERM)
    stdout, stderr = server.communicate(timeout=60)
    assert re.search("rebuilt.*damaged", stderr)
    assert f"http://127.0.0.1:{port}" in stderr
    assert stdout == ""
    assert server.returncode == 0


def test_serve_enrolls_the_demo_into_a_new_registry(
    start: Start, answer: Answer, port: int
) -> None:
    server = start("serve", "--demo", "--port", port, "--json")
    wait_until_ready(port, server)
    server.send_signal(signal.SIGINT)
    stdout, _ = server.communicate(timeout=60)
    assert json.loads(stdout) == {"address": f"http://127.0.0.1:{port}", "workers": 1}
    code, said = answer("index", "check")
    assert (code, said["index_count"]) == (0, WRITERS * REFERENCES_EACH)


def test_serve_refuses_what_it_must_not_do(run: Run) -> None:
    for arguments, words in (
        (("--port", "0"), "1<=x<=65535"),
        (("--host", "0.0.0.0"), "COUNTERSIGN_HOST=127.0.0.1"),
        ((), "countersign db upgrade"),
    ):
        result = run("serve", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
