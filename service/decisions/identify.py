"""Identifies a signature: whom does it resemble, if anyone enrolled?

The index proposes near references. The writers behind them are scored exactly from SQL: all on
their whole vectors, and those most alike in full, piece by piece.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from encoder.scoring.score import SHORTLIST
from encoder.scoring.templates import Signatures
from index.registry.audit_log import DecisionRecord
from index.registry.embeddings import Claim
from index.registry.registry import Registry
from index.sync.gallery_interface import AnyGallery
from service.decisions.answering_model import AnsweringModel
from service.writers.template_codec import signatures_of
from service.writers.uploads import Upload, acquire_one, describe_each

NEIGHBOURS_PER_CANDIDATE = 8
LEAST_NEIGHBOURS = 50


@dataclass(frozen=True)
class Candidate:
    """A writer whom the query signature resembles, and their most similar reference."""

    writer_id: str
    name: str
    score: float
    reference_id: int


@dataclass(frozen=True)
class Identification:
    """The answer to "whose is it?". It says whom it resembles, not that it is authentic."""

    decision_id: str
    verdict: Literal["identified", "not_enrolled"]
    candidates: tuple[Candidate, ...]  # Best first.
    threshold: float
    gallery_size: int  # Writers that the query signature was compared with.
    acquisition: Acquisition
    model: AnsweringModel

    def as_dict(self) -> dict[str, Any]:
        """The answer, ready for JSON."""
        return {
            "decision_id": self.decision_id,
            "verdict": self.verdict,
            "candidates": [asdict(candidate) for candidate in self.candidates],
            "threshold": self.threshold,
            "gallery_size": self.gallery_size,
            "quality": self.acquisition.quality.as_dict(),
            "model": self.model.as_dict(),
        }


def identify(
    upload: Upload,
    *,
    encoder: Encoder,
    registry: Registry,
    gallery: AnyGallery,
    top: int = 10,
    caller: str = "anonymous",
) -> Identification:
    """Find the writers whom a query signature resembles most, and record the decision.

    Raises:
        ImageError: no signature could be acquired from the upload.
    """
    acquired = acquire_one(upload, encoder)
    probe = describe_each([acquired], encoder)
    wanted = max(top, SHORTLIST)
    writer_ids = nearest_writers(probe.vectors[0], wanted, registry=registry, gallery=gallery)
    claims = most_alike(probe, writer_ids, wanted, encoder=encoder, registry=registry)
    candidates = _best_first([score_claim(probe, one, encoder) for one in claims.values()])[:top]
    gallery_size = registry.models.gallery_size(encoder.model_id).writers
    best = claims[candidates[0].writer_id].vectors if candidates else ()
    threshold = encoder.rule.identification_threshold(gallery_size, len(best))
    found = bool(candidates) and candidates[0].score >= threshold
    verdict: Literal["identified", "not_enrolled"] = "identified" if found else "not_enrolled"
    decision_id = registry.decisions.record(
        DecisionRecord(
            kind="identify",
            verdict=verdict,
            writer_id=candidates[0].writer_id if found else None,
            operating_point=None,
            score=candidates[0].score if candidates else None,
            log_lr=None,
            threshold=threshold,
            non_match_threshold=None,
            model_id=encoder.model_id,
            reference_ids=tuple(candidate.reference_id for candidate in candidates),
            candidates=[recorded(candidate) for candidate in candidates],
            probe_sha256=acquired.sha256,
            caller=caller,
        )
    )
    return Identification(
        decision_id=decision_id,
        verdict=verdict,
        candidates=candidates,
        threshold=threshold,
        gallery_size=gallery_size,
        acquisition=acquired.acquisition,
        model=AnsweringModel.of(encoder),
    )


def nearest_writers(
    probe: NDArray[np.float32], top: int, *, registry: Registry, gallery: AnyGallery
) -> list[str]:
    """Return the writers of the references nearest to `probe` `(d,)`, nearest first.

    Asks for more neighbours until they belong to at least `top` writers or no more are enrolled,
    since the nearest references may all be one writer's.
    """
    k = max(LEAST_NEIGHBOURS, NEIGHBOURS_PER_CANDIDATE * top)
    while True:
        near = gallery.search(probe[np.newaxis], k)[0].reference_ids.tolist()
        owners = registry.references.writers_of(near)
        writers = dict.fromkeys(owners[one] for one in near if one in owners)
        if len(writers) >= top or len(near) < k:
            return list(writers)
        k *= 4


def most_alike(
    probe: Signatures,
    writer_ids: Sequence[str],
    wanted: int,
    *,
    encoder: Encoder,
    registry: Registry,
) -> dict[str, Claim]:
    """Return the claims of the `wanted` writers whom the probe resembles most on the whole.

    These come first who resemble it most. The pieces of these alone are read: they are more bytes
    than the vectors. Writers whose last reference was erased since the search are left out.
    """
    claims = registry.embeddings.claims(writer_ids, encoder.model_id)
    whole = Signatures(probe.vectors)
    scores = {
        writer_id: encoder.rule.claim(whole, Signatures(claim.vectors)).score
        for writer_id, claim in claims.items()
    }
    best = sorted(scores, key=lambda writer_id: (-scores[writer_id], writer_id))[:wanted]
    if encoder.knows_pieces:
        claims = registry.embeddings.claims(best, encoder.model_id, with_pieces=True)
    return {writer_id: claims[writer_id] for writer_id in best if writer_id in claims}


def _best_first(scored: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """Order candidates, given as alike on the whole: the ten most alike come before all others.

    So whoever is first does not hang on how many are asked for, nor differ from the evaluation.
    """
    groups = (scored[:SHORTLIST], scored[SHORTLIST:])
    return tuple(
        one
        for group in groups
        for one in sorted(group, key=lambda candidate: (-candidate.score, candidate.writer_id))
    )


def score_claim(probe: Signatures, claim: Claim, encoder: Encoder) -> Candidate:
    """Score one writer exactly, on all of their references."""
    scored = encoder.rule.claim(probe, signatures_of(claim, encoder))
    return Candidate(
        writer_id=claim.writer_id,
        name=claim.name,
        score=scored.score,
        reference_id=int(claim.reference_ids[int(np.argmax(scored.similarities))]),
    )


def recorded(candidate: Candidate) -> dict[str, object]:
    """Return what the audit trail keeps of a candidate: no name, since it outlives an erasure."""
    return {
        "writer_id": candidate.writer_id,
        "score": candidate.score,
        "reference_id": candidate.reference_id,
    }
