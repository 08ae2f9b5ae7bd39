"""The evaluation protocol: which signatures are compared with which references.

For every writer, R references are drawn from the genuine signatures, several times; the other
genuine ones are mated probes, the forgeries skilled non-mated ones, and genuine signatures of other
people of the same data set random non-mated ones: across data sets, scripts and scanners would be
told apart, and random forgeries look easier than they are. For the same reason, where several
people wrote the same text, theirs are taken. One threshold holds for all writers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from encoder.datasets.splits import group_of
from encoder.evaluation.local_similarity_cache import LocalSimilarityCache
from encoder.scoring.score import (
    Similarities,
    Spread,
    claim_scores,
    mean_of_pairs,
    observed_similarity,
    similarities,
    stacked,
)
from encoder.scoring.templates import Numbers, Signatures, joined

MOST_PEERS = 20  # Whose genuine signatures are random forgeries in one draw.
SEED = 0  # Of the draws of references: every model is measured with the same.


@dataclass(frozen=True, eq=False)
class EmbeddedWriter:
    """One writer's genuine signatures and skilled forgeries, as a model sees them.

    Writers of one `group` are one person; `data_set` says whom they are compared with.
    """

    writer_id: str
    group: str
    genuine: Signatures
    forged: Signatures
    data_set: str = ""

    def similarities(self, cache: LocalSimilarityCache) -> Similarities:
        """Of all, the genuine ones first, with the genuine ones: draws only choose among them."""
        vectors = np.concatenate([self.genuine.vectors, self.forged.vectors])
        parts = [cache.between(part, self.genuine) for part in (self.genuine, self.forged)]
        local = [part for part in parts if part is not None]
        return Similarities(
            vectors @ self.genuine.vectors.T,
            np.concatenate(local) if len(local) == len(parts) else None,
        )

    def similarities_of(
        self, other: "EmbeddedWriter", numbers: Numbers, cache: LocalSimilarityCache
    ) -> Similarities:
        """Of some of another's genuine signatures with all of one's own."""
        whole = other.genuine.vectors[numbers] @ self.genuine.vectors.T
        return Similarities(whole, cache.between(other.genuine, self.genuine, numbers))


def people_of(writers: Sequence[EmbeddedWriter]) -> NDArray[np.intp]:
    """Number the person `(w,)` behind each writer: one person may write several names."""
    people = [(writer.data_set, writer.group) for writer in writers]
    numbers = {person: number for number, person in enumerate(sorted(set(people)))}
    return np.array([numbers[person] for person in people], np.intp)


@dataclass(frozen=True)
class Trials:
    """Comparison scores of one protocol run, each with its claimed writer's number.

    Attributes:
        genuine, skilled, random: `(k,)` scores.
        genuine_writer, skilled_writer, random_writer: `(k,)` numbers of the claimed writers.
    """

    genuine: NDArray[np.float64]
    skilled: NDArray[np.float64]
    random: NDArray[np.float64]
    genuine_writer: NDArray[np.intp]
    skilled_writer: NDArray[np.intp]
    random_writer: NDArray[np.intp]

    def raised(self, amounts: NDArray[np.float64]) -> "Trials":
        """The same with each claimed writer's amount `(writers,)` added to the scores."""
        return replace(
            self,
            genuine=self.genuine + amounts[self.genuine_writer],
            skilled=self.skilled + amounts[self.skilled_writer],
            random=self.random + amounts[self.random_writer],
        )


