"""Identifies a signature: whom does it resemble, if anyone enrolled?

The index proposes near references. The writers behind them are scored exactly from SQL: all on
their whole vectors, and those most alike in full, piece by piece. They are ordered by `likeness`,
which compares writers with few and with many references; the score of the first decides whether
anybody is named.
"""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from encoder.cautions import Caution
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from encoder.inference.orientation import (
    POSES,
    STRAIGHTENING,
    describe_posed,
    lies_turned,
    penalised,
    straightened_by,
)
from encoder.inference.simple_marks import simple_marks
from encoder.scoring.score import SHORTLIST, ClaimScore, likenesses
from encoder.scoring.templates import Signatures
from index.registry.audit_log import DecisionRecord
from index.registry.embeddings import Claim
from index.registry.registry import Registry
from index.sync.gallery_interface import Gallery
from index.vectors.vector_index import Neighbours
from service.decisions.answering_model import AnsweringModel
from service.decisions.calibration_told import CalibrationTold, of_identification
from service.decisions.candidates import DEFAULT_CANDIDATES
from service.decisions.cautious_verdict import clears_nobody
from service.decisions.collisions import Rival, collision, not_distinctive, places
from service.decisions.recording import Asked, Recorded, basis_of, named_in, now
from service.decisions.replay import replay_of_reference, seen_before
from service.decisions.stages import Stages, unmeasured
from service.decisions.verify import ANYBODY, recorded_fields
from service.writers.copies import MAY_BE_A_COPY
from service.writers.template_codec import signatures_of
from service.writers.uploads import Acquired, Upload, acquire_one, describe_each

# Several references of a writer may be near, so more are fetched than there are candidates.
NEIGHBOURS_PER_CANDIDATE = 8
LEAST_LOOKED_AT = 10  # Writers that an index, which knows part of a vector, proposes at the least.
# Where they all belong to few writers, so many times more are fetched.
WIDENING = 4


class Searchable(Protocol):
    """An index to search: a gallery's, or one beside it."""

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) near references, nearest first, at most k."""
        ...


@dataclass(frozen=True)
class Candidate:
    """A writer whom the query signature resembles, and their most similar reference."""

    writer_id: str
    name: str
    score: float
    likeness: float  # What orders candidates.
    reference_id: int
    similarity: float  # Of this reference, a cosine.
    reference_count: int  # How many references the score rests on.
    shares_with: tuple[str, ...] = ()  # Other candidates who have a reference of theirs.
    reference_ids: tuple[int, ...] = ()  # All of theirs; copies count once in the score.

    def as_dict(self) -> dict[str, Any]:
        """The candidate as answers show it."""
        return {
            "writer_id": self.writer_id,
            "name": self.name,
            "score": self.score,
            "likeness": self.likeness,
            "reference_id": self.reference_id,
            "shares_with": list(self.shares_with),
        }

    def recorded(self) -> dict[str, object]:
        """What the audit trail keeps of the candidate: no name, since it outlives an erasure."""
        return {
            "writer_id": self.writer_id,
            "score": self.score,
            "reference_id": self.reference_id,
        }


@dataclass(frozen=True)
class Identification:
    """The answer to "whose is it?". It says whom it resembles, not that it is authentic."""

    recorded: Recorded
    verdict: Literal["identified", "not_enrolled"]
    candidates: tuple[Candidate, ...]  # Best first.
    threshold: float
    gallery_size: int  # Writers that the query signature was compared with.
    acquisition: Acquisition
    model: AnsweringModel
    warnings: tuple[Caution, ...] = ()
    calibration: CalibrationTold | None = None

    @property
    def decision_id(self) -> str:
        """The decision's id in the audit trail."""
        return self.recorded.decision_id

    @property
    def writer_id(self) -> str | None:
        """Who is named, if anybody is."""
        return self.candidates[0].writer_id if self.verdict == "identified" else None

    def as_dict(self) -> dict[str, Any]:
        """The answer, ready for JSON."""
        return {
            **recorded_fields(self.recorded),
            "writer_id": self.writer_id,
            "verdict": self.verdict,
            "calibration": self.calibration,
            "warnings": [one.as_dict() for one in self.warnings],
            "candidates": [candidate.as_dict() for candidate in self.candidates],
            "threshold": self.threshold,
            "gallery_size": self.gallery_size,
            "quality": self.acquisition.quality.as_dict(),
            "model": self.model.as_dict(),
        }


