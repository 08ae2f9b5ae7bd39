"""Bulk import: resumable, honest about refusals, and safe against a sudden end."""

import csv
import gc
import os
import re
import shutil
import signal
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from encoder.errors import OversizeImage
from index.registry.registry import Registry
from service.transfer.sources.files import read_upload, shown

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Folder = Callable[..., Path]
Start = Callable[..., subprocess.Popen[str]]


def enrolled(data_dir: Path) -> dict[str, int]:
    registry = Registry(f"sqlite:///{data_dir / 'registry.db'}")
    writers = registry.writers.page(limit=200).writers
    registry.close()
    return {one.writer_id: one.reference_count for one in writers}


def test_imports_everyone_and_passes_over_them_the_second_time(
    registry: None, answer: Answer, run: Run, writers_folder: Folder, data_dir: Path
) -> None:
    folder = writers_folder(range(1, 5), 3)
    code, said = answer("import", folder, "--batch-size", 5)
    assert code == 0
    assert said == {
        "complete": True,
        "files": 12,
        "enrolled": 12,
        "already_there": 0,
        "skipped": 0,
        "refused": [],
        "reviewed": True,
        "warnings": [],
    }
    assert enrolled(data_dir) == {f"w-{n}": 3 for n in range(1, 5)}
    code, said = answer("import", folder)
    assert (code, said["enrolled"], said["already_there"]) == (0, 0, 12)
    assert answer("index", "check")[1]["index_count"] == 12
    result = run("import", folder)
    assert re.search(r"already there\W+12", result.stdout)


def test_python_collects_garbage_after_an_import_as_before(
    registry: None, answer: Answer, writers_folder: Folder
) -> None:
    assert answer("import", writers_folder(range(1, 2), 2))[0] == 0
    assert gc.get_freeze_count() == 0


def test_new_files_of_a_known_writer_are_added(
    registry: None, answer: Answer, writers_folder: Folder, scan: Callable[..., Path]
) -> None:
    folder = writers_folder(range(1, 3), 2)
    answer("import", folder)
    (folder / "w-1" / "later.png").write_bytes(scan(1, 8).read_bytes())
    _, said = answer("import", folder)
    assert (said["enrolled"], said["already_there"]) == (1, 4)


def test_the_same_image_twice_is_enrolled_once(
    registry: None, answer: Answer, writers_folder: Folder, data_dir: Path
) -> None:
    folder = writers_folder(range(1, 2), 2)
    (folder / "w-1" / "copy.png").write_bytes((folder / "w-1" / "scan 0.png").read_bytes())
    for batch_size in (32, 1):
        _, said = answer("import", folder, "--batch-size", batch_size)
    assert enrolled(data_dir) == {"w-1": 2}
    assert (said["enrolled"], said["already_there"]) == (0, 3)


