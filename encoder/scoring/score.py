"""The comparison score of a probe against a writer's references, in numpy.

Two signatures are alike block by block (the cosines of layout, texture and strokes, `blocks`) and
piece by piece (`local_matching`). What a claim comes to is told by how alike the probe and the
references are in each of these, by how alike the references are among themselves (the writer's
habits: who always signs the same must be met more closely than who varies), and by how much there
is to their signatures. The score is the sum of these features, each with a weight that was learned
on data sets of several scripts and scanners (`calibration.fit_weights`): about log10 of the odds
that the writer wrote it, were that as likely as not before; how much a score tells, the likelihood
ratios say. No weight of a probe's feature is negative: what is more alike never scores lower. There
are weights for each number of references, so that scores mean the same for one and for ten.

Whom of several writers a signature resembles most is told by another number, `likeness`: nothing of
a writer's own habits is in it, so it compares writers with one reference and with many.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.blocks import Blocks
from encoder.scoring.kept_habits import KeptHabits
from encoder.scoring.local_matching import MEASURES, local_matches, local_matches_among
from encoder.scoring.templates import Numbers, Signatures, Vectors

Doubles = NDArray[np.float64]

LOCAL_PARTS = ("local", "bend", "rough")
LAST_MATCHED = 10  # Of the references, the last, are matched piece by piece with each other.
LIKENESS_OF_PIECES = 0.5  # What local similarities count in it, where those of the whole count 1.
# How far below the most alike reference another still counts for whom a signature resembles.
BANDWIDTH = 0.05
# Writers most alike on the whole, whose pieces a search looks at: ten find nobody more than three.
SHORTLIST = 3


@dataclass(frozen=True)
class Similarities:
    """How alike each of n signatures and each of r others are.

    Attributes:
        whole: `(n, r)` cosines of the embeddings, float32.
        blocks: `(b, n, r)` cosines of each block.
        local: `(3, n, r)`, as `local_matches`; None where the model knows no pieces.
    """

    whole: Vectors
    blocks: Vectors
    local: Vectors | None

    def of(self, ones: Numbers, others: Numbers) -> "Similarities":
        """Those of some of either."""
        return Similarities(
            self.whole[ones][:, others],
            self.blocks[:, ones][:, :, others],
            None if self.local is None else self.local[:, ones][:, :, others],
        )


@dataclass(frozen=True)
class ClaimWeights:
    """What each feature of a claim counts, with `references` references or more.

    Attributes:
        weights: `(f,)` log10 odds for one more of each feature, in the order of `claim_features`.
        intercept: log10 odds where every feature is 0.
        typical: `(f,)` the features of a usual genuine signature, to tell what is unusual of one.
    """

    references: int
    weights: tuple[float, ...]
    intercept: float
    typical: tuple[float, ...]

    def scores(self, features: Doubles) -> Doubles:
        """Scores `(n,)` of features `(n, f)`."""
        return np.asarray(features @ np.array(self.weights) + self.intercept, np.float64)


@dataclass(frozen=True)
class Scoring:
    """How claims are scored: what is compared, and what it counts.

    Attributes:
        blocks: how embeddings come apart; they belong to the network.
        weights: by number of references, ascending; the first are for one reference.
        local: whether pieces are compared too.
    """

    weights: tuple[ClaimWeights, ...]
    local: bool = True
    blocks: Blocks = field(default_factory=Blocks, compare=False)

    @property
    def parts(self) -> tuple[str, ...]:
        """What is compared, by name: blocks, then what matching pieces tells."""
        return self.blocks.names + (LOCAL_PARTS if self.local else ())

    @property
    def features(self) -> int:
        """How many features a claim has."""
        return 2 * len(self.parts) + self.local

    def weights_for(self, references: int) -> ClaimWeights:
        """The weights for the largest number of references not above this one."""
        fitting = [one for one in self.weights if one.references <= references]
        return fitting[-1] if fitting else self.weights[0]

    def similarities(self, ones: Signatures, others: Signatures) -> Similarities:
        """Compare each of n signatures with each of r others."""
        local = None
        if self.local and ones.pieces is not None and others.pieces is not None:
            local = local_matches(ones.pieces, others.pieces)
        blocks = self.blocks.similarities(ones.vectors, others.vectors)
        return Similarities(ones.vectors @ others.vectors.T, blocks, local)

    def habits(self, references: Signatures) -> Doubles:
        """How a writer's references are among themselves, `(p,)` or `(p + 1,)`; see `habits_of`.

        Kept for the next claim with the same references.
        """
        return self._kept.of(references, lambda: self._habits(references))

    @cached_property
    def _kept(self) -> KeptHabits:
        return KeptHabits()

    def _habits(self, references: Signatures) -> Doubles:
        pieces = references.pieces if self.local else None
        local = None if pieces is None else local_matches_among(pieces[-LAST_MATCHED:])
        blocks = self.blocks.similarities_among(references.vectors)
        counts = None if pieces is None else [len(one) for one in pieces]
        return habits_of(blocks, local, counts)


@dataclass(frozen=True)
class ClaimScore:
    """A comparison score (higher = more alike) and what it came from.

    Attributes:
        score: about log10 of the odds that the writer wrote it, if that is as likely as not before.
        likeness: how much the signature resembles the writer's; comparable between writers.
        features: `(f,)`, in the order of `claim_features`.
        weights: what they counted.
        similarities: `(r,)` cosine similarities to the references.
        local_similarities: `(r,)` local similarities to them, at most 1; None where the model knows
            no pieces.
        references: how many of them the score rests on: copies of one image count once.
    """

    score: float
    likeness: float
    features: Doubles
    weights: ClaimWeights
    similarities: Vectors
    local_similarities: Vectors | None
    references: int


def habits_of(
    blocks: Vectors, local: Vectors | None, piece_counts: Sequence[int] | None
) -> Doubles:
    """How a writer's r references are among themselves.

    Args:
        blocks: `(b, r, r)` cosines of their blocks.
        local: `(3, q, q)`, as `local_matches_among` of some of them, if the model knows pieces.
        piece_counts: of each reference, if it does.

    Returns:
        For each block (mean of pairs + mean highest to another)/2, for each local measure the mean
        of pairs, all 0 where there is no pair; and the mean log of the numbers of pieces.
    """
    count = blocks.shape[1]
    if count > 1:
        # No signature is its own neighbour: 3 less, its cosine of 1 is below any other.
        others = blocks - 3 * np.eye(count, dtype=np.float32)
        habits = list((_mean_of_pairs(blocks) + others.max(axis=2).mean(axis=1)) / 2)
    else:
        habits = [0.0] * len(blocks)
    if local is not None:
        habits += list(_mean_of_pairs(local)) if local.shape[1] > 1 else [0.0] * MEASURES
    if piece_counts is not None:
        habits.append(float(np.log(np.maximum(piece_counts, 1)).mean()))
    return np.array(habits, np.float64)


def claim_features(found: Similarities, habits: Doubles) -> Doubles:
    """The features `(n, f)` of claims of n probes to be by one writer.

    Args:
        found: of the probes and the writer's r references.
        habits: of the references, `habits_of`.

    Returns:
        For each block (highest + mean)/2 of the cosines, for each local measure the mean; then the
        habits, the same for all probes.
    """
    parts = [(found.blocks.max(axis=2) + found.blocks.mean(axis=2)) / 2]
    if found.local is not None:
        parts.append(found.local.mean(axis=2))
    of_probes = np.concatenate(parts).T.astype(np.float64)
    return np.concatenate([of_probes, np.tile(habits, (len(of_probes), 1))], axis=1)


def each_claim_score(
    probes: Signatures, references: Signatures, scoring: Scoring
) -> list[ClaimScore]:
    """Compare each of n signatures with a writer's references, one or more."""
    found = scoring.similarities(probes, references)
    features = claim_features(found, scoring.habits(references))
    weights = scoring.weights_for(len(references))
    scores, alike = weights.scores(features), likenesses(found.whole, found.local)
    local = [None] * len(probes) if found.local is None else list(found.local[0])
    rows = zip(scores, alike, features, found.whole, local, strict=True)
    return [
        ClaimScore(float(score), float(likeness), row, weights, whole, pieces, len(references))
        for score, likeness, row, whole, pieces in rows
    ]