def run_trials(
    writers: Sequence[EmbeddedWriter],
    references: int,
    spread: Spread,
    draws: int = 10,
    *,
    random: bool = True,
    cache: LocalSimilarityCache | None = None,
) -> Trials:
    """Score all trials with `references` (1 or more) a claim; writers with too few are left out.

    Args:
        writers: described by one model.
        references: drawn for each claim.
        spread: what the model knows of all writers.
        draws: of references, for each writer; the same in every run.
        random: whether there are random forgeries too.
        cache: of runs with the same signatures before; one of this run's own where not given.
    """
    cache = cache or LocalSimilarityCache()
    scores: dict[str, list[NDArray[np.float64]]] = {"genuine": [], "skilled": [], "random": []}
    claimed: dict[str, list[NDArray[np.intp]]] = {"genuine": [], "skilled": [], "random": []}
    peers = _by_text(writers)
    for number, writer in enumerate(writers):
        if len(writer.genuine) <= references:
            continue
        table = writer.similarities(cache)
        for draw in range(draws):
            rng = np.random.default_rng([SEED, references, draw, number])
            order = rng.permutation(len(writer.genuine))
            chosen, rest = order[:references], order[references:]
            forged = np.arange(len(order), len(order) + len(writer.forged))
            own = table.of(chosen, chosen)
            allowance = spread.allowance(writer.genuine.vectors[chosen])
            found = {
                "genuine": table.of(rest, chosen),
                "skilled": table.of(forged, chosen),
            }
            if random:
                found["random"] = _others(peers[_text(writer)], writer, chosen, rng, cache)
            for kind, alike in found.items():
                scores[kind].append(claim_scores(alike, own, spread, allowance))
                claimed[kind].append(np.full(len(alike.whole), number, np.intp))
    scored = {kind: np.concatenate([np.zeros(0), *parts]) for kind, parts in scores.items()}
    owners = {
        f"{kind}_writer": np.concatenate([np.zeros(0, np.intp), *parts])
        for kind, parts in claimed.items()
    }
    return Trials(**scored, **owners)


def population_spread(
    writers: Sequence[EmbeddedWriter],
    references: int = 5,
    cache: LocalSimilarityCache | None = None,
) -> Spread:
    """Mean similarity of drawn references among themselves, on the whole and piece by piece.

    Where no writer has more than `references`, or these make no pair, the spread's defaults.
    """
    if references <= 1:
        return Spread()
    cache = cache or LocalSimilarityCache()
    whole, local = [], []
    for number, writer in enumerate(writers):
        if len(writer.genuine) > references:
            order = np.random.default_rng([number, references]).permutation(len(writer.genuine))
            drawn = writer.similarities(cache).of(order[:references], order[:references])
            whole.append(observed_similarity(drawn.whole))
            if drawn.local is not None:
                local.append(mean_of_pairs(drawn.local))
    default = Spread()
    return Spread(
        population=round(float(np.mean(whole)), 5) if whole else default.population,
        local=round(float(np.mean(local)), 5) if local else default.local,
    )


def _others(
    peers: Sequence[EmbeddedWriter],
    claimed: EmbeddedWriter,
    chosen: NDArray[np.intp],
    rng: np.random.Generator,
    cache: LocalSimilarityCache,
) -> Similarities:
    """Of a genuine signature of everyone else among the peers with those chosen of the claimed's.

    Of more than twenty peers so many are drawn, others for each draw of references.
    """
    others = [peer for peer in peers if peer.group != claimed.group and len(peer.genuine)]
    many = len(others) > MOST_PEERS
    if many:
        others = [others[n] for n in rng.choice(len(others), MOST_PEERS, replace=False)]
    picked = [(peer, [int(rng.integers(len(peer.genuine)))]) for peer in others]
    if not picked:
        return claimed.similarities_of(claimed, [], cache).of([], chosen)
    if many:  # Hardly any pair comes twice.
        drawn = joined(peer.genuine[number] for peer, number in picked)
        return similarities(drawn, claimed.genuine[chosen])
    alike = [claimed.similarities_of(peer, number, cache) for peer, number in picked]
    return stacked([one.of(slice(None), chosen) for one in alike])


def _by_text(writers: Sequence[EmbeddedWriter]) -> dict[tuple[str, str], list[EmbeddedWriter]]:
    """The writers of each data set who wrote the same text, by data set and text."""
    peers: dict[tuple[str, str], list[EmbeddedWriter]] = defaultdict(list)
    for writer in writers:
        peers[_text(writer)].append(writer)
    return peers


def _text(writer: EmbeddedWriter) -> tuple[str, str]:
    return writer.data_set, group_of(writer.writer_id)[1]
