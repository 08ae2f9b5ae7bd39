"""Works out what an installation's own references tell of its thresholds, and keeps it.

Every reference of a sample is a query signature twice: of a stranger, its writer left out, as an
identification would answer it; and of its writer, compared with their other references.
"""

from collections import Counter, defaultdict, deque
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.familiarity import GalleryProfile, Pairs
from encoder.calibration.gallery_statistics import (
    LEAST_REFERENCES,
    LEAST_WRITERS,
    GalleryScores,
    measure,
    read_gallery,
    require_enough,
)
from encoder.errors import TrainingDataError
from encoder.inference.encoder import Encoder
from encoder.metrics.confidence_intervals import Scored
from encoder.scoring.copies import SHARED, distinct
from encoder.scoring.decision_rule import DecisionRule
from encoder.scoring.score import ClaimScore
from encoder.scoring.templates import Signatures
from index.registry.gallery_calibrations import GalleryCalibration, NewCalibration
from index.registry.registry import Registry
from service.decisions.identify import Searchable, rank
from service.errors import NotEnoughWriters
from service.models.calibrated import AFTER, BEFORE, GALLERY, PROBED, PROFILE, own_rule, wary
from service.models.live_services import Services
from service.writers.template_codec import signatures_of

# A tenth of them make the tail of strangers' scores: 200 tell its scale to 7 %, and the threshold
# for 1 % to a factor of 1.2 in the rate. More signatures would tell little more, and take longer.
PROBES = 2000
PROBES_OF_A_WRITER = 10  # At most, so that nobody with many references is the gallery.
GROWTH = 2  # Writers, times as many, from which on a gallery is asked anew.
LEAST_WRITERS_APART = 2
STRANGERS_KEPT = 20  # Probes of the sample that the next are compared with, as another writer's.


@dataclass
class _Collected:
    """Scores with the numbers of their writers, as they come in."""

    scores: list[float] = field(default_factory=list)
    writers: list[int] = field(default_factory=list)

    def add(self, score: float, writer: int) -> None:
        self.scores.append(score)
        self.writers.append(writer)

    def scored(self) -> Scored:
        return Scored(np.array(self.scores, np.float64), np.array(self.writers, np.intp))


@dataclass
class _Paired:
    """Features of pairs of references with the numbers of the first one's writer."""

    features: list[NDArray[np.float64]] = field(default_factory=list)
    writers: list[int] = field(default_factory=list)

    def add(self, claim: ClaimScore, writer: int) -> None:
        self.features.append(claim.features)
        self.writers.append(writer)

    def pairs(self) -> Pairs:
        return Pairs(np.array(self.features), np.array(self.writers, np.intp))


class _Profiling:
    """What the sample's pairs come to, as the probes come in."""

    def __init__(self, rule: DecisionRule) -> None:
        self._rule = rule
        self._own, self._others = _Paired(), _Paired()
        self._before: deque[tuple[int, Signatures]] = deque(maxlen=STRANGERS_KEPT)

    def add(self, probe: Signatures, with_own: ClaimScore, writer: int) -> None:
        """Count a probe in: its claim by one reference of its writer, and one by another's."""
        self._own.add(with_own, writer)
        others = [one for number, one in self._before if number != writer]
        if others:
            # Whichever it is, it must be the same each time.
            other = others[len(self._own.writers) % len(others)]
            self._others.add(self._rule.claim(probe, other), writer)
        self._before.append((writer, probe))

    def profile(self) -> GalleryProfile | None:
        """That of all that were counted; None of fewer than two writers."""
        if len(set(self._others.writers)) < LEAST_WRITERS_APART:
            return None
        return GalleryProfile.of(self._own.pairs(), self._others.pairs(), self._rule.scoring)


def is_due(services: Services) -> bool:
    """Whether the gallery has 25 writers, and twice as many as when it was asked last.

    One that was asked by a version that did not look how like others it is, is asked again.
    """
    registry, encoder = services.registry, services.encoder
    writers = registry.models.gallery_size(encoder.model_id).writers
    if writers < LEAST_WRITERS:
        return False
    last = registry.calibrations.newest(encoder.model_id, own_rule(encoder).rule_id)
    if last is None or PROFILE not in last.parameters:
        return True
    return writers >= GROWTH * last.writer_count


def work_out(services: Services, caller: str) -> Generator[tuple[int, int], None, NewCalibration]:
    """Ask the gallery what it tells, yielding after each probe how many are done, and of how many.

    Nothing is kept yet: that is for the registry's `calibrations.add`.

    Raises:
        NotEnoughWriters: fewer than 25 writers have two references or more.
    """
    encoder, registry = services.encoder, services.registry
    plain = encoder.with_rule(own_rule(encoder))
    try:
        scores = yield from gallery_scores(plain, registry, services.gallery)
        own = read_gallery(scores, plain.rule)
    except TrainingDataError as error:
        raise NotEnoughWriters(str(error)) from error
    profile = None if scores.profile is None else scores.profile.as_dict()
    rule = wary(replace(plain.rule, gallery=own), encoder.manifest, profile)
    parameters = {
        GALLERY: own.as_dict(),
        BEFORE: measure(scores, encoder.rule).as_dict(),
        AFTER: measure(scores, rule).as_dict(),
        PROBED: len(scores.strangers.scores),
        PROFILE: profile,
    }
    return NewCalibration(
        model_id=encoder.model_id,
        base_rule_id=plain.rule.rule_id,
        rule_id=rule.rule_id,
        parameters=parameters,
        writer_count=scores.writers,
        reference_count=scores.references,
        caller=caller,
    )


