"""What holds for every command: it is documented, it can speak JSON, it is quick to explain."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import click
import pytest
from click.testing import Result

from service.cli import main
from service.cli.output import print_json

HEAVY = (
    *("alembic", "cv2", "faiss", "flask", "httpx", "keras", "numpy", "onnxruntime", "PIL"),
    "sqlalchemy",
)


def walk(command: click.Command, path: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(path), command
    if isinstance(command, click.Group):
        for name, child in command.commands.items():
            yield from walk(child, (*path, name))


COMMANDS = dict(walk(main, ("countersign",)))
LEAVES = {name: one for name, one in COMMANDS.items() if not isinstance(one, click.Group)}


def test_the_commands_are_those_of_the_contract() -> None:
    assert {name.removeprefix("countersign ") for name in LEAVES} == {
        *("serve", "enroll", "verify", "identify", "compare", "import", "demo"),
        *("writers list", "writers show", "writers rename", "writers erase"),
        *("decisions list", "decisions show", "decisions replay"),
        *("keys list", "keys create", "keys rotate", "keys revoke"),
        *("train", "export", "evaluate", "model-card", "calibrate"),
        *("reencode", "model list", "model compare", "model switch", "model rollback"),
        *("index check", "index rebuild", "index stats", "db upgrade", "db current"),
        *("ready", "version", "completion"),
        *("erase", "backup", "restore", "erasures export", "doctor"),
        "gallery export",
        "gallery import",
        *("audit key create", "audit anchor", "audit verify", "audit export"),
        "report agreement",
        *("keys create", "keys list", "keys rotate", "keys revoke"),
        *("users add", "users list", "users disable", "users reset", "users role"),
        "users sessions",
    }


@pytest.mark.parametrize("name", COMMANDS)
def test_every_command_has_an_example_of_itself_in_its_help(
    name: str, run: Callable[..., Result]
) -> None:
    result = run(*name.split()[1:], "--help")
    assert result.exit_code == 0
    _, _, examples = result.stdout.partition("Examples:\n")
    examples, _, _ = examples.partition("\n\n")
    assert re.search(rf"^    (\w+=\S+ )?{name} ", examples + " ", re.M), "no example"
    assert all(len(line) <= 80 for line in examples.splitlines()), "examples must not be wrapped"


@pytest.mark.parametrize("name", LEAVES)
def test_examples_use_only_options_that_exist(name: str, run: Callable[..., Result]) -> None:
    text = run(*name.split()[1:], "--help").stdout.partition("Examples:\n")[2].partition("\n\n")[0]
    known = {option for one in LEAVES[name].params for option in (*one.opts, *one.secondary_opts)}
    own = [line for line in text.splitlines() if f"{name} " in line]
    used = {word for line in own for word in re.findall(r"(?<= )--[a-z-]+", line)}
    assert used <= known | {"--help"}


@pytest.mark.parametrize(
    "name", sorted(LEAVES.keys() - {"countersign completion"})
)  # A shell's script.
def test_every_command_takes_json(name: str) -> None:
    assert "--json" in {option for one in LEAVES[name].params for option in one.opts}


@pytest.mark.parametrize("name", LEAVES)
def test_every_option_is_explained(name: str) -> None:
    options = [one for one in LEAVES[name].params if isinstance(one, click.Option)]
    assert [one.name for one in options if not one.help] == []


@pytest.mark.parametrize("name", COMMANDS)
def test_the_one_line_summary_fits_its_line(name: str) -> None:
    assert not COMMANDS[name].get_short_help_str(66).endswith("...")


def test_exit_codes_are_documented(run: Callable[..., Result]) -> None:
    text = run("--help").stdout
    assert re.findall(r"^    (\d+) ", text, re.M) == ["0", "1", "2", "3", "4", "130"]


def test_help_loads_nothing_heavy() -> None:
    program = (
        "import sys\n"
        "from click.testing import CliRunner\n"
        "from service.cli import main\n"
        f"for line in {[name.split()[1:] for name in COMMANDS]!r}:\n"
        "    assert CliRunner().invoke(main, [*line, '--help']).exit_code == 0\n"
        f"print([name for name in {HEAVY!r} if name in sys.modules])\n"
    )
    root = Path(__file__).parents[3]
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=root, capture_output=True, text=True, check=True
    )
    assert done.stdout.strip() == "[]"


def test_an_unknown_command_is_refused(run: Callable[..., Result]) -> None:
    result = run("verfy")
    assert result.exit_code == 2
    assert "verfy" in result.stderr
    assert result.stdout == ""


def test_what_json_cannot_hold_is_an_error() -> None:
    with pytest.raises(TypeError, match="Path"):
        print_json({"path": Path()})
