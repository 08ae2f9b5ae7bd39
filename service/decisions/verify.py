"""Verifies a claim: is this signature the claimed writer's? It reads SQL, never the index."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

from encoder.cautions import Caution
from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from encoder.inference.orientation import compare_as_it_lies
from encoder.inference.unseen_errors import UnseenErrors, unseen_errors
from encoder.scoring.decision_rule import Comparison, Verdict
from encoder.scoring.templates import Signatures
from index.registry.audit_log import DecisionRecord
from index.registry.embeddings import Claim
from index.registry.registry import Registry
from service.decisions.answering_model import AnsweringModel
from service.decisions.calibration_told import CalibrationTold, of_comparison
from service.decisions.cautious_verdict import cautious_verdict
from service.decisions.contributions import contributions
from service.decisions.recording import (
    Asked,
    Disposition,
    Recorded,
    basis_of,
    named_in,
    now,
)
from service.decisions.replay import replay_of_reference, seen_before
from service.decisions.stages import Stages, unmeasured
from service.writers.template_codec import signatures_of
from service.writers.uploads import Acquired, Upload, acquire_one, describe_each

# What answers say of a comparison as a whole; the similarities are told beside each reference.
FIGURES = (
    "score",
    "log_lr",
    "log_lr_random",
    "log_lr_bound",
    "log_lr_random_bound",
    "threshold",
    "non_match_threshold",
    "operating_point",
)

ANYBODY = Asked()


@dataclass(frozen=True)
class ComparedReference:
    """A reference, and how alike the query signature and it are.

    `similarity` is of the whole, a cosine in [-1, 1]. `local_similarity` is how well the pieces of
    strokes match, at most 1; None where the model knows none. A `copy` of another reference is
    left out of the score.
    """

    reference_id: int | None  # None for a reference that came with the request.
    filename: str | None  # None for an enrolled one.
    similarity: float
    local_similarity: float | None
    copy: bool = False


@dataclass(frozen=True)
class Verification:
    """The answer to "is it this writer's?", with everything that it rests on.

    `warnings` say what makes it less sure; the verdict heeds them, the score does not. `expected`
    is how often such verdicts err on signatures of a kind that the rule was not fitted on, and
    `calibration` whether this installation's are of a kind that is known; None where nobody looked.
    """

    recorded: Recorded | None  # None where nothing is recorded.
    comparison: Comparison
    references: tuple[ComparedReference, ...]
    acquisition: Acquisition
    model: AnsweringModel
    warnings: tuple[Caution, ...] = ()
    expected: UnseenErrors | None = None
    calibration: CalibrationTold | None = None
    writer_id: str | None = None  # None where references came with the request.
    disposition: Disposition | None = None

    @property
    def decision_id(self) -> str | None:
        """The decision's id in the audit trail; None where it is not there."""
        return None if self.recorded is None else self.recorded.decision_id

    @property
    def verdict(self) -> Verdict:
        """What the comparison comes to, as far as the warnings let it stand."""
        return cautious_verdict(self.comparison.verdict, self.warnings)

    def as_dict(self) -> dict[str, Any]:
        """The answer, ready for JSON."""
        return {
            **recorded_fields(self.recorded),
            "writer_id": self.writer_id,
            "verdict": self.verdict,
            "disposition": self.disposition,
            "warnings": [one.as_dict() for one in self.warnings],
            "calibration": self.calibration,
            **{name: getattr(self.comparison, name) for name in FIGURES},
            "contributions": contributions(self.comparison),
            "expected_errors": None if self.expected is None else self.expected.as_dict(),
            "references": [asdict(reference) for reference in self.references],
            "quality": self.acquisition.quality.as_dict(),
            "model": self.model.as_dict(),
        }


