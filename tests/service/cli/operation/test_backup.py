"""`countersign backup`, `restore` and `erasures`: out and back in, and nobody comes back."""

import json
import sqlite3
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from click.testing import Result
from sqlalchemy import create_engine

from index.registry.schema_version import _config, head_revision

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Scan = Callable[[int, int], Path]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Name an empty data folder for what runs from now on."""
    folder = tmp_path / "elsewhere"
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(folder))
    return folder


def test_a_backup_comes_back_and_verifies_as_before(
    ada: str, answer: Answer, run: Run, scan: Scan, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    before = answer("verify", ada, scan(4, 9))[1]
    file = tmp_path / "a.zip"
    code, made = answer("backup", file)
    assert code == 0
    assert made["rows"]["writers"] == 1
    assert made["rows"]["signature_references"] == 5
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    folder = request.getfixturevalue("elsewhere")
    code, told = answer("restore", file, "--without-erasures")
    assert (code, told["from"], told["to"]) == (0, head_revision(), head_revision())
    after = answer("verify", ada, scan(4, 9))[1]
    assert (after["score"], after["verdict"]) == (before["score"], before["verdict"])
    assert answer("index", "check")[1]["clean"]
    assert stat.S_IMODE((folder / "registry.db").stat().st_mode) == 0o600
    assert run("backup", file).exit_code == 2


def test_a_backup_is_on_record(ada: str, answer: Answer, data_dir: Path, tmp_path: Path) -> None:
    made = answer("backup", tmp_path / "a.zip")[1]
    connection = sqlite3.connect(data_dir / "registry.db")
    (details,) = connection.execute(
        "SELECT details FROM audit_entries WHERE kind = 'backup.made'"
    ).fetchone()
    connection.close()
    assert json.loads(details)["sha256"] == made["sha256"]


def test_a_restore_wants_the_list_of_erasures_or_to_be_told_that_there_is_none(
    ada: str, run: Run, tmp_path: Path, elsewhere: Path
) -> None:
    file = tmp_path / "none.zip"
    file.write_bytes(b"")
    for options in ((), ("--erasures", file, "--without-erasures")):
        result = run("restore", file, *options)
        assert result.exit_code == 2
        assert "countersign erasures export" in result.stderr


def test_who_was_erased_does_not_come_back(
    ada: str, run: Run, answer: Answer, scan: Scan, tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    assert run("enroll", "C-2", scan(7, 0)).exit_code == 0
    file, erasures = tmp_path / "a.zip", tmp_path / "erasures.json"
    assert run("backup", file).exit_code == 0
    assert run("erase", ada, "--yes").exit_code == 0
    code, told = answer("erasures", "export", erasures)
    assert (code, told["erasures"], told["left_out"]) == (0, 1, 0)
    assert stat.S_IMODE(erasures.stat().st_mode) == 0o600
    assert ada not in erasures.read_text(encoding="utf-8")
    assert "--replace" in run("erasures", "export", erasures).stderr
    assert run("erasures", "export", erasures, "--replace").exit_code == 0
    request.getfixturevalue("elsewhere")
    code, told = answer("restore", file, "--erasures", erasures)
    assert (code, told["erased_again"]) == (0, {"writers": 1, "references": 5})
    assert "not enrolled" in run("writers", "show", ada).stderr
    assert run("writers", "show", "C-2").exit_code == 0
    assert answer("index", "check", "--erased", ada)[0] == 0


@pytest.mark.parametrize("change", [lambda text: text[:-20], lambda text: text.replace("1", "2")])
def test_a_damaged_list_of_erasures_brings_nobody_back(
    ada: str, run: Run, tmp_path: Path, change: Callable[[str], str], elsewhere: Path,
    data_dir: Path, monkeypatch: pytest.MonkeyPatch,
) -> None:  # fmt: skip
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(data_dir))
    file, erasures = tmp_path / "a.zip", tmp_path / "erasures.json"
    assert run("backup", file).exit_code == 0
    assert run("erase", ada, "--yes").exit_code == 0
    assert run("erasures", "export", erasures).exit_code == 0
    erasures.write_text(change(erasures.read_text(encoding="utf-8")), encoding="utf-8")
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(elsewhere))
    result = run("restore", file, "--erasures", erasures)
    assert result.exit_code == 2
    assert "erasures.json" in result.stderr
    assert not (elsewhere / "registry.db").exists()


def test_an_upgrade_backs_up_what_it_upgrades_and_keeps_the_last_few(
    ada: str, run: Run, answer: Answer, data_dir: Path, request: pytest.FixtureRequest
) -> None:
    assert answer("db", "upgrade")[1]["backup"] is None
    assert not (data_dir / "backups").exists()
    made = []
    for _ in range(4):
        make_older(data_dir / "registry.db")
        result = run("db", "upgrade")
        assert result.exit_code == 0
        told = result.stderr.partition("before the upgrade: ")[2].strip()
        made.append(Path(told))
        assert made[-1].parent == data_dir / "backups"
    assert sorted((data_dir / "backups").iterdir()) == sorted(made[1:])
    assert stat.S_IMODE((data_dir / "backups").stat().st_mode) == 0o700
    assert run("writers", "show", ada).exit_code == 0
    make_older(data_dir / "registry.db")
    assert answer("db", "upgrade", "--no-backup")[1]["backup"] is None
    assert len(list((data_dir / "backups").iterdir())) == 3
    request.getfixturevalue("elsewhere")
    code, told = answer("restore", made[-1], "--without-erasures")
    assert (code, told["from"], told["to"]) == (0, "0011", head_revision())
    assert run("writers", "show", ada).exit_code == 0


def make_older(file: Path) -> None:
    """Take the registry back to schema 0011."""
    config = _config()
    engine = create_engine(f"sqlite:///{file}")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.downgrade(config, "0011")
    engine.dispose()


def test_an_upgrade_that_cannot_be_backed_up_changes_nothing(
    ada: str, run: Run, answer: Answer, data_dir: Path
) -> None:
    make_older(data_dir / "registry.db")
    (data_dir / "backups").write_bytes(b"in the way")
    result = run("db", "upgrade")
    assert result.exit_code == 2
    assert answer("db", "current")[1]["current"] == "0011"


def test_a_full_disk_is_told_before_anything_is_written(
    ada: str, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Full:
        free = 1000

    monkeypatch.setattr("index.backup.make.shutil.disk_usage", lambda _path: Full)
    result = run("backup", tmp_path / "a.zip")
    assert result.exit_code == 2
    assert "MiB are needed" in result.stderr
    assert not (tmp_path / "a.zip").exists()
