"""What the documents say exists: files, commands and their options, settings, make targets."""

import json
import re
import shlex
from dataclasses import fields
from importlib.util import find_spec
from pathlib import Path

import click
import pytest

from encoder.report.card import model_card
from service.cli import main
from service.settings import _READERS, FILE, PREFIX, SECRETS, Settings

ROOT = Path(__file__).parent.parent
FOLDERS = ("docs", "encoder", "index", "service", "migrations", "benchmarks", "tests")
DOCUMENTS = sorted(
    [*ROOT.glob("*.md"), *(path for folder in FOLDERS for path in (ROOT / folder).rglob("*.md"))]
)
MAX_README_WORDS, MAX_README_COLUMNS = 900, 5
NOT_A_COMMAND = {"nice", "chrt"}  # Words that go before one.


def short(path: Path) -> str:
    return str(path.relative_to(ROOT))


each_document = pytest.mark.parametrize("document", DOCUMENTS, ids=short)


def read(document: Path) -> str:
    return document.read_text(encoding="utf-8")


def shell_lines(document: Path) -> list[str]:
    blocks = re.findall(r"```sh\n(.*?)```", read(document), re.DOTALL)
    return "".join(blocks).replace("\\\n", " ").splitlines()


def inline_code(document: Path) -> list[str]:
    prose = re.sub(r"```.*?```", "", read(document), flags=re.DOTALL)
    return [" ".join(code.split()) for code in re.findall(r"`([^`]+)`", prose)]


def words_of(line: str) -> list[str]:
    """The words of a command without what may go before it: settings, and how it is scheduled."""
    words = shlex.split(line, comments=True)
    while words and (words[0] in NOT_A_COMMAND or re.match(r"[A-Z_]+=", words[0])):
        words = words[3:] if words[0] == "chrt" else words[1:]
    return words


def commands(document: Path, program: str) -> list[list[str]]:
    """Every call of a program in a document, in blocks and in sentences, as words."""
    called = [*shell_lines(document), *(x for x in inline_code(document) if program in x)]
    split = (words_of(line) for line in called)
    return [words for words in split if words and Path(words[0]).name == program]


def test_there_are_documents_and_commands_in_them() -> None:
    assert {"README.md", "CONTRIBUTING.md", "docs/settings.md"} <= {short(x) for x in DOCUMENTS}
    for program in ("countersign", "make", "python"):
        assert sum(len(commands(document, program)) for document in DOCUMENTS) > 5, program


@each_document
def test_links_and_pictures_lead_somewhere(document: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)", read(document)):
        if target.startswith("https://"):
            continue
        path, _, heading = target.partition("#")
        found = document.parent / path if path else document
        assert found.exists(), target
        assert not heading or heading in headings(found), target


def headings(document: Path) -> set[str]:
    """The names by which the headings of a document are linked to."""
    titles = re.findall(r"^#+ (.+)$", read(document), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in titles}


@each_document
def test_commands_in_blocks_are_understood(document: Path) -> None:
    for line in shell_lines(document):
        words = words_of(line)
        if words and words[0] == "countersign":
            parse(words[1:])


def parse(arguments: list[str]) -> None:
    """Parse a command's words as the command line does, without asking whether files exist."""
    command: click.Command = main
    while isinstance(command, click.Group):
        assert arguments, f"{command.name}: which command?"
        assert arguments[0] in command.commands, arguments[0]
        command, arguments = command.commands[arguments[0]], arguments[1:]
    context = click.Context(command)
    given, left_over, _ = command.make_parser(context).parse_args(list(arguments))
    assert left_over == [], command.name
    for parameter in command.params:
        if parameter.required:
            assert isinstance(given.get(str(parameter.name)), str | tuple | list), parameter.name


@each_document
def test_commands_in_sentences_exist(document: Path) -> None:
    for words in commands(document, "countersign"):
        command: click.Command = main
        for word in words[1:]:
            if not isinstance(command, click.Group) or word.startswith("-"):
                break
            assert word in command.commands, words
            command = command.commands[word]
        options = {name for x in command.params for name in (*x.opts, *x.secondary_opts)}
        named = {word for word in words if word.startswith("--")} - {"--help"}
        assert named <= options, words


@each_document
def test_make_targets_exist(document: Path) -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    for words in commands(document, "make"):
        for word in words[1:]:
            if not word.startswith("-") and "=" not in word:
                assert re.search(rf"^{word}:", makefile, re.MULTILINE), words


@each_document
def test_modules_that_are_run_exist_with_their_options(document: Path) -> None:
    for words in commands(document, "python"):
        if words[1] != "-m" or words[2] == "pytest":
            continue
        found = find_spec(words[2])
        assert found is not None, words
        assert found.origin is not None, words
        source = Path(found.origin).read_text(encoding="utf-8")
        options = {word for word in words[3:] if word.startswith("--")}
        assert [option for option in options if f'"{option}"' not in source] == [], words


