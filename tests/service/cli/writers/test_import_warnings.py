"""An import tells strangers among a writer's references, and references of two writers."""

import csv
import stat
from collections.abc import Callable
from pathlib import Path

import cv2
import pytest

from encoder.synthesis import encode_png, synthetic_writer
from index.errors import IndexUnavailable
from service.transfer import review


def jpeg(seed: int, n: int) -> bytes:
    options = [cv2.IMWRITE_JPEG_QUALITY, 70]
    return bytes(cv2.imencode(".jpg", synthetic_writer(seed).genuine(n), options)[1])


def png(seed: int, n: int) -> bytes:
    return encode_png(synthetic_writer(seed).genuine(n))


@pytest.fixture
def put(tmp_path: Path) -> Callable[[str, bytes], Path]:
    """Add a file to a source, and return the source."""

    def write(name: str, data: bytes) -> Path:
        path = tmp_path / "scans" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)
        return tmp_path / "scans"

    return write


@pytest.fixture
def source(registry, put) -> Path:
    """Four writers of four references each."""
    for seed in (1, 2, 3, 4):
        for n in range(4):
            folder = put(f"W-{seed}/{n}.png", png(seed, n))
    return folder


def told(answer) -> dict[tuple[str, str], str]:
    return {(one["filename"], one["code"]): one["message"] for one in answer["warnings"]}


def test_an_orderly_import_has_nothing_to_tell(source, answer, run):
    code, done = answer("import", source)
    assert (code, done["enrolled"], done["reviewed"], done["warnings"]) == (0, 16, True, [])
    assert "worth a look" not in run("import", source).stdout


def test_a_stranger_among_a_writers_references_is_told(source, put, answer):
    put("W-1/other.png", png(9, 0))
    code, done = answer("import", source, "--batch-size", "3")
    assert (code, done["enrolled"]) == (0, 17)
    [warning] = done["warnings"]
    assert warning["filename"] == "W-1/other.png"
    assert (warning["writer_id"], warning["code"]) == ("W-1", "unlike-others")
    assert "'W-1/other.png' is unlike the other 4 references of this writer" in warning["message"]


@pytest.mark.parametrize(
    ("data", "what"),
    [
        (png(2, 1), "is the same file as reference"),
        (jpeg(2, 1), "is the same signature as reference"),
        (png(2, 7), "resembles the references of W-2 as one of theirs would"),
    ],
    ids=["file", "copy", "resembling"],
)
def test_a_collision_between_two_writers_of_one_import_is_told(source, put, answer, data, what):
    put("W-1/other.png", data)
    _, done = answer("import", source)
    found = told(done)
    assert what in found["W-1/other.png", "collision"]
    assert "W-2" in found["W-1/other.png", "collision"]
    # It is a stranger there too, and the other writer's file is told of where it is the same.
    assert ("W-1/other.png", "unlike-others") in found
    assert (("W-2/1.png", "collision") in found) == ("same" in what)
    rest = found.keys() - {("W-1/other.png", "collision"), ("W-1/other.png", "unlike-others")}
    # The other writer's are told of it too: somebody else has signatures like theirs.
    about = {"collision", "not-distinctive"}
    assert all(name.startswith("W-2/") and code in about for name, code in rest)


@pytest.mark.parametrize("data", [png(2, 1), jpeg(2, 1), png(2, 7)], ids=["file", "copy", "like"])
def test_a_collision_with_who_is_enrolled_already_is_told(source, put, answer, tmp_path, data):
    answer("import", source)
    (source).rename(tmp_path / "before")
    later = put("W-5/0.png", data)
    code, done = answer("import", later)
    assert code == 0
    [warning] = done["warnings"]
    assert (warning["filename"], warning["code"]) == ("W-5/0.png", "collision")
    assert "W-2" in warning["message"]


def test_an_import_that_is_run_again_tells_the_same(source, put, answer):
    put("W-1/other.png", png(2, 7))
    _, done = answer("import", source)
    _, again = answer("import", source)
    assert (again["enrolled"], again["already_there"]) == (0, 17)
    assert again["warnings"] == done["warnings"] != []


def test_a_reference_of_before_that_turns_out_a_stranger_is_told(
    source, put, answer, tmp_path, run
):
    stranger = tmp_path / "stranger.png"
    stranger.write_bytes(png(9, 0))
    assert run("enroll", "W-1", stranger).exit_code == 0
    _, done = answer("import", source)
    [warning] = done["warnings"]
    assert (warning["filename"], warning["code"]) == (None, "unlike-others")
    assert f"Reference {warning['reference_id']} is unlike" in warning["message"]


def test_warnings_are_listed_in_a_private_file_and_on_the_terminal(source, put, run, tmp_path):
    put("W-1/other.png", png(9, 0))
    report = tmp_path / "warnings.csv"
    done = run("import", source, "--warnings", report)
    assert done.exit_code == 0
    assert stat.S_IMODE(report.stat().st_mode) == 0o600
    [row] = list(csv.DictReader(report.open(encoding="utf-8", newline="")))
    assert list(row) == ["file", "writer", "reference", "code", "message"]
    assert (row["file"], row["writer"], row["code"]) == ("W-1/other.png", "W-1", "unlike-others")
    shown = " ".join(done.stdout.split())
    assert "unlike the writer's others │ 1" in shown
    assert "W-1/other.png" in shown


def test_where_the_index_cannot_be_searched_the_import_stays_and_says_so(
    source, answer, run, monkeypatch
):
    def fail(*_):
        raise IndexUnavailable("The index is away.")

    with monkeypatch.context() as broken:
        broken.setattr(review, "remarks", fail)
        done = run("import", source)
    assert done.exit_code == 1
    assert "The index is away." in done.stderr
    assert "Run the same command again" in done.stderr
    assert answer("import", source)[1]["already_there"] == 16


def test_what_is_interrupted_while_it_is_compared_stays_enrolled(source, answer, run, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as broken:
        broken.setattr(review, "remarks", interrupt)
        done = run("import", source)
    assert done.exit_code == 130
    assert "run the same command again" in done.stderr
    assert answer("import", source)[1]["already_there"] == 16


def test_a_gallery_file_is_looked_over_too(source, put, answer, run, tmp_path, monkeypatch):
    pytest.importorskip("pyarrow")
    put("W-1/other.png", png(2, 7))
    answer("import", source)
    assert run("gallery", "export", tmp_path / "g.parquet", "--images").exit_code == 0
    monkeypatch.setenv("COUNTERSIGN_DATA_DIR", str(tmp_path / "other"))
    assert run("db", "upgrade").exit_code == 0
    code, done = answer("gallery", "import", tmp_path / "g.parquet")
    assert (code, done["enrolled"]) == (0, 17)
    of_it = {one["code"] for one in done["warnings"] if one["writer_id"] == "W-1"}
    assert of_it == {"collision", "unlike-others"}
    rest = {(one["writer_id"], one["code"]) for one in done["warnings"]} - {
        ("W-1", x) for x in of_it
    }
    assert rest <= {("W-2", "not-distinctive"), ("W-2", "collision")}
    assert all(one["filename"].startswith("row ") for one in done["warnings"])
