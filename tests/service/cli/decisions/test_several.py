"""Several images at once, and one from stdin."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from service.cli import main
from service.cli.decisions.asking import Told, print_each
from service.client.answers import Verification

ADA = 4  # The seed of a hand that is plainly told from others.
Run = Callable[..., Result]
Scan = Callable[[int, int], Path]


def test_each_image_has_its_answer(
    ada: str, run: Run, scan: Scan, tmp_path: Path, answer: Callable[..., tuple[int, object]]
) -> None:
    text = tmp_path / "notes.txt"
    text.write_text("no image")
    images = [scan(ADA, 7), text, scan(2, 0)]
    code, said = answer("verify", ada, *images)
    assert code == 4
    assert [one["image"] for one in said["answers"]] == [path.name for path in images]
    first, second, third = said["answers"]
    assert first["answer"]["verdict"] == "match"
    assert second["problem"]["code"] == "unsupported-format"
    assert third["answer"]["verdict"] == "non_match"
    result = run("verify", ada, *images)
    assert "Match" in result.stdout
    assert "No match" in result.stdout
    assert result.stdout.index("scan-4-7.png:") < result.stdout.index("scan-2-0.png:")
    assert "notes.txt: " in result.stderr
    code, said = answer("identify", images[0], images[2])
    assert code == 1
    assert [one["answer"]["verdict"] for one in said["answers"]] == ["identified", "not_enrolled"]


def test_what_concerns_all_images_ends_the_command(run: Run, registry: None, scan: Scan) -> None:
    result = run("verify", "nobody", scan(ADA, 0), scan(ADA, 1))
    assert (result.exit_code, result.stdout) == (2, "")
    assert "is not enrolled" in result.stderr


def test_an_image_from_stdin(ada: str, scan: Scan) -> None:
    sent = scan(ADA, 7).read_bytes()
    for arguments in (("verify", ada, "-"), ("identify", "-"), ("enroll", ada, "-")):
        result = CliRunner().invoke(main, [*arguments, "--json"], input=sent)
        assert result.exit_code == 0, result.output
        assert json.loads(result.stdout)
    references = [str(scan(ADA, n)) for n in range(3)]
    result = CliRunner().invoke(main, ["compare", "-", *references], input=sent)
    assert result.exit_code == 0, result.output


def test_stdin_is_read_once(ada: str, run: Run, scan: Scan) -> None:
    for arguments in (("verify", ada, "-", "-"), ("compare", "-", scan(ADA, 0), "-")):
        result = run(*arguments)
        assert result.exit_code == 2
        assert "can be read once" in result.stderr


def test_a_stdin_without_an_end_is_refused(ada: str) -> None:
    result = CliRunner().invoke(main, ["verify", ada, "-"], input=b"\0" * (10 * 2**20 + 1))
    assert result.exit_code == 4
    assert "more than" in result.stderr


@pytest.mark.parametrize(
    ("verdicts", "code"),
    [
        (["match"], 0),
        (["non_match"], 1),
        (["inconclusive"], 3),
        ([None], 4),
        (["something-new"], 2),
        (["match", "match"], 0),
        (["match", "inconclusive"], 3),
        (["inconclusive", "non_match"], 1),
        (["non_match", None, "match"], 4),
    ],
)
def test_the_gravest_answer_gives_the_exit_code(
    verdicts: list[str | None], code: int, capsys: pytest.CaptureFixture[str]
) -> None:
    def asked(verdict: str | None) -> Told:
        if verdict is None:
            return Told("x.png", problem={"detail": "no ink"})
        figures = dict.fromkeys(
            ("score", "threshold", "non_match_threshold", "log_lr", "log_lr_random"), 0.0
        )
        shown = Verification(
            **figures,
            verdict=verdict,
            operating_point="",
            log_lr_bound=1,
            log_lr_random_bound=1,
            quality=None,
            model=None,
            references=(),
        )
        return Told("x.png", shown)

    assert print_each([asked(one) for one in verdicts], lambda _: [], as_json=False) == code
