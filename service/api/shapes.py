"""Shapes what the stories return into the dictionaries that the answers' schemas draw."""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from encoder.imaging.acquire import Acquisition
from encoder.imaging.preview import preview_png
from encoder.inference.encoder import Encoder
from index.registry.references import Reference
from index.registry.registry import Registry
from index.registry.writers import Writer
from service.decisions.identify import Identification
from service.decisions.verify import Verification
from service.writers.enroll import Enrollment

Json = dict[str, Any]


def data_url(png: bytes) -> str:
    """Return a PNG as a data URL."""
    return "data:image/png;base64," + base64.b64encode(png).decode("ascii")


def enrollment(done: Enrollment, registry: Registry, include: str | None) -> Json:
    """Return the references made and the images refused."""
    shaped: list[Json] = []
    for reference in done.references:
        one = asdict(reference)
        if include == "cleaned":
            stored = registry.references.image(
                reference.writer_id, reference.reference_id, cleaned=True
            )
            one["cleaned"] = data_url(stored.data)
        shaped.append(one)
    return {"references": shaped, "refused": [asdict(one) for one in done.refused]}


def writer(stored: Writer) -> Json:
    """Return a writer."""
    return asdict(stored)


def references(stored: Sequence[Reference]) -> Json:
    """Return a writer's references."""
    return {"references": [asdict(reference) for reference in stored]}


def verification(done: Verification, include: str | None) -> Json:
    """Return the answer of verify or compare."""
    return {
        "decision_id": done.decision_id,
        "verdict": done.verdict,
        "score": done.score,
        "log_lr": done.log_lr,
        "log_lr_random": done.log_lr_random,
        "log_lr_bound": done.log_lr_bound,
        "log_lr_random_bound": done.log_lr_random_bound,
        "threshold": done.threshold,
        "non_match_threshold": done.non_match_threshold,
        "operating_point": done.operating_point,
        "references": [
            {
                "reference_id": one.reference_id,
                "filename": one.filename,
                "similarity": one.similarity,
                "local_similarity": one.local_similarity,
            }
            for one in done.references
        ],
        **_probe(done, include),
    }


def identification(done: Identification, include: str | None) -> Json:
    """Return the answer of identify."""
    return {
        "decision_id": done.decision_id,
        "verdict": done.verdict,
        "candidates": [asdict(candidate) for candidate in done.candidates],
        "threshold": done.threshold,
        "gallery_size": done.gallery_size,
        **_probe(done, include),
    }


def model(encoder: Encoder) -> Json:
    """Return which model answers."""
    return {"name": encoder.name, "id": encoder.model_id, "rule": encoder.rule.rule_id}


def _probe(done: Verification | Identification, include: str | None) -> Json:
    acquisition: Acquisition = done.acquisition
    shaped: Json = {
        "quality": acquisition.quality.as_dict(),
        "model": {"name": done.model_name, "id": done.model_id, "rule": done.rule_id},
    }
    if include == "cleaned":
        shaped["cleaned"] = data_url(preview_png(acquisition.ink))
    return shaped