def put_to_use(services: Services, calibration_id: int, caller: str) -> GalleryCalibration:
    """Let all servers decide by a calibration from now on.

    Raises:
        UnknownCalibration: there is none of this number.
        CalibrationOutdated: it is for another model or rule than decides now.
    """
    base_rule_id = own_rule(services.encoder).rule_id
    return services.registry.calibrations.put_to_use(calibration_id, base_rule_id, caller)


def proposal(services: Services) -> GalleryCalibration | None:
    """What was worked out last, if that waits for somebody to approve it."""
    encoder = services.encoder
    found = services.registry.calibrations.newest(encoder.model_id, own_rule(encoder).rule_id)
    return found if found is not None and found.state == "proposed" else None


def gallery_scores(
    encoder: Encoder, registry: Registry, index: Searchable, limit: int = PROBES
) -> Generator[tuple[int, int], None, GalleryScores]:
    """Score a sample of the references as strangers' and as their writers' signatures.

    Args:
        encoder: the model, by whose own rule they are scored.
        registry, index: what is enrolled.
        limit: the most references to try.

    Raises:
        TrainingDataError: the sample is of too few writers, whatever they have.
    """
    size = registry.models.gallery_size(encoder.model_id)
    probes = _probes(registry, limit)
    numbers = {writer_id: number for number, writer_id in enumerate(dict.fromkeys(probes.values()))}
    require_enough(len(numbers), size.writers)
    strangers, enrolled = _Collected(), _Collected()
    genuine: dict[int, _Collected] = defaultdict(_Collected)
    profiling = _Profiling(encoder.rule)
    for done, (reference_id, writer_id) in enumerate(probes.items(), 1):
        found = _of_probe(reference_id, writer_id, encoder, registry, index)
        if found.stranger is not None:
            strangers.add(found.stranger, numbers[writer_id])
        for references, claim in found.genuine.items():
            genuine[references].add(claim.score, numbers[writer_id])
        if found.probe is not None and found.genuine:
            enrolled.add(found.genuine[max(found.genuine)].score, numbers[writer_id])
            profiling.add(found.probe, found.genuine[min(found.genuine)], numbers[writer_id])
        yield done, len(probes)
    return GalleryScores(
        writers=size.writers,
        references=size.references,
        strangers=strangers.scored(),
        genuine={references: one.scored() for references, one in genuine.items()},
        enrolled=enrolled.scored(),
        profile=profiling.profile(),
    )


@dataclass(frozen=True)
class _ProbeScores:
    """Of one reference: the score of whoever came first without its writer, and claims to be its.

    `probe` is the reference; None where it is gone, or is a copy of another.
    """

    probe: Signatures | None
    stranger: float | None
    genuine: Mapping[int, ClaimScore]


def _probes(registry: Registry, limit: int) -> dict[int, str]:
    """Reference ids and their writers: a sample, of no writer more than ten."""
    taken: Counter[str] = Counter()
    probes = {}
    for reference_id, writer_id in registry.references.sampled(limit).items():
        if taken[writer_id] < PROBES_OF_A_WRITER:
            taken[writer_id] += 1
            probes[reference_id] = writer_id
    return probes


def _of_probe(
    reference_id: int, writer_id: str, encoder: Encoder, registry: Registry, index: Searchable
) -> _ProbeScores:
    claims = registry.embeddings.claims([writer_id], encoder.model_id, with_pieces=True)
    own = claims.get(writer_id)
    # It may have been erased since the sample was drawn; and a copy is no signature of its own.
    if own is None or reference_id not in own.reference_ids:
        return _ProbeScores(None, None, {})
    references = signatures_of(own, encoder)
    place = int(np.flatnonzero(own.reference_ids == reference_id)[0])
    kept = distinct(references).kept
    if place not in kept:
        return _ProbeScores(None, None, {})
    probe = references[[place]]
    left_out = own.reference_ids.tolist()
    first = rank(probe, 1, encoder=encoder, registry=registry, index=index, left_out=left_out)
    # Whoever has the very signature is no other person, or is somebody's second name.
    stranger = first[0].score if first and first[0].similarity < SHARED else None
    rest = [number for number in kept if number != place]
    return _ProbeScores(probe, stranger, _genuine(probe, references, rest, encoder, reference_id))


def _genuine(
    probe: Signatures, references: Signatures, rest: list[int], encoder: Encoder, seed: int
) -> dict[int, ClaimScore]:
    """Claims of a probe, by the number of its writer's references that a claim rests on.

    Of so many, the probe is one, so that there may be one fewer.
    """
    order = [rest[place] for place in np.random.default_rng(seed).permutation(len(rest))]
    found = {}
    for references_each in (one.references for one in encoder.rule.calibrations):
        if len(rest) + 1 >= max(references_each, LEAST_REFERENCES):
            chosen = sorted(order[:references_each])
            found[references_each] = encoder.rule.claim(probe, references[chosen])
    return found