def likenesses(whole: Vectors, local: Vectors | None = None) -> Doubles:
    """How much each of n probes resembles a writer with r references, `(n,)`.

    The logarithm of a Parzen estimate of the writer's density at the probe, over their references:
    a mean, so that it does not grow with their number, and led by the nearest ones.

    Args:
        whole, local: of `Similarities`; without the second, on the whole alone.
    """
    alike = np.asarray(whole, np.float64)
    if local is not None:
        alike = alike + LIKENESS_OF_PIECES * local[0]
    most = alike.max(axis=1)
    return np.asarray(
        most + BANDWIDTH * np.log(np.exp((alike - most[:, None]) / BANDWIDTH).mean(axis=1)),
        np.float64,
    )


def stacked(parts: Sequence[Similarities]) -> Similarities:
    """Of one or more groups of signatures with the same others, one below another."""
    local = [part.local for part in parts if part.local is not None]
    return Similarities(
        np.concatenate([part.whole for part in parts]),
        np.concatenate([part.blocks for part in parts], axis=1),
        np.concatenate(local, axis=1) if len(local) == len(parts) else None,
    )


def _mean_of_pairs(similarities: Vectors) -> Doubles:
    """The mean `(p,)` of similarities `(p, r, r)` of each with each later one, r >= 2."""
    rows, columns = np.triu_indices(similarities.shape[1], 1)
    return np.asarray(similarities[:, rows, columns].mean(axis=1), np.float64)
