"""A CSV manifest names writers and their images; a bad line is refused by its number."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from index.registry.registry import Registry

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Scan = Callable[[int, int], Path]


@pytest.fixture
def names(data_dir: Path) -> Callable[[], dict[str, tuple[str, int]]]:
    """Ask for id -> (name, number of references) of everyone enrolled."""

    def ask() -> dict[str, tuple[str, int]]:
        registry = Registry(f"sqlite:///{data_dir / 'registry.db'}")
        writers = registry.writers.page(limit=200).writers
        registry.close()
        return {one.writer_id: (one.name, one.reference_count) for one in writers}

    return ask


@pytest.fixture
def manifest(tmp_path: Path, scan: Scan) -> Callable[..., Path]:
    """Write a manifest beside `scan-1-0.png` to `scan-2-2.png`."""
    for seed in (1, 2):
        for n in range(3):
            scan(seed, n)

    def write(*lines: str, encoding: str = "utf-8") -> Path:
        path = tmp_path / "writers.csv"
        path.write_text("\r\n".join(lines) + "\r\n", encoding=encoding, newline="")
        return path

    return write


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig"])
def test_names_and_images_come_from_the_manifest(
    registry: None, answer: Answer, manifest: Any, names: Any, encoding: str
) -> None:
    path = manifest(
        "writer_id,path,name",
        "C-1,scan-1-0.png,",
        'C-1,scan-1-1.png,"Zoë Example, née Ada"',
        "",
        "C-1,scan-1-2.png,",
        "C-2, scan-2-0.png ,",
        encoding=encoding,
    )
    code, said = answer("import", path)
    assert (code, said["files"], said["enrolled"], said["refused"]) == (0, 4, 4, [])
    assert names() == {"C-1": ("Zoë Example, née Ada", 3), "C-2": ("", 1)}
    assert answer("index", "check")[0] == 0


def test_columns_may_come_in_any_order_and_name_may_be_missing(
    registry: None, answer: Answer, manifest: Any, names: Any
) -> None:
    assert answer("import", manifest("path,writer_id", "scan-1-0.png,C-1"))[0] == 0
    assert names() == {"C-1": ("", 1)}
    # Who had no name gets it now, also where all images were there; who has one keeps it.
    named = ("path,writer_id,name", "scan-1-0.png,C-1,Ada")
    assert answer("import", manifest(*named))[1]["already_there"] == 1
    assert names() == {"C-1": ("Ada", 1)}
    answer("import", manifest("path,writer_id,name", "scan-1-1.png,C-1,Ben"))
    assert names() == {"C-1": ("Ada", 2)}


def test_bad_lines_are_refused_by_their_number(
    registry: None, answer: Answer, manifest: Any, names: Any, tmp_path: Path
) -> None:
    outside = tmp_path.parent / "outside.png"
    outside.write_bytes((tmp_path / "scan-2-1.png").read_bytes())
    path = manifest(
        "writer_id,path,name",
        "C-1,scan-1-0.png,Ada",
        "C-1,scan-1-0.png,Ada",
        "Ada Example,scan-1-1.png,",
        "C-2,,Ben",
        "C-2,missing.png,Ben",
        "C-2,../outside.png,Ben",
        f"C-2,{outside},Ben",
        "C-1,scan-1-1.png,Eve",
        "C-2,scan-2-0.png,Ben,surplus",
        "C-2,forged_scan.png,Ben",
        "C-2,scan-2-0.png,\x07Ben",
        f"C-2,scan-2-0.png,{'B' * 201}",
        'C-2,"scan-2-0.png","Ben"',
        "C-2",
    )
    path.write_bytes(path.read_bytes() + b"C-2,scan-2-1.png,B\xe9n\r\n")
    report = tmp_path / "refused.csv"
    code, said = answer("import", path, "--refused", report)
    assert code == 4
    assert {one["filename"]: one["code"] for one in said["refused"]} == {
        "line 4: scan-1-1.png": "invalid-writer-id",
        "line 5: ": "no-path",
        "line 6: missing.png": "unreadable-file",
        "line 7: ../outside.png": "unsafe-path",
        f"line 8: {outside}": "unsafe-path",
        "line 9: scan-1-1.png": "other-name",
        "line 10: scan-2-0.png": "too-many-columns",
        "line 12: scan-2-0.png": "unclean-text",
        "line 13: scan-2-0.png": "invalid-name",
        "line 15: ": "no-path",
        "line 16: scan-2-1.png": "unclean-text",
    }
    assert (said["enrolled"], said["already_there"], said["skipped"]) == (2, 1, 1)
    assert names() == {"C-1": ("Ada", 1), "C-2": ("Ben", 1)}
    lines = report.read_text(encoding="utf-8").splitlines()
    assert any(line.startswith("line 6: missing.png,C-2,unreadable-file,") for line in lines)


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ((), "line 1: expected the columns"),
        (("writer,file", "C-1,scan-1-0.png"), "line 1: expected the columns"),
        (("writer_id;path", "C-1;scan-1-0.png"), "separated by commas"),
        (("writer_id,path,path", "C-1,a,b"), "line 1: expected the columns"),
        (("writer_id,path", "C-1,scan-1-0.png", 'C-1,"scan"-1-1.png'), "after line 2"),
        (("writer_id,path", "C-1,scan-1-0.png", 'C-1,"scan-1-1.png'), "after line 2"),
    ],
)
def test_manifests_that_cannot_be_read(
    registry: None, run: Run, manifest: Any, names: Any, lines: tuple[str, ...], words: str
) -> None:
    result = run("import", manifest(*lines))
    assert result.exit_code == 2
    assert words in result.stderr
    assert names() == {}
