"""With --json an error is a problem of RFC 9457 on stderr, and stdout stays empty."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from service.errors import StartRefused

ADA = 4
Run = Callable[..., Result]


def told(result: Result) -> dict[str, object]:
    assert result.stdout == ""
    said: dict[str, object] = json.loads(result.stderr)
    assert said["type"] == f"urn:countersign:problem:{said['code']}"
    assert said["title"]
    assert said["detail"]
    assert "instance" not in said
    return said


def test_a_known_error_has_the_apis_code(
    ada: str, run: Run, scan: Callable[..., Path], tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    for arguments, exit_code, status, code in (
        (("verify", "nobody", scan(ADA, 7)), 2, 404, "unknown-writer"),
        (("writers", "show", "nobody"), 2, 404, "unknown-writer"),
        (("verify", ada, text), 4, 422, "unsupported-format"),
        (("compare", scan(ADA, 7), text), 4, 422, "images-refused"),
        (
            ("verify", ada, scan(ADA, 7), "--operating-point", "x"),
            2,
            422,
            "unknown-operating-point",
        ),
    ):
        result = run(*arguments, "--json")
        said = told(result)
        assert (result.exit_code, said["status"], said["code"]) == (exit_code, status, code)


def test_wrong_usage_is_a_problem_too(run: Run, tmp_path: Path) -> None:
    for arguments in (
        ("verify", "C-1", tmp_path / "missing.png"),
        ("verify", "no/id", tmp_path),
        ("identify",),
        ("verfy",),
        ("writers", "shw"),
    ):
        result = run(*arguments, "--json")
        said = told(result)
        assert (result.exit_code, said["code"]) == (2, "wrong-usage")
        assert "status" not in said


def test_an_error_for_the_operator_keeps_its_text(
    run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise StartRefused("Run `countersign index rebuild`.")

    monkeypatch.setattr("service.composition.open_registry_alone", refuse)
    said = told(run("writers", "list", "--json"))
    assert (said["code"], said["detail"]) == (
        "command-failed",
        "Run `countersign index rebuild`.",
    )


def test_without_json_an_error_is_text(run: Run) -> None:
    result = run("identify", "--", "--json")
    assert result.exit_code == 2
    assert result.stderr.startswith("Usage:")
