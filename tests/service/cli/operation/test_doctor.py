"""`countersign doctor`: exit codes, JSON, and text that says what to do."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from service.doctor import examine, host
from service.doctor.finding import ok, warning

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


def test_a_registry_without_a_backup_is_a_warning_and_says_what_to_do(
    ada: str, run: Run, answer: Answer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(host, "_is_unsynchronised", lambda: False)
    code, told = answer("doctor")
    assert (code, told["state"]) == (1, "warning")
    wanting = {one["check"] for one in told["findings"] if one["state"] != "ok"}
    assert wanting == {"last backup", "server"}
    text = run("doctor").stdout
    assert "countersign backup FILE" in text
    assert "0 failures, 2 warnings" in text
    assert run("backup", tmp_path / "a.zip").exit_code == 0
    told = answer("doctor")[1]
    assert {one["check"] for one in told["findings"] if one["state"] != "ok"} == {"server"}


@pytest.mark.parametrize(
    ("finding", "code"), [(ok("a", "fine"), 0), (warning("a", "late", "Hurry."), 1)]
)
def test_the_exit_code_is_that_of_the_worst(
    ada: str, run: Run, monkeypatch: pytest.MonkeyPatch, finding: Any, code: int
) -> None:
    monkeypatch.setattr(examine, "CHECKS", {"a": lambda _installation: iter([finding])})
    assert run("doctor").exit_code == code


def test_a_missing_registry_is_a_failure(answer: Answer, data_dir: Path) -> None:
    code, told = answer("doctor")
    assert (code, told["state"]) == (2, "failure")
    assert not data_dir.exists()


def test_settings_that_cannot_be_read_are_a_failure(
    answer: Answer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_PROT", "8000")
    code, told = answer("doctor")
    assert code == 2
    assert "COUNTERSIGN_PORT" in told["findings"][0]["said"]


def test_a_password_is_not_shown(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", "postgresql+psycopg://ada:hunter2@127.0.0.1:1/x")
    result = run("doctor")
    assert result.exit_code == 2
    assert "hunter2" not in result.output
    assert "ada:***@127.0.0.1" in result.stdout
