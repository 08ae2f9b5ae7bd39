"""The evaluation protocol: which signatures are compared with which references.

For every writer, R references are drawn from the genuine signatures, several times; the other
genuine ones are mated probes, the forgeries skilled non-mated ones, and genuine signatures of other
people of the same data set random non-mated ones: across data sets, scripts and scanners would be
told apart, and random forgeries look easier than they are. For the same reason, where several
people wrote the same text, theirs are taken. One threshold holds for all writers.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.datasets.splits import group_of
from encoder.evaluation.local_match_cache import LocalMatchCache
from encoder.scoring.score import (
    ClaimWeights,
    Scoring,
    Similarities,
    claim_features,
    habits_of,
    stacked,
)
from encoder.scoring.templates import Numbers, Signatures, joined

KINDS = ("genuine", "skilled", "random")
MOST_PEERS = 10  # Whose genuine signatures are random forgeries in one draw.
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

    def similarities(self, scoring: Scoring, cache: LocalMatchCache) -> Similarities:
        """Of all, the genuine ones first, with the genuine ones: draws only choose among them."""
        parts = [self._compared(part, slice(None), scoring, cache) for part in self.all]
        return stacked(parts)

    def similarities_of(
        self, other: "EmbeddedWriter", numbers: Numbers, scoring: Scoring, cache: LocalMatchCache
    ) -> Similarities:
        """Of some of another's genuine signatures with all of one's own."""
        return self._compared(other.genuine, numbers, scoring, cache)

    @property
    def all(self) -> tuple[Signatures, Signatures]:
        """The genuine signatures and the forgeries."""
        return self.genuine, self.forged

    def habits(self, found: Similarities, chosen: NDArray[np.intp]) -> NDArray[np.float64]:
        """Of the genuine signatures chosen, by what `similarities` gave."""
        own = found.of(chosen, chosen)
        pieces = self.genuine.pieces
        counts = None if own.local is None or pieces is None else [len(pieces[n]) for n in chosen]
        return habits_of(own.blocks, own.local, counts)

    def _compared(
        self, ones: Signatures, numbers: Numbers, scoring: Scoring, cache: LocalMatchCache
    ) -> Similarities:
        vectors = ones.vectors[numbers]
        return Similarities(
            vectors @ self.genuine.vectors.T,
            scoring.blocks.similarities(vectors, self.genuine.vectors),
            cache.between(ones, self.genuine, numbers) if scoring.local else None,
        )


def people_of(writers: Sequence[EmbeddedWriter]) -> NDArray[np.intp]:
    """Number the person `(w,)` behind each writer: one person may write several names."""
    people = [(writer.data_set, writer.group) for writer in writers]
    numbers = {person: number for number, person in enumerate(sorted(set(people)))}
    return np.array([numbers[person] for person in people], np.intp)


@dataclass(frozen=True)
class Claims:
    """The claims of one protocol run: what is known of each, before it is scored.

    Attributes:
        features: by kind (`genuine`, `skilled`, `random`), `(k, f)` as `claim_features`.
        writer: by kind, `(k,)` numbers of the claimed writers.
    """

    features: dict[str, NDArray[np.float64]]
    writer: dict[str, NDArray[np.intp]]

    def only(self, writers: NDArray[np.bool_]) -> "Claims":
        """The claims to be some of the writers: `(w,)` says which."""
        kept = {kind: writers[numbers] for kind, numbers in self.writer.items()}
        return Claims(
            {kind: self.features[kind][of] for kind, of in kept.items()},
            {kind: self.writer[kind][of] for kind, of in kept.items()},
        )

    def scored(self, weights: ClaimWeights) -> "Trials":
        """The comparison scores by these weights."""
        return Trials(
            genuine=weights.scores(self.features["genuine"]),
            skilled=weights.scores(self.features["skilled"]),
            random=weights.scores(self.features["random"]),
            genuine_writer=self.writer["genuine"],
            skilled_writer=self.writer["skilled"],
            random_writer=self.writer["random"],
        )


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

    def only(self, writers: NDArray[np.bool_]) -> "Trials":
        """The trials of some of the claimed writers: `(w,)` says which."""
        genuine, skilled, random = (
            writers[numbers]
            for numbers in (self.genuine_writer, self.skilled_writer, self.random_writer)
        )
        return Trials(
            genuine=self.genuine[genuine],
            skilled=self.skilled[skilled],
            random=self.random[random],
            genuine_writer=self.genuine_writer[genuine],
            skilled_writer=self.skilled_writer[skilled],
            random_writer=self.random_writer[random],
        )


# One block and nothing learned: for a baseline, and to watch a network that is still in training.
# What references have in common is taken off where there are two or more.
PLAIN = Scoring(
    (
        ClaimWeights(1, (1.0, 0.0), 0.0, (0.0, 0.0)),
        ClaimWeights(2, (1.0, -0.7), 0.0, (0.0, 0.0)),
    ),
    local=False,
)


def run_trials(
    writers: Sequence[EmbeddedWriter],
    references: int,
    scoring: Scoring,
    draws: int = 10,
    cache: LocalMatchCache | None = None,
) -> Trials:
    """Score all trials with `references` (1 or more) a claim; writers with too few are left out.

    Args:
        writers: described by one model.
        references: drawn for each claim.
        scoring: what is compared, and what it counts.
        draws: of references, for each writer; the same in every run.
        cache: of runs with the same signatures before; one of this run's own where not given.
    """
    claims = draw_claims(writers, references, scoring, draws, cache)
    return claims.scored(scoring.weights_for(references))


def draw_claims(
    writers: Sequence[EmbeddedWriter],
    references: int,
    scoring: Scoring,
    draws: int = 10,
    cache: LocalMatchCache | None = None,
) -> Claims:
    """The claims that `run_trials` scores; of `scoring`, what is compared alone counts."""
    cache = cache or LocalMatchCache()
    features: dict[str, list[NDArray[np.float64]]] = {kind: [] for kind in KINDS}
    claimed: dict[str, list[NDArray[np.intp]]] = {kind: [] for kind in KINDS}
    peers = _by_text(writers)
    for number, writer in enumerate(writers):
        if len(writer.genuine) <= references:
            continue
        table = writer.similarities(scoring, cache)
        for draw in range(draws):
            rng = np.random.default_rng([SEED, references, draw, number])
            order = rng.permutation(len(writer.genuine))
            chosen, rest = order[:references], order[references:]
            forged = np.arange(len(order), len(order) + len(writer.forged))
            habits = writer.habits(table, chosen)
            found = {
                "genuine": table.of(rest, chosen),
                "skilled": table.of(forged, chosen),
                "random": _others(peers[_text(writer)], writer, chosen, rng, scoring, cache),
            }
            for kind, alike in found.items():
                features[kind].append(claim_features(alike, habits))
                claimed[kind].append(np.full(len(alike.whole), number, np.intp))
    nothing = np.zeros((0, scoring.features))
    return Claims(
        {kind: np.concatenate([nothing, *parts]) for kind, parts in features.items()},
        {kind: np.concatenate([np.zeros(0, np.intp), *p]) for kind, p in claimed.items()},
    )


def _others(
    peers: Sequence[EmbeddedWriter],
    claimed: EmbeddedWriter,
    chosen: NDArray[np.intp],
    rng: np.random.Generator,
    scoring: Scoring,
    cache: LocalMatchCache,
) -> Similarities:
    """Of a genuine signature of everyone else among the peers with those chosen of the claimed's.

    Of more than ten peers so many are drawn, others for each draw of references.
    """
    others = [peer for peer in peers if peer.group != claimed.group and len(peer.genuine)]
    many = len(others) > MOST_PEERS
    if many:
        others = [others[n] for n in rng.choice(len(others), MOST_PEERS, replace=False)]
    picked = [(peer, [int(rng.integers(len(peer.genuine)))]) for peer in others]
    if not picked:
        return claimed.similarities_of(claimed, [], scoring, cache).of([], chosen)
    if many:  # Hardly any pair comes twice.
        drawn = joined(peer.genuine[number] for peer, number in picked)
        return scoring.similarities(drawn, claimed.genuine[chosen])
    alike = [claimed.similarities_of(peer, number, scoring, cache) for peer, number in picked]
    return stacked([one.of(slice(None), chosen) for one in alike])


def _by_text(writers: Sequence[EmbeddedWriter]) -> dict[tuple[str, str], list[EmbeddedWriter]]:
    """The writers of each data set who wrote the same text, by data set and text."""
    peers: dict[tuple[str, str], list[EmbeddedWriter]] = defaultdict(list)
    for writer in writers:
        peers[_text(writer)].append(writer)
    return peers


def _text(writer: EmbeddedWriter) -> tuple[str, str]:
    return writer.data_set, group_of(writer.writer_id)[1]
