"""Asking about signatures on the command line, as a clerk would."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from index.registry.registry import Registry
from service.cli.decisions.wording import strength
from service.cli.session import caller

ADA = 4  # The seed of a hand that is plainly told from others.
Scan = Callable[[int, int], Path]
Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


def test_verify_says_match_with_what_it_rests_on(ada: str, run: Run, scan: Scan) -> None:
    result = run("verify", ada, scan(ADA, 7))
    assert result.exit_code == 0, result.output
    for words in (
        "Match",
        "fits writer C-1",
        "Score",
        "threshold",
        "and below",
        "5 references",
        "Decision",
    ):
        assert words in result.stdout
    assert "\x1b" not in result.stdout


def test_verify_says_no_match_of_another_hand(ada: str, answer: Answer, scan: Scan) -> None:
    code, said = answer("verify", ada, scan(2, 0))
    assert code == 1
    assert said["verdict"] == "non_match"
    assert said["score"] < said["threshold"]


def test_verify_answers_in_json_as_the_api_does(
    ada: str, answer: Answer, scan: Scan, data_dir: Path
) -> None:
    code, said = answer("verify", ada, scan(ADA, 7), "--operating-point", "fmr_skilled=10%")
    assert code == 0
    assert said.keys() == {
        *("decision_id", "verdict", "score", "log_lr", "log_lr_random", "operating_point"),
        *("calibration", "threshold", "non_match_threshold", "log_lr_bound", "log_lr_random_bound"),
        *("references", "quality", "model", "warnings", "contributions", "expected_errors"),
        *("writer_id", "disposition", "decided_at", "probe_sha256", "request_id"),
    }
    assert said["operating_point"] == "fmr_skilled=10%"
    assert len(said["references"]) == 5
    assert answer("identify", scan(ADA, 7))[0] == 0
    stored = Registry(f"sqlite:///{data_dir / 'registry.db'}")
    assert stored.decisions.verify().length == 2
    stored.close()
    with closing(sqlite3.connect(data_dir / "registry.db")) as connection:
        rows = connection.execute("SELECT kind, caller FROM decisions ORDER BY sequence").fetchall()
    assert rows == [("verify", caller()), ("identify", caller())]
    assert caller().startswith("cli:")


def test_identify_finds_the_writer_and_knows_strangers(
    ada: str, answer: Answer, run: Run, scan: Scan
) -> None:
    assert run("enroll", "C-2", *(scan(2, n) for n in range(5)), "--name", "Bo").exit_code == 0
    code, said = answer("identify", scan(2, 7))
    assert (code, said["verdict"]) == (0, "identified")
    assert [one["writer_id"] for one in said["candidates"]] == ["C-2", "C-1"]
    code, said = answer("identify", scan(2, 7), "--top", 1)
    assert len(said["candidates"]) == 1
    result = run("identify", scan(77, 0))
    assert result.exit_code == 1
    assert "Not enrolled" in result.stdout
    assert "Ada [bold]Example" in result.stdout  # A name is shown as it is.


def test_identify_in_an_empty_gallery(registry: None, answer: Answer, run: Run, scan: Scan) -> None:
    code, said = answer("identify", scan(ADA, 0))
    assert (code, said["verdict"], said["candidates"]) == (1, "not_enrolled", [])
    assert "0 writers" in run("identify", scan(ADA, 0)).stdout


def test_compare_needs_no_registry(run: Run, answer: Answer, scan: Scan, data_dir: Path) -> None:
    references = [scan(ADA, n) for n in range(3)]
    code, said = answer("compare", scan(ADA, 7), *references)
    assert code == 0
    assert said["decision_id"] is None
    assert [one["filename"] for one in said["references"]] == [path.name for path in references]
    result = run("compare", scan(2, 0), *references)
    assert result.exit_code == 1
    assert "No match" in result.stdout
    assert not data_dir.exists()


def test_questions_without_an_answer_end_in_2_and_say_why(
    ada: str, run: Run, scan: Scan, tmp_path: Path
) -> None:
    probe = scan(ADA, 7)
    for arguments, words in (
        (("verify", "nobody", probe), "'nobody' is not enrolled"),
        (("verify", ada, tmp_path / "missing.png"), "does not exist"),
        (("verify", ada, tmp_path), "is a directory"),
        (("verify", ada, probe, "--operating-point", "x"), "fmr_skilled=5%"),
        (("identify", probe, "--top", "0"), "1<=x<=100"),
        (("enroll", "no/id", probe), "expected 1 to 64 of the characters"),
        (("verify", "\udcff", probe), "expected 1 to 64 of the characters"),
        (("enroll", ada), "Missing argument"),
    ):
        result = run(*arguments)
        assert result.exit_code == 2, arguments
        assert words in result.stderr, arguments
        assert result.stdout == "", arguments
        assert "Traceback" not in result.stderr


def test_an_image_that_cannot_be_used_ends_in_4_and_says_why(
    ada: str, run: Run, scan: Scan, tmp_path: Path
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    probe = scan(ADA, 7)
    for arguments, words in (
        (("verify", ada, text), "expected a PNG"),
        (("identify", text), "expected a PNG"),
        (("compare", text, probe), "expected a PNG"),
        (("compare", probe, text), "notes.txt"),
    ):
        result = run(*arguments)
        assert (result.exit_code, result.stdout) == (4, ""), arguments
        assert words in result.stderr, arguments


def test_settings_and_models_that_cannot_be_used_are_named(
    run: Run, scan: Scan, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(tmp_path))
    result = run("compare", scan(ADA, 0), scan(ADA, 1))
    assert result.exit_code == 2
    assert "manifest.json" in result.stderr
    monkeypatch.setenv("COUNTERSIGN_DATABASE_URL", f"sqlite:///{tmp_path / 'no' / 'where.db'}")
    assert run("db", "current").exit_code == 2
    monkeypatch.setenv("COUNTERSIGN_PROT", "1")
    result = run("db", "current")
    assert result.exit_code == 2
    assert "COUNTERSIGN_PORT" in result.stderr


@pytest.mark.parametrize(
    ("log_lr", "words"),
    [
        (0.05, "about as likely"),
        (0.7, "about 5.0 times likelier from the writer than from a skilled forger"),
        (-2.26, "about 180 times likelier from a skilled forger than from the writer"),
        (3.6, "about 4,000 times"),
        (4.0, "at least 10,000 times likelier from the writer"),
        (-4.0, "at least 10,000 times likelier from a skilled forger"),
    ],
)
def test_strength_of_evidence_in_words(log_lr: float, words: str) -> None:
    assert words in strength(log_lr, 4.0, "a skilled forger")


def test_json_is_one_document_and_text_is_none(ada: str, run: Run, scan: Scan) -> None:
    assert json.loads(run("identify", scan(ADA, 7), "--json").stdout)
    with pytest.raises(json.JSONDecodeError):
        json.loads(run("identify", scan(ADA, 7)).stdout)
