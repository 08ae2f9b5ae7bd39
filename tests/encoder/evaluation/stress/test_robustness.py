"""Perturbations, and the table of what they do."""

import json
from pathlib import Path

import numpy as np
import pytest

from encoder.errors import TrainingDataError
from encoder.evaluation.protocols import unprotected_fold
from encoder.evaluation.stress.perturbations import PERTURBATIONS
from encoder.evaluation.stress.robustness import measure_perturbations
from encoder.imaging.acquire import acquire
from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.inference.encoder import load_encoder
from encoder.synthesis import encode_png, synthetic_writer


@pytest.fixture(scope="module")
def gray() -> np.ndarray:
    return decode(encode_png(synthetic_writer(42).genuine(0))).gray


def applied(name: str, gray: np.ndarray, seed: int = 0) -> np.ndarray:
    return PERTURBATIONS[name](gray, np.random.default_rng(seed))


@pytest.mark.parametrize("name", PERTURBATIONS)
def test_each_is_by_seed_and_leaves_ink(name: str, gray: np.ndarray) -> None:
    before = gray.copy()
    changed = applied(name, gray)
    assert changed.dtype == np.uint8
    assert np.array_equal(changed, applied(name, gray))
    assert np.array_equal(gray, before)
    assert clean(changed).ink.any()
    assert np.array_equal(changed, gray) == (name == "as scanned")


def test_what_they_do_to_the_ink(gray: np.ndarray) -> None:
    plain = clean(gray)
    width = plain.stroke_width_px
    assert clean(applied("strokes 1 px thicker", gray)).stroke_width_px > width + 0.4
    assert clean(applied("strokes 1 px thinner", gray)).stroke_width_px < width - 0.4
    height = plain.ink.shape[0]
    assert clean(applied("scale 1.4", gray)).ink.shape[0] == pytest.approx(1.4 * height, rel=0.05)
    third = clean(applied("third resolution", gray)).ink.shape[0]
    assert third == pytest.approx(height / 3, rel=0.1)
    turned = clean(applied("rotated 10 degrees", gray))
    ink = float(turned.ink.mean()) * turned.ink.size
    assert ink == pytest.approx(
        float(plain.ink.mean()) * plain.ink.size, rel=0.1
    )  # Nothing is cut off.
    assert applied("uneven light", gray).min() < gray.min()


def test_table_on_invented_writers(writers_folder: Path) -> None:
    folds = unprotected_fold(writers_folder, load_encoder())
    table = measure_perturbations(writers_folder, folds, replicates=30)
    # Of each of 20 writers 5 references, then one genuine signature and three forgeries.
    assert table["probes"] == 80
    assert list(table["rows"]) == list(PERTURBATIONS)
    plain = table["rows"]["as scanned"]
    assert plain["failures_to_acquire"] == 0
    assert (plain["genuine"], plain["skilled"], plain["random"]) == (20, 60, 380)
    for row in table["rows"].values():
        assert row["genuine"] + row["skilled"] + row["failures_to_acquire"] == 80
        assert "fmr_skilled=5%" in row["shipped"]
    # Ink that is cleaned of nothing but its resolution stays the writer's.
    assert table["rows"]["JPEG quality 30"]["eer_random"] < plain["eer_random"] + 0.1
    assert json.loads(json.dumps(table)) == table


def test_too_few_signatures(tmp_path: Path) -> None:
    for seed in range(2):
        folder = tmp_path / f"{seed}"
        folder.mkdir()
        for n in range(5):
            (folder / f"genuine_{n}.png").write_bytes(encode_png(synthetic_writer(seed).genuine(n)))
    with pytest.raises(TrainingDataError, match="6 genuine"):
        measure_perturbations(tmp_path, unprotected_fold(tmp_path, load_encoder()))


def test_perturbed_probes_go_through_the_door_of_every_image(gray: np.ndarray) -> None:
    """As scanned, a probe's canvas is the one that its own file would give."""
    import cv2  # noqa: PLC0415 - for this one encoding.

    data = cv2.imencode(".bmp", applied("as scanned", gray))[1].tobytes()
    scan = encode_png(synthetic_writer(42).genuine(0))
    assert np.array_equal(acquire(data).canvas, acquire(scan).canvas)
