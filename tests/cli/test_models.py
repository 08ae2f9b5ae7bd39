"""`countersign train`, `export` and `evaluate`: thin over the encoder, clear where it cannot be."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from encoder.synthesis import encode_png, synthetic_writer
from service.cli.models import RECIPES

ROOT = Path(__file__).parents[2]
Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight invented writers with six genuine signatures and two forgeries each."""
    root = tmp_path_factory.mktemp("models") / "invented"
    for seed in range(8):
        folder = root / f"{seed:02}"
        folder.mkdir(parents=True)
        writer = synthetic_writer(300 + seed)
        for n in range(6):
            (folder / f"genuine_{n}.png").write_bytes(encode_png(writer.genuine(n)))
        for n in range(2):
            (folder / f"forged_{n}.png").write_bytes(encode_png(writer.forgery(n)))
    return root


def test_evaluate_prints_error_rates_by_number_of_references(
    answer: Answer, run: Run, signatures: Path
) -> None:
    code, said = answer("evaluate", signatures)
    assert code == 0
    assert said["writers"] == 8
    assert set(said["results"]) == {"1", "5"}
    for row in said["results"].values():
        assert 0 <= row["eer_random"] <= row["eer_skilled"] <= 1
    result = run("evaluate", signatures)
    assert "EER skilled" in result.stdout
    assert f"{100 * said['results']['5']['eer_skilled']:.2f}%" in result.stdout


def test_evaluate_refuses_a_folder_without_writers(run: Run, tmp_path: Path) -> None:
    result = run("evaluate", tmp_path)
    assert result.exit_code == 2
    assert "genuine_" in result.stderr


@pytest.mark.parametrize("package", ["keras", "tensorflow"])
def test_without_the_training_packages_it_says_how_to_install_them(
    tmp_path: Path, package: str
) -> None:
    program = (
        "import sys\n"
        f"sys.modules[{package!r}] = None\n"  # Importing it now fails as if it were not there.
        "from service.cli import main\n"
        "main()\n"
    )
    for arguments in (
        ("train", "--data", tmp_path, "--run", tmp_path / "run"),
        ("export", tmp_path, tmp_path / "model", "--data", tmp_path),
    ):
        done = subprocess.run(
            [sys.executable, "-c", program, *map(str, arguments)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 2, done.stderr
        assert f"{package} is not installed" in done.stderr
        assert 'pip install -e ".[train]"' in done.stderr
        assert "Traceback" not in done.stderr


def test_train_and_export_refuse_folders_that_they_cannot_use(run: Run, tmp_path: Path) -> None:
    training = pytest.importorskip("encoder.train", reason="needs the extra `train`")
    assert set(RECIPES) == set(training.RECIPES)
    result = run("train", "--data", tmp_path, "--run", tmp_path / "run", "--epochs", 1)
    assert result.exit_code == 2
    assert "genuine_" in result.stderr
    assert result.stdout == ""
    result = run("export", tmp_path, tmp_path / "model", "--data", tmp_path, "--no-keras")
    assert result.exit_code == 2
    assert "run.json" in result.stderr
    assert not (tmp_path / "model").exists()
