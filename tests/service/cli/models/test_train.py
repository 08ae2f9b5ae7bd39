"""`countersign train` and `export`: thin over the encoder, clear where it cannot be."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from service.cli.models.train import RECIPES

ROOT = Path(__file__).parents[4]
Run = Callable[..., Result]


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
    pytest.importorskip("encoder.training.train", reason="needs the extra `train`")
    recipes = pytest.importorskip("encoder.training.recipes", reason="needs the extra `train`")
    assert set(RECIPES) == set(recipes.RECIPES)
    result = run("train", "--data", tmp_path, "--run", tmp_path / "run", "--epochs", 1)
    assert result.exit_code == 2
    assert "genuine_" in result.stderr
    assert result.stdout == ""
    result = run("export", tmp_path, tmp_path / "model", "--data", tmp_path, "--no-keras")
    assert result.exit_code == 2
    assert "run.json" in result.stderr
    assert not (tmp_path / "model").exists()
