"""What is kept of a decision beside it, so that it can be understood and replayed a year later."""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from encoder.cautions import Caution
from encoder.inference.encoder import Encoder
from index.registry.audit.basis import DecisionBasis
from index.registry.registry import Registry
from service.decisions.answering_model import AnsweringModel
from service.version import VERSION
from service.writers.uploads import Acquired

FORMAT = 1  # Of the details; raised when what a field means changes.
Disposition = Literal["accept", "review", "reject"]
# Draws one in so many, to the hundredth of a per cent.
_DRAWS = 10_000


@dataclass(frozen=True)
class Asked:
    """Who asks, in which request, and by which policy.

    `review_sample` is the share of accepted signatures that a person looks at, 0 to 1. Where
    `reject_alone` is False, software never rejects: a person does.
    """

    caller: str = "anonymous"
    request_id: str | None = None
    review_sample: float = 0.0
    reject_alone: bool = True

    def disposition(self, verdict: str) -> Disposition:
        """What becomes of a claim with this verdict."""
        if verdict == "match":
            return "accept"
        return "reject" if verdict == "non_match" and self.reject_alone else "review"

    def review(self, verdict: str, warnings: Sequence[Caution]) -> str | None:
        """Why a person should look at a decision; None where nobody needs to."""
        if verdict == "inconclusive":
            return "inconclusive"
        if verdict == "non_match" and not self.reject_alone:
            return "rejection"
        if warnings:
            return "warned"
        accepted = verdict in {"match", "identified"}
        drawn = secrets.randbelow(_DRAWS) < round(self.review_sample * _DRAWS)
        return "sample" if accepted and drawn else None


@dataclass(frozen=True)
class Recorded:
    """By what an answer can be found again: its decision, its time and the request's id."""

    decision_id: str
    decided_at: datetime
    probe_sha256: str
    request_id: str | None


def now() -> datetime:
    """The time of a decision."""
    return datetime.now(UTC)


def basis_of(
    acquired: Acquired,
    encoder: Encoder,
    verdict: str,
    warnings: Sequence[Caution],
    asked: Asked,
    more: Mapping[str, Any],
) -> DecisionBasis:
    """All that a decision rests on: the image, the rule, and `more` of how it came about."""
    region = acquired.upload.region
    details = {
        "format": FORMAT,
        "request_id": asked.request_id,
        "region": None if region is None else asdict(region),
        "model": AnsweringModel.of(encoder).as_dict(),
        "preprocessing": encoder.manifest.get("preprocessing_sha256"),
        "gallery_calibrated": encoder.rule.gallery is not None,
        "software": VERSION,
        "warnings": [one.as_dict() for one in warnings],
        "quality": acquired.acquisition.quality.as_dict(),
        **more,
    }
    return DecisionBasis(
        details=details,
        rule_id=encoder.rule.rule_id,
        rule=encoder.rule.canonical,
        image=acquired.upload.data,
        media_type=acquired.acquisition.media_type,
        review=asked.review(verdict, warnings),
    )


def named_in(
    warnings: Sequence[Caution], probe_sha256: str, writer_id: str | None, registry: Registry
) -> list[str]:
    """The writers whom a warning names: those whom the very file matched before."""
    if not any(one.code == "seen-before" for one in warnings):
        return []
    return registry.decisions.matched_others(probe_sha256, writer_id)
