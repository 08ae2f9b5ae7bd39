"""`countersign serve`, in a process of its own."""

import json
import re
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
from click.testing import Result

from service.writers.demo import REFERENCES_EACH, WRITERS

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Start = Callable[..., subprocess.Popen[str]]


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


def test_serve_refuses_what_it_must_not_do(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_AUTH", "off")
    for arguments, words in (
        (("--port", "0"), "1<=x<=65535"),
        (("--host", "0.0.0.0"), "COUNTERSIGN_HOST=127.0.0.1"),
        ((), "countersign db upgrade"),
    ):
        result = run("serve", *arguments)
        assert result.exit_code == 2
        assert words in result.stderr
