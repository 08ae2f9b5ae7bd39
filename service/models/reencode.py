"""Embeds the references that a model has yet to see, as after a change of model."""

import os
from collections.abc import Generator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from encoder.errors import ImageError
from encoder.imaging.acquire import Acquisition
from encoder.imaging.region import Region
from encoder.inference.encoder import Encoder
from index.registry.registry import Registry
from service.writers.template_codec import packed_pieces


@dataclass(frozen=True)
class Unusable:
    """A reference in which this model's preparation finds no signature, and why."""

    reference_id: int
    reason: str


@dataclass(frozen=True)
class Reencoded:
    """What became of a batch of references; its embeddings are stored."""

    embedded: int
    unusable: tuple[Unusable, ...]


def reencode(
    *, encoder: Encoder, registry: Registry, batch_size: int = 32
) -> Generator[Reencoded, None, None]:
    """Embed what the model has not embedded yet, yielding each batch once it is stored.

    Run again after an interruption, it goes on where it stopped.
    """
    last = 0  # References that cannot be embedded stay on the registry's list; go on past them.
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        while waiting := registry.embeddings.missing(encoder.model_id, batch_size, last):
            reference_ids = [reference_id for reference_id, *_ in waiting]
            outcomes = list(pool.map(lambda one: _acquire(one[1], one[2], encoder), waiting))
            yield _store(reference_ids, outcomes, encoder, registry)
            last = reference_ids[-1]


def _acquire(
    image: bytes, quality: Mapping[str, Any], encoder: Encoder
) -> Acquisition | ImageError:
    """Find the signature again, in the region that it was enrolled with."""
    region = quality.get("region")
    try:
        return encoder.acquire(image, region=None if region is None else Region(**region))
    except ImageError as error:
        return error


def _store(
    reference_ids: list[int],
    outcomes: list[Acquisition | ImageError],
    encoder: Encoder,
    registry: Registry,
) -> Reencoded:
    usable: dict[int, Acquisition] = {}
    unusable: list[Unusable] = []
    for reference_id, outcome in zip(reference_ids, outcomes, strict=True):
        if isinstance(outcome, ImageError):
            unusable.append(Unusable(reference_id, str(outcome)))
        else:
            usable[reference_id] = outcome
    if usable:
        seen = encoder.describe(np.stack([one.canvas for one in usable.values()]))
        pieces = packed_pieces(seen)
        registry.embeddings.put(encoder.model_id, list(usable), seen.vectors, pieces)
    return Reencoded(len(usable), tuple(unusable))
