"""The wheel holds what serves and nothing else, and serves where there is no checkout."""

import json
import re
import socket
import subprocess
import sys
import tomllib
import urllib.request
import zipfile
from collections.abc import Iterator
from pathlib import Path

import pytest
import urllib3

from tests.conftest import without_checkout

ROOT = Path(__file__).parent.parent
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
PACKAGES = ("encoder", "index", "service", "migrations")
READY_S = 60.0


def test_it_holds_the_packages_files_and_nothing_else(wheel) -> None:
    with zipfile.ZipFile(wheel) as opened:
        held = {name for name in opened.namelist() if ".dist-info/" not in name}
    listed = subprocess.run(
        ["git", "ls-files", "--cached", "--others", "--exclude-standard", *PACKAGES],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    assert held == {one for one in listed.stdout.splitlines() if (ROOT / one).is_file()}
    for needed in (
        "encoder/models/lean/network.onnx",
        "migrations/env.py",
        "service/web/static/js/app.js",
        "service/web/templates/web/page.html",
        "service/api/templates/docs/page.html",
    ):
        assert needed in held


def test_it_says_what_it_is_and_needs(wheel) -> None:
    with zipfile.ZipFile(wheel) as opened:
        (folder,) = {name.split("/")[0] for name in opened.namelist() if ".dist-info/" in name}
        metadata = opened.read(f"{folder}/METADATA").decode()
        entry_points = opened.read(f"{folder}/entry_points.txt").decode()
        licences = [name for name in opened.namelist() if "/licenses/" in name]
    assert f"\nVersion: {PROJECT['version']}\n" in metadata
    assert "\nLicense-Expression: Apache-2.0\n" in metadata
    assert "\nClassifier: Private :: Do Not Upload\n" in metadata
    needed = re.findall(r"^Requires-Dist: ([\w-]+)(?!.*extra ==)", metadata, re.MULTILINE)
    named = [re.match(r"[\w-]+", one) for one in PROJECT["dependencies"]]
    assert sorted(needed) == sorted(one[0] for one in named if one)
    assert "countersign = service.cli:main" in entry_points
    assert licences == [f"{folder}/licenses/LICENSE"]


@pytest.fixture(scope="module")
def served(elsewhere) -> Iterator[str]:
    """The address of a server of the installed wheel, with the demo's writers."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = elsewhere / "log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [elsewhere / "venv/bin/countersign", "serve", "--demo", "--port", str(port)],
            cwd=elsewhere,
            env=without_checkout(),
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    retries = urllib3.Retry(total=None, connect=int(READY_S), backoff_factor=1, backoff_max=1)
    try:
        with urllib3.PoolManager(retries=retries) as http:
            answer = http.request("GET", f"http://127.0.0.1:{port}/readyz")
        assert answer.status == 200, log.read_text()
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        assert process.wait(30) == 0, log.read_text()


def run_installed(elsewhere: Path, *arguments: str) -> str:
    done = subprocess.run(
        [elsewhere / "venv/bin/countersign", *arguments],
        cwd=elsewhere,
        env=without_checkout(),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_a_server_of_it_verifies_and_identifies_outside_the_checkout(served, elsewhere) -> None:
    run_installed(elsewhere, "demo", "--probes", "probes")
    probe = (elsewhere / "probes/DEMO-01-genuine.png").read_bytes()
    fields = {"image": ("probe.png", probe, "image/png")}
    with urllib3.PoolManager() as http:
        verified = http.request("POST", f"{served}/v1/writers/DEMO-01/verify", fields=fields)
        assert verified.status == 200
        assert verified.json()["verdict"] == "match"
        found = http.request("POST", f"{served}/v1/identify", fields=fields).json()
        assert found["candidates"][0]["writer_id"] == "DEMO-01"


@pytest.mark.parametrize(
    "path", ["/", "/assets/js/app.js", "/docs", "/docs/assets/swagger-ui.css", "/openapi.json"]
)
def test_a_server_of_it_has_its_pages(served, path) -> None:
    with urllib.request.urlopen(served + path) as answer:
        assert answer.status == 200
        assert answer.read()


def test_a_server_of_it_says_how_it_does(served) -> None:
    with urllib.request.urlopen(f"{served}/metrics") as answer:
        text = answer.read().decode()
    assert f'countersign_build_info{{python="{sys.version.split()[0]}"' in text
    assert f'version="{PROJECT["version"]}"' in text


def test_commands_of_it_work_outside_the_checkout(elsewhere) -> None:
    told = json.loads(run_installed(elsewhere, "version", "--json"))
    names = {one["name"] for one in told["packages"]}
    assert told["version"] == PROJECT["version"]
    assert "countersign" in names
    assert not names & {"pytest", "tensorflow", "keras", "ruff"}
    places_of = ", ".join(f"{one}.__file__" for one in PACKAGES)
    imported = subprocess.run(
        [
            elsewhere / "venv/bin/python",
            "-c",
            f"import {', '.join(PACKAGES)}; print({places_of})",
        ],
        cwd=elsewhere,
        env=without_checkout(),
        capture_output=True,
        text=True,
        check=True,
    )
    places = [Path(one) for one in imported.stdout.split()]
    assert len(places) == len(PACKAGES)
    assert all(place.is_relative_to(elsewhere / "venv") for place in places)
