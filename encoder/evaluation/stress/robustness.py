"""Error rates of perturbed probes against references as they were scanned.

Probes are straightened as in serving: the best of their scores counts, at each angle's cost.
"""

from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from encoder.datasets.folder import IMAGE_SUFFIXES
from encoder.datasets.splits import group_of
from encoder.errors import ImageError, TrainingDataError
from encoder.evaluation.pooling import Pool
from encoder.evaluation.protocols import Fold
from encoder.evaluation.rates import as_row, comparison_rates, shipped_rates
from encoder.evaluation.stress.perturbations import PERTURBATIONS, Perturbation
from encoder.evaluation.trials import KINDS
from encoder.imaging.acquire import acquire
from encoder.imaging.canvas import to_canvas
from encoder.imaging.decode import decode
from encoder.imaging.pixels import Gray
from encoder.inference.orientation import STRAIGHTENING, penalised
from encoder.inference.turning import Pose, posed
from encoder.metrics.confidence_intervals import REPLICATES, Scored, draw_weights
from encoder.scoring.score import claim_features
from encoder.scoring.templates import Signatures, joined

REFERENCES = 5
PROBES = 4  # Of either kind, for each writer.
POSES = (Pose(), *STRAIGHTENING)
COSTS = np.array([-penalised(0.0, pose.degrees) for pose in POSES])


@dataclass(frozen=True)
class Perturbed:
    """One writer's references, and the probes that could be acquired under each perturbation.

    `genuine` and `forged` hold signatures by perturbation, at most `PROBES` of each, and each as
    it came and straightened by every angle, one after another.
    """

    group: str
    references: Signatures
    genuine: Mapping[str, Signatures]
    forged: Mapping[str, Signatures]
    attempts: int


def measure_perturbations(
    folder: Path, folds: Sequence[Fold], replicates: int = REPLICATES, seed: int = 0
) -> dict[str, Any]:
    """Error rates by perturbation, ready for JSON; random forgeries are perturbed alike.

    Raises:
        TrainingDataError: no writer has five references and a probe besides.
    """
    writers: list[Perturbed] = []
    fold_of: list[int] = []
    for number, fold in enumerate(folds):
        found = _read(folder, fold, seed)
        writers += found
        fold_of += [number] * len(found)
    if not writers:
        raise TrainingDataError(
            f"Perturbations are measured with {REFERENCES} references and a probe besides; nobody "
            f"in {folder} has {REFERENCES + 1} genuine signatures."
        )
    weights = draw_weights(
        np.unique([w.group for w in writers], return_inverse=True)[1], replicates
    )
    rows = {
        name: _row(_pool(writers, np.array(fold_of), folds, name), weights)
        | {"failures_to_acquire": _failures(writers, name)}
        for name in PERTURBATIONS
    }
    attempts = sum(writer.attempts for writer in writers)
    return {"references": REFERENCES, "probes": attempts, "rows": rows}


def _row(pool: Pool, weights: NDArray[np.float64]) -> dict[str, Any]:
    default = pool.rules[0].default_operating_point
    counts = {kind: int(pool.scores(kind).size) for kind in KINDS}
    if not counts["genuine"]:
        return counts
    shipped = as_row(shipped_rates(pool, weights)[default])
    return {**counts, **as_row(comparison_rates(pool, weights)), "shipped": {default: shipped}}


def _failures(writers: Sequence[Perturbed], name: str) -> int:
    described = sum(len(w.genuine[name]) + len(w.forged[name]) for w in writers)
    return sum(w.attempts for w in writers) - described // len(POSES)


