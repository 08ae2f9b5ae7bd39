"""`countersign erase`: the writer is gone, and the proof says so without saying who it was."""

import hashlib
import json
import stat
from collections.abc import Callable
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result

from service.cli import main

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


def test_the_proof_says_what_was_erased_and_holds_no_image(
    ada: str,
    run: Run,
    answer: Answer,
    scan: Callable[[int, int], Path],
    tmp_path: Path,
    data_dir: Path,
) -> None:
    shown = answer("writers", "show", ada)[1]
    (data_dir / "backups").mkdir()
    (data_dir / "backups" / "before-upgrade-of-0009-1.zip").write_bytes(b"")
    file = tmp_path / "proof.json"
    erased = run("erase", ada, "--proof", file, "--yes")
    assert erased.exit_code == 0
    assert "1 backups made before upgrades" in erased.stderr
    assert "not enrolled" in run("writers", "show", ada).stderr
    text = file.read_text(encoding="utf-8")
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert "Example" not in text
    assert len(text) < 4000
    proof = json.loads(text)
    assert (proof["writer_id"], proof["reference_count"], proof["enrolled"]) == (ada, 5, False)
    assert [one["reference_id"] for one in proof["references"]] == [
        one["reference_id"] for one in shown["references"]
    ]
    sent = {hashlib.sha256(scan(4, n).read_bytes()).hexdigest() for n in range(5)}
    assert {one["image_sha256"] for one in proof["references"]} == sent
    assert proof["erasure"]["state"] == "purged"
    assert proof["index"] == {"in_index": [], "in_snapshot": []}
    assert proof["decisions"]["intact"] is True
    assert proof["backups_before_upgrades"] == 1
    told = proof.pop("sha256")
    canonical = json.dumps(proof, sort_keys=True, separators=(",", ":"))
    assert told == hashlib.sha256(canonical.encode()).hexdigest()


def test_a_proof_says_that_bytes_wait_for_a_reader(
    ada: str, run: Run, tmp_path: Path, data_dir: Path,
    reading: Callable[[Path], AbstractContextManager[None]],
) -> None:  # fmt: skip
    file = tmp_path / "proof.json"
    with reading(data_dir / "registry.db"):
        result = run("erase", ada, "--proof", file, "--yes")
    assert result.exit_code == 0
    assert "index check --erased" in result.stderr
    erasure = json.loads(file.read_text(encoding="utf-8"))["erasure"]
    assert (erasure["state"], erasure["purged_at"]) == ("erased", None)


def test_nothing_is_erased_without_a_yes_or_a_place_for_the_proof(
    ada: str, run: Run, tmp_path: Path
) -> None:
    file = tmp_path / "proof.json"
    refused = CliRunner().invoke(main, ["erase", ada, "--proof", str(file)], input="n\n")
    assert refused.exit_code == 1
    assert "with 5 references" in refused.stderr
    assert not file.exists()
    file.write_text("an older proof", encoding="utf-8")
    assert "exists already" in run("erase", ada, "--proof", file, "--yes").stderr
    assert file.read_text(encoding="utf-8") == "an older proof"
    assert run("writers", "show", ada).exit_code == 0


def test_who_is_unknown_leaves_no_proof(ada: str, run: Run, tmp_path: Path) -> None:
    file = tmp_path / "proof.json"
    result = run("erase", "C-404", "--proof", file, "--yes")
    assert result.exit_code == 2
    assert not file.exists()
