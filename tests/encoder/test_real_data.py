"""The shipped model on real signatures of writers it was not trained on, where they are at hand."""

from pathlib import Path

import pytest

from encoder.evaluation.evaluate import FEW_DRAWS, Effort, evaluate
from encoder.evaluation.protocols import plan_folds
from encoder.imaging.acquire import acquire
from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.inference.encoder import load_encoder

SIGNATURES = Path(__file__).parents[3] / "shared" / "signatures"
SETS = ("cedar", "bhsig260_bengali")

pytestmark = [
    pytest.mark.real_data,
    pytest.mark.skipif(
        not SIGNATURES.is_dir(), reason="the real signatures are not beside the checkout"
    ),
]


@pytest.mark.parametrize("name", SETS)
def test_errors_on_held_out_writers_are_those_the_manifest_states(name: str) -> None:
    encoder = load_encoder()
    folder = SIGNATURES / name
    report = evaluate(
        folder, plan_folds(folder, [encoder], "holdout"), effort=Effort(FEW_DRAWS, replicates=0)
    )
    stated = encoder.manifest["metrics"]["test"][name]
    assert report["held_out_from_training"]
    assert report["failures_to_acquire"] == 0
    for references in ("1", "5", "10"):
        found = report["results"][references]
        for rate in ("eer_skilled", "eer_random"):
            assert found[rate] == pytest.approx(stated[references][rate], abs=0.003)
        assert found["rank_1"] == pytest.approx(stated[references]["rank_1"], abs=0.02)
        # Forgeries easier than other people's signatures would mean that a leak was learned.
        assert found["eer_skilled"] > found["eer_random"]
    assert report["results"]["5"]["eer_skilled"] < 0.20
    assert report["results"]["5"]["rank_1"] > 0.95


@pytest.mark.parametrize("name", [*SETS, "crossmedia_chinese"])
def test_real_scans_are_accepted(name: str) -> None:
    paths = sorted((SIGNATURES / name).glob("*/*.png"))[::97]
    assert len(paths) > 20
    for path in paths:
        assert acquire(path.read_bytes()).canvas.any()


def test_a_scanned_edge_of_a_real_forgery_is_left_out() -> None:
    """Some forgeries of one CEDAR writer carry the edge of the sheet as a vertical line."""
    for path in sorted((SIGNATURES / "cedar").glob("029/forged_*.png")):
        cleaned = clean(decode(path.read_bytes()).gray)
        columns = (cleaned.ink > 0).mean(axis=0)
        assert columns.max() < 0.9, path.name
