"""`countersign reencode` and `countersign model`: another model in, put to use, and back."""

import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from encoder.inference.artifact import SHIPPED, read_artifact, replace_facts
from service.cli.session import caller

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
Scan = Callable[[int, int], Path]
SHIPPED_ID = read_artifact().model_id


@pytest.fixture
def gallery(registry: None, answer: Answer, writers_folder: Callable[..., Path]) -> int:
    """Twelve references of four writers."""
    assert answer("import", writers_folder(range(1, 5), 3))[1]["enrolled"] == 12
    return 12


@pytest.fixture
def other_id(other_model: Path) -> str:
    return read_artifact(other_model).model_id


def switches(data_dir: Path) -> list[tuple[str, str]]:
    """Which model became the active one, and by whom."""
    with closing(sqlite3.connect(data_dir / "registry.db")) as connection:
        query = "SELECT model_id, caller FROM model_switches ORDER BY sequence"
        return connection.execute(query).fetchall()


def states(answer: Answer) -> dict[str, tuple[str | None, int]]:
    return {
        one["model_id"]: (one["state"], one["missing"])
        for one in answer("model", "list")[1]["models"]
    }


def test_there_and_back(
    *,
    gallery: int,
    run: Run,
    answer: Answer,
    scan: Scan,
    other_model: Path,
    other_id: str,
    data_dir: Path,
) -> None:
    assert states(answer) == {SHIPPED_ID: ("active", 0)}
    code, said = answer("reencode", "--model", other_model)
    assert (code, said["embedded"], said["missing"], said["unusable"]) == (0, gallery, 0, [])
    assert states(answer) == {SHIPPED_ID: ("active", 0), other_id: (None, 0)}
    assert answer("verify", "w-1", scan(1, 7))[1]["model"]["id"] == SHIPPED_ID
    assert answer("enroll", "w-9", scan(9, 0), scan(9, 1))[0] == 0
    for file in other_model.iterdir():  # The registry has its own copy.
        file.unlink()
    code, said = answer("model", "switch", other_id[:8])
    assert (code, said["active"]["id"], said["before"]) == (0, other_id, SHIPPED_ID)
    assert said["embedded"] == 2
    assert states(answer) == {SHIPPED_ID: ("before", 0), other_id: ("active", 0)}
    assert "already" in run("model", "switch", other_id[:8]).stdout
    assert answer("verify", "w-1", scan(1, 7))[1]["model"]["id"] == other_id
    found = answer("identify", scan(9, 5))[1]
    assert (found["model"]["id"], found["candidates"][0]["writer_id"]) == (other_id, "w-9")
    assert answer("index", "check")[1]["clean"]
    assert answer("enroll", "w-8", scan(8, 0))[0] == 0
    assert states(answer)[SHIPPED_ID] == ("before", 1)
    code, said = answer("model", "rollback")
    assert (code, said["active"]["id"], said["embedded"]) == (0, SHIPPED_ID, 1)
    assert states(answer) == {SHIPPED_ID: ("active", 0), other_id: ("before", 0)}
    found = answer("identify", scan(8, 5))[1]
    assert (found["model"]["id"], found["candidates"][0]["writer_id"]) == (SHIPPED_ID, "w-8")
    assert answer("index", "check")[1]["clean"]
    assert switches(data_dir) == [
        (SHIPPED_ID, "start"),
        (other_id, caller()),
        (SHIPPED_ID, caller()),
    ]


