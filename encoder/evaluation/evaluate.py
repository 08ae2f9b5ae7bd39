"""Measures models on folders of writers: trials, searches and what else is asked for, as JSON."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from encoder.datasets.folder import DataSet, read_folder
from encoder.evaluation.det_curves import trade_off_curves
from encoder.evaluation.embed import embed_data_set
from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.pooling import EmbeddedFold, Pool, people_in, pool_trials
from encoder.evaluation.protocols import Fold
from encoder.evaluation.rates import (
    as_row,
    comparison_rates,
    likelihood_rates,
    search_rates,
    shipped_rates,
)
from encoder.evaluation.stress.hog_baseline import HOG_CANVAS, hog_embed
from encoder.evaluation.stress.robustness import measure_perturbations
from encoder.evaluation.stress.shortcut_controls import measure_controls
from encoder.evaluation.subgroups import slice_rates
from encoder.evaluation.trials import PLAIN, EmbeddedWriter
from encoder.metrics.confidence_intervals import REPLICATES, draw_weights
from encoder.scoring.score import Scoring

REFERENCE_COUNTS = (1, 3, 5, 10)
DRAWS = 10
FEW_DRAWS = 3  # For a manifest.
EXTRAS = ("hog", "perturbations", "controls")
SLICED_AT = 5  # References, or as many below as could be measured.


@dataclass(frozen=True)
class Effort:
    """How much is drawn: sets of references for each claim, and replicates of the bootstrap."""

    draws: int = DRAWS
    replicates: int = REPLICATES


def evaluate(
    folder: Path,
    folds: Sequence[Fold],
    extras: Collection[str] = (),
    effort: Effort | None = None,
) -> dict[str, Any]:
    """Error rates on a folder of writers, ready for JSON.

    Args:
        folder: with the writers whom the folds name.
        folds: of `plan_folds`: which writers which model scores.
        extras: of `EXTRAS`: the baseline without learning, on the same comparisons; perturbed
            probes; what gives forgeries away without a reference.
        effort: how much is drawn.

    Raises:
        TrainingDataError: the folder cannot be used.
    """
    effort = effort or Effort()
    sets = [read_folder(folder, f.encoder.canvas_size, f.writer_ids) for f in folds]
    answer: dict[str, Any] = {
        "folder": folder.resolve().name,
        "writers": sum(len(fold.writer_ids) for fold in folds),
        "held_out_from_training": all(fold.held_out for fold in folds),
        "failures_to_acquire": sum(data.refused for data in sets),
        "models": [_described(fold) for fold in folds],
    }
    embedded = embed_folds(folds, sets)
    cache = LocalMatchCache()
    answer |= measure(embedded, effort, cache)
    answer["slices"] = _slices(embedded, sets, effort, cache)
    if "hog" in extras:
        floors = [
            EmbeddedFold(embed_data_set(hog_embed, _sized(data, folder)), PLAIN) for data in sets
        ]
        answer["baselines"] = {"hog": measure(floors, effort)}
    if "perturbations" in extras:
        answer["perturbations"] = measure_perturbations(folder, folds, effort.replicates)
    if "controls" in extras:
        answer["controls"] = measure_controls(folder, folds)
    return answer


def embed_folds(folds: Sequence[Fold], sets: Sequence[DataSet]) -> list[EmbeddedFold]:
    """Embed each fold's data set with its own model."""
    return [
        EmbeddedFold(embed_data_set(fold.describe, data), fold.rule.scoring, fold.rule)
        for fold, data in zip(folds, sets, strict=True)
    ]


def measure(
    folds: Sequence[EmbeddedFold], effort: Effort, cache: LocalMatchCache | None = None
) -> dict[str, Any]:
    """Results by number of references, `"1"`, `"3"`, `"5"`, `"10"`, and curves to draw.

    A number of references that no writer has one more signature than is left out.
    """
    cache = cache or LocalMatchCache()
    weights = draw_weights(people_in(folds), effort.replicates)
    results, curves = {}, {}
    for references in REFERENCE_COUNTS:
        pool = pool_trials(folds, references, effort.draws, cache)
        if not pool.scores("genuine").size:
            continue
        searched, facts = search_rates(folds, references, effort.draws, weights, cache)
        results[str(references)] = {
            **_counts(pool),
            **as_row(
                {
                    **comparison_rates(pool, weights),
                    **likelihood_rates(pool, weights),
                    **searched,
                }
            ),
            "shipped": {n: as_row(row) for n, row in shipped_rates(pool, weights).items()},
            **facts,
        }
        curves[str(references)] = trade_off_curves(pool)
    return {"results": results, "curves": curves}


def evaluate_writers(
    writers: Sequence[EmbeddedWriter], scoring: Scoring, draws: int = FEW_DRAWS
) -> dict[str, dict[str, Any]]:
    """The rates of one model without intervals and curves, for its manifest."""
    folds, cache = [EmbeddedFold(writers, scoring)], LocalMatchCache()
    weights = draw_weights(people_in(folds), 0)
    results = {}
    for references in REFERENCE_COUNTS:
        pool = pool_trials(folds, references, draws, cache)
        if pool.scores("genuine").size:
            searched, _ = search_rates(folds, references, draws, weights, cache)
            rates = {**comparison_rates(pool, weights), "rank_1": searched["rank_1"]}
            results[str(references)] = {**_counts(pool), **as_row(rates)}
    return results


def _described(fold: Fold) -> dict[str, Any]:
    """What a model's manifest says that belongs beside its figures."""
    manifest = fold.encoder.manifest
    training = manifest.get("training", {})
    state = training.get("state", {})
    return {
        "name": fold.encoder.name,
        "id": fold.encoder.model_id,
        "writers": len(fold.writer_ids),
        "rule": fold.rule.rule_id,
        "parameters": manifest.get("parameters"),
        "recipe": training.get("recipe", {}).get("name"),
        "seed": training.get("seed"),
        "epochs": state.get("epoch"),
        "best_epoch": state.get("best_epoch"),
        "data": training.get("data", []),
        "synthetic_writers": training.get("synthetic_writers", 0),
    }


def _slices(
    folds: Sequence[EmbeddedFold],
    sets: Sequence[DataSet],
    effort: Effort,
    cache: LocalMatchCache,
) -> dict[str, Any]:
    weights = draw_weights(people_in(folds), effort.replicates)
    for references in sorted((r for r in REFERENCE_COUNTS if r <= SLICED_AT), reverse=True):
        pool = pool_trials(folds, references, effort.draws, cache)
        if pool.scores("genuine").size:
            return {"references": references, **slice_rates(pool, sets, weights)}
    return {}


def _counts(pool: Pool) -> dict[str, int]:
    sizes = {kind: int(part.scores.size) for kind, part in pool.scored.items()}
    return {"writers": int(np.unique(pool.scored["genuine"].writer).size), **sizes}


def _sized(data: DataSet, folder: Path) -> DataSet:
    """The same writers on the baseline's canvas; read again where the model's is another."""
    writers = [writer.writer_id for writer in data.writers]
    if all(writer.genuine.shape[1:] == HOG_CANVAS for writer in data.writers):
        return data
    return read_folder(folder, HOG_CANVAS, writers)
