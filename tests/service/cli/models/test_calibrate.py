"""`countersign calibrate`: writes what could be moved, or nothing, and takes it back."""

import json
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import Result

from encoder.inference.encoder import load_encoder
from encoder.synthesis import encode_png, synthetic_writer

Run = Callable[..., Result]


@pytest.fixture(scope="module")
def ours(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Ten invented writers with four genuine signatures and three forgeries each."""
    root = tmp_path_factory.mktemp("calibrating") / "ours"
    for seed in range(10):
        folder = root / f"{seed:02}"
        folder.mkdir(parents=True)
        writer = synthetic_writer(700 + seed)
        for n in range(4):
            (folder / f"genuine_{n}.png").write_bytes(encode_png(writer.genuine(n)))
        for n in range(3):
            (folder / f"forged_{n}.png").write_bytes(encode_png(writer.forgery(n)))
    return root


def test_calibrates_into_a_folder_then_in_place_then_back(
    run: Run, ours: Path, tmp_path: Path
) -> None:
    model = tmp_path / "model"
    result = run("calibrate", ours, "--into", model, "--json")
    assert result.exit_code == 0, result.stderr
    said = json.loads(result.stdout)
    assert said["calibrated_on"]["writers"] == 10
    lax = [c for c in said["changes"] if c["what"] == "fmr_skilled=10% match"]
    assert [c["kept_because"] == "" for c in lax if c["references"] <= 3] == [True] * 3
    assert {c["kept_because"] for c in lax if c["references"] >= 5} == {"needs 10 writers, has 0"}
    usual = [c for c in said["changes"] if c["what"] == "fmr_skilled=5% match"]
    # Of 30 forgeries of ten writers, 60 of 20 are needed to move it by themselves.
    assert [0 < c["share"] < 1 for c in usual if c["references"] <= 3] == [True] * 3
    assert said["calibrated_on"]["match_from_own_forgeries"] == []
    first = load_encoder(model).rule
    assert first != load_encoder().rule
    shown = run("calibrate", ours, "--model", model, "--in-place")
    table = " ".join(shown.stdout.replace("│", " ").split())
    assert "needs 20 writers, has 10" in table
    again = run("calibrate", ours, "--into", tmp_path / "another").stdout
    assert "% by these" in " ".join(again.replace("│", " ").split())
    assert "COUNTERSIGN_MODEL" in shown.stderr
    assert "calibration on ours" in run("calibrate", "--model", model, "--undo").stdout
    assert run("calibrate", "--model", model, "--undo", "--json").exit_code == 0
    assert load_encoder(model).rule == load_encoder().rule
    assert "exported with" in run("calibrate", "--model", model, "--undo").stderr


def test_where_nothing_can_be_moved_nothing_is_written(
    run: Run, ours: Path, tmp_path: Path
) -> None:
    few, model = tmp_path / "few", tmp_path / "model"
    few.mkdir()
    for name in ("00", "01"):
        (few / name).symlink_to(ours / name)
    result = run("calibrate", few, "--into", model)
    assert result.exit_code == 1
    assert "nothing was written" in result.stderr
    assert not model.exists()


def test_it_wants_to_know_where_to(run: Run, ours: Path, tmp_path: Path) -> None:
    for arguments in (
        (ours,),
        (ours, "--in-place", "--into", tmp_path / "x"),
        ("--in-place",),
        (ours, "--undo"),
    ):
        assert run("calibrate", *arguments).exit_code == 2