@pytest.mark.usefixtures("gallery")
def test_a_model_that_lacks_too_much_is_refused_with_how_many(
    run: Run,
    answer: Answer,
    other_model: Path,
    other_id: str,
    scan: Scan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    answer("reencode", "--model", other_model)
    monkeypatch.setattr("service.models.switching.COMPLETES", 3)
    assert answer("enroll", "w-9", *(scan(9, n) for n in range(4)))[0] == 0
    result = run("model", "switch", other_id[:8])
    assert result.exit_code == 2
    assert "yet to see 4 of 16 references" in result.stderr
    assert "countersign reencode" in result.stderr
    assert states(answer)[SHIPPED_ID] == ("active", 0)


def test_what_cannot_be_named_is_refused(
    gallery: int, run: Run, other_model: Path, other_id: str
) -> None:
    result = run("model", "switch", "nobody")
    assert (result.exit_code, "no model" in result.stderr) == (2, True)
    run("reencode", "--model", other_model)
    result = run("model", "switch", "lean")  # Both are called so.
    assert result.exit_code == 2
    assert "more than one" in result.stderr
    assert other_id[:12] in result.stderr
    result = run("model", "rollback")
    assert result.exit_code == 2
    assert "nothing to go back to" in result.stderr


def test_references_without_a_signature_are_listed_and_keep_the_model_from_use(
    gallery: int, run: Run, answer: Answer, data_dir: Path, other_model: Path, other_id: str
) -> None:
    with sqlite3.connect(data_dir / "registry.db") as registry:
        registry.execute("UPDATE signature_references SET image = x'00' WHERE reference_id = 2")
    registry.close()
    code, said = answer("reencode", "--model", other_model)
    assert (code, said["embedded"], said["missing"]) == (1, gallery - 1, 1)
    assert [one["reference_id"] for one in said["unusable"]] == [2]
    assert "no signature" in run("reencode", "--model", other_model).stdout
    result = run("model", "switch", other_id[:8])
    assert result.exit_code == 2
    assert "numbers 2)" in result.stderr
    assert states(answer)[SHIPPED_ID] == ("active", 0)


@pytest.mark.usefixtures("gallery")
def test_the_registry_decides_and_a_contradiction_is_refused(
    run: Run,
    answer: Answer,
    other_model: Path,
    other_id: str,
    scan: Scan,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(other_model))
    result = run("identify", scan(1, 7))
    assert result.exit_code == 2
    assert "countersign reencode" in result.stderr
    assert "COUNTERSIGN_MODEL" in result.stderr
    assert answer("reencode", "--model", other_model)[0] == 0
    assert answer("model", "switch", other_id[:8])[0] == 0
    assert answer("identify", scan(1, 7))[1]["model"]["id"] == other_id
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(SHIPPED))
    result = run("model", "rollback")
    assert "COUNTERSIGN_MODEL" in result.stderr


@pytest.mark.usefixtures("registry")
def test_an_interrupted_reencoding_goes_on_where_it_stopped(
    answer: Answer,
    data_dir: Path,
    other_model: Path,
    other_id: str,
    writers_folder: Callable[..., Path],
    start: Callable[..., Any],
) -> None:
    assert answer("import", writers_folder(range(1, 31), 5))[1]["enrolled"] == 150
    process = start("reencode", "--model", other_model, "--json")
    with sqlite3.connect(data_dir / "registry.db") as registry_file:
        seen = 0
        while not seen and process.poll() is None:
            seen = registry_file.execute(
                "SELECT count(*) FROM embeddings WHERE model_id = ?", (other_id,)
            ).fetchone()[0]
    registry_file.close()
    process.send_signal(signal.SIGKILL)
    process.wait()
    _, missing = states(answer)[other_id]
    assert 0 < missing < 150
    code, said = answer("reencode", "--model", other_model)
    assert (code, said["embedded"], said["missing"]) == (0, missing, 0)
    assert answer("model", "switch", other_id[:8])[0] == 0
    assert answer("index", "check")[1]["clean"]


def test_what_another_model_would_change_is_counted(
    gallery: int, run: Run, answer: Answer, other_model: Path, other_id: str
) -> None:
    answer("reencode", "--model", other_model)
    code, said = answer("model", "compare", SHIPPED_ID[:8], other_id[:8])
    assert (code, said["probes"], said["alone"]) == (0, gallery, 0)
    assert said["genuine"]["compared"] == gallery
    assert said["random_forgery"]["compared"] == gallery * 3
    assert said["identification"]["old"] == said["identification"]["new"] == gallery
    # The same network under another name changes nothing.
    for asked in ("genuine", "random_forgery", "identification"):
        assert said[asked]["up"] == said[asked]["down"] == 0
    assert answer("model", "compare", SHIPPED_ID[:8], other_id[:8], "--limit", 5)[1]["probes"] == 5
    assert "12 references" in run("model", "compare", SHIPPED_ID[:8], other_id[:8]).stdout


def test_a_stricter_model_is_seen_to_be(
    gallery: int, answer: Answer, other_model: Path, other_id: str
) -> None:
    manifest = json.loads((other_model / "manifest.json").read_text(encoding="utf-8"))
    for calibration in manifest["decision"]["calibrations"]:
        for point in calibration["points"].values():
            point["match"] = point["non_match"] = 20.0
    replace_facts(other_model, {"decision": manifest["decision"]})
    answer("reencode", "--model", other_model)
    said = answer("model", "compare", SHIPPED_ID[:8], other_id[:8])[1]
    assert said["genuine"]["new"] == said["genuine"]["up"] == 0
    assert said["genuine"]["down"] >= said["genuine"]["old"] > 0
    assert {one["new"] for one in said["genuine"]["verdicts"]} == {"non_match"}
    assert said["identification"]["down"] == 0
