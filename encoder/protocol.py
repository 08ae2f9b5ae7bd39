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

from encoder.score import Spread, Vectors, claim_scores, observed_likeness
from encoder.writers_folder import group_of


@dataclass(frozen=True)
class EmbeddedWriter:
    """One writer's unit embeddings: genuine `(n, d)` and skilled forgeries `(m, d)`, float32.

    Writers of one `group` are one person; `data_set` says whom they are compared with.
    """

    writer_id: str
    group: str
    genuine: Vectors
    forged: Vectors
    data_set: str = ""


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


def run_trials(
    writers: Sequence[EmbeddedWriter],
    references: int,
    spread: Spread,
    draws: int = 10,
    seed: int = 0,
) -> Trials:
    """Score all trials with `references` (1 or more) a claim; writers with too few are left out."""
    scores: dict[str, list[NDArray[np.float64]]] = {"genuine": [], "skilled": [], "random": []}
    claimed: dict[str, list[NDArray[np.intp]]] = {"genuine": [], "skilled": [], "random": []}
    peers = _by_text(writers)
    for number, writer in enumerate(writers):
        if len(writer.genuine) <= references:
            continue
        for draw in range(draws):
            rng = np.random.default_rng([seed, references, draw, number])
            order = rng.permutation(len(writer.genuine))
            chosen, rest = order[:references], order[references:]
            probes = {
                "genuine": writer.genuine[rest],
                "skilled": writer.forged,
                "random": _others(peers[_text(writer)], writer, rng),
            }
            for kind, vectors in probes.items():
                scored = claim_scores(vectors, writer.genuine[chosen], spread)
                scores[kind].append(scored)
                claimed[kind].append(np.full(len(scored), number, np.intp))
    joined = {kind: np.concatenate([np.zeros(0), *parts]) for kind, parts in scores.items()}
    owners = {
        f"{kind}_writer": np.concatenate([np.zeros(0, np.intp), *parts])
        for kind, parts in claimed.items()
    }
    return Trials(**joined, **owners)


def population_likeness(writers: Sequence[EmbeddedWriter], references: int = 5) -> float:
    """Mean likeness of drawn references among themselves, for `Spread.population`.

    Where no writer has more than `references`, or these make no pair, the spread's default.
    """
    if references < 2:
        return Spread().population
    values = []
    for number, writer in enumerate(writers):
        if len(writer.genuine) > references:
            order = np.random.default_rng([number, references]).permutation(len(writer.genuine))
            values.append(observed_likeness(writer.genuine[order[:references]]))
    return float(np.mean(values)) if values else Spread().population


def _others(
    peers: Sequence[EmbeddedWriter], claimed: EmbeddedWriter, rng: np.random.Generator
) -> Vectors:
    """A genuine signature `(k, d)` of everyone else among the claimed writer's peers."""
    picked = [
        peer.genuine[rng.integers(len(peer.genuine))]
        for peer in peers
        if peer.group != claimed.group and len(peer.genuine)
    ]
    return np.stack(picked) if picked else np.zeros((0, claimed.genuine.shape[1]), np.float32)


def _by_text(writers: Sequence[EmbeddedWriter]) -> dict[tuple[str, str], list[EmbeddedWriter]]:
    """The writers of each data set who wrote the same text, by data set and text."""
    peers: dict[tuple[str, str], list[EmbeddedWriter]] = defaultdict(list)
    for writer in writers:
        peers[_text(writer)].append(writer)
    return peers


def _text(writer: EmbeddedWriter) -> tuple[str, str]:
    return writer.data_set, group_of(writer.writer_id)[1]
