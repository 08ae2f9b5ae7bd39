"""Compares what two models would answer, by asking both about the enrolled references.

Query signatures are not kept, so references stand in for them: each is held out as a probe of its
writer's others, and claimed to be some other writers' (random forgeries). Nobody enrolls skilled
forgeries, so of these it says nothing.
"""

from collections import Counter
from collections.abc import Generator, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from encoder.inference.encoder import Encoder
from encoder.scoring.decision_rule import Verdict
from encoder.scoring.templates import Signatures
from index.registry.embeddings import Claim
from index.registry.registry import Registry
from index.sync.rebuild_policy import build
from index.vectors.unit_vectors import leading
from index.vectors.vector_index import Neighbours, RecallTarget, VectorIndex
from service.decisions.identify import rank
from service.writers.template_codec import signatures_of

BATCH = 64
OTHERS_EACH = 5  # Writers that each probe is claimed to be besides its own.


@dataclass
class AnswerPairs:
    """How often the old model said this and the new one that, by what they were asked.

    Keys are pairs, the old model's answer first; `first` counts whether the probe's own writer
    came first among all in an identification. `alone` are references whose writer has no other.
    """

    probes: int = 0
    alone: int = 0
    genuine: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    random_forgery: Counter[tuple[Verdict, Verdict]] = field(default_factory=Counter)
    first: Counter[tuple[bool, bool]] = field(default_factory=Counter)

    def add(self, other: "AnswerPairs") -> None:
        """Count another batch in."""
        self.probes += other.probes
        self.alone += other.alone
        self.genuine += other.genuine
        self.random_forgery += other.random_forgery
        self.first += other.first


@dataclass(frozen=True)
class Probe:
    """A reference held out, its writer, and the writers whom it is wrongly claimed to be."""

    reference_id: int
    writer_id: str
    others: tuple[str, ...]


@dataclass(frozen=True)
class Answers:
    """What one model says of one probe; `genuine` and `first` are None if it has no references."""

    genuine: Verdict | None
    random_forgeries: tuple[Verdict, ...]
    first: bool | None


class ComparedModel:
    """One of the two models, with an index of its own in memory, beside those of servers."""

    def __init__(
        self, encoder: Encoder, registry: Registry, ivf_from: int, target: RecallTarget
    ) -> None:
        self._encoder = encoder
        self._rule, self._model_id = encoder.rule, encoder.model_id
        self._dimension = encoder.index_dimension
        self._registry = registry
        self._index: VectorIndex = build(
            registry, encoder.model_id, encoder.index_dimension, ivf_from, target
        ).index

    def answers(self, probes: Sequence[Probe]) -> list[Answers | None]:
        """Answer for each probe; None where it was erased since the sample was taken."""
        writer_ids = {one.writer_id for one in probes}
        claims = self._registry.embeddings.claims(writer_ids, self._model_id, with_pieces=True)
        return [self._answer(one, claims) for one in probes]

    def _answer(self, probe: Probe, claims: dict[str, Claim]) -> Answers | None:
        own = claims.get(probe.writer_id)
        if own is None or probe.reference_id not in own.reference_ids:
            return None
        held_out = own.reference_ids == probe.reference_id
        references = signatures_of(own, self._encoder)
        one, rest = references[np.flatnonzero(held_out)], references[np.flatnonzero(~held_out)]
        others = [
            signatures_of(claims[writer_id], self._encoder)
            for writer_id in probe.others
            if writer_id in claims
        ]
        return Answers(
            self._rule.compare(one, rest).verdict if len(rest) else None,
            tuple(self._rule.compare(one, theirs).verdict for theirs in others),
            self._first(probe, one) == probe.writer_id if len(rest) else None,
        )

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return near references, as a gallery's search does."""
        return self._index.search(leading(probes, self._dimension), k)

    def _first(self, probe: Probe, signature: Signatures) -> str | None:
        """The writer whom an identification would name first, were the probe not enrolled."""
        ranked = rank(
            signature,
            1,
            encoder=self._encoder,
            registry=self._registry,
            index=self,
            left_out=(probe.reference_id,),
        )
        return ranked[0].writer_id if ranked else None


def sample(registry: Registry, old_id: str, new_id: str, limit: int) -> NDArray[np.int64]:
    """Return up to `limit` references that both models have seen, in an order that is random.

    The same for the same references.
    """
    shared = registry.models.seen_by_both(old_id, new_id)
    mixed: NDArray[np.int64] = np.random.default_rng(0).permutation(shared)[:limit]
    return mixed


def compare_models(
    old: ComparedModel, new: ComparedModel, registry: Registry, reference_ids: NDArray[np.int64]
) -> Generator[AnswerPairs, None, None]:
    """Ask both models about these references, yielding the counts batch by batch."""
    for start in range(0, len(reference_ids), BATCH):
        owners = registry.references.writers_of(reference_ids[start : start + BATCH].tolist())
        probes = _with_others(owners)
        yield _counted(zip(old.answers(probes), new.answers(probes), strict=True))


def _with_others(owners: dict[int, str]) -> list[Probe]:
    """Claim each to be the next few other writers of the batch, whose order is random."""
    writers = list(dict.fromkeys(owners.values()))
    probes = []
    for reference_id, writer_id in owners.items():
        place = writers.index(writer_id)
        others = (writers[place + 1 :] + writers[:place])[:OTHERS_EACH]
        probes.append(Probe(reference_id, writer_id, tuple(others)))
    return probes


def _counted(pairs: "zip[tuple[Answers | None, Answers | None]]") -> AnswerPairs:
    counted = AnswerPairs()
    for old, new in pairs:
        if old is None or new is None:
            continue
        counted.probes += 1
        counted.random_forgery.update(zip(old.random_forgeries, new.random_forgeries, strict=False))
        if old.genuine is None or new.genuine is None or old.first is None or new.first is None:
            counted.alone += 1
            continue
        counted.genuine[old.genuine, new.genuine] += 1
        counted.first[old.first, new.first] += 1
    return counted
