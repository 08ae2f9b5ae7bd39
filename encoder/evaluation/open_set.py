"""Open-set searches of the evaluation protocol: whom of a gallery a probe resembles, if anyone.

Every genuine signature that is not a reference is searched for twice (ISO/IEC 19795-1): with its
writer in the gallery, and, as a probe by nobody there, with all of that person left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.evaluation.local_similarity_cache import LocalSimilarityCache
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.score import SHORTLIST, Similarities, Spread, claim_scores

Doubles = NDArray[np.float64]

CMC_RANKS = 20
BEHIND = 100.0  # Taken off the scores of all others: more than any two scores differ.


@dataclass(frozen=True)
class Searches:
    """Searches with genuine probes.

    Attributes:
        rank: `(k,)` place of the probe's writer among all in the gallery, 1 first.
        own: `(k,)` the score of the probe's writer.
        other: `(k,)` the highest score of another person; -inf where there is none.
        writer: `(k,)` numbers of the probes' writers.
        gallery_size: writers in the gallery.
    """

    rank: NDArray[np.intp]
    own: NDArray[np.float64]
    other: NDArray[np.float64]
    writer: NDArray[np.intp]
    gallery_size: int

    def missed(self, threshold: float) -> NDArray[np.bool_]:
        """Mated searches `(k,)` in which the writer is not first or stays below the threshold."""
        return (self.rank > 1) | (self.own < threshold)

    def false_alarms(self, threshold: float) -> NDArray[np.bool_]:
        """Non-mated searches `(k,)` in which someone reaches the threshold."""
        return self.other >= threshold


def run_searches(
    writers: Sequence[EmbeddedWriter],
    references: int,
    spread: Spread,
    draws: int = 10,
    seed: int = 0,
    cache: LocalSimilarityCache | None = None,
) -> Searches:
    """Search a gallery of all writers with more than `references` genuine signatures.

    Args:
        writers: described by one model.
        references: drawn for each writer of the gallery; the others are probes.
        spread: what the model knows of all writers.
        draws: of references.
        seed: another seed draws others.
        cache: of runs with the same signatures before; one of this run's own where not given.
    """
    cache = cache or LocalSimilarityCache()
    able = [number for number, w in enumerate(writers) if len(w.genuine) > references]
    people = np.array([writers[number].group for number in able])
    parts = []
    for draw in range(draws if able else 0):
        gallery, probes = [], []
        for number in able:
            writer = writers[number]
            rng = np.random.default_rng([seed, references, draw, number])
            order = rng.permutation(len(writer.genuine))
            gallery.append(Drawn(writer, order[:references]))
            probes.append(Drawn(writer, order[references:]))
        place = np.repeat(np.arange(len(able)), [len(part.numbers) for part in probes])
        same = people[None, :] == people[place][:, None]
        mated, others = search_scores(probes, gallery, spread, same, cache)
        own = mated[np.arange(len(place)), place]
        rank = 1 + np.count_nonzero(mated > own[:, None], axis=1)
        parts.append((rank, own, others.max(axis=1), np.array(able)[place]))
    if not parts:
        nothing = np.zeros(0)
        return Searches(nothing.astype(np.intp), nothing, nothing, nothing.astype(np.intp), 0)
    rank, own, other, searched = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Searches(rank, own, other, searched, len(able))


@dataclass(frozen=True)
class Drawn:
    """Some of a writer's genuine signatures, by number."""

    writer: EmbeddedWriter
    numbers: NDArray[np.intp]


def search_scores(
    probes: Sequence[Drawn],
    gallery: Sequence[Drawn],
    spread: Spread,
    same: NDArray[np.bool_],
    cache: LocalSimilarityCache | None = None,
) -> tuple[Doubles, Doubles]:
    """Scores of all n probes, writer by writer, against each of g writers' references.

    Args:
        probes, gallery: signatures of one model.
        spread: what the model knows of all writers.
        same: `(n, g)`, whether the writer is the probe's own person.
        cache: as for `run_searches`.

    Returns:
        `(n, g)` scores with everybody in the gallery, and with the probe's person left out, whose
        scores are -inf. As a search does, either scores the ten most alike on the whole in full;
        the others keep their order, behind them.
    """
    cache = cache or LocalSimilarityCache()
    whole = _whole_scores(probes, gallery, spread)
    strangers = np.where(same, -np.inf, whole)
    if gallery[0].writer.genuine.pieces is None:
        return whole, strangers
    listed, listed_strangers = _shortlist(whole), _shortlist(strangers) & ~same
    full = _full_scores(probes, gallery, spread, listed | listed_strangers, cache)
    return (
        np.where(listed, full, whole - BEHIND),
        np.where(listed_strangers, full, strangers - BEHIND),
    )


def _shortlist(scores: Doubles) -> NDArray[np.bool_]:
    best = np.argsort(-scores, axis=1, kind="stable")[:, :SHORTLIST]
    listed = np.zeros(scores.shape, np.bool_)
    np.put_along_axis(listed, best, values=True, axis=1)
    return listed


def _whole_scores(probes: Sequence[Drawn], gallery: Sequence[Drawn], spread: Spread) -> Doubles:
    vectors = np.concatenate([drawn.writer.genuine.vectors[drawn.numbers] for drawn in probes])
    scores = np.empty((len(vectors), len(gallery)))
    for place, drawn in enumerate(gallery):
        references = drawn.writer.genuine.vectors[drawn.numbers]
        own = Similarities(references @ references.T, None)
        found = Similarities(vectors @ references.T, None)
        scores[:, place] = claim_scores(found, own, spread, spread.allowance(references))
    return scores


def _full_scores(
    probes: Sequence[Drawn],
    gallery: Sequence[Drawn],
    spread: Spread,
    listed: NDArray[np.bool_],
    cache: LocalSimilarityCache,
) -> Doubles:
    """Scores with pieces `(n, g)` where listed; 0 elsewhere."""
    scores = np.zeros(listed.shape)
    owns = [one.writer.similarities(cache).of(one.numbers, one.numbers) for one in gallery]
    ends = np.cumsum([len(drawn.numbers) for drawn in probes])[:-1]
    parts = zip(probes, np.split(scores, ends), np.split(listed, ends), strict=True)
    for asking, rows, some in parts:
        for place in np.flatnonzero(some.any(axis=0)).tolist():
            known = gallery[place]
            allowance = spread.allowance(known.writer.genuine.vectors[known.numbers])
            found = known.writer.similarities_of(
                asking.writer, asking.numbers[some[:, place]], cache
            )
            found = found.of(slice(None), known.numbers)
            rows[some[:, place], place] = claim_scores(found, owns[place], spread, allowance)
    return scores


def match_characteristic(rank: NDArray[np.intp]) -> list[float]:
    """Share of searches with the writer among the first 1, 2, ... 20 (the CMC curve)."""
    return [float(np.mean(rank <= place)) for place in range(1, CMC_RANKS + 1)]
