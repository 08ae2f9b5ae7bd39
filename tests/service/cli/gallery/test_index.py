"""`countersign index` on saved indexes that are whole, damaged, foreign or out of step."""

import json
import sqlite3
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
def gallery(registry: None, answer: Answer, writers_folder: Callable[..., Path]) -> int:
    """Six references of three writers, and a saved index of them."""
    assert answer("import", writers_folder(range(1, 4), 2))[1]["enrolled"] == 6
    assert answer("index", "stats")[1]["size"] == 6
    return 6


def saved_index(data_dir: Path) -> Path:
    manifest = json.loads((data_dir / "snapshots" / "manifest.json").read_text())
    return data_dir / "snapshots" / str(manifest["file"])


def flip_a_byte(path: Path) -> None:
    content = bytearray(path.read_bytes())
    content[len(content) // 2] ^= 1
    path.write_bytes(content)


def cut_short(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-100])


def of_another_model(path: Path) -> None:
    manifest = path.parent / "manifest.json"
    content = json.loads(manifest.read_text())
    manifest.write_text(json.dumps({**content, "model_id": "0" * 64}))


def test_a_saved_index_is_used_and_clean(gallery: int, answer: Answer, run: Run) -> None:
    code, said = answer("index", "check")
    assert (code, said["clean"], said["index_count"]) == (0, True, gallery)
    assert said["opened"] == {"source": "snapshot", "reason": None, "applied": 0}
    result = run("index", "check")
    assert "Clean" in result.stdout
    assert result.stderr == ""


DAMAGES = {
    flip_a_byte: "damaged",
    cut_short: "damaged",
    of_another_model: "model",
    Path.unlink: "No such file",
}


@pytest.mark.parametrize("command", ["check", "stats"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_a_bad_snapshot_is_reported_and_replaced(
    gallery: int, run: Run, data_dir: Path, command: str, damage: Callable[[Path], None]
) -> None:
    damage(saved_index(data_dir))
    result = run("index", command, "--json")
    assert result.exit_code == 0, result.stderr
    opened = json.loads(result.stdout)["opened"]
    assert opened["source"] == "rebuilt"
    assert DAMAGES[damage] in opened["reason"]
    opened = json.loads(run("index", command, "--json").stdout)["opened"]
    assert opened["source"] == "snapshot"
    damage(saved_index(data_dir))
    result = run("index", command)
    assert DAMAGES[damage] in result.stderr
    assert "rebuilt from the registry" in result.stderr


def test_identify_works_from_a_bad_snapshot(
    gallery: int, answer: Answer, scan: Scan, data_dir: Path
) -> None:
    flip_a_byte(saved_index(data_dir))
    assert answer("identify", scan(2, 5))[1]["candidates"][0]["writer_id"] == "w-2"


def test_an_index_out_of_step_is_found_out_and_rebuilt(
    gallery: int, run: Run, answer: Answer, data_dir: Path
) -> None:
    with sqlite3.connect(data_dir / "registry.db") as registry:
        # Behind the change log's back, as no command of Countersign does it.
        registry.execute(
            "UPDATE embeddings SET vector ="
            " (SELECT vector FROM embeddings ORDER BY reference_id DESC LIMIT 1)"
            " WHERE reference_id = (SELECT min(reference_id) FROM embeddings)"
        )
    registry.close()
    code, said = answer("index", "check")
    assert (code, said["clean"]) == (1, False)
    assert said["different"] == [1]
    assert "countersign index rebuild" in run("index", "check").stdout
    code, said = answer("index", "rebuild")
    assert (code, said["embedded"], said["unusable"]) == (0, 0, [])
    assert answer("index", "check")[1]["clean"] is True


@pytest.fixture
def before_models_could_be_switched(gallery: int, data_dir: Path) -> None:
    """The registry as an earlier version left it: embeddings, and no word of an active model."""
    with sqlite3.connect(data_dir / "registry.db") as registry:
        registry.execute("DELETE FROM model_switches")
    registry.close()


@pytest.mark.usefixtures("before_models_could_be_switched")
def test_another_model_is_refused_until_rebuild_has_embedded_for_it(
    gallery: int,
    run: Run,
    answer: Answer,
    scan: Scan,
    other_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(other_model))
    result = run("index", "check")
    assert result.exit_code == 2
    assert "countersign index rebuild" in result.stderr
    code, said = answer("index", "rebuild")
    assert (code, said["embedded"], said["unusable"]) == (0, gallery, [])
    assert said["index"]["size"] == gallery
    assert answer("index", "check")[1]["opened"]["source"] == "snapshot"
    assert answer("identify", scan(3, 5))[1]["candidates"][0]["writer_id"] == "w-3"
    monkeypatch.delenv("COUNTERSIGN_MODEL")
    _, said = answer("index", "check")  # The registry has made it its own.
    assert said["clean"] is True
    assert said["opened"]["source"] == "snapshot"


@pytest.mark.usefixtures("before_models_could_be_switched")
def test_references_that_the_model_makes_nothing_of_are_listed(
    gallery: int,
    answer: Answer,
    run: Run,
    data_dir: Path,
    other_model: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with sqlite3.connect(data_dir / "registry.db") as registry:
        registry.execute("UPDATE signature_references SET image = x'00' WHERE reference_id = 2")
    registry.close()
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(other_model))
    code, said = answer("index", "rebuild")
    assert (code, said["embedded"]) == (1, gallery - 1)
    assert [one["reference_id"] for one in said["unusable"]] == [2]
    result = run("index", "rebuild")
    assert result.exit_code == 1
    assert "will not start" in result.stdout


def test_an_erased_writer_is_shown_to_be_gone(
    gallery: int, data_dir: Path, answer: Answer, run: Run
) -> None:
    code, said = answer("index", "check", "--erased", "w-1")
    assert (code, said["clean"], said["enrolled"], said["erased"]) == (1, False, True, 0)
    registry = Registry(f"sqlite:///{data_dir / 'registry.db'}")
    registry.writers.erase("w-1")  # And then the process died, before it forgot the snapshot.
    registry.close()
    code, said = answer("index", "check", "--erased", "w-1")
    assert (code, said["clean"], said["enrolled"], said["erased"]) == (0, True, False, 2)
    assert said["in_index"] == said["in_snapshot"] == []
    assert "None of the 2 references" in run("index", "check", "--erased", "w-1").stdout
