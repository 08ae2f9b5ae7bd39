"""The shipped model loads, is what its manifest says, and damaged or foreign ones are refused."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from encoder.calibration.fit import REFERENCE_COUNTS
from encoder.calibration.levels import LEAST_BAND, TARGETS
from encoder.calibration.model_update import write_beside
from encoder.errors import ArtifactError
from encoder.imaging.acquire import PREPROCESSING_ID
from encoder.inference.artifact import (
    ATTACHED,
    COHORT,
    FORMAT,
    MANIFEST,
    NETWORK,
    SHIPPED,
    manifest_sha256,
    put_cohort,
    read_artifact,
    restore_artifact,
)
from encoder.inference.encoder import load_encoder
from encoder.scoring.distinctiveness import Cohort
from encoder.scoring.local_descriptors import SHAPE_SIZE
from encoder.scoring.templates import joined
from encoder.synthesis import encode_png, synthetic_writer


@pytest.fixture
def copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(SHIPPED, tmp_path / "model"))


def edit(folder: Path, **changes: object) -> None:
    manifest = json.loads((folder / MANIFEST).read_text(encoding="utf-8"))
    edited = manifest | changes
    edited["sha256"] = manifest_sha256(edited)
    (folder / MANIFEST).write_text(json.dumps(edited), encoding="utf-8")


def test_shipped_model_keeps_its_id_and_is_of_todays_preprocessing() -> None:
    shipped = read_artifact()
    # Registries hold embeddings under this id: another one means embedding every reference anew.
    assert shipped.model_id == "60da1245a860eb9d43661701cdefd7ee63092e01faa1e56966b4f427144ed4f6"
    assert shipped.manifest["preprocessing_sha256"] == PREPROCESSING_ID


def test_shipped_model_embeds_to_unit_vectors() -> None:
    encoder = load_encoder()
    writer = synthetic_writer(3)
    canvases = np.stack([encoder.acquire(encode_png(writer.genuine(n))).canvas for n in range(3)])
    described = encoder.describe(canvases)
    vectors = described.vectors
    assert vectors.shape == (3, 576)
    assert vectors.dtype == np.float32
    assert np.linalg.norm(vectors, axis=1) == pytest.approx(np.ones(3), abs=1e-5)
    alone = joined(encoder.describe(canvas[None]) for canvas in canvases)
    assert np.abs(vectors - alone.vectors).max() < 1e-5
    for together, one in zip(described.pieces or (), alone.pieces or (), strict=True):
        assert 20 < len(one) < 500
        assert np.array_equal(together[:, SHAPE_SIZE:], one[:, SHAPE_SIZE:])
        assert np.abs(together.astype(int) - one).max() <= 1


def test_shipped_model_tells_synthetic_writers_apart() -> None:
    encoder = load_encoder()
    described = []
    for seed in range(200, 210):
        writer = synthetic_writer(seed)
        scans = [encode_png(writer.genuine(n)) for n in range(5)]
        described.append(encoder.describe(np.stack([encoder.acquire(s).canvas for s in scans])))
    for number, own in enumerate(described):
        scores = [encoder.rule.claim(own[[4]], other[:4]).score for other in described]
        assert int(np.argmax(scores)) == number


def test_shipped_blocks_are_the_networks_own() -> None:
    """Turned back, each has length 1, and their cosines are those of the whole on the mean."""
    encoder = load_encoder()
    scans = [encode_png(synthetic_writer(seed).genuine(0)) for seed in range(4)]
    vectors = encoder.describe(np.stack([encoder.acquire(one).canvas for one in scans])).vectors
    blocks = encoder.rule.scoring.blocks
    assert (blocks.names, blocks.sizes) == (("layout", "texture", "strokes"), (160, 256, 160))
    assert blocks.axes is not None
    assert blocks.axes @ blocks.axes.T == pytest.approx(np.eye(576), abs=1e-3)
    joined_again = np.concatenate(blocks.split(vectors), axis=1) / np.sqrt(3)
    assert joined_again == pytest.approx(vectors @ blocks.axes.T, abs=1e-3)
    alike = blocks.similarities(vectors, vectors)
    assert alike.mean(axis=0) == pytest.approx(vectors @ vectors.T, abs=1e-3)


def test_shipped_rule_has_a_borderline_band_everywhere() -> None:
    rule = read_artifact().rule
    assert [one.references for one in rule.calibrations] == list(REFERENCE_COUNTS)
    for calibration in rule.calibrations:
        assert set(calibration.points) == set(TARGETS)
        for point in calibration.points.values():
            assert point.match - point.non_match >= LEAST_BAND - 1e-9


def test_shipped_rule_was_measured_on_data_sets_that_it_was_not_fitted_on() -> None:
    shipped = read_artifact()
    unseen = shipped.manifest["unseen"]
    forged = {"arabic_phone_10", "bhsig260_bengali", "cedar", "sigcomp2009_nfi", "svc2004_task2"}
    assert set(unseen) == forged <= set(shipped.manifest["training"]["calibrated_on"])
    for calibration in shipped.rule.calibrations:
        lines = calibration.skilled.lines
        measured = [one for one in unseen.values() if str(calibration.references) in one]
        assert len(lines) == len(measured)


def test_wrong_canvases_are_refused() -> None:
    encoder = load_encoder()
    with pytest.raises(ValueError, match="expected canvases"):
        encoder.describe(np.zeros((1, 10, 10), np.uint8))
    with pytest.raises(ValueError, match="expected uint8"):
        encoder.describe(np.zeros((1, 144, 288), np.float32))


def test_shipped_files_are_small() -> None:
    assert sum(path.stat().st_size for path in SHIPPED.iterdir()) <= 8 * 2**20


@pytest.mark.parametrize("name", [NETWORK, "network.keras", COHORT])
def test_a_flipped_byte_is_refused(copy: Path, name: str) -> None:
    content = bytearray((copy / name).read_bytes())
    content[len(content) // 2] ^= 1
    (copy / name).write_bytes(bytes(content))
    with pytest.raises(ArtifactError, match="damaged"):
        read_artifact(copy)


def test_a_model_keeps_its_cohort_wherever_it_is_kept(copy: Path, tmp_path: Path) -> None:
    shipped = read_artifact(copy)
    assert shipped.cohort is not None
    assert shipped.cohort.hand_count == 40
    restored = restore_artifact(*shipped.as_bytes(), "the registry's copy")
    assert restored.cohort_file == shipped.cohort_file == (copy / COHORT).read_bytes()
    assert restored.manifest == shipped.manifest
    write_beside(copy, tmp_path / "beside", {})
    assert read_artifact(tmp_path / "beside").cohort_file == shipped.cohort_file


def test_a_cohort_does_not_change_what_a_model_is_called(copy: Path) -> None:
    before = read_artifact(copy)
    assert before.cohort is not None
    marks = before.cohort.marks[:7]
    other = Cohort.of(marks, ["any"] * 7, range(7), 0.6)
    put_cohort(copy, other.as_bytes())
    after = read_artifact(copy)
    assert after.cohort is not None
    assert after.cohort.hand_count == 7
    assert after.model_id == before.model_id
    assert after.rule.rule_id == before.rule.rule_id


def test_a_model_without_a_cohort_is_whole(copy: Path) -> None:
    files = read_artifact(copy).manifest["files"]
    (copy / COHORT).unlink()
    with pytest.raises(ArtifactError, match=r"cohort\.npz cannot be read"):
        read_artifact(copy)
    edit(copy, files={name: facts for name, facts in files.items() if name != COHORT})
    older = read_artifact(copy)
    assert older.cohort is None
    assert restore_artifact(*older.as_bytes(), "the registry's copy").cohort is None


def test_a_cohort_of_other_embeddings_and_a_changed_copy_are_refused(copy: Path) -> None:
    manifest, network = read_artifact(copy).as_bytes()
    facts = json.loads(manifest)
    facts[ATTACHED] = "AAAA" + facts[ATTACHED][4:]
    with pytest.raises(ArtifactError, match="the copy is damaged"):
        restore_artifact(json.dumps(facts).encode(), network, "the copy")
    facts[ATTACHED] = 7
    with pytest.raises(ArtifactError, match="the copy lacks or garbles"):
        restore_artifact(json.dumps(facts).encode(), network, "the copy")
    put_cohort(copy, Cohort.of(np.eye(3, 4, dtype=np.float32), ["a"] * 3, range(3), 0.6).as_bytes())
    with pytest.raises(ArtifactError, match=r"cohort\.npz of .* expected marks \(m, 576\)"):
        read_artifact(copy)


def test_a_truncated_network_is_refused(copy: Path) -> None:
    content = (copy / NETWORK).read_bytes()
    (copy / NETWORK).write_bytes(content[:-10])
    with pytest.raises(ArtifactError, match="damaged"):
        read_artifact(copy)


def test_a_missing_folder_and_a_missing_file_are_refused(copy: Path) -> None:
    with pytest.raises(ArtifactError, match="expected a model folder"):
        read_artifact(copy / "nowhere")
    (copy / NETWORK).unlink()
    with pytest.raises(ArtifactError, match="cannot be read"):
        read_artifact(copy)


def test_foreign_manifests_are_refused(copy: Path) -> None:
    edit(copy, format=99)
    with pytest.raises(ArtifactError, match="format 99"):
        read_artifact(copy)
    edit(copy, format=FORMAT - 1)
    with pytest.raises(ArtifactError, match=f"before this version's {FORMAT}"):
        read_artifact(copy)
    edit(copy, format=FORMAT, preprocessing_sha256="0" * 64)
    with pytest.raises(ArtifactError) as refused:
        read_artifact(copy)
    assert str(refused.value) == (
        f"{copy} was made for another preparation of images than this version's. "
        "Train or export it again with this version, or install the version it was made with."
    )
    (copy / MANIFEST).write_text("{", encoding="utf-8")
    with pytest.raises(ArtifactError, match="not JSON"):
        read_artifact(copy)


def test_a_changed_threshold_is_refused(copy: Path) -> None:
    text = (copy / MANIFEST).read_text(encoding="utf-8")
    changed = re.sub(
        r'("match": \d\.)(\d)', lambda m: f"{m[1]}{(int(m[2]) + 1) % 10}", text, count=1
    )
    assert changed != text
    (copy / MANIFEST).write_text(changed, encoding="utf-8")
    with pytest.raises(ArtifactError, match="damaged"):
        read_artifact(copy)


def test_a_manifest_without_its_rule_is_refused(copy: Path) -> None:
    manifest = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))
    del manifest["decision"]["scoring"]
    edit(copy, decision=manifest["decision"])
    with pytest.raises(ArtifactError, match="scoring"):
        read_artifact(copy)


@pytest.mark.parametrize(
    "changes",
    [
        {"files": {}},
        {"files": ["network.onnx"]},
        {"files": {NETWORK: {}}},
        {"canvas_size": [96]},
    ],
)
def test_a_garbled_manifest_is_refused(copy: Path, changes: dict[str, object]) -> None:
    edit(copy, **changes)
    with pytest.raises(ArtifactError, match="lacks or garbles"):
        read_artifact(copy)


@pytest.mark.parametrize("rule", [[], None, "", {"scoring": {}}])
def test_what_is_no_rule_is_refused(copy: Path, rule: object) -> None:
    edit(copy, decision=rule)
    with pytest.raises(ArtifactError, match=rf"{copy.name} cannot be used. The decision rule "):
        read_artifact(copy)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"sizes": [160, 256, 159]}, "575 elements in 3 parts; expected 576 in 3"),
        ({"names": ["layout", "texture"]}, "576 elements in 3 parts; expected 576 in 2"),
        ({"axes": None}, "expected 576 in 3"),
        ({"axes": "AAAA"}, "cannot be read"),
        ({"names": ["whole"], "sizes": [], "axes": None}, "this network's claims have 9"),
    ],
)
def test_blocks_that_do_not_fit_the_embeddings_are_refused(
    copy: Path, change: dict[str, object], why: str
) -> None:
    blocks = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))["blocks"]
    edit(copy, blocks=blocks | change)
    with pytest.raises(ArtifactError, match=f"manifest of {copy} cannot be used.* {why}"):
        read_artifact(copy)


def test_weights_that_cannot_score_are_refused(copy: Path) -> None:
    """What else is refused of a rule is in the tests of `decision_rule`."""
    decision = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))["decision"]
    decision["scoring"]["weights"][2]["weights"][0] = -0.5
    edit(copy, decision=decision)
    with pytest.raises(ArtifactError, match="lowers the score of what is more alike"):
        read_artifact(copy)


def test_a_model_of_the_format_before_says_what_to_do(copy: Path) -> None:
    edit(copy, format=5, decision={"spread": {}})
    with pytest.raises(ArtifactError, match="formula that is gone"):
        read_artifact(copy)


@pytest.mark.parametrize("part", ["calibrations", "default_operating_point", "points"])
def test_a_rule_that_cannot_decide_is_refused(copy: Path, part: str) -> None:
    decision = json.loads((copy / MANIFEST).read_text(encoding="utf-8"))["decision"]
    if part == "points":
        decision["calibrations"][1]["points"].pop("fmr_skilled=1%")
    else:
        decision[part] = [] if part == "calibrations" else "fmr_skilled=0%"
    edit(copy, decision=decision)
    with pytest.raises(ArtifactError, match="operating point"):
        read_artifact(copy)


def test_importing_what_serves_loads_no_training_library() -> None:
    code = (
        "import sys, encoder.inference.encoder, encoder.evaluation.evaluate, service.app;"
        "print([m for m in ('tensorflow', 'keras', 'onnx') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
