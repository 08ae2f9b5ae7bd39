"""The demo's writers, and the signatures to try on them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

from click.testing import Result

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


def test_demo_writers_can_be_told_from_each_other_and_from_strangers(
    demo: Path, answer: Answer
) -> None:
    for number in range(1, 5):
        _, said = answer("identify", demo / f"DEMO-{number:02}-genuine.png", "--top", 1)
        assert [one["writer_id"] for one in said["candidates"]] == [f"DEMO-{number:02}"]
    assert answer("identify", demo / "not-enrolled-1.png")[0] == 1


def test_the_demo_never_mixes_with_anyone_enrolled(
    demo_folder: Path, data_dir: Path, run: Run
) -> None:
    assert run("db", "upgrade").exit_code == 0
    references = [demo_folder / "probes" / f"new-writer-{n}.png" for n in (1, 2)]
    assert run("enroll", "C-1", *references).exit_code == 0
    result = run("demo")
    assert result.exit_code == 2
    assert "empty registry" in result.stderr


def test_signatures_to_try_are_written_beside_the_demos_writers(
    demo: Path, answer: Answer, tmp_path: Path
) -> None:
    code, said = answer("demo", "--probes", tmp_path / "again")
    assert code == 0
    assert said["references"] == 0
    names = sorted(path.name for path in (tmp_path / "again").iterdir())
    assert names == sorted(path.name for path in demo.iterdir())
