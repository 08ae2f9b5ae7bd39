"""The controls find a leak that was planted, and the slices are thirds of writers."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from encoder.datasets.folder import list_writers, read_folder
from encoder.evaluation.evaluate import embed_folds
from encoder.evaluation.pooling import people_in, pool_trials
from encoder.evaluation.protocols import Fold, unprotected_fold
from encoder.evaluation.stress.shortcut_controls import VIEWS, measure_controls, ridge_scores
from encoder.evaluation.subgroups import slice_rates
from encoder.inference.encoder import load_encoder
from encoder.metrics.confidence_intervals import draw_weights
from encoder.metrics.error_rates import area_under_curve


def with_another_scanner(source: Path, target: Path) -> Path:
    """The same signatures, forgeries on paper 25 grey levels darker: what CEDAR's scanners did."""
    for path in sorted(source.glob("*/*.png")):
        levels = np.asarray(Image.open(io.BytesIO(path.read_bytes())).convert("L")).astype(int)
        if path.name.startswith("forged"):
            levels = np.clip(levels - 25, 0, 255)
        place = target / path.parent.name / path.name
        place.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(levels.astype(np.uint8)).save(place)
    return target


def test_ridge_tells_apart_what_differs() -> None:
    rng = np.random.default_rng(0)
    labels = (np.arange(200) < 60).astype(float)
    features = np.column_stack([labels + rng.normal(0, 0.2, 200), rng.normal(size=(200, 5))])
    constant = np.column_stack([features, np.ones(200)])
    scores = ridge_scores(constant[::2], labels[::2], constant[1::2])
    truth = labels[1::2]
    assert area_under_curve(scores[truth == 1], scores[truth == 0]) > 0.99
    noise = ridge_scores(features[::2, 1:], labels[::2], features[1::2, 1:])
    assert 0.3 < area_under_curve(noise[truth == 1], noise[truth == 0]) < 0.7


def test_a_planted_scanner_is_found_and_binarising_hides_it(
    writers_folder: Path, tmp_path: Path
) -> None:
    encoder = load_encoder()
    honest = measure_controls(writers_folder, unprotected_fold(writers_folder, encoder))
    folder = with_another_scanner(writers_folder, tmp_path / "leaky")
    leaky = measure_controls(folder, unprotected_fold(folder, encoder))
    assert honest is not None
    assert leaky is not None
    assert set(honest["auc"]) == set(VIEWS)
    assert honest["auc"]["background"] < 0.8
    assert leaky["auc"]["background"] > 0.95
    assert leaky["auc"]["binarised canvas"] == pytest.approx(
        honest["auc"]["binarised canvas"], abs=0.1
    )
    assert 0 <= leaky["eer_skilled"]["strokes of one width"] <= 1


def test_no_controls_without_forgeries(writers_folder: Path, tmp_path: Path) -> None:
    for path in writers_folder.glob("00[0-3]/genuine_0[0-2]*"):
        place = tmp_path / path.parent.name / path.name
        place.parent.mkdir(exist_ok=True)
        place.write_bytes(path.read_bytes())
    assert measure_controls(tmp_path, unprotected_fold(tmp_path, load_encoder())) is None


def test_slices_are_thirds_of_the_writers(writers_folder: Path) -> None:
    folds = [Fold(load_encoder(), tuple(list_writers(writers_folder)), held_out=True)]
    sets = [read_folder(writers_folder, (144, 288))]
    embedded = embed_folds(folds, sets)
    pool = pool_trials(embedded, 3, 2)
    slices = slice_rates(pool, sets, draw_weights(people_in(embedded), 20))
    for what, names in (
        ("length", ("short", "middling", "long")),
        ("complexity", ("simple", "middling", "intricate")),
    ):
        rows = [slices[what][name] for name in names]
        assert sum(row["writers"] for row in rows) == 20
        assert min(row["writers"] for row in rows) >= 5
        means = [row["mean"] for row in rows]
        assert means == sorted(means)
        assert all("eer_skilled" in row for row in rows)
