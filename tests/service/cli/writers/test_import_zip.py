"""A zip is imported where it lies; what is in it to do harm is refused, and the rest goes on."""

import re
import shutil
import signal
import stat
import struct
import subprocess
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from index.registry.registry import Registry

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Folder = Callable[..., Path]
Scan = Callable[[int, int], Path]
Start = Callable[..., subprocess.Popen[str]]


def enrolled(data_dir: Path) -> dict[str, int]:
    registry = Registry(f"sqlite:///{data_dir / 'registry.db'}")
    writers = registry.writers.page(limit=200).writers
    registry.close()
    return {one.writer_id: one.reference_count for one in writers}


def zipped(folder: Path, method: int = zipfile.ZIP_DEFLATED, inside: str = "") -> Path:
    path = folder.with_suffix(".zip")
    with zipfile.ZipFile(path, "w", method) as archive:
        for file in sorted(folder.rglob("*")):
            archive.write(file, Path(inside) / file.relative_to(folder))
    return path


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])
@pytest.mark.parametrize("inside", ["", "scans of May"])
def test_a_zip_is_as_good_as_its_folder(
    registry: None, answer: Answer, writers_folder: Folder, data_dir: Path, method: int, inside: str
) -> None:
    folder = writers_folder(range(1, 4), 3)
    archive = zipped(folder, method, inside)
    assert answer("import", archive)[1]["enrolled"] == 9
    assert enrolled(data_dir) == {"w-1": 3, "w-2": 3, "w-3": 3}
    assert answer("index", "check")[0] == 0
    for again in (archive, folder):
        code, said = answer("import", again)
        assert (code, said["enrolled"], said["already_there"]) == (0, 0, 9)


def test_what_is_refused_in_a_zip(
    registry: None, answer: Answer, scan: Scan, tmp_path: Path
) -> None:
    path, good = tmp_path / "odd.zip", scan(1, 0).read_bytes()
    link = zipfile.ZipInfo("w-1/link.png")
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("w-1/scan.png", good)
        archive.writestr("w-1/copy.png", good)
        archive.writestr("w-1/forged_1.png", scan(2, 0).read_bytes())
        archive.writestr("__MACOSX/w-1/._scan.png", b"notes")
        archive.writestr("notes.txt", b"about these")
        archive.writestr("loose.png", good)
        archive.writestr("/w-1/absolute.png", scan(1, 1).read_bytes())
        archive.writestr("w-1/../../up.png", scan(1, 2).read_bytes())
        archive.writestr("..\\w-1\\windows.png", scan(1, 3).read_bytes())
        archive.writestr("Ada Example/scan.png", good)
        archive.writestr("w-1/more/scan.png", good)
        archive.writestr("w-1/inner.zip", b"PK\x03\x04 and so on")
        archive.writestr("w-1/disguised.png", b"PK\x03\x04 and so on")
        archive.writestr(link, "/etc/passwd")
        archive.writestr("w-1/lzma.png", good, zipfile.ZIP_LZMA)
        archive.writestr("w-1/huge.bmp", bytes(11 * 2**20), zipfile.ZIP_DEFLATED)
        archive.writestr("w-1/bomb.bmp", bytes(9 * 2**20), zipfile.ZIP_DEFLATED)
        archive.writestr("w-1/text.png", b"no image")
    report = tmp_path / "refused.csv"
    code, said = answer("import", path, "--refused", report)
    assert code == 4
    assert {one["filename"]: one["code"] for one in said["refused"]} == {
        "loose.png": "no-writer",
        "/w-1/absolute.png": "unsafe-path",
        "w-1/../../up.png": "unsafe-path",
        "..\\w-1\\windows.png": "unsafe-path",
        "Ada Example/": "invalid-writer-id",
        "w-1/more": "not-a-file",
        "w-1/inner.zip": "nested-zip",
        "w-1/disguised.png": "nested-zip",
        "w-1/link.png": "not-a-file",
        "w-1/lzma.png": "unsupported-compression",
        "w-1/huge.bmp": "too-many-bytes",
        "w-1/bomb.bmp": "zip-bomb",
        "w-1/text.png": "unsupported-format",
    }
    assert (said["enrolled"], said["already_there"], said["skipped"]) == (1, 1, 3)
    lines = report.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,writer,code,reason"
    assert any(line.startswith("w-1/bomb.bmp,w-1,zip-bomb,") for line in lines)


