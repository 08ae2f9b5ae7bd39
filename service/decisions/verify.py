"""Verifies a claim: is this signature the claimed writer's? It reads SQL, never the index."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
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
from service.decisions.replay import replay_of_reference, seen_before
from service.decisions.stages import Stages, unmeasured
from service.writers.template_codec import signatures_of
from service.writers.uploads import Acquired, Upload, acquire_one, describe_each

# What answers say of a comparison as a whole; the similarities are told beside each reference.
_FIGURES = (
    "score",
    "log_lr",
    "log_lr_random",
    "log_lr_bound",
    "log_lr_random_bound",
    "threshold",
    "non_match_threshold",
    "operating_point",
)


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

    decision_id: str | None  # None where nothing is recorded.
    comparison: Comparison
    references: tuple[ComparedReference, ...]
    acquisition: Acquisition
    model: AnsweringModel
    warnings: tuple[Caution, ...] = ()
    expected: UnseenErrors | None = None
    calibration: CalibrationTold | None = None

    @property
    def verdict(self) -> Verdict:
        """What the comparison comes to, as far as the warnings let it stand."""
        return cautious_verdict(self.comparison.verdict, self.warnings)

    def as_dict(self) -> dict[str, Any]:
        """The answer, ready for JSON."""
        return {
            "decision_id": self.decision_id,
            "verdict": self.verdict,
            "warnings": [one.as_dict() for one in self.warnings],
            **{name: getattr(self.comparison, name) for name in _FIGURES},
            "calibration": self.calibration,
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
    caller: str = "anonymous",
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
        warnings = (*told, *_warnings(acquired, probe, claim, comparison, registry))
    reference_ids = tuple(int(reference_id) for reference_id in claim.reference_ids)
    record = DecisionRecord(
        kind="verify",
        verdict=cautious_verdict(comparison.verdict, warnings),
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
    with stage("record"):
        decision_id = registry.decisions.record(record)
    return Verification(
        decision_id,
        comparison,
        compared_references(comparison, [(one, None) for one in reference_ids]),
        acquired.acquisition,
        AnsweringModel.of(encoder),
        warnings,
        expected_errors(comparison, encoder),
        of_comparison(comparison, encoder),
    )


def expected_errors(comparison: Comparison, encoder: Encoder) -> UnseenErrors | None:
    """How often verdicts like that of the comparison err, where it was measured.

    None for a gallery that is unlike all on which it was.
    """
    if encoder.rule.cautious is not None:
        return None
    count = comparison.claim.references
    own_bounds = encoder.rule.gallery is not None
    return unseen_errors(encoder.manifest, count, comparison.operating_point, own_bounds=own_bounds)


def _warnings(
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
