"""`countersign evaluate`: thin over the encoder, clear where it cannot measure."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from click.testing import Result

from encoder.evaluation.protocols import PROTOCOLS as PLANNED_PROTOCOLS
from encoder.synthesis import encode_png, synthetic_writer
from service.cli.models.evaluate import PROTOCOLS

Run = Callable[..., Result]
Answer = Callable[..., tuple[int, Any]]


@pytest.fixture(scope="module")
def signatures(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Eight invented writers with six genuine signatures and two forgeries each."""
    root = tmp_path_factory.mktemp("models") / "invented"
    for seed in range(8):
        folder = root / f"{seed:02}"
        folder.mkdir(parents=True)
        writer = synthetic_writer(300 + seed)
        for n in range(6):
            (folder / f"genuine_{n}.png").write_bytes(encode_png(writer.genuine(n)))
        for n in range(2):
            (folder / f"forged_{n}.png").write_bytes(encode_png(writer.forgery(n)))
    return root


def test_the_choices_are_those_of_the_encoder() -> None:
    assert PROTOCOLS == PLANNED_PROTOCOLS


def test_evaluate_prints_error_rates_by_number_of_references(
    answer: Answer, run: Run, signatures: Path
) -> None:
    arguments = ("evaluate", signatures, "--baseline", "hog", "--draws", 3, "--replicates", 50)
    code, said = answer(*arguments)
    assert code == 0
    assert said["protocol"] == "holdout"
    one = said["sets"][0]
    assert one["writers"] == 8
    # The shipped model's run, as its manifest tells.
    assert [(m["epochs"], m["best_epoch"]) for m in one["models"]] == [(1, 1)]
    for results in (one["results"], one["baselines"]["hog"]["results"]):
        assert set(results) == {"1", "3", "5"}
        for row in results.values():
            low, high = row["intervals"]["eer_skilled"]
            assert 0 <= low <= row["eer_skilled"] <= high <= 1
    result = run(*arguments)
    assert "EER skilled" in result.stdout
    assert "baseline hog" in result.stdout
    assert "fmr_skilled=5%" in result.stdout
    assert f"{100 * one['results']['5']['eer_skilled']:.1f}" in result.stdout


def test_evaluate_writes_a_page_and_a_card_comes_of_its_json(
    run: Run, signatures: Path, tmp_path: Path
) -> None:
    page, report = tmp_path / "report.html", tmp_path / "report.json"
    options = ("--draws", 1, "--replicates", 10, "--html", page, "--json")
    report.write_text(run("evaluate", signatures, *options).stdout)
    assert page.read_text().startswith("<!doctype html>")
    card = run("model-card", report)
    assert card.exit_code == 0
    assert card.stdout.startswith("# Model card\n")
    assert card.stdout == json.loads(run("model-card", report, "--json").stdout)["markdown"]
    page.write_text("[]")
    for other in (page, signatures / "00" / "genuine_0.png"):
        refused = run("model-card", other)
        assert refused.exit_code == 2
        assert "is not what countersign evaluate --json prints" in refused.stderr


def test_evaluate_refuses_a_folder_without_writers(run: Run, tmp_path: Path) -> None:
    result = run("evaluate", tmp_path)
    assert result.exit_code == 2
    assert "genuine_" in result.stderr


def test_evaluate_refuses_models_that_do_not_fit_the_protocol(run: Run, signatures: Path) -> None:
    result = run("evaluate", signatures, "--protocol", "crossval")
    assert result.exit_code == 2
    assert "exactly one model" in result.stderr
    shipped = Path(__file__).parents[4] / "encoder" / "models" / "lean"
    twice = ("--model", shipped, "--model", shipped)
    assert "crossval" in run("evaluate", signatures, *twice).stderr
    assert "one --model" in run("evaluate", signatures, *twice, "--all-writers").stderr
