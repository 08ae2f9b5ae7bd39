"""The command line on a registry of its own for each test, and files of invented writers."""

import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from encoder.inference.artifact import NETWORK, SHIPPED, write_artifact
from encoder.synthesis import encode_png, synthetic_writer
from service.cli import main
from service.writers.demo import REFERENCES_EACH, WRITERS

ROOT = Path(__file__).parents[3]
ADA = 4  # The seed of a hand that is plainly told from others.
Run = Callable[..., Result]


@cache
def png(seed: int, n: int) -> bytes:
    return encode_png(synthetic_writer(seed).genuine(n))


@pytest.fixture(autouse=True)
def data_dir(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A data folder of the test's own, which commands and child processes use."""
    for name in os.environ:
        if name.startswith("COUNTERSIGN_"):
            monkeypatch.delenv(name)
    folder = tmp_path / "data"
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(folder))
    return folder


@pytest.fixture
def run() -> Run:
    """Run a command in this process; an error that is no clean exit fails the test."""

    def invoke(*arguments: object) -> Result:
        return CliRunner().invoke(main, [str(one) for one in arguments], catch_exceptions=False)

    return invoke


@pytest.fixture
def answer(run: Run) -> Callable[..., Any]:
    """Run a command with --json; return the exit code and what it printed on stdout, parsed."""

    def ask(*arguments: object) -> tuple[int, Any]:
        result = run(*arguments, "--json")
        assert result.stdout, result.stderr
        return result.exit_code, json.loads(result.stdout)

    return ask


@pytest.fixture
def registry(run: Run) -> None:
    """A registry with an up-to-date schema and nobody in it."""
    assert run("db", "upgrade").exit_code == 0


@pytest.fixture
def scan(tmp_path: Path) -> Callable[[int, int], Path]:
    """The file of the n-th genuine signature of an invented writer."""

    def write(seed: int, n: int) -> Path:
        path = tmp_path / f"scan-{seed}-{n}.png"
        path.write_bytes(png(seed, n))
        return path

    return write


@pytest.fixture
def writers_folder(tmp_path: Path) -> Callable[..., Path]:
    """A folder of invented writers `w-<seed>`, as `countersign import` takes it."""

    def make(seeds: range, each: int) -> Path:
        root = tmp_path / "scans"
        for seed in seeds:
            folder = root / f"w-{seed}"
            folder.mkdir(parents=True)
            for n in range(each):
                (folder / f"scan {n}.png").write_bytes(png(seed, n))
        return root

    return make


@pytest.fixture
def start(data_dir: Path) -> Iterator[Callable[..., subprocess.Popen[str]]]:
    """Start a command in a process of its own, which ends with the test."""
    started: list[subprocess.Popen[str]] = []
    # A process that runs in the background of a shell may have been told to ignore it.
    former = signal.signal(signal.SIGINT, signal.default_int_handler)

    def popen(*arguments: object) -> subprocess.Popen[str]:
        process = subprocess.Popen(
            [sys.executable, "-m", "service.cli", *map(str, arguments)],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        started.append(process)
        return process

    yield popen
    signal.signal(signal.SIGINT, former)
    for process in started:
        process.kill()
        process.communicate()


@pytest.fixture
def other_model(tmp_path: Path) -> Path:
    """The shipped network under another identity: a comment is appended to its file."""
    manifest = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))
    doc_string = b"\x32\x01x"  # Field 6 of ONNX's ModelProto, one character long.
    facts = {
        name: value
        for name, value in manifest.items()
        if name not in {"format", "files", "preprocessing_sha256", "sha256"}
    }
    folder = tmp_path / "other"
    write_artifact(folder, {NETWORK: (SHIPPED / NETWORK).read_bytes() + doc_string}, facts)
    return folder


@pytest.fixture
def ada(registry: None, run: Run, scan: Callable[[int, int], Path]) -> str:
    """The id of a writer with five references and a name that looks like markup."""
    images = [scan(ADA, n) for n in range(5)]
    assert run("enroll", "C-1", "--name", "Ada [bold]Example", *images).exit_code == 0
    return "C-1"


@pytest.fixture(scope="session")
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
    """The demo's writers in the test's own data folder; the folder of the signatures to try."""
    shutil.copytree(demo_folder / "data", data_dir)
    return demo_folder / "probes"