@each_document
def test_settings_that_are_named_exist(document: Path) -> None:
    named = set(re.findall(rf"{PREFIX}[A-Z_]*[A-Z]", read(document)))
    known = (*_READERS, *(name + FILE for name in SECRETS))
    assert named <= {PREFIX + name.upper() for name in known}


def test_every_setting_is_documented_with_its_default() -> None:
    rows = re.findall(r"^\| `(\w+)` \| (.+?) \|", read(ROOT / "docs/settings.md"), re.MULTILINE)
    assert sorted(name for name, _ in rows) == sorted(PREFIX + name.upper() for name in _READERS)
    defaults = {PREFIX + x.name.upper(): getattr(Settings(), x.name) for x in fields(Settings)}
    for name, documented in rows:
        if defaults[name] not in {None, ()}:
            assert documented == f"`{defaults[name]}`", name


def test_every_kind_of_entry_of_the_audit_chain_is_documented() -> None:
    sources = [path for one in ("index", "service") for path in (ROOT / one).rglob("*.py")]
    kind = re.compile(r'"([a-z-]+\.(?:[a-z]+ed|done|held|made))"')
    kinds = {found for path in sources for found in kind.findall(read(path))}
    assert {"writer.enrolled", "backup.made", "purge.done", "sign-in.failed"} < kinds
    table = read(ROOT / "docs" / "audit.md")
    assert {one for one in kinds if f"`{one}`" not in table} == set()


def test_the_model_card_is_the_one_of_the_results() -> None:
    results = json.loads(read(ROOT / "docs/evaluation/zeroshot.json"))
    assert read(ROOT / "docs/model-card.md").rstrip() == model_card(results).rstrip()


def test_the_readme_is_short() -> None:
    assert len(read(ROOT / "README.md").split()) <= MAX_README_WORDS


def test_tables_of_the_readme_are_narrow() -> None:
    rows = re.findall(r"^\|(.+)\|$", read(ROOT / "README.md"), re.MULTILINE)
    assert rows
    assert max(row.count("|") + 1 for row in rows) <= MAX_README_COLUMNS


@each_document
def test_paths_that_are_named_exist(document: Path) -> None:
    paths = re.compile(rf"(?:{'|'.join(FOLDERS)})/[\w./*-]*")
    named = [code for code in inline_code(document) if paths.fullmatch(code)]
    assert [path for path in named if not any(ROOT.glob(path))] == []


def test_the_architecture_draws_every_package() -> None:
    """The tree gives each folder a line of its own, under the folder that it is in."""
    text = (ROOT / "ARCHITECTURE.md").read_text(encoding="utf-8")
    tree = re.search(r"## The tree.*?```\n(.*?)```", text, re.DOTALL)
    assert tree
    drawn, above = set(), []
    for line in tree[1].splitlines():
        if name := re.match(r"( *)([a-z]+)/ ", line):
            above = [*above[: len(name[1]) // 2], name[2]]
            drawn.add("/".join(above))
    packages = {
        str(found.parent.relative_to(ROOT))
        for top in ("encoder", "index", "service")
        for found in (ROOT / top).rglob("__init__.py")
    }
    detail = {one for one in packages if one.startswith(("service/cli/", "service/transfer/"))}
    assert packages - detail - drawn == set()
    assert [one for one in drawn if not (ROOT / one).is_dir()] == []


def test_the_readme_states_what_was_measured_of_data_sets_never_seen() -> None:
    measured = json.loads((ROOT / "docs/evaluation/zeroshot.json").read_text(encoding="utf-8"))
    rows = [one["results"]["5"] for one in measured["sets"] if "5" in one["results"]]
    points = [row["shipped"]["fmr_skilled=5%"] for row in rows]
    readme = " ".join((ROOT / "README.md").read_text(encoding="utf-8").split())

    def percents(rates: list[float]) -> list[str]:
        return [f"{100 * rate:.1f}" for rate in sorted(rates)]

    errors = percents([row["eer_skilled"] for row in rows])
    assert f"{errors[0]} to {errors[-1]} % of skilled forgeries pass" in readme
    *passed, most = percents([point["fmr_skilled"] for point in points])
    assert f"{', '.join(passed)} and {most} % passed" in readme
    missed = percents([point["fnmr"] for point in points])
    assert f"{missed[0]} to {missed[-1]} % of genuine signatures did not match" in readme
    named = percents([row["fpir"] for row in rows])
    assert f"named {named[0]} to {named[-1]} %" in readme
