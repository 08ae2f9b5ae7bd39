"""The document on security names tests that there are, and leaves out no requirement."""

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENT = ROOT / "docs" / "security.md"
# The requirements of levels 1 and 2 in ASVS 5.0, by section: how many there are of each.
CHAPTERS = {
    "6.1": 3,
    "6.2": 12,
    "6.3": 4,
    "6.4": 4,
    "6.5": 5,
    "6.6": 3,
    "6.8": 4,
    "7.1": 3,
    "7.2": 4,
    "7.3": 2,
    "7.4": 5,
    "7.5": 2,
    "7.6": 2,
    "8.1": 2,
    "8.2": 3,
    "8.3": 1,
    "8.4": 1,
    "14.1": 2,
    "14.2": 4,
    "14.3": 3,
    "16.1": 1,
    "16.2": 5,
    "16.3": 4,
    "16.4": 3,
    "16.5": 3,
}
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")
WHY = ("in part", "not met", "does not apply", "above", "access.md", "there ", "nothing", "256")


def rows() -> dict[str, str]:
    """What the document says of each requirement, by its number."""
    found: dict[str, str] = {}
    for line in DOCUMENT.read_text(encoding="utf-8").splitlines():
        cells = [cell.strip() for cell in line.strip("|").split("|")]
        if re.match(r"\d+\.\d+\.\d+", cells[0]):
            found |= dict.fromkeys(cells[0].split(", "), cells[-1])
    return found


def test_every_test_that_is_named_exists() -> None:
    named = NAMED.findall(DOCUMENT.read_text(encoding="utf-8"))
    assert len(named) > 50
    for path, test in named:
        tree = ast.parse((ROOT / path).read_text(encoding="utf-8"))
        assert test in {x.name for x in tree.body if isinstance(x, ast.FunctionDef)}, (path, test)


def test_what_looks_like_a_test_is_named_whole() -> None:
    text = DOCUMENT.read_text(encoding="utf-8")
    assert len(re.findall("::test_", text)) == len(NAMED.findall(text))


def test_every_requirement_of_level_two_has_a_line() -> None:
    expected = {f"{section}.{n + 1}" for section, most in CHAPTERS.items() for n in range(most)}
    assert set(rows()) == expected


def test_every_line_has_a_test_or_says_why_not() -> None:
    for number, said in rows().items():
        assert NAMED.search(said) or any(word in said for word in WHY), number