def _pool(
    writers: Sequence[Perturbed], fold_of: NDArray[np.intp], folds: Sequence[Fold], name: str
) -> Pool:
    scored: dict[str, list[NDArray[np.float64]]] = {kind: [] for kind in KINDS}
    for claimed, fold in zip(writers, fold_of, strict=True):
        others = [
            writer.genuine[name][: len(POSES)]
            for writer, other in zip(writers, fold_of, strict=True)
            if other == fold and writer.group != claimed.group
        ]
        probes = {
            "genuine": claimed.genuine[name],
            "skilled": claimed.forged[name],
            "random": joined([claimed.genuine[name][:0], *others]),
        }
        scoring = folds[fold].rule.scoring
        habits = scoring.habits(claimed.references)
        weights = scoring.weights_for(len(claimed.references))
        for kind, described in probes.items():
            found = scoring.similarities(described, claimed.references)
            scores = weights.scores(claim_features(found, habits)).reshape(-1, len(POSES))
            scored[kind].append((scores - COSTS).max(axis=1))
    together, of_fold = {}, {}
    for kind, parts in scored.items():
        sizes = [part.size for part in parts]
        together[kind] = Scored(np.concatenate(parts), np.repeat(np.arange(len(writers)), sizes))
        of_fold[kind] = np.repeat(fold_of, sizes)
    return Pool(REFERENCES, together, of_fold, tuple(fold.rule for fold in folds))


def _read(folder: Path, fold: Fold, seed: int) -> list[Perturbed]:
    cv2.setNumThreads(1)  # The pool below is the parallelism.
    with ThreadPoolExecutor() as pool:
        generators = [np.random.default_rng([seed, n]) for n in range(len(fold.writer_ids))]
        folders = [folder / name for name in fold.writer_ids]
        jobs = pool.map(_read_writer, folders, [fold] * len(folders), generators)
        label = f"Perturbing {folder.resolve().name}"
        read = list(track(jobs, label, total=len(fold.writer_ids), transient=True))
    return [writer for writer in read if writer is not None]


def _read_writer(folder: Path, fold: Fold, rng: np.random.Generator) -> Perturbed | None:
    """None where there are not enough images for references and one probe."""
    genuine = _some(folder, "genuine_*", REFERENCES + PROBES, rng)
    if len(genuine) <= REFERENCES:
        return None
    grays = {"genuine": genuine[REFERENCES:], "forged": _some(folder, "forged_*", PROBES, rng)}
    references = _described(fold, genuine[:REFERENCES], PERTURBATIONS["as scanned"], rng)
    references = references[:: len(POSES)]
    if not len(references):
        return None
    probes = {
        kind: {
            name: _described(fold, images, change, rng) for name, change in PERTURBATIONS.items()
        }
        for kind, images in grays.items()
    }
    attempts = sum(len(images) for images in grays.values())
    return Perturbed(
        group_of(folder.name)[0], references, probes["genuine"], probes["forged"], attempts
    )


def _some(folder: Path, pattern: str, count: int, rng: np.random.Generator) -> list[Gray]:
    """Grey levels of up to `count` images that a scanner's operator would have accepted."""
    paths = sorted(p for p in folder.glob(pattern) if p.suffix.lower() in IMAGE_SUFFIXES)
    grays: list[Gray] = []
    for number in rng.permutation(len(paths)):
        if len(grays) == count:
            break
        data = paths[number].read_bytes()
        try:
            acquire(data)
            grays.append(decode(data).gray)
        except ImageError:
            continue  # Failures of the scan itself are counted where all images are read.
    return grays


def _described(
    fold: Fold, grays: Sequence[Gray], change: Perturbation, rng: np.random.Generator
) -> Signatures:
    """Those that can still be acquired, through the door of every image, in each pose."""
    canvases, size = [], fold.encoder.canvas_size
    for gray in grays:
        data = cv2.imencode(".bmp", change(gray, rng))[1].tobytes()
        try:
            ink = fold.encoder.acquire(data).ink
        except ImageError:
            continue  # Counted: fewer come back than were tried.
        canvases += [to_canvas(posed(ink, pose), size) for pose in POSES]
    return fold.describe(np.stack(canvases) if canvases else np.zeros((0, *size), np.uint8))
