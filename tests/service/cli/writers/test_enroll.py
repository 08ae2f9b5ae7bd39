"""Enrolling a writer from files, as a clerk would."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

ADA = 4  # The seed of a hand that is plainly told from others.
Scan = Callable[[int, int], Path]
Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


def test_enroll_creates_a_writer_and_then_adds_to_them(
    registry: None, answer: Answer, scan: Scan
) -> None:
    code, first = answer("enroll", "C-1", scan(ADA, 0), scan(ADA, 1), "--name", "Ada Example")
    assert code == 0
    assert first["writer_id"] == "C-1"
    assert len(first["references"]) == 2
    assert {"reference_id", "sha256", "quality", "created_at"} <= first["references"][0].keys()
    code, second = answer("enroll", "C-1", scan(ADA, 2))
    assert code == 0
    assert len(second["references"]) == 1


def test_a_name_for_a_known_writer_is_said_to_be_unused(ada: str, run: Run, scan: Scan) -> None:
    result = run("enroll", ada, scan(ADA, 6), "--name", "Someone Else")
    assert result.exit_code == 0
    assert "--name is not used" in result.stderr


def test_what_cannot_be_enrolled_is_refused_and_the_rest_is_enrolled(
    registry: None, answer: Answer, run: Run, scan: Scan, tmp_path: Path
) -> None:
    text = tmp_path / "notes[1].txt"
    text.write_text("no image")
    huge = tmp_path / "huge.png"
    huge.write_bytes(b"\0" * (10 * 2**20 + 1))
    code, said = answer("enroll", "C-1", text, scan(ADA, 0), huge)
    assert code == 4
    assert len(said["references"]) == 1
    assert {(one["filename"], one["code"]) for one in said["refused"]} == {
        ("notes[1].txt", "unsupported-format"),
        ("huge.png", "too-many-bytes"),
    }
    result = run("enroll", "C-2", text, huge)
    assert result.exit_code == 4
    assert "Enrolled 0 of 2 images" in result.stdout
    assert "notes[1].txt" in result.stdout
    assert run("verify", "C-2", scan(ADA, 0)).exit_code == 2  # Nobody was created.
