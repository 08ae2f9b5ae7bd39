"""Runs the runbook: every command of docs/operations.md, in its order, in one installation."""

import json
import os
import re
import shlex
import signal
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text

from encoder.inference.artifact import NETWORK, SHIPPED, write_artifact
from encoder.synthesis import encode_png, synthetic_writer

ROOT = Path(__file__).parent.parent
RUNBOOK = (ROOT / "docs" / "operations.md").read_text(encoding="utf-8")
PLACES = ("/srv/countersign", "/srv/trial", "/srv/proofs", "/mnt/backups")
WAITS_FOR_POSTGRESQL = "COUNTERSIGN_DATABASE_URL=postgresql"
# Warnings are the rule where nobody keeps a server running, or the clock.
ALSO_GOOD = {"doctor": 1}


def lines() -> Iterator[str]:
    for kind, block in re.findall(r"```(sh|crontab)\n(.*?)```", RUNBOOK, re.DOTALL):
        for line in block.splitlines():
            # After five fields of time comes the command, in which % is escaped.
            yield line.split(maxsplit=5)[5].replace("\\%", "%") if kind == "crontab" else line


@pytest.fixture
def installation(tmp_path: Path) -> dict[str, str]:
    """An environment in which `countersign` is this checkout's, and the places of the page."""
    for place in PLACES:
        if place not in {"/srv/countersign", "/srv/trial"}:
            (tmp_path / place[1:]).mkdir(parents=True)
    program = tmp_path / "bin" / "countersign"
    program.parent.mkdir()
    program.write_text(f'#!/bin/sh\nexec {sys.executable} -m service.cli "$@"\n', encoding="utf-8")
    program.chmod(0o755)
    write_other_model(tmp_path / "models" / "new")
    return {
        **{name: value for name, value in os.environ.items() if "COUNTERSIGN" not in name},
        "PATH": f"{program.parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "COUNTERSIGN_PORT": str(free_port()),
    }


def write_other_model(folder: Path) -> None:
    """The shipped network under another identity and name: a comment is appended to its file."""
    manifest = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    made = {"format", "files", "preprocessing_sha256", "sha256"}
    facts = {name: value for name, value in manifest.items() if name not in made}
    doc_string = b"\x32\x01x"  # Field 6 of ONNX's ModelProto, one character long.
    network = (SHIPPED / NETWORK).read_bytes() + doc_string
    write_artifact(folder, {NETWORK: network}, {**facts, "name": "new"})


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


class Runbook:
    """One shell after another in the installation, as an operator types."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.folder, self.environment = folder, environment
        self.server: subprocess.Popen[bytes] | None = None
        self.done: list[str] = []

    def run(self, line: str) -> None:
        for place in PLACES:
            line = line.replace(place, str(self.folder / place[1:]))
        if line.startswith("export "):
            name, _, value = line.removeprefix("export ").partition("=")
            self.environment[name] = value
        elif line.startswith("countersign serve"):
            self.serve(line)
        else:
            self.command(line)
        self.done.append(line)

    def command(self, line: str) -> None:
        done = subprocess.run(
            ["bash", "-c", line],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=120,
        )
        good = {0} | {code for word, code in ALSO_GOOD.items() if f" {word}" in line}
        assert done.returncode in good, (line, done.returncode, done.stdout, done.stderr)

    def serve(self, line: str) -> None:
        self.server = subprocess.Popen(
            shlex.split(line), cwd=self.folder, env=self.environment, stderr=subprocess.DEVNULL
        )
        address = f"http://127.0.0.1:{self.environment['COUNTERSIGN_PORT']}/readyz"
        give_up_at = time.monotonic() + 60
        while time.monotonic() < give_up_at:
            try:
                with urllib.request.urlopen(address) as answer:
                    assert answer.status == 200
                    return
            except urllib.error.URLError:
                assert self.server.poll() is None
                time.sleep(0.1)
        raise TimeoutError

    def stop(self) -> None:
        if self.server is not None:
            self.server.send_signal(signal.SIGTERM)
            assert self.server.wait(30) == 0
            self.server = None


@pytest.fixture
def runbook(tmp_path: Path, installation: dict[str, str]) -> Iterator[Runbook]:
    book = Runbook(tmp_path, installation)
    yield book
    book.stop()


def enroll(book: Runbook, writer_id: str, seed: int) -> None:
    for n in range(3):
        (book.folder / f"{writer_id}-{n}.png").write_bytes(
            encode_png(synthetic_writer(seed).genuine(n))
        )
    book.command(f"countersign enroll {writer_id} {writer_id}-*.png")


def test_every_command_of_the_runbook_does_what_it_should(runbook: Runbook) -> None:
    commands = list(lines())
    assert len(commands) >= 18
    for line in commands:
        if line.startswith(WAITS_FOR_POSTGRESQL):
            continue
        runbook.run(line)
        if line.startswith("countersign serve"):
            enroll(runbook, "C-1001", 4)
            enroll(runbook, "C-1002", 7)
    backups = {path.name for path in (runbook.folder / "mnt/backups").iterdir()}
    assert {"today.zip", "moving.zip", "erasures.json"} < backups
    assert (runbook.folder / "srv/proofs/C-1001.json").exists()
    # Whoever was backed up and erased after does not come back, beside who stays.
    runbook.command(
        "export COUNTERSIGN_DATA_DIR=late; countersign restore mnt/backups/today.zip"
        " --erasures mnt/backups/erasures.json && countersign writers show C-1002"
        " && ! countersign writers show C-1001"
    )


def test_the_registry_moves_to_postgresql_as_the_runbook_says(
    runbook: Runbook, postgresql_server: str
) -> None:
    (line,) = [one for one in lines() if one.startswith(WAITS_FOR_POSTGRESQL)]
    runbook.run("export COUNTERSIGN_DATA_DIR=/srv/countersign")
    runbook.run("countersign db upgrade")
    enroll(runbook, "C-1002", 7)
    runbook.run("countersign backup /mnt/backups/moving.zip")
    url = f"{postgresql_server}runbook"
    engine = create_engine(f"{postgresql_server}postgres", isolation_level="AUTOCOMMIT")
    with engine.connect() as connection:
        connection.execute(text("CREATE DATABASE runbook"))
        try:
            runbook.run(re.sub(r"postgresql\S+", url, line))
            runbook.environment["COUNTERSIGN_DATABASE_URL"] = url
            runbook.command("countersign writers show C-1002 && countersign index check")
            runbook.command("countersign backup mnt/backups/copied.zip")
            runbook.command("countersign doctor")
        finally:
            connection.execute(text("DROP DATABASE runbook WITH (FORCE)"))
    engine.dispose()
