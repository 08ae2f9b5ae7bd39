"""A command does the same on the registry itself and by a server."""

import json
import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
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
# A command is no request, and so has no id of one.
VARYING_FIELDS = {"decision_id", "decided_at", "request_id", "instance"}


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
        return {name: keys_of(one) for name, one in value.items() if name != "request_id"}
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


def asked(run: Run, server: str | None, *arguments: object) -> Any:
    """What a command answers as JSON, here or by a server."""
    done = run(*arguments, "--json", *(() if server is None else ("--server", server)))
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def test_keys_are_the_same_here_and_there(server: str, run: Run) -> None:
    shapes = []
    for where in (None, server):
        made = asked(run, where, "keys", "create", "till", "--scopes", "verify, read")
        assert (made["scopes"], made["expires_at"]) == (["verify", "read"], None)
        rotated = asked(
            run, where, "keys", "rotate", made["prefix"], "--expires", "12h", "--overlap", "30m"
        )
        assert rotated["key"].startswith(f"cs_{rotated['prefix']}_")
        lasts = moment(rotated["expires_at"]) - moment(rotated["created_at"])
        assert abs(lasts - timedelta(hours=12)) < timedelta(seconds=10)
        revoked = asked(run, where, "keys", "revoke", rotated["prefix"])
        listed = asked(run, where, "keys", "list")
        states = {one["prefix"]: (one["state"], one["replaced_by"]) for one in listed["keys"]}
        assert states == {
            made["prefix"]: ("valid", rotated["prefix"]),
            rotated["prefix"]: ("revoked", None),
        }
        shapes.append(keys_of([made, rotated, revoked, listed]))
    assert shapes[0] == shapes[1]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text)


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("create", "till", "--scopes", "verify", "--expires", "soon"), "such as 90d, 12h or 30m"),
        (("create", "till", "--scopes", "verify", "--expires", "0d"), "such as 90d, 12h or 30m"),
        (("create", "till", "--scopes", "root"), "scopes among verify"),
        (("create", "till", "--scopes", ","), "scope"),
        (("rotate", "0123456789ab"), "There is no key '0123456789ab'"),
        (("revoke", "0123456789ab"), "There is no key '0123456789ab'"),
    ],
)
def test_a_key_that_cannot_be_is_refused_here_and_there(
    server: str, run: Run, arguments: tuple[str, ...], words: str
) -> None:
    for where in ((), ("--server", server)):
        done = run("keys", *arguments, *where)
        assert (done.exit_code, done.stdout) == (2, "")
        assert words in done.stderr


def test_decisions_are_the_same_here_and_there(server: str, run: Run, scan: Scan) -> None:
    shapes = []
    for where in (None, server):
        enrolled = asked(run, where, "enroll", "C-1", *(scan(ADA, n) for n in range(3)))
        verified = asked(run, where, "verify", "C-1", scan(ADA, 7))
        found = asked(run, where, "identify", scan(ADA, 8))
        every = asked(run, where, "decisions", "list")["decisions"]
        names = [one["decision_id"] for one in every]
        assert names == [found["decision_id"], verified["decision_id"]]  # The newest first.
        assert asked(run, where, "decisions", "list", "--limit", 1)["decisions"] == every[:1]
        of_ada = ("decisions", "list", "--writer", "C-1")
        assert asked(run, where, *of_ada, "--kind", "verify")["decisions"] == every[1:]
        assert asked(run, where, *of_ada, "--verdict", "match", "--from", "2026-01-01T00:00:00Z")
        for nothing in (("--reviewed",), ("--to", "2020-01-01"), ("--caller", "nobody")):
            assert asked(run, where, "decisions", "list", *nothing)["decisions"] == []
        shown = asked(run, where, "decisions", "show", names[1])
        assert (shown["verdict"], shown["writer_id"], shown["state"]) == ("match", "C-1", "whole")
        assert shown["details"]["references"][0]["reference_id"] in shown["reference_ids"]
        replayed = [asked(run, where, "decisions", "replay", one) for one in names]
        assert [one["outcome"] for one in replayed] == ["equal", "equal"]
        shapes.append(keys_of([every, shown, replayed]))
        assert [one["reference_id"] for one in enrolled["references"]] == shown["reference_ids"]
    assert shapes[0] == shapes[1]


def test_decisions_are_told_the_same_here_and_there(server: str, run: Run, scan: Scan) -> None:
    for arguments, code in (
        (("enroll", "C-1", *(scan(ADA, n) for n in range(3))), 0),
        (("decisions", "show", "5f"), 2),
        (("decisions", "replay", "5f"), 2),
        (("decisions", "list", "--kind", "guess"), 2),
    ):
        here, there = told(run(*arguments)), told(run(*arguments, "--server", server))
        assert here == there, arguments
        assert here[0] == code, arguments
    for where in ((), ("--server", server)):
        verified = json.loads(run("verify", "C-1", scan(ADA, 7), "--json", *where).stdout)
        name = verified["decision_id"]
        listed = run("decisions", "list", *where)
        assert (name[:8] in listed.stdout, "match" in listed.stdout) == (True, True)
        assert "operating_point" in run("decisions", "show", name, *where).stdout
        done = run("decisions", "replay", name, *where)
        assert (done.exit_code, "comes to the same again" in done.stdout) == (0, True)
        assert run("writers", "erase", "C-1", "--yes", *where).exit_code == 0
        done = run("decisions", "replay", name, *where)
        assert (done.exit_code, "The writer was erased" in done.stdout) == (3, True)


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
