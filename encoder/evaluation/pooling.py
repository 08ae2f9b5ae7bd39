"""Comparisons of the protocol pooled over folds: scores of every model, one threshold for all.

Embeddings of different folds never meet: a claim, its forgeries and its gallery are of one fold.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.trials import KINDS, EmbeddedWriter, people_of, run_trials
from encoder.metrics.confidence_intervals import Scored
from encoder.scoring.calibrations import Calibration
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import Scoring

RatioKind = Literal["skilled", "random"]


@dataclass(frozen=True)
class EmbeddedFold:
    """Writers embedded by one model, and how it scores; a baseline has no decision rule."""

    writers: Sequence[EmbeddedWriter]
    scoring: Scoring
    rule: DecisionRule | None = None


@dataclass(frozen=True)
class Pool:
    """All comparisons with one number of references.

    Attributes:
        scored: by kind, scores with the claimed writers' numbers over all folds.
        fold: by kind, `(k,)` numbers of the folds.
        rules: of the folds; empty where one has none.
    """

    references: int
    scored: dict[str, Scored]
    fold: dict[str, NDArray[np.intp]]
    rules: tuple[DecisionRule, ...]

    def scores(self, kind: str) -> NDArray[np.float64]:
        """Scores `(k,)` of one kind."""
        return self.scored[kind].scores

    def by_rule(self, kind: str, value: Callable[[Calibration], float]) -> NDArray[np.float64]:
        """For each comparison `(k,)`, a value of its own model's calibration."""
        values = [value(rule.calibration_for(self.references)) for rule in self.rules]
        return np.array(values, np.float64)[self.fold[kind]]

    def log_lr(self, kind: str, against: RatioKind = "skilled") -> NDArray[np.float64]:
        """The log10 likelihood ratio `(k,)` that each comparison's own model states."""
        ratios = np.empty(self.scores(kind).size)
        for number, rule in enumerate(self.rules):
            calibration = rule.calibration_for(self.references)
            ratio = calibration.skilled if against == "skilled" else calibration.random
            own = self.fold[kind] == number
            ratios[own] = np.clip(ratio.each(self.scores(kind)[own]), -ratio.bound, ratio.bound)
        return ratios

    def only(self, writers: NDArray[np.bool_]) -> "Pool":
        """The claims of some writers alone: `(writers,)` says whose."""
        scored, fold = {}, {}
        for kind, part in self.scored.items():
            kept = writers[part.writer]
            scored[kind] = Scored(part.scores[kept], part.writer[kept])
            fold[kind] = self.fold[kind][kept]
        return Pool(self.references, scored, fold, self.rules)


def pool_trials(
    folds: Sequence[EmbeddedFold],
    references: int,
    draws: int,
    cache: LocalMatchCache | None = None,
) -> Pool:
    """Run each fold's trials and put them together; writers are numbered through the folds."""
    starts = np.cumsum([0, *(len(fold.writers) for fold in folds)])
    runs = [
        run_trials(fold.writers, references, fold.scoring, draws, cache=cache) for fold in folds
    ]
    scored, of_fold = {}, {}
    for kind in KINDS:
        scores = [getattr(run, kind) for run in runs]
        writers = [
            getattr(run, f"{kind}_writer") + start for run, start in zip(runs, starts, strict=False)
        ]
        scored[kind] = Scored(np.concatenate(scores), np.concatenate(writers))
        of_fold[kind] = np.repeat(np.arange(len(folds)), [part.size for part in scores])
    rules = tuple(fold.rule for fold in folds if fold.rule is not None)
    return Pool(references, scored, of_fold, rules if len(rules) == len(folds) else ())


def people_in(folds: Sequence[EmbeddedFold]) -> NDArray[np.intp]:
    """The number of each writer's person `(writers,)`, in the order of `Pool`'s numbers."""
    return people_of([writer for fold in folds for writer in fold.writers])