def identify(  # noqa: PLR0913  # All but what is asked about by name.
    upload: Upload,
    *,
    encoder: Encoder,
    registry: Registry,
    gallery: Gallery,
    top: int = DEFAULT_CANDIDATES,
    asked: Asked = ANYBODY,
    stage: Stages = unmeasured,
) -> Identification:
    """Find the writers whom a query signature resembles most, and record the decision.

    Raises:
        ImageError: no signature could be acquired from the upload.
    """
    with stage("acquire"):
        acquired = acquire_one(upload, encoder)
    with stage("embed"):
        probe = describe_each([acquired], encoder)
    gallery_size = registry.models.gallery_size(encoder.model_id).writers
    # As many as are compared in full, however few are asked for: the others say how many fit.
    search = _Search(encoder, registry, gallery, gallery_size, max(top, SHORTLIST))
    told: tuple[Caution, ...] = ()
    degrees = 0
    with stage("search"):
        candidates = search.rank(probe)
        if candidates and not search.reached_by(candidates):
            candidates, told, degrees = search.as_it_lies(acquired.acquisition, candidates)
    simple = simple_marks([acquired.acquisition], probe, encoder)[0]
    warnings = (*acquired.acquisition.quality.warnings, *told, *simple)
    threshold = search.threshold(candidates)
    found = search.reached_by(candidates) and not clears_nobody(warnings)
    warnings = (
        *warnings,
        *search.fits_others_too(candidates),
        *_told(acquired, probe, candidates, encoder, registry),
    )
    candidates = candidates[:top]
    verdict: Literal["identified", "not_enrolled"] = "identified" if found else "not_enrolled"
    named = candidates[0].writer_id if found else None
    mentions = {name for one in candidates for name in (one.writer_id, *one.shares_with)}
    mentions |= {*named_in(warnings, acquired.sha256, named, registry)}
    rests_on = _rests_on(candidates, gallery_size, degrees, registry)
    basis = basis_of(acquired, encoder, verdict, warnings, asked, rests_on)
    decided_at = now()
    record = DecisionRecord(
        kind="identify",
        verdict=verdict,
        writer_id=named,
        operating_point=None,
        score=candidates[0].score if candidates else None,
        log_lr=None,
        threshold=threshold,
        non_match_threshold=None,
        model_id=encoder.model_id,
        reference_ids=tuple(candidate.reference_id for candidate in candidates),
        candidates=[candidate.recorded() for candidate in candidates],
        probe_sha256=acquired.sha256,
        caller=asked.caller,
        decided_at=decided_at,
        basis=replace(basis, mentions=tuple(mentions - {named})),
    )
    with stage("record"):
        decision_id = registry.decisions.record(record)
    return Identification(
        recorded=Recorded(decision_id, decided_at, acquired.sha256, asked.request_id),
        verdict=verdict,
        candidates=candidates,
        threshold=threshold,
        gallery_size=gallery_size,
        acquisition=acquired.acquisition,
        model=AnsweringModel.of(encoder),
        warnings=warnings,
        calibration=of_identification(encoder),
    )


def _rests_on(
    candidates: Sequence[Candidate], gallery_size: int, degrees: int, registry: Registry
) -> dict[str, Any]:
    """What an identification came from: the candidates, with their references as they are now."""
    digests = registry.references.digests([n for one in candidates for n in one.reference_ids])
    return {
        "gallery_size": gallery_size,
        "straightened_degrees": degrees,
        "candidates": [
            {
                **one.recorded(),
                "likeness": one.likeness,
                "similarity": one.similarity,
                "shares_with": list(one.shares_with),
                "references": [
                    {"reference_id": number, "sha256": digests.get(number)}
                    for number in one.reference_ids
                ],
            }
            for one in candidates
        ],
    }


