"""Open-set searches of the evaluation protocol: whom of a gallery a probe resembles, if anyone.

Every genuine signature that is not a reference is searched for twice (ISO/IEC 19795-1): with its
writer in the gallery, and, as a probe by nobody there, with all of that person left out.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.protocol import EmbeddedWriter
from encoder.score import Spread, gallery_scores

CMC_RANKS = 20


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
) -> Searches:
    """Search a gallery of all writers with more than `references` genuine signatures."""
    able = [number for number, w in enumerate(writers) if len(w.genuine) > references]
    people = np.array([writers[number].group for number in able])
    parts = []
    for draw in range(draws if able else 0):
        gallery, probes = [], []
        for number in able:
            writer = writers[number]
            rng = np.random.default_rng([seed, references, draw, number])
            order = rng.permutation(len(writer.genuine))
            gallery.append(writer.genuine[order[:references]])
            probes.append(writer.genuine[order[references:]])
        together = np.concatenate(probes)
        scores = gallery_scores(together, np.stack(gallery), spread)
        place = np.repeat(np.arange(len(able)), [len(part) for part in probes])
        own = scores[np.arange(len(together)), place]
        rank = 1 + np.count_nonzero(scores > own[:, None], axis=1)
        others = np.where(people[None, :] == people[place][:, None], -np.inf, scores)
        parts.append((rank, own, others.max(axis=1), np.array(able)[place]))
    if not parts:
        nothing = np.zeros(0)
        return Searches(nothing.astype(np.intp), nothing, nothing, nothing.astype(np.intp), 0)
    rank, own, other, searched = (np.concatenate(column) for column in zip(*parts, strict=True))
    return Searches(rank, own, other, searched, len(able))


def rank_one_rate(
    writers: Sequence[EmbeddedWriter], references: int, spread: Spread, draws: int = 10
) -> float:
    """Share of searches in which the probe's own writer comes first; NaN without any."""
    ranks = run_searches(writers, references, spread, draws).rank
    return float(np.mean(ranks == 1)) if ranks.size else float("nan")


def match_characteristic(rank: NDArray[np.intp]) -> list[float]:
    """Share of searches with the writer among the first 1, 2, ... 20 (the CMC curve)."""
    return [float(np.mean(rank <= place)) for place in range(1, CMC_RANKS + 1)]
