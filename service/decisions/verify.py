"""The story of verifying: is this signature the claimed writer's? It reads SQL, never the index."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from encoder.scoring.decision_rule import Comparison
from index.registry.audit_log import DecisionRecord
from index.registry.registry import Registry
from service.writers.template_codec import signatures_of
from service.writers.uploads import Upload, acquire_one, describe_each


@dataclass(frozen=True)
class Similarity:
    """How alike the query signature and one reference are.

    `similarity` is of the whole, a cosine in [-1, 1]. `local_similarity` is how well the pieces of
    strokes match, at most 1; None where the model knows none.
    """

    reference_id: int | None  # None for a reference that came with the request.
    similarity: float
    local_similarity: float | None
    filename: str | None = None


@dataclass(frozen=True)
class Verification:
    """The answer to "is it this writer's?", with everything that it rests on."""

    decision_id: str | None  # None where nothing is recorded.
    verdict: Literal["match", "inconclusive", "non_match"]
    score: float
    log_lr: float
    log_lr_random: float
    log_lr_bound: float
    log_lr_random_bound: float
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
    claim = registry.embeddings.claim(writer_id, encoder.model_id)
    acquired = acquire_one(upload, encoder)
    probe = describe_each([acquired], encoder)
    comparison = encoder.rule.compare(probe, signatures_of(claim, encoder), operating_point)
    reference_ids = tuple(int(reference_id) for reference_id in claim.reference_ids)
    decision_id = registry.decisions.record(
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
        Similarity(reference_id, *alike)
        for reference_id, alike in zip(reference_ids, similarities_of(comparison), strict=True)
    )
    return answer(comparison, similarities, acquired.acquisition, encoder, decision_id)


def similarities_of(comparison: Comparison) -> Sequence[tuple[float, float | None]]:
    """For each reference, in their order: its similarity, and the local one if there is any."""
    whole = comparison.similarities.tolist()
    local = comparison.local_similarities
    return list(zip(whole, [None] * len(whole) if local is None else local.tolist(), strict=True))


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
        log_lr_bound=comparison.log_lr_bound,
        log_lr_random_bound=comparison.log_lr_random_bound,
        threshold=comparison.threshold,
        non_match_threshold=comparison.non_match_threshold,
        operating_point=comparison.operating_point,
        references=references,
        acquisition=acquisition,
        model_name=encoder.name,
        model_id=encoder.model_id,
        rule_id=encoder.rule.rule_id,
    )