@dataclass(frozen=True)
class _Search:
    """One search for whose a signature is, and when somebody counts as found."""

    encoder: Encoder
    registry: Registry
    gallery: Gallery
    gallery_size: int
    top: int

    def rank(self, probe: Signatures) -> tuple[Candidate, ...]:
        """Return the writers whom a probe (n = 1) resembles most, best first."""
        return rank(
            probe, self.top, encoder=self.encoder, registry=self.registry, index=self.gallery
        )

    def threshold(self, candidates: Sequence[Candidate]) -> float:
        """Return the score that the first of candidates must reach to be named."""
        references = candidates[0].reference_count if candidates else 0
        return self.encoder.rule.identification_threshold(self.gallery_size, references)

    def reached_by(self, candidates: Sequence[Candidate]) -> bool:
        """Say whether the first of candidates, if any, is found."""
        return bool(candidates) and candidates[0].score >= self.threshold(candidates)

    def fits_others_too(self, candidates: Sequence[Candidate]) -> tuple[Caution, ...]:
        """Say how many others than the first of candidates would be found, if any were alone.

        Only those that are compared in full however many are asked for are counted. Those who have
        a reference of the first are told of otherwise.
        """
        if not self.reached_by(candidates):
            return ()
        first, *others = candidates[:SHORTLIST]
        fitting = [one.writer_id for one in others if self.reached_by([one])]
        told_here = set(fitting) - set(first.shares_with)
        or_more = len(fitting) == SHORTLIST - 1  # Nobody further was compared.
        told = not_distinctive(len(told_here), self.gallery_size, or_more=or_more)
        return (told,) if told_here else ()

    def as_it_lies(
        self, acquisition: Acquisition, candidates: tuple[Candidate, ...]
    ) -> tuple[tuple[Candidate, ...], tuple[Caution, ...], int]:
        """Search anew for a signature that lies askew, sideways or mirrored on its page.

        Returns:
            The candidates of the signature straightened, if that finds somebody, or else those
            given; what there is to tell; and by how many degrees it was straightened, clockwise.
        """
        probes = describe_posed(acquisition, POSES, self.encoder)
        near = [
            max(found.similarities.tolist(), default=-1.0)
            for found in self.gallery.search(probes.vectors, 1)
        ]
        askew = max(
            range(len(STRAIGHTENING)),
            key=lambda one: penalised(near[one], STRAIGHTENING[one].degrees),
        )
        degrees = STRAIGHTENING[askew].degrees
        straightened = tuple(
            replace(one, score=penalised(one.score, degrees)) for one in self.rank(probes[[askew]])
        )
        if self.reached_by(straightened):
            return straightened, (straightened_by(degrees),), degrees
        turned = max(range(len(near)), key=near.__getitem__)
        if self.reached_by(self.rank(probes[[turned]])):
            return candidates, (lies_turned(POSES[turned]),), 0
        return candidates, (), 0


def _told(
    acquired: Acquired,
    probe: Signatures,
    candidates: Sequence[Candidate],
    encoder: Encoder,
    registry: Registry,
) -> list[Caution]:
    """What makes it less sure that the first candidate is the one."""
    if not candidates:
        return []
    best = candidates[0]
    told = [seen_before(acquired.sha256, best.writer_id, registry)]
    if best.shares_with:
        told.append(collision(best.writer_id, best.shares_with))
    if best.similarity >= MAY_BE_A_COPY:
        claims = registry.embeddings.claims([best.writer_id], encoder.model_id)
        told += [replay_of_reference(acquired, probe, one, registry) for one in claims.values()]
    return [one for one in told if one is not None]


def rank(
    probe: Signatures,
    top: int = DEFAULT_CANDIDATES,
    *,
    encoder: Encoder,
    registry: Registry,
    index: Searchable,
    left_out: Collection[int] = (),
) -> tuple[Candidate, ...]:
    """Return the `top` writers whom a probe (n = 1) resembles most, best first.

    The writers of near references are compared on all of their references: on their whole vectors,
    and the three most alike so piece by piece too. These come before all others, so whoever is
    first does not hang on how many are asked for. References `left_out` count as not enrolled.
    """
    wanted = max(top, SHORTLIST)
    writer_ids = nearest_writers(
        probe.vectors[0],
        max(wanted, LEAST_LOOKED_AT),
        registry=registry,
        index=index,
        left_out=left_out,
    )
    claims = _claims(writer_ids, left_out, encoder, registry)
    alike = _most_alike(probe, claims.values())[:wanted]
    if encoder.knows_pieces:
        # The pieces of these alone are read: they are more bytes than the vectors.
        claims = _claims(alike, left_out, encoder, registry, with_pieces=True)
    # Whose last reference was erased meanwhile is not among the claims any more.
    there = [claims[one] for one in alike if one in claims]
    best = _best_first(probe, there[:SHORTLIST], encoder)
    return (*best, *_best_first(probe, there[SHORTLIST:], encoder))[:top]


