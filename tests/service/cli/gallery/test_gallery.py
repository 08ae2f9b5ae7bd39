"""`countersign gallery`: out of one data folder and into another."""

import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from click.testing import Result

from index.registry.registry import Registry
from service.settings import read_settings

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Folder = Callable[..., Path]


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, run: Run) -> Callable[[str], None]:
    """Go on with another data folder, which is new."""

    def move(name: str) -> None:
        monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path / name))
        assert run("db", "upgrade").exit_code == 0

    return move


def candidates(answer: Answer, image: Path) -> list[tuple[str, float]]:
    _, said = answer("identify", image)
    return [(one["writer_id"], round(one["score"], 4)) for one in said["candidates"]]


@pytest.mark.parametrize("options", [[], ["--images"]])
def test_out_and_in_again(
    *,
    registry: None,
    answer: Answer,
    run: Run,
    writers_folder: Folder,
    scan: Callable[[int, int], Path],
    elsewhere: Callable[[str], None],
    tmp_path: Path,
    options: list[str],
) -> None:
    run("import", writers_folder(range(1, 5), 3))
    before = candidates(answer, scan(2, 9))
    file = tmp_path / "gallery.parquet"
    code, said = answer("gallery", "export", file, *options)
    assert code == 0
    assert (said["writers"], said["references"], said["left_out"]) == (4, 12, 0)
    assert said["images"] == bool(options)
    assert said["bytes"] == file.stat().st_size
    elsewhere("other")
    code, said = answer("gallery", "import", file)
    assert (code, said["complete"], said["enrolled"], said["refused"]) == (0, True, 12, [])
    assert before
    assert candidates(answer, scan(2, 9)) == before
    assert answer("index", "check")[1]["clean"]
    result = run("gallery", "import", file)
    assert result.exit_code == 0
    assert "12 already there" in result.stderr


def test_who_was_erased_comes_back_by_an_import_only(
    registry: None, answer: Answer, run: Run, writers_folder: Folder, tmp_path: Path
) -> None:
    run("import", writers_folder(range(1, 3), 2))
    file = tmp_path / "gallery.parquet"
    run("gallery", "export", file)
    erasing = Registry(read_settings().database_url)
    erasing.writers.erase("w-1")
    erasing.close()
    assert answer("index", "check", "--erased", "w-1")[0] == 0
    assert run("index", "rebuild").exit_code == 0
    assert answer("index", "stats")[1]["size"] == 2
    assert answer("gallery", "import", file)[1]["enrolled"] == 2
    code, check = answer("index", "check")
    assert (code, check["index_count"]) == (0, 4)


def test_what_is_refused_is_listed(
    registry: None, answer: Answer, run: Run, writers_folder: Folder, tmp_path: Path
) -> None:
    run("import", writers_folder(range(1, 2), 3))
    file, report = tmp_path / "gallery.parquet", tmp_path / "refused.csv"
    run("gallery", "export", file)
    table = pq.read_table(file)
    types = pa.array(["image/png", "text/html", "image/png"])
    place = table.schema.get_field_index("media_type")
    pq.write_table(table.set_column(place, table.schema.field(place), types), file)
    code, said = answer("gallery", "import", file, "--refused", report)
    assert (code, said["already_there"]) == (4, 2)
    lines = report.read_text(encoding="utf-8").splitlines()
    assert lines[0] == "file,writer,code,reason"
    assert lines[1].startswith("row 2,w-1,unsupported-format,")


def test_files_that_are_there_already_or_no_gallery(
    registry: None, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "gallery.parquet"
    assert run("gallery", "export", file).exit_code == 0
    again = run("gallery", "export", file)
    assert again.exit_code == 2
    assert "exists already" in again.stderr
    file.write_bytes(b"PAR1")
    result = run("gallery", "import", file)
    assert result.exit_code == 2
    assert "cannot be read as Parquet" in result.stderr


@pytest.mark.parametrize("command", ["export", "import"])
def test_without_pyarrow_it_says_what_to_install(
    registry: None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    for name in list(sys.modules):
        if name.startswith(("pyarrow", "service.transfer.gallery_")):
            monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    file = tmp_path / "gallery.parquet"
    if command == "import":
        file.write_bytes(b"PAR1")
    result = run("gallery", command, file)
    assert result.exit_code == 2
    assert "[parquet]" in result.stderr
