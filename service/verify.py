"""The story of verifying: is this signature the claimed writer's? It reads SQL, never the index."""

from dataclasses import dataclass
from typing import Literal

from encoder.acquire import Acquisition
from encoder.decision import Comparison
from encoder.model import Encoder
from index.registry import Registry
from index.values import DecisionRecord
from service.uploads import Upload, acquire_one, embed_each


@dataclass(frozen=True)
class Similarity:
    """How alike the query signature and one reference are, as a cosine in [-1, 1]."""

    reference_id: int | None  # None for a reference that came with the request.
    similarity: float
    filename: str | None = None


@dataclass(frozen=True)
class Verification:
    """The answer to "is it this writer's?", with everything that it rests on."""

    decision_id: str | None  # None where nothing is recorded.
    verdict: Literal["match", "inconclusive", "non_match"]
    score: float
    log_lr: float
    log_lr_random: float
    threshold: float
    non_match_threshold: float
    operating_point: str
    references: tuple[Similarity, ...]
    acquisition: Acquisition
    model_name: str
    model_id: str
    rule_id: str


def verify(
    writer_id: str,
    upload: Upload,
    *,
    encoder: Encoder,
    registry: Registry,
    operating_point: str | None = None,
    caller: str = "anonymous",
) -> Verification:
    """Compare a query signature with the claimed writer's references, and record the decision.

    Raises:
        UnknownWriter, NoReferences: there is nothing to compare with.
        ImageError: no signature could be acquired from the upload.
        UnknownOperatingPoint: the model offers no such operating point.
    """
    claim = registry.claim(writer_id, encoder.model_id)
    acquired = acquire_one(upload, encoder)
    probe = embed_each([acquired], encoder)[0]
    comparison = encoder.rule.compare(probe, claim.vectors, operating_point)
    reference_ids = tuple(int(reference_id) for reference_id in claim.reference_ids)
    decision_id = registry.record_decision(
        DecisionRecord(
            kind="verify",
            verdict=comparison.verdict,
            writer_id=writer_id,
            operating_point=comparison.operating_point,
            score=comparison.score,
            log_lr=comparison.log_lr,
            threshold=comparison.threshold,
            non_match_threshold=comparison.non_match_threshold,
            model_id=encoder.model_id,
            reference_ids=reference_ids,
            candidates=None,
            probe_sha256=acquired.sha256,
            caller=caller,
        )
    )
    similarities = tuple(
        Similarity(reference_id, float(similarity))
        for reference_id, similarity in zip(reference_ids, comparison.similarities, strict=True)
    )
    return answer(comparison, similarities, acquired.acquisition, encoder, decision_id)


def answer(
    comparison: Comparison,
    references: tuple[Similarity, ...],
    acquisition: Acquisition,
    encoder: Encoder,
    decision_id: str | None,
) -> Verification:
    """Put a comparison into the form in which verify and compare answer."""
    return Verification(
        decision_id=decision_id,
        verdict=comparison.verdict,
        score=comparison.score,
        log_lr=comparison.log_lr,
        log_lr_random=comparison.log_lr_random,
        threshold=comparison.threshold,
        non_match_threshold=comparison.non_match_threshold,
        operating_point=comparison.operating_point,
        references=references,
        acquisition=acquisition,
        model_name=encoder.name,
        model_id=encoder.model_id,
        rule_id=encoder.rule.rule_id,
    )