def verify(  # noqa: PLR0913  # All but what is asked about by name.
    writer_id: str,
    upload: Upload,
    *,
    encoder: Encoder,
    registry: Registry,
    operating_point: str | None = None,
    asked: Asked = ANYBODY,
    stage: Stages = unmeasured,
) -> Verification:
    """Compare a query signature with the claimed writer's references, and record the decision.

    Raises:
        UnknownWriter, NoReferences: there is nothing to compare with.
        ImageError: no signature could be acquired from the upload.
        UnknownOperatingPoint: the model offers no such operating point.
    """
    with stage("read"):
        claim = registry.embeddings.claim(writer_id, encoder.model_id)
    with stage("acquire"):
        acquired = acquire_one(upload, encoder)
    with stage("embed"):
        probe = describe_each([acquired], encoder)
    with stage("compare"):
        comparison, told = compare_as_it_lies(
            acquired.acquisition, probe, signatures_of(claim, encoder), encoder, operating_point
        )
        warnings = (*told, *warnings_of(acquired, probe, claim, comparison, registry))
    reference_ids = tuple(int(reference_id) for reference_id in claim.reference_ids)
    compared = compared_references(comparison, [(one, None) for one in reference_ids])
    verdict = cautious_verdict(comparison.verdict, warnings)
    rests_on = _rests_on(comparison, compared, registry)
    basis = basis_of(acquired, encoder, verdict, warnings, asked, rests_on)
    mentions = named_in(warnings, acquired.sha256, writer_id, registry)
    decided_at = now()
    record = DecisionRecord(
        kind="verify",
        verdict=verdict,
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
        caller=asked.caller,
        decided_at=decided_at,
        basis=replace(basis, mentions=tuple(mentions)),
    )
    with stage("record"):
        decision_id = registry.decisions.record(record)
    return Verification(
        Recorded(decision_id, decided_at, acquired.sha256, asked.request_id),
        comparison,
        compared,
        acquired.acquisition,
        AnsweringModel.of(encoder),
        warnings,
        expected_errors(comparison, encoder),
        of_comparison(comparison, encoder),
        writer_id,
        asked.disposition(verdict),
    )


def recorded_fields(recorded: Recorded | None) -> dict[str, Any]:
    """By what an answer can be found again, ready for JSON; None of it where it is not recorded."""
    if recorded is None:
        return dict.fromkeys(("decision_id", "decided_at", "probe_sha256", "request_id"))
    return {**asdict(recorded), "decided_at": recorded.decided_at.isoformat()}


def _rests_on(
    comparison: Comparison, compared: Sequence[ComparedReference], registry: Registry
) -> dict[str, Any]:
    """What a verification came from: figures, and the references as they are now."""
    ids = [one.reference_id for one in compared if one.reference_id is not None]
    digests = registry.references.digests(ids)
    references = [
        {
            "reference_id": one.reference_id,
            "sha256": digests.get(one.reference_id or 0),
            "similarity": one.similarity,
            "local_similarity": one.local_similarity,
            "copy": one.copy,
        }
        for one in compared
    ]
    return {
        **{name: getattr(comparison, name) for name in FIGURES},
        "contributions": comparison.contributions,
        "references": references,
    }


def expected_errors(comparison: Comparison, encoder: Encoder) -> UnseenErrors | None:
    """How often verdicts like that of the comparison err, where it was measured.

    None for a gallery that is unlike all on which it was.
    """
    if encoder.rule.cautious is not None:
        return None
    count = comparison.claim.references
    own_bounds = encoder.rule.gallery is not None
    return unseen_errors(encoder.manifest, count, comparison.operating_point, own_bounds=own_bounds)


def warnings_of(
    acquired: Acquired,
    probe: Signatures,
    claim: Claim,
    comparison: Comparison,
    registry: Registry,
) -> tuple[Caution, ...]:
    """What makes the answer less sure: in the image, in the references, and in both together."""
    ids = claim.reference_ids.tolist()
    copies = [
        f"reference {ids[number]} is a copy of reference {ids[original]}"
        for number, original in enumerate(comparison.references.copy_of)
        if original is not None
    ]
    found = (
        replay_of_reference(acquired, probe, claim, registry),
        seen_before(acquired.sha256, claim.writer_id, registry),
        counted_once(copies),
    )
    return (*acquired.acquisition.quality.warnings, *(one for one in found if one is not None))


def counted_once(copies: Sequence[str]) -> Caution | None:
    """Say which references, each in a clause of its own, are left out of a score as copies."""
    if not copies:
        return None
    clauses = "; ".join(copies)
    return Caution(
        "near-duplicate",
        f"Copies count once: {clauses}. The score rests on the others; more signatures of the "
        "writer would make it surer.",
    )


def compared_references(
    comparison: Comparison, references: Sequence[tuple[int | None, str | None]]
) -> tuple[ComparedReference, ...]:
    """Say of each reference, given as its id and file name, how alike it is."""
    whole = comparison.similarities.tolist()
    local = comparison.local_similarities
    pieces = [None] * len(whole) if local is None else local.tolist()
    copies = [original is not None for original in comparison.references.copy_of]
    rows = zip(references, whole, pieces, copies, strict=True)
    return tuple(ComparedReference(*named, *figures) for named, *figures in rows)
