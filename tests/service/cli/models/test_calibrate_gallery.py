"""`countersign calibrate --gallery`: shows what would change, changes it, and takes it back."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from encoder.synthesis import encode_png, synthetic_writer
from service.composition import build_services
from service.settings import read_settings
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

Run = Callable[..., Result]
Answer = Callable[..., Any]
WRITERS, EACH = 25, 2


def enroll(writers: int) -> None:
    services = build_services(read_settings())
    for seed in range(1, writers + 1):
        hand = synthetic_writer(seed)
        uploads = [Upload(f"{n}.png", encode_png(hand.genuine(n))) for n in range(EACH)]
        parts = {"encoder": services.encoder, "registry": services.registry}
        create_writer(f"W-{seed}", "", uploads, **parts)
    services.close()


@pytest.fixture
def migrated(run: Run, data_dir: Path) -> Path:
    assert run("db", "upgrade").exit_code == 0
    return data_dir


def test_it_shows_changes_and_takes_back(run: Run, answer: Answer, migrated: Path) -> None:
    enroll(WRITERS)
    code, tried = answer("calibrate", "--gallery", "--dry-run")
    assert (code, tried["calibration_id"], tried["writers"]) == (0, None, WRITERS)
    assert (tried["references"], tried["probes"]) == (WRITERS * EACH, WRITERS * EACH)
    shown = run("calibrate", "--gallery", "--dry-run")
    words = " ".join(shown.stdout.split())
    for value in (tried["before"], tried["after"]):
        assert f"{value['naming']['threshold']:.3f}" in words
    assert "1.0 % [" in words
    told = tried["familiarity"]
    # Invented writers are nobody's.
    assert told["distance"] > told["limit"]
    assert "unlike anything that the model was calibrated on" in words
    assert f"{told['distance']:.2f} standard deviations" in words
    assert "Nothing was changed" in shown.stderr
    code, done = answer("calibrate", "--gallery")
    assert (code, done["calibration_id"], done["rule"]) == (0, 1, tried["rule"])
    assert done["rule_before"] == tried["rule_before"]
    scan = migrated / "query.png"
    scan.write_bytes(encode_png(synthetic_writer(1).genuine(EACH)))
    # Who is named, the gallery has said by now; how forgeries score, it cannot.
    assert "unlike" not in run("identify", scan).stdout
    said = " ".join(run("verify", "W-1", scan).stdout.replace("│", " ").split())
    assert "are unlike anything that the thresholds were measured on" in said
    code, again = answer("calibrate", "--gallery")
    assert (again["calibration_id"], again["rule_before"]) == (None, done["rule"])
    assert answer("calibrate", "--gallery", "--undo") == (0, {"calibration_id": None})
    assert answer("calibrate", "--gallery", "--undo") == (0, {"calibration_id": 1})
    assert "model's own rule" in run("calibrate", "--gallery", "--undo").stdout
    assert "from 25 writers" in run("calibrate", "--gallery", "--undo").stdout


def test_too_few_writers_are_told_how_many_are_needed(run: Run, migrated: Path) -> None:
    enroll(3)
    result = run("calibrate", "--gallery")
    assert result.exit_code == 2
    assert "from 25 writers" in result.stderr
    assert "3 of 3 here" in result.stderr


def test_there_may_be_nothing_to_take_back(run: Run, migrated: Path) -> None:
    result = run("calibrate", "--gallery", "--undo")
    assert result.exit_code == 2
    assert "nothing to undo" in result.stderr


def test_it_goes_alone(run: Run, tmp_path: Path) -> None:
    for arguments in (
        ("--gallery", tmp_path),
        ("--gallery", "--model", tmp_path),
        ("--gallery", "--into", tmp_path / "new"),
        ("--gallery", "--in-place"),
        ("--gallery", "--dry-run", "--undo"),
        ("--dry-run",),
        (tmp_path, "--dry-run", "--into", tmp_path / "new"),
    ):
        result = run("calibrate", *arguments)
        assert result.exit_code == 2
        assert "--gallery takes no FOLDER" in " ".join(result.stderr.split())


def test_json_alone_is_on_stdout(run: Run, migrated: Path) -> None:
    enroll(WRITERS)
    shown = run("calibrate", "--gallery", "--dry-run", "--json")
    assert json.loads(shown.stdout)["after"]["naming"]["fpir"]["value"] == pytest.approx(0.01)
