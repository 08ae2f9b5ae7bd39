"""What the documents say exists: commands, settings, endpoints, files."""

import re
from dataclasses import fields
from pathlib import Path

import click
import pytest

from service.cli import main
from service.settings import Settings

ROOT = Path(__file__).parent.parent
DOCUMENTS = ("README.md", "ARCHITECTURE.md", "CHANGELOG.md")
README = (ROOT / "README.md").read_text(encoding="utf-8")


def shell_lines() -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
    return "".join(blocks).replace("\\\n", " ").splitlines()


def test_readme_names_every_setting_and_no_other() -> None:
    documented = set(re.findall(r"COUNTERSIGN_[A-Z_]+", README))
    assert documented == {f"COUNTERSIGN_{field.name.upper()}" for field in fields(Settings)}


@pytest.mark.parametrize("line", [x for x in shell_lines() if x.startswith("countersign ")])
def test_commands_in_the_readme_exist(line: str) -> None:
    command: click.Command = main
    for word in line.split()[1:]:
        if not isinstance(command, click.Group):
            break
        assert word in command.commands, line
        command = command.commands[word]
    options = {name for parameter in command.params for name in parameter.opts}
    assert set(re.findall(r"--[a-z-]+", line)) <= options


@pytest.mark.parametrize("name", [x.split()[1] for x in shell_lines() if x.startswith("make ")])
def test_make_targets_in_the_readme_exist(name: str) -> None:
    assert re.search(rf"^{name}:", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE)


@pytest.mark.parametrize("document", DOCUMENTS)
def test_links_lead_somewhere(document: str) -> None:
    text = (ROOT / document).read_text(encoding="utf-8")
    for target in re.findall(r"\]\(([^)#]+)", text):
        assert target.startswith("https://") or (ROOT / target).exists(), target


def test_paths_in_the_architecture_exist() -> None:
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    named = re.findall(r"`((?:encoder|index|service|migrations|benchmarks|tests)/[\w./]*)`", text)
    assert named
    assert [path for path in named if not (ROOT / path).exists()] == []


def test_benchmarks_in_the_documents_exist() -> None:
    for document in DOCUMENTS:
        text = (ROOT / document).read_text(encoding="utf-8")
        for module in re.findall(r"python -m (benchmarks[\w.]+)", text):
            assert (ROOT / f"{module.replace('.', '/')}.py").exists(), module
