"""House rules that no linter knows."""

import ast
import re
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
ROOMS = ("encoder", "index", "service", "migrations", "benchmarks")
SOURCES = sorted(path for room in ROOMS for path in (ROOT / room).rglob("*.py"))
WRITTEN = [p for p in SOURCES if "versions" not in p.parts]


def tracked() -> list[Path]:
    listed = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    if listed.returncode:
        pytest.skip("this is no git checkout")
    return [ROOT / name for name in listed.stdout.splitlines() if (ROOT / name).is_file()]


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


@pytest.mark.parametrize("path", WRITTEN, ids=short)
def test_no_asserts_and_no_pickle(path: Path) -> None:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    assert not [node.lineno for node in ast.walk(tree) if isinstance(node, ast.Assert)]
    imported = {
        name.name.split(".")[0]
        for node in ast.walk(tree)
        if isinstance(node, ast.Import)
        for name in node.names
    }
    assert not imported & {"pickle", "shelve", "marshal", "dill"}


@pytest.mark.parametrize("path", SOURCES, ids=short)
def test_no_catch_all_names(path: Path) -> None:
    assert path.stem not in {"utils", "util", "helpers", "helper", "manager", "misc", "common"}


def test_nothing_large_but_models_is_tracked() -> None:
    large = {p for p in tracked() if p.stat().st_size > 2**20}
    assert all("models" in path.parts and path.stat().st_size <= 8 * 2**20 for path in large)


def test_no_addresses_of_package_registries() -> None:
    # Put together here, so that this file does not name them either.
    hosts = [b"files." + b"pythonhosted", b"registry." + b"npmjs", b"deb." + b"debian.org"]
    for path in tracked():
        content = path.read_bytes()
        assert not [host for host in hosts if host in content], path


def test_logs_name_no_names_and_no_images() -> None:
    telling = re.compile(r"logger\.\w+\(.*\b(name|filename|image|vector|embedding|data)\b\s*[,)]")
    for path in WRITTEN:
        found = [x for x in path.read_text(encoding="utf-8").splitlines() if telling.search(x)]
        assert found == [], path
