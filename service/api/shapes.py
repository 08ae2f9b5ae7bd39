"""Shapes what the stories return into the dictionaries that the answers' schemas draw."""

import base64
from collections.abc import Sequence
from dataclasses import asdict
from typing import Any

from encoder.imaging.acquire import Acquisition
from encoder.imaging.preview import preview_png
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
    return done.as_dict() | _cleaned(done.acquisition, include)


def identification(done: Identification, include: str | None) -> Json:
    """Return the answer of identify."""
    return done.as_dict() | _cleaned(done.acquisition, include)


def _cleaned(acquisition: Acquisition, include: str | None) -> Json:
    return {"cleaned": data_url(preview_png(acquisition.ink))} if include == "cleaned" else {}