def test_an_encrypted_member_is_refused(
    registry: None, answer: Answer, writers_folder: Folder
) -> None:
    archive = zipped(writers_folder(range(1, 2), 2))
    data = bytearray(archive.read_bytes())
    entry = data.index(b"PK\x01\x02")
    while data[entry + 46 : entry + 50] != b"w-1/" or data[entry + 50] == ord("P"):
        entry = data.index(b"PK\x01\x02", entry + 4)
    entry = data.index(b"PK\x01\x02", entry + 4)  # The folder's own entry comes first.
    data[entry + 8] |= 1
    archive.write_bytes(data)
    code, said = answer("import", archive)
    assert (code, said["enrolled"]) == (4, 1)
    assert [one["code"] for one in said["refused"]] == ["encrypted"]


def test_a_member_that_is_not_as_long_as_it_says_is_refused(
    registry: None, answer: Answer, writers_folder: Folder
) -> None:
    archive = zipped(writers_folder(range(1, 2), 2))
    data = bytearray(archive.read_bytes())
    entry = data.rindex(b"PK\x01\x02")
    data[entry + 24 : entry + 28] = struct.pack("<L", 1000)  # Uncompressed size, in the directory.
    archive.write_bytes(data)
    code, said = answer("import", archive)
    assert (code, said["enrolled"]) == (4, 1)
    assert [one["code"] for one in said["refused"]] == ["damaged-member"]


def test_members_that_share_bytes_are_a_bomb(
    registry: None, run: Run, writers_folder: Folder, data_dir: Path
) -> None:
    archive = zipped(writers_folder(range(1, 2), 5), zipfile.ZIP_STORED)
    data = archive.read_bytes()
    start = data.index(b"PK\x01\x02")
    one = data[data.rindex(b"PK\x01\x02") : data.rindex(b"PK\x05\x06")]
    end = struct.pack("<4s4H2LH", b"PK\x05\x06", 0, 0, 90, 90, 90 * len(one), start, 0)
    archive.write_bytes(data[:start] + 90 * one + end)
    result = run("import", archive)
    assert result.exit_code == 2
    assert "share bytes" in result.stderr
    assert enrolled(data_dir) == {}


def test_no_zip_and_a_zip_without_writers(
    registry: None, run: Run, writers_folder: Folder, tmp_path: Path
) -> None:
    whole = zipped(writers_folder(range(1, 2), 2))
    torn = tmp_path / "torn.zip"
    torn.write_bytes(whole.read_bytes()[:2000])
    broken = tmp_path / "broken.zip"
    data = bytearray(whole.read_bytes())
    data[data.index(b"PK\x01\x02") + 1] = 0
    broken.write_bytes(data)
    empty = tmp_path / "empty.zip"
    with zipfile.ZipFile(empty, "w") as archive:
        archive.writestr("scan.png", b"")
    for path, words in (
        (torn, "a whole zip"),
        (broken, "no zip that can be read"),
        (empty, "one folder for each writer"),
    ):
        result = run("import", path)
        assert result.exit_code == 2
        assert words in result.stderr


def test_killed_in_the_middle_of_a_zip_it_goes_on_where_it_was(
    registry: None, answer: Answer, start: Start, writers_folder: Folder, data_dir: Path
) -> None:
    folder = writers_folder(range(1, 13), 5)
    archive = zipped(folder)
    shutil.rmtree(folder)
    importing = start("import", archive, "--batch-size", 4)
    assert importing.stderr
    lines = [importing.stderr.readline() for _ in range(3)]
    importing.send_signal(signal.SIGKILL)
    lines += importing.stderr.read().splitlines()
    assert importing.wait() == -signal.SIGKILL
    acknowledged = re.search(r"(\d+) enrolled", lines[-1])
    assert acknowledged
    kept = sum(enrolled(data_dir).values())
    assert int(acknowledged[1]) <= kept < 60
    code, rest = answer("import", archive)
    assert (code, rest["already_there"], rest["enrolled"]) == (0, kept, 60 - kept)
    assert enrolled(data_dir) == {f"w-{n}": 5 for n in range(1, 13)}
    assert answer("index", "check")[1]["index_count"] == 60
