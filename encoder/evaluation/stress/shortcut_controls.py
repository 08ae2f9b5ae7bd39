"""Does a data set give its forgeries away? Classifiers that see no reference, and what they see.

Nothing in a signature alone says that it is forged, but a scanner or a pen that only the forgers
used does. What tells the two apart without a reference, a model may have learned instead of
writers: an AUC of 0.5 means that there is nothing to learn.
"""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray
from rich.progress import track

from encoder.datasets.folder import IMAGE_SUFFIXES, Canvases, DataSet, WriterSamples
from encoder.datasets.splits import group_of
from encoder.errors import ImageError
from encoder.evaluation.embed import embed_data_set
from encoder.evaluation.pooling import EmbeddedFold, pool_trials
from encoder.evaluation.protocols import Fold
from encoder.evaluation.stress.hog_baseline import HOG_CANVAS, hog_embed
from encoder.imaging.acquire import acquire
from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.imaging.pixels import HALF_INK, Gray
from encoder.imaging.skeleton import even_strokes
from encoder.metrics.error_rates import area_under_curve, equal_error_rate

Floats = NDArray[np.float64]

VIEWS = ("background", "grey ink", "binarised canvas", "strokes of one width")
REFERENCES = 5
DRAWS = 5
BINS = 32
HALO_PX = 7  # Around the ink that counts neither as ink nor as background.
CONSTANT = 1e-9  # A feature that deviates no more says nothing, and is not scaled.
RIDGE = 0.3  # Of the number of images: there are about as many features as images.


@dataclass(frozen=True)
class Sample:
    """One image, as each control sees it: features by view, and the two canvases."""

    background: Floats
    grey_ink: Floats
    canvas: NDArray[np.uint8]
    even: NDArray[np.uint8]


@dataclass(frozen=True)
class Group:
    """One writer's samples."""

    writer_id: str
    genuine: tuple[Sample, ...]
    forged: tuple[Sample, ...]


def measure_controls(folder: Path, folds: Sequence[Fold]) -> dict[str, Any] | None:
    """AUC of genuine against forged by what is seen, and the models' errors on two of the views.

    None where the folder holds no forgeries.
    """
    by_fold = [_read(folder, fold) for fold in folds]
    groups = [group for part in by_fold for group in part]
    if not any(group.forged for group in groups):
        return None
    aucs = {view: round(_auc_over_halves(groups, view), 4) for view in VIEWS}
    errors = {
        "binarised canvas": _skilled_error(folds, by_fold, even=False),
        "strokes of one width": _skilled_error(folds, by_fold, even=True),
    }
    return {"auc": aucs, "references": REFERENCES, "eer_skilled": errors}


def ridge_scores(seen: Floats, labels: Floats, unseen: Floats) -> Floats:
    """Scores `(m,)` of `unseen` `(m, f)` by ridge regression on `seen` `(n, f)`, labels 0 or 1.

    Features are standardised by `seen`; both labels weigh the same.
    """
    centre, width = seen.mean(axis=0), seen.std(axis=0)
    width = np.where(width > CONSTANT, width, 1.0)
    features = (seen - centre) / width
    weights = np.where(labels == 1, 0.5 / max(labels.mean(), 1e-9), 0.5 / (1 - labels.mean()))
    weighted = features * weights[:, None]
    curvature = weighted.T @ features + RIDGE * len(seen) * np.eye(features.shape[1])
    slopes = np.linalg.solve(curvature, weighted.T @ (2 * labels - 1))
    return np.asarray(((unseen - centre) / width) @ slopes)


def _auc_over_halves(groups: Sequence[Group], view: str) -> float:
    """Mean AUC of classifiers trained on the people of one half and tried on the other's."""
    people = sorted({group_of(group.writer_id)[0] for group in groups})
    first = set(people[::2])
    halves = [
        _features([g for g in groups if (group_of(g.writer_id)[0] in first) == side], view)
        for side in (True, False)
    ]
    aucs = []
    for (seen, labels), (unseen, truth) in (halves, halves[::-1]):
        if 0 < labels.mean() < 1:
            scores = ridge_scores(seen, labels, unseen)
            aucs.append(area_under_curve(scores[truth == 1], scores[truth == 0]))
    return float(np.mean(aucs)) if aucs else float("nan")


def _features(groups: Sequence[Group], view: str) -> tuple[Floats, Floats]:
    """Features `(n, f)` of all images of some writers, and 1 for genuine, 0 for forged."""
    samples = [(s, 1.0) for g in groups for s in g.genuine]
    samples += [(s, 0.0) for g in groups for s in g.forged]
    labels = np.array([label for _, label in samples])
    if view == "background":
        return np.stack([s.background for s, _ in samples]), labels
    if view == "grey ink":
        return np.stack([s.grey_ink for s, _ in samples]), labels
    canvases = np.stack([s.canvas if view == "binarised canvas" else s.even for s, _ in samples])
    return _canvas_features(canvases), labels


