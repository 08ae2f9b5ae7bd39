"""`countersign adapt`: a model for the gallery that is there; what is stored stays as it is."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result

from encoder.calibration.model_update import write_beside
from encoder.inference.artifact import SHIPPED
from encoder.inference.encoder import load_encoder
from encoder.scoring.centring import centre_of, centred
from service.cli.session import open_registry
from service.models.adapt import embeddings_by_writer

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]
WRITERS = range(100, 112)


@pytest.fixture
def gallery(registry: None, run: Run, writers_folder: Callable[..., Path]) -> None:
    """Twelve invented writers with three references each."""
    assert run("import", writers_folder(WRITERS, 3)).exit_code == 0


def test_adapts_to_the_gallery_and_decides_by_it(
    gallery: None,
    run: Run,
    answer: Answer,
    scan: Callable[[int, int], Path],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    model = tmp_path / "ours"
    result = run("adapt", "--into", model, "--json")
    assert result.exit_code == 0, result.stderr
    assert "12 writers are few" in result.stderr
    said = json.loads(result.stdout)
    assert (said["writers"], said["references"]) == (12, 36)

    plain, adapted = load_encoder(), load_encoder(model)
    with open_registry() as (_, registry, encoder):
        claims = registry.embeddings.claims([f"w-{seed}" for seed in WRITERS], encoder.model_id)
        streamed = list(embeddings_by_writer(registry, encoder.model_id))
    assert [len(vectors) for vectors in streamed] == [3] * 12
    centre = sum(c.vectors.astype(np.float64).mean(axis=0) for c in claims.values()) / (12 + 5)
    assert adapted.rule.centre == pytest.approx(tuple(centre), abs=1e-6)
    assert said["length"] == pytest.approx(np.linalg.norm(centre), abs=1e-4)
    assert adapted.model_id == plain.model_id == said["model_id"]
    assert adapted.rule.calibrations == plain.centred_rule.calibrations
    assert adapted.manifest["adapted_to"]["writers"] == 12
    less = [centred(vectors, adapted.rule.offset) for vectors in streamed]
    assert abs(centre_of(less, 576).lift) < said["lift"] / 2

    query = scan(103, 8)
    code, before = answer("verify", "w-103", query)
    assert code == 0
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(model))
    code, after = answer("verify", "w-103", query)
    assert code == 0
    probe = plain.describe(plain.acquire(query.read_bytes()).canvas[np.newaxis]).vectors[0]
    moved = [(v - centre) / np.linalg.norm(v - centre) for v in (probe, *claims["w-103"].vectors)]
    similarities = [one @ moved[0] for one in moved[1:]]
    shown = [one["similarity"] for one in after["references"]]
    assert shown == pytest.approx(similarities, abs=1e-4)
    assert after["score"] != pytest.approx(before["score"], abs=1e-3)
    assert after["model"]["id"] == before["model"]["id"]
    assert after["model"]["rule"] == adapted.rule.rule_id != before["model"]["rule"]
    assert f"rule {adapted.rule.rule_id}" in run("verify", "w-103", query).stdout
    code, found = answer("identify", query)
    assert found["candidates"][0]["writer_id"] == "w-103"
    assert found["candidates"][0]["score"] == pytest.approx(after["score"], abs=1e-6)

    again = run("adapt", "--into", tmp_path / "again")  # From the adapted model: nothing adds up.
    assert "36 references of 12 writers" in again.stdout
    assert load_encoder(tmp_path / "again").rule == adapted.rule


def test_few_writers_are_refused_and_nothing_is_written(
    registry: None, run: Run, writers_folder: Callable[..., Path], tmp_path: Path
) -> None:
    model = tmp_path / "ours"
    empty = run("adapt", "--into", model)
    assert empty.exit_code == 2
    assert "references of 10 writers or more" in empty.stderr
    assert run("import", writers_folder(range(100, 109), 1)).exit_code == 0
    nine = run("adapt", "--into", model)
    assert nine.exit_code == 2
    assert "those of 9" in nine.stderr
    assert not model.exists()
    assert run("adapt").exit_code == 2
    assert "holds a model already" in run("adapt", "--into", SHIPPED).stderr


def test_thresholds_calibrated_before_are_left_behind_and_said_so(
    gallery: None, run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    former = tmp_path / "former"
    about = {"data": "ours", "former": {}}
    write_beside(SHIPPED, former, {"calibrated_on": about})
    monkeypatch.setenv("COUNTERSIGN_MODEL", str(former))
    result = run("adapt", "--into", tmp_path / "ours")
    assert result.exit_code == 0
    assert "calibrated on ours are left behind" in result.stderr
    assert load_encoder(tmp_path / "ours").manifest["calibrated_on"] is None
    assert "exported with" in run("calibrate", "--model", tmp_path / "ours", "--undo").stderr