def test_what_cannot_be_imported_is_listed_and_the_rest_goes_on(
    registry: None, answer: Answer, run: Run, writers_folder: Folder, data_dir: Path, tmp_path: Path
) -> None:
    folder = writers_folder(range(1, 3), 2)
    good = (folder / "w-1" / "scan 0.png").read_bytes()
    (folder / "w-1" / "Forged_1.png").write_bytes(good)
    (folder / "w-1" / ".hidden").write_bytes(good)
    (folder / "w-1" / "torn.png").write_bytes(good[: len(good) // 2])
    (folder / "w-1" / "empty.png").write_bytes(b"")
    (folder / "w-1" / "older").mkdir()
    (folder / "w-2" / "gone.png").symlink_to(tmp_path / "nowhere.png")
    (folder / "nobody").mkdir()
    (folder / "nobody" / "notes.txt").write_text("no image")
    (folder / "Ada Example").mkdir()
    (folder / "Ada Example" / "scan.png").write_bytes(good)
    (folder / "loose.png").write_bytes(good)
    (folder / "README.txt").write_text("about these scans")
    file = tmp_path / "refused.csv"
    code, said = answer("import", folder, "--refused", file)
    assert file.stat().st_mode & 0o777 == 0o600
    assert code == 4
    assert (said["complete"], said["enrolled"], said["skipped"]) == (True, 4, 3)
    assert {one["filename"]: one["code"] for one in said["refused"]} == {
        "w-1/torn.png": "damaged-image",
        "w-1/empty.png": "empty-file",
        "w-1/older": "not-a-file",
        "w-2/gone.png": "not-a-file",
        "nobody/notes.txt": "unsupported-format",
        "Ada Example/": "invalid-writer-id",
        "loose.png": "no-writer",
    }
    with file.open(newline="", encoding="utf-8") as lines:
        rows = list(csv.DictReader(lines))
    assert {(row["file"], row["code"]) for row in rows} == {
        (one["filename"], one["code"]) for one in said["refused"]
    }
    assert enrolled(data_dir) == {"w-1": 2, "w-2": 2}  # Who has no usable image is not created.
    assert "Ada Example/" in run("import", folder).stdout


def test_names_that_are_no_text_are_kept_readable(
    registry: None, answer: Answer, run: Run, scan: Callable[..., Path], tmp_path: Path
) -> None:
    folder = tmp_path / "odd" / "w-1"
    folder.mkdir(parents=True)
    odd = folder / os.fsdecode(b"\xff.png")
    odd.write_bytes(scan(1, 0).read_bytes())
    (folder / os.fsdecode(b"\xfe.png")).write_bytes(b"no image")
    (tmp_path / "odd" / os.fsdecode(b"\xfd")).mkdir()
    code, said = answer("import", folder.parent)
    assert (code, said["enrolled"]) == (4, 1)
    assert {one["filename"] for one in said["refused"]} == {"w-1/\ufffd.png", "\ufffd/"}
    assert run("import", folder.parent).exit_code == 4
    assert run("enroll", "w-2", odd).exit_code == 0


def test_a_file_or_folder_that_cannot_be_read_is_refused(
    registry: None, answer: Answer, writers_folder: Folder, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = writers_folder(range(1, 3), 2)
    open_file, iterdir = Path.open, Path.iterdir

    def opened(path: Path, mode: str = "r", **options: Any) -> Any:
        if path.name == "scan 1.png":
            raise PermissionError(13, "Permission denied", str(path))
        return open_file(path, mode, **options)

    def listed(path: Path) -> Iterator[Path]:
        if path.name == "w-2":
            raise PermissionError(13, "Permission denied", str(path))
        return iterdir(path)

    # Tests may run as root, who may read anything.
    monkeypatch.setattr(Path, "open", opened)
    monkeypatch.setattr(Path, "iterdir", listed)
    code, said = answer("import", folder)
    assert (code, said["enrolled"]) == (4, 1)
    assert {one["filename"]: one["code"] for one in said["refused"]} == {
        "w-1/scan 1.png": "unreadable-file",
        "w-2/": "unreadable-folder",
    }
    assert all("Permission denied" in one["reason"] for one in said["refused"])


def test_folders_that_cannot_be_imported(registry: None, run: Run, tmp_path: Path) -> None:
    flat = tmp_path / "flat"
    flat.mkdir()
    (flat / "scan.png").write_bytes(b"")
    for folder, words in (
        (flat, "one folder for each writer"),
        (tmp_path / "missing", "does not exist"),
        (flat / "scan.png", "Expected a folder of writers' folders, a whole zip"),
    ):
        result = run("import", folder)
        assert result.exit_code == 2
        assert words in result.stderr
    result = run("import", flat, "--refused", tmp_path / "no" / "where.csv")
    assert result.exit_code == 2
    assert result.stdout == ""


def acknowledged(line: str) -> int:
    """How many references a line of progress says are enrolled."""
    found = re.search(r"(\d+) enrolled", line)
    assert found, line
    return int(found[1])


def test_killed_in_the_middle_it_has_kept_what_it_acknowledged(
    registry: None,
    answer: Answer,
    start: Start,
    writers_folder: Folder,
    data_dir: Path,
) -> None:
    folder = writers_folder(range(1, 13), 5)
    importing = start("import", folder, "--batch-size", 4)
    assert importing.stderr
    said = [acknowledged(importing.stderr.readline()) for _ in range(3)]
    importing.send_signal(signal.SIGKILL)
    said += [acknowledged(line) for line in importing.stderr.read().splitlines()]
    assert importing.wait() == -signal.SIGKILL
    kept = sum(enrolled(data_dir).values())
    assert said[-1] <= kept < 60
    code, check = answer("index", "check")
    assert (code, check["clean"], check["registry_count"]) == (0, True, kept)
    code, rest = answer("import", folder)
    assert (code, rest["already_there"], rest["enrolled"]) == (0, kept, 60 - kept)
    assert enrolled(data_dir) == {f"w-{n}": 5 for n in range(1, 13)}
    assert answer("index", "check")[1]["index_count"] == 60


def test_interrupted_it_ends_cleanly_and_says_how_to_go_on(
    registry: None, answer: Answer, start: Start, writers_folder: Folder, data_dir: Path
) -> None:
    folder = writers_folder(range(1, 4), 5)
    for writer in list(folder.iterdir()):  # Enough that the signal never comes too late.
        for copy in range(15):
            shutil.copytree(writer, folder / f"{writer.name}-{copy}")
    importing = start("import", folder, "--batch-size", 1)
    assert importing.stderr
    importing.stderr.readline()
    importing.send_signal(signal.SIGINT)
    stdout, stderr = importing.communicate()
    assert importing.returncode == 130
    assert "run the same command again" in stderr
    assert "Traceback" not in stderr
    assert re.search(r"not looked at\W+[1-9]", stdout)
    kept = sum(enrolled(data_dir).values())
    assert answer("import", folder)[1]["enrolled"] == 3 * 16 * 5 - kept


def test_what_tells_no_size_is_read_no_further_than_an_image_may_be_long(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    command = ["/bin/sh", "-c", f"head -c {11 * 2**20} /dev/zero > '{pipe}'"]
    with subprocess.Popen(command), pytest.raises(OversizeImage):
        read_upload(pipe)


def test_a_name_cannot_command_a_terminal() -> None:
    assert shown("a\x1b[2J\nb é.png") == "a\ufffd[2J\ufffdb é.png"