def _canvas_features(canvases: Canvases) -> Floats:
    """Where strokes run, how much ink there is, and how wide it lies, from canvases alone."""
    sized = [cv2.resize(c, HOG_CANVAS[::-1], interpolation=cv2.INTER_AREA) for c in canvases]
    levels = np.stack([_histogram(c[c > 0]) for c in canvases])
    ink = (canvases > HALF_INK).reshape(len(canvases), -1).sum(axis=1)
    edge = [cv2.countNonZero(cv2.Canny(c, 100, 200)) for c in canvases]
    width = ink / np.maximum(edge, 1)
    return np.column_stack([hog_embed(np.stack(sized)).vectors, levels, ink, width]).astype(
        np.float64
    )


def _skilled_error(
    folds: Sequence[Fold], by_fold: Sequence[Sequence[Group]], *, even: bool
) -> float | None:
    embedded = []
    for fold, groups in zip(folds, by_fold, strict=True):
        data = DataSet("", tuple(_samples_of(group, fold, even=even) for group in groups))
        embedded.append(
            EmbeddedFold(embed_data_set(fold.describe, data), fold.rule.scoring, fold.rule)
        )
    pool = pool_trials(embedded, REFERENCES, DRAWS)
    error = equal_error_rate(pool.scores("genuine"), pool.scores("skilled"))
    return None if np.isnan(error) else round(error, 5)


def _samples_of(group: Group, fold: Fold, *, even: bool) -> WriterSamples:
    def stack(samples: Sequence[Sample]) -> Canvases:
        canvases = [sample.even if even else sample.canvas for sample in samples]
        return (
            np.stack(canvases) if canvases else np.zeros((0, *fold.encoder.canvas_size), np.uint8)
        )

    person, text = group_of(group.writer_id)
    return WriterSamples(group.writer_id, person, text, stack(group.genuine), stack(group.forged))


def _read(folder: Path, fold: Fold) -> list[Group]:
    cv2.setNumThreads(1)  # The pool below is the parallelism.

    def read(name: str) -> Group:
        genuine, forged = (
            _samples(folder / name, pattern, fold.encoder.canvas_size)
            for pattern in ("genuine_*", "forged_*")
        )
        return Group(name, genuine, forged)

    with ThreadPoolExecutor() as pool:
        jobs = pool.map(read, fold.writer_ids)
        label = f"Controls of {folder.resolve().name}"
        return list(track(jobs, label, total=len(fold.writer_ids), transient=True))


def _samples(folder: Path, pattern: str, canvas_size: tuple[int, int]) -> tuple[Sample, ...]:
    samples = []
    for path in sorted(p for p in folder.glob(pattern) if p.suffix.lower() in IMAGE_SUFFIXES):
        data = path.read_bytes()
        try:
            acquired = acquire(data, canvas_size)
        except ImageError:
            continue  # Counted where all images are read.
        background, ink = _grey_features(decode(data).gray)
        even = even_strokes(acquired.ink, canvas_size)
        samples.append(Sample(background, ink, acquired.canvas, even))
    return tuple(samples)


def _grey_features(gray: Gray) -> tuple[Floats, Floats]:
    """Histograms of the grey levels well outside the ink, and of the ink's below the paper's."""
    cleaned = clean(gray)
    if cleaned.page_size != gray.shape:
        gray = cv2.resize(gray, cleaned.page_size[::-1], interpolation=cv2.INTER_AREA)  # type: ignore[assignment]
    left, top, width, height = cleaned.box
    ink = np.zeros(gray.shape, np.uint8)
    ink[top : top + height, left : left + width] = cleaned.ink
    near = cv2.dilate(ink, np.ones((HALO_PX, HALO_PX), np.uint8))
    background = gray[near == 0]
    paper = float(np.median(background)) if background.size else 255.0
    depth = np.clip(255.0 - paper + gray[ink > 0].astype(np.float64), 0, 255).astype(np.uint8)
    return _histogram(background), _histogram(depth)


def _histogram(levels: NDArray[np.uint8]) -> Floats:
    """Shares of grey levels in bins, with their mean and deviation."""
    if not levels.size:
        return np.zeros(BINS + 2)
    shares = np.bincount(levels // (256 // BINS), minlength=BINS) / levels.size
    return np.append(shares, [levels.mean() / 255.0, levels.std() / 255.0])
