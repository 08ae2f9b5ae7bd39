"""Open-set searches of the evaluation protocol: whom of a gallery a probe resembles, if anyone.

Every genuine signature that is not a reference is searched for twice (ISO/IEC 19795-1): with its
writer in the gallery, and, as a probe by nobody there, with all of that person left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.evaluation.trials import EmbeddedWriter
from encoder.scoring.score import SHORTLIST, Scoring, claim_features, likenesses

Doubles = NDArray[np.float64]

CMC_RANKS = 20
BEHIND = 100.0  # More than any two likenesses differ.


@dataclass(frozen=True)
class Searches:
    """Searches with genuine probes.

    Attributes:
        rank: `(k,)` place of the probe's writer among all in the gallery, 1 first.
        own: `(k,)` the score of the probe's writer; -inf where nobody looked that far.
        other: `(k,)` the score of the other person most alike; -inf where there is none.
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
    scoring: Scoring,
    draws: int = 10,
    seed: int = 0,
    cache: LocalMatchCache | None = None,
) -> Searches:
    """Search a gallery of all writers with more than `references` genuine signatures.

    Args:
        writers: described by one model.
        references: drawn for each writer of the gallery; the others are probes.
        scoring: what is compared, and what it counts.
        draws: of references.
        seed: another seed draws others.
        cache: of runs with the same signatures before; one of this run's own where not given.
    """
    cache = cache or LocalMatchCache()
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
        likeness, scores = search_scores(probes, gallery, scoring, same, cache)
        each = np.arange(len(place))
        rank = 1 + np.count_nonzero(likeness > likeness[each, place][:, None], axis=1)
        nearest_other = np.where(same, -np.inf, likeness).argmax(axis=1)
        other = np.where(same.all(axis=1), -np.inf, scores[each, nearest_other])
        # A writer so far behind that nobody looks at them is missed whatever their score.
        own = np.nan_to_num(scores[each, place], nan=-np.inf)
        parts.append((rank, own, other, np.array(able)[place]))
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
    scoring: Scoring,
    same: NDArray[np.bool_],
    cache: LocalMatchCache | None = None,
) -> tuple[Doubles, Doubles]:
    """What a search makes of all n probes, writer by writer, against g writers' references.

    As a search does, the ten writers most alike on the whole are looked at in full, with everybody
    in the gallery and with the probe's own person left out.

    Args:
        probes, gallery: signatures of one model.
        scoring: what is compared, and what it counts.
        same: `(n, g)`, whether the writer is the probe's own person.
        cache: as for `run_searches`.

    Returns:
        `(n, g)` likenesses, which order the writers, those of writers not looked at in full behind
        all others; and `(n, g)` scores, NaN where nobody looks.
    """
    cache = cache or LocalMatchCache()
    whole = _whole_likenesses(probes, gallery)
    listed = _shortlist(whole) | (_shortlist(np.where(same, -np.inf, whole)) & ~same)
    likeness, scores = whole - BEHIND, np.full(whole.shape, np.nan)
    ends = np.cumsum([len(drawn.numbers) for drawn in probes])[:-1]
    rows = (np.split(table, ends) for table in (likeness, scores, listed))
    tables = [one.writer.similarities(scoring, cache) for one in gallery]
    habits = [o.writer.habits(t, o.numbers) for o, t in zip(gallery, tables, strict=True)]
    for asking, alike, scored, some in zip(probes, *rows, strict=True):
        for place in np.flatnonzero(some.any(axis=0)).tolist():
            known, those = gallery[place], some[:, place]
            found = known.writer.similarities_of(
                asking.writer, asking.numbers[those], scoring, cache
            ).of(slice(None), known.numbers)
            weights = scoring.weights_for(len(known.numbers))
            scored[those, place] = weights.scores(claim_features(found, habits[place]))
            alike[those, place] = likenesses(found.whole, found.local)
    return likeness, scores


def _shortlist(likeness: Doubles) -> NDArray[np.bool_]:
    best = np.argsort(-likeness, axis=1, kind="stable")[:, :SHORTLIST]
    listed = np.zeros(likeness.shape, np.bool_)
    np.put_along_axis(listed, best, values=True, axis=1)
    return listed


def _whole_likenesses(probes: Sequence[Drawn], gallery: Sequence[Drawn]) -> Doubles:
    vectors = np.concatenate([drawn.writer.genuine.vectors[drawn.numbers] for drawn in probes])
    found = [
        likenesses(vectors @ drawn.writer.genuine.vectors[drawn.numbers].T) for drawn in gallery
    ]
    return np.stack(found, axis=1)


def match_characteristic(rank: NDArray[np.intp]) -> list[float]:
    """Share of searches with the writer among the first 1, 2, ... 20 (the CMC curve)."""
    return [float(np.mean(rank <= place)) for place in range(1, CMC_RANKS + 1)]