def neighbours_fetched(top: int = DEFAULT_CANDIDATES) -> int:
    """How many near references the first search for `top` candidates asks for."""
    return NEIGHBOURS_PER_CANDIDATE * max(top, LEAST_LOOKED_AT)


def nearest_writers(
    probe: NDArray[np.float32],
    wanted: int,
    *,
    registry: Registry,
    index: Searchable,
    left_out: Collection[int] = (),
) -> list[str]:
    """Return the writers of the references nearest to `probe` `(d,)`, nearest first.

    Asks for more neighbours until they belong to at least `wanted` writers or no more are
    enrolled, since the nearest references may all be one writer's.
    """
    k = neighbours_fetched(wanted) + len(left_out)
    while True:
        near = index.search(probe[np.newaxis], k)[0].reference_ids.tolist()
        owners = registry.references.writers_of([one for one in near if one not in left_out])
        writers = dict.fromkeys(owners[one] for one in near if one in owners)
        if len(writers) >= wanted or len(near) < k:
            return list(writers)
        k *= WIDENING


def _claims(
    writer_ids: Sequence[str],
    left_out: Collection[int],
    encoder: Encoder,
    registry: Registry,
    *,
    with_pieces: bool = False,
) -> dict[str, Claim]:
    """Return the claims of those of these writers who have references besides those left out."""
    claims = registry.embeddings.claims(writer_ids, encoder.model_id, with_pieces=with_pieces)
    if not left_out:
        return claims
    kept = {writer_id: _without(claim, left_out) for writer_id, claim in claims.items()}
    return {writer_id: claim for writer_id, claim in kept.items() if claim.reference_ids.size}


def _without(claim: Claim, left_out: Collection[int]) -> Claim:
    """Return a claim without some of its references."""
    kept = np.flatnonzero(~np.isin(claim.reference_ids, list(left_out)))
    pieces = claim.pieces
    return replace(
        claim,
        reference_ids=claim.reference_ids[kept],
        vectors=claim.vectors[kept],
        pieces=None if pieces is None else tuple(pieces[one] for one in kept),
    )


def _most_alike(probe: Signatures, claims: Iterable[Claim]) -> list[str]:
    """Return the writers of the claims, those whom the probe resembles most on the whole first."""
    likeness = {
        claim.writer_id: float(likenesses(probe.vectors @ claim.vectors.T)[0]) for claim in claims
    }
    return sorted(likeness, key=lambda writer_id: (-likeness[writer_id], writer_id))


def _best_first(
    probe: Signatures, claims: Sequence[Claim], encoder: Encoder
) -> tuple[Candidate, ...]:
    """Score writers exactly, on all of their references, and put the likeliest first."""
    references = [signatures_of(claim, encoder) for claim in claims]
    scored = [encoder.rule.claim(probe, own) for own in references]
    rivals = [
        Rival(claim.writer_id, own, one.likeness)
        for claim, own, one in zip(claims, references, scored, strict=True)
    ]
    standing = places(probe, rivals, encoder.rule)
    order = sorted(range(len(claims)), key=lambda number: standing[number].key)
    return tuple(
        _candidate(claims[number], scored[number], standing[number].shares_with) for number in order
    )


def _candidate(claim: Claim, scored: ClaimScore, shares_with: tuple[str, ...]) -> Candidate:
    nearest = int(np.argmax(scored.similarities))
    return Candidate(
        writer_id=claim.writer_id,
        name=claim.name,
        score=scored.score,
        likeness=scored.likeness,
        reference_id=int(claim.reference_ids[nearest]),
        similarity=float(scored.similarities[nearest]),
        reference_count=scored.references,
        shares_with=shares_with,
        reference_ids=tuple(claim.reference_ids.tolist()),
    )
