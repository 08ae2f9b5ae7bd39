"""Works out what an installation's own references tell of its thresholds, and keeps it.

Every reference of a sample is a query signature twice: of a stranger, its writer left out, as an
identification would answer it; and of its writer, compared with their other references.
"""

from collections import Counter, defaultdict
from collections.abc import Generator, Mapping
from dataclasses import dataclass, field, replace

import numpy as np

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
from encoder.scoring.templates import Signatures
from index.registry.gallery_calibrations import GalleryCalibration, NewCalibration
from index.registry.registry import Registry
from service.decisions.identify import Searchable, rank
from service.errors import NotEnoughWriters
from service.models.calibrated import AFTER, BEFORE, GALLERY, PROBED, own_rule
from service.models.live_services import Services
from service.writers.template_codec import signatures_of

# A tenth of them make the tail of strangers' scores: 200 tell its scale to 7 %, and the threshold
# for 1 % to a factor of 1.2 in the rate. More signatures would tell little more, and take longer.
PROBES = 2000
PROBES_OF_A_WRITER = 10  # At most, so that nobody with many references is the gallery.
GROWTH = 2  # Writers, times as many, from which on a gallery is asked anew.


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


def is_due(services: Services) -> bool:
    """Whether the gallery has 25 writers, and twice as many as when it was asked last."""
    registry, encoder = services.registry, services.encoder
    writers = registry.models.gallery_size(encoder.model_id).writers
    if writers < LEAST_WRITERS:
        return False
    last = registry.calibrations.newest(encoder.model_id, own_rule(encoder).rule_id)
    return last is None or writers >= GROWTH * last.writer_count


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
    rule = replace(plain.rule, gallery=own)
    parameters = {
        GALLERY: own.as_dict(),
        BEFORE: measure(scores, encoder.rule).as_dict(),
        AFTER: measure(scores, rule).as_dict(),
        PROBED: len(scores.strangers.scores),
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
    for done, (reference_id, writer_id) in enumerate(probes.items(), 1):
        found = _of_probe(reference_id, writer_id, encoder, registry, index)
        if found.stranger is not None:
            strangers.add(found.stranger, numbers[writer_id])
        for references, score in found.genuine.items():
            genuine[references].add(score, numbers[writer_id])
        if found.genuine:
            enrolled.add(found.genuine[max(found.genuine)], numbers[writer_id])
        yield done, len(probes)
    return GalleryScores(
        writers=size.writers,
        references=size.references,
        strangers=strangers.scored(),
        genuine={references: one.scored() for references, one in genuine.items()},
        enrolled=enrolled.scored(),
    )


@dataclass(frozen=True)
class _ProbeScores:
    """Of one reference: the score of whoever came first without its writer, and its writer's."""

    stranger: float | None
    genuine: Mapping[int, float]


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
        return _ProbeScores(None, {})
    references = signatures_of(own, encoder)
    place = int(np.flatnonzero(own.reference_ids == reference_id)[0])
    kept = distinct(references).kept
    if place not in kept:
        return _ProbeScores(None, {})
    probe = references[[place]]
    left_out = own.reference_ids.tolist()
    first = rank(probe, 1, encoder=encoder, registry=registry, index=index, left_out=left_out)
    # Whoever has the very signature is no other person, or is somebody's second name.
    stranger = first[0].score if first and first[0].similarity < SHARED else None
    rest = [number for number in kept if number != place]
    return _ProbeScores(stranger, _genuine(probe, references, rest, encoder, reference_id))


def _genuine(
    probe: Signatures, references: Signatures, rest: list[int], encoder: Encoder, seed: int
) -> dict[int, float]:
    """Scores of a probe by the number of its writer's references that a claim rests on.

    Of so many, the probe is one, so that there may be one fewer.
    """
    order = [rest[place] for place in np.random.default_rng(seed).permutation(len(rest))]
    found = {}
    for references_each in (one.references for one in encoder.rule.calibrations):
        if len(rest) + 1 >= max(references_each, LEAST_REFERENCES):
            chosen = sorted(order[:references_each])
            found[references_each] = encoder.rule.claim(probe, references[chosen]).score
    return found
