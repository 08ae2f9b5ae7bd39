"""A command does the same on the registry itself and by a server."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from index.registry.schema_version import upgrade
from service.cli import main
from service.composition import prepare_folders
from service.settings import read_settings

ADA = 4  # The seed of a hand that is plainly told from others.
Scan = Callable[[int, int], Path]
Run = Callable[..., Result]
# What differs between any two answers to the same question.
VARYING = re.compile(r"Decision [0-9a-f]{32}")
VARYING_FIELDS = {"decision_id", "instance"}


@pytest.fixture
def server(registry: None, data_dir: Path, serving, tmp_path: Path, settings) -> Iterator[str]:
    """The address of a server on a registry of its own."""
    with serving(settings, tmp_path / "log") as running:
        yield f"http://127.0.0.1:{running.port}"


@pytest.fixture
def settings(tmp_path: Path):
    settings = read_settings({"COUNTERSIGN_DATA_DIR": str(tmp_path / "served")})
    prepare_folders(settings)
    upgrade(settings.database_url)
    return settings


def told(result: Result) -> tuple[int, Any, Any]:
    """What a command said, without what differs each time."""
    return result.exit_code, without_varying(result.stdout), without_varying(result.stderr)


def without_varying(text: str) -> Any:
    if text.startswith("{"):
        return json.loads(text, object_hook=_some)
    return VARYING.sub("", text)


def _some(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: one for name, one in fields.items() if name not in VARYING_FIELDS}


def test_a_command_does_the_same_here_and_there(
    server: str, run: Run, scan: Scan, tmp_path: Path
) -> None:
    key = tmp_path / "key"
    key.write_text("cs_a_b\n")
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    adas = [scan(ADA, n) for n in range(3)]
    for arguments, code in (
        (("enroll", "C-1", "--name", "Ada [b]", *adas, text), 4),
        (("enroll", "C-1", scan(ADA, 3), "--name", "Other"), 0),
        (("enroll", "C-2", text), 4),
        (("enroll", "C-1", text, "--region", "1,2,3,4"), 4),
        (("verify", "C-1", scan(ADA, 7)), 0),
        (("verify", "C-1", scan(2, 0)), 1),
        (("verify", "C-1", scan(2, 0), scan(ADA, 7), text), 4),
        (("verify", "C-1", scan(ADA, 0)), 3),  # A copy of a reference.
        (("verify", "C-1", text), 4),
        (("verify", "C-1", scan(ADA, 7), "--region", "0,0,99999,9"), 4),
        (("verify", "nobody", scan(ADA, 7)), 2),
        (("verify", "C-1", scan(ADA, 7), "--operating-point", "x"), 2),
        (("identify", scan(ADA, 8)), 0),
        (("identify", scan(2, 0), scan(ADA, 8), "--top", 1), 1),
        (("identify", text), 4),
        (("writers", "list"), 0),
        (("writers", "list", "--search", "ada"), 0),
        (("writers", "show", "C-1"), 0),
        (("writers", "show", "nobody"), 2),
        (("writers", "rename", "C-1", "Ada B."), 0),
        (("writers", "erase", "C-1", "--yes"), 0),
        (("writers", "erase", "C-1", "--yes"), 2),
    ):
        for flags in ((), ("--json",)) if arguments[0] not in {"enroll", "writers"} else ((),):
            here = told(run(*arguments, *flags))
            there = told(run(*arguments, *flags, "--server", server, "--key", key))
            assert here == there, arguments
            assert here[0] == code, arguments


def test_json_of_what_is_enrolled_is_the_same(server: str, run: Run, scan: Scan) -> None:
    for arguments in (
        ("enroll", "C-1", scan(ADA, 0), scan(ADA, 1)),
        ("writers", "list"),
        ("writers", "show", "C-1"),
        ("writers", "rename", "C-1", "Ada"),
        ("writers", "erase", "C-1", "--yes"),
    ):
        here = json.loads(run(*arguments, "--json").stdout)
        there = json.loads(run(*arguments, "--json", "--server", server).stdout)
        if arguments[0] == "enroll":  # The registry also says whose they are; they are named once.
            assert [one.pop("writer_id") for one in here["references"]] == ["C-1", "C-1"]
        assert keys_of(here) == keys_of(there), arguments


def keys_of(value: Any) -> Any:
    """The shape of JSON: the names in it, without what they name."""
    if isinstance(value, dict):
        return {name: keys_of(one) for name, one in value.items()}
    return [keys_of(one) for one in value] if isinstance(value, list) else type(value)


def test_the_server_and_the_key_come_from_the_environment_too(
    server: str, run: Run, monkeypatch: pytest.MonkeyPatch, data_dir: Path
) -> None:
    monkeypatch.setenv("COUNTERSIGN_SERVER", server)
    monkeypatch.setenv("COUNTERSIGN_KEY", "cs_a_b")
    assert run("writers", "rename", "C-9", "x").exit_code == 2
    assert run("writers", "list").exit_code == 0


def test_a_key_without_a_server_is_told(run: Run, tmp_path: Path) -> None:
    key = tmp_path / "key"
    key.write_text("cs_a_b")
    result = run("writers", "list", "--key", key)
    assert result.exit_code == 2
    assert "--server" in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("decisions", "list"),
        ("decisions", "show", "5f"),
        ("decisions", "replay", "5f"),
        ("keys", "list"),
        ("keys", "create", "till", "--scopes", "verify"),
        ("keys", "rotate", "ab"),
        ("keys", "revoke", "ab"),
    ],
)
def test_what_only_a_server_does_says_so(run: Run, arguments: tuple[str, ...]) -> None:
    result = run(*arguments)
    assert result.exit_code == 2
    assert f"`countersign {arguments[0]} {arguments[1]}` asks a server" in result.stderr


def test_a_server_that_cannot_be_asked_is_told(run: Run, free_port) -> None:
    address = f"http://127.0.0.1:{free_port()}"
    result = run("writers", "list", "--server", address)
    assert result.exit_code == 2
    assert "cannot be reached" in result.stderr
    said = json.loads(run("writers", "list", "--server", address, "--json").stderr)
    assert said["code"] == "no-answer"
    result = run("writers", "list", "--server", "nonsense")
    assert "address of a server" in result.stderr


def test_an_erasure_is_asked_about(ada: str, run: Run) -> None:
    arguments = ["writers", "erase", ada]
    declined = CliRunner().invoke(main, arguments, input="n\n")
    assert declined.exit_code == 1
    assert run("writers", "show", ada).exit_code == 0
    assert CliRunner().invoke(main, arguments, input="y\n").exit_code == 0
    assert run("writers", "show", ada).exit_code == 2


def test_a_command_by_a_server_loads_no_network(server: str, scan: Scan) -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from service.cli import main\n"
        "done = CliRunner().invoke(main, sys.argv[1:])\n"
        "assert done.exit_code == 0, done.output\n"
        "print([one for one in ('onnxruntime', 'faiss', 'flask') if one in sys.modules])\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program, "writers", "list", "--server", server],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout.strip() == "[]"
