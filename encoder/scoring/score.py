"""The comparison score of a probe against a writer's references, in numpy.

Two signatures are alike on the whole (the cosine of their vectors) and piece by piece (their local
similarity, `local_matching`). Either way, how alike the references are among themselves is taken
off: a writer who always signs the same must be met more closely than one who varies.

score = (highest + mean)/2 of the similarities - 0.7 own similarity
        + 2 (mean of the local similarities - 0.7 own local similarity)
        + what the script of the references adds (`script_compensation`)

The score tells genuine signatures from forgeries of one writer. Whom of several writers a signature
resembles most is told by another number, `likeness`: nothing of a writer's own habits is in it, so
it compares writers with one reference and with many.

Measured on several data sets, taking off the own similarity is worth 5 to 7 points of equal error
rate against skilled forgeries; the local similarities take up to 1.2 off where forgers are good
(docs/notes/encoder-experiments.md).
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.scoring.local_matching import local_similarities, local_similarities_among
from encoder.scoring.script_compensation import ScriptCompensation
from encoder.scoring.templates import Numbers, Signatures, Vectors

NORMALISATION = 0.7  # Share of the references' own similarity that is taken off.
LOCAL_WEIGHT = 2.0  # What local similarities count, where those of the whole count 1.
OWN_LOCAL = 10  # Of the references, the last, are matched piece by piece with each other.
# How far below the most alike reference another still counts for whom a signature resembles.
BANDWIDTH = 0.05
SHORTLIST = 10  # Writers most alike on the whole, whose pieces a search looks at.


@dataclass(frozen=True)
class Spread:
    """What is known of the references' own similarity over all writers.

    Attributes:
        population: mean over development writers of (mean similarity of references + mean of each
            reference's highest similarity to the others) / 2.
        shrinkage: how many references beyond the first the population's value weighs as much as.
        local: mean over development writers of the mean local similarity of references.
        compensations: of scripts that are forged less well than others.
    """

    population: float = 0.6
    shrinkage: float = 1.0
    local: float = 0.2
    compensations: tuple[ScriptCompensation, ...] = ()

    def allowance(self, references: Vectors) -> float:
        """What the script of the references `(r, d)` adds to the scores of claims with them."""
        return max((one.allowance(references) for one in self.compensations), default=0.0)


@dataclass(frozen=True)
class ClaimScore:
    """A comparison score (higher = more alike) and what it came from.

    Attributes:
        likeness: how much the signature resembles the writer's; comparable between writers.
        similarities: `(r,)` cosine similarities to the references.
        local_similarities: `(r,)` local similarities to them, at most 1; None where the model knows
            no pieces.
        references: how many of them the score rests on: copies of one image count once.
    """

    score: float
    likeness: float
    similarities: Vectors
    local_similarities: Vectors | None
    references: int


@dataclass(frozen=True)
class Similarities:
    """How alike each of n signatures and each of r others are.

    Attributes:
        whole: `(n, r)` cosine similarities, float32.
        local: `(n, r)` local similarities, at most 1; None where the model knows no pieces.
    """

    whole: Vectors
    local: Vectors | None

    def of(self, ones: Numbers, others: Numbers) -> "Similarities":
        """Those of some of either."""
        local = None if self.local is None else self.local[ones][:, others]
        return Similarities(self.whole[ones][:, others], local)


def similarities(ones: Signatures, others: Signatures) -> Similarities:
    """Compare each with each."""
    local = None
    if ones.pieces is not None and others.pieces is not None:
        local = local_similarities(ones.pieces, others.pieces)
    return Similarities(ones.vectors @ others.vectors.T, local)


def own_similarities(references: Signatures) -> Similarities:
    """Compare a writer's references with each other; piece by piece the last ten alone.

    Comparing many of them takes the square of the time, and says no more of how a writer varies.
    """
    pieces = references.pieces
    return Similarities(
        references.vectors @ references.vectors.T,
        None if pieces is None else local_similarities_among(pieces[-OWN_LOCAL:]),
    )


def stacked(parts: Sequence[Similarities]) -> Similarities:
    """Of one or more groups of signatures with the same others, one below another."""
    local = [part.local for part in parts if part.local is not None]
    return Similarities(
        np.concatenate([part.whole for part in parts]),
        np.concatenate(local) if len(local) == len(parts) else None,
    )


def claim_score(probe: Signatures, references: Signatures, spread: Spread) -> ClaimScore:
    """Compare one signature (n = 1) with a writer's references, one or more."""
    return each_claim_score(probe, references, spread)[0]


def each_claim_score(
    probes: Signatures, references: Signatures, spread: Spread
) -> list[ClaimScore]:
    """Compare each of n signatures with a writer's references, one or more."""
    found = similarities(probes, references)
    allowance = spread.allowance(references.vectors)
    scores = claim_scores(found, own_similarities(references), spread, allowance)
    local = [None] * len(scores) if found.local is None else list(found.local)
    rows = zip(scores, likenesses(found), found.whole, local, strict=True)
    return [
        ClaimScore(float(score), float(likeness), whole, alike, len(references))
        for score, likeness, whole, alike in rows
    ]


def likenesses(found: Similarities) -> NDArray[np.float64]:
    """How much each of n probes resembles a writer with r references, `(n,)`.

    The logarithm of a Parzen estimate of the writer's density at the probe, over their references:
    a mean, so that it does not grow with their number, and led by the nearest ones.
    """
    alike = np.asarray(found.whole, np.float64)
    if found.local is not None:
        alike = alike + LOCAL_WEIGHT * found.local
    most = alike.max(axis=1)
    return np.asarray(
        most + BANDWIDTH * np.log(np.exp((alike - most[:, None]) / BANDWIDTH).mean(axis=1)),
        np.float64,
    )


def claim_scores(
    found: Similarities, own: Similarities, spread: Spread, allowance: float
) -> NDArray[np.float64]:
    """Comparison scores `(n,)`.

    Args:
        found: of n probes and the r references of one writer.
        own: of these references among themselves, `(r, r)`, locally of some of them.
        spread: what is known of all writers.
        allowance: `spread.allowance` of the references.
    """
    whole = (found.whole.max(axis=1) + found.whole.mean(axis=1)) / 2
    score = whole - NORMALISATION * own_similarity(own.whole, spread)
    if found.local is not None and own.local is not None:
        local = found.local.mean(axis=1) - NORMALISATION * own_local_similarity(own.local, spread)
        score = score + LOCAL_WEIGHT * local
    return np.asarray(score + allowance, np.float64)


def own_similarity(similarities: Vectors, spread: Spread) -> float:
    """How alike references are on the whole, by their cosines `(r, r)`; shrunk where r is small."""
    if len(similarities) <= 1:
        return spread.population
    return _shrunk(observed_similarity(similarities), spread.population, len(similarities), spread)


def own_local_similarity(similarities: Vectors, spread: Spread) -> float:
    """How alike references are piece by piece, by `(r, r)`; shrunk where r is small."""
    if len(similarities) <= 1:
        return spread.local
    return _shrunk(mean_of_pairs(similarities), spread.local, len(similarities), spread)


def observed_similarity(similarities: Vectors) -> float:
    """(Mean of pairs + mean highest to another) / 2 of similarities `(r, r)`, r >= 2."""
    # No signature is its own neighbour: 3 less, its cosine of 1 is below any other.
    others = similarities - 3 * np.eye(len(similarities), dtype=np.float32)
    return (mean_of_pairs(similarities) + float(others.max(axis=1).mean())) / 2


def mean_of_pairs(similarities: Vectors) -> float:
    """The mean of similarities `(r, r)` of each signature with each later one, r >= 2."""
    return float(similarities[np.triu_indices(len(similarities), 1)].mean())


def _shrunk(observed: float, population: float, count: int, spread: Spread) -> float:
    weight = (count - 1) / (count - 1 + spread.shrinkage)
    return weight * observed + (1 - weight) * population
