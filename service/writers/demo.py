"""Fills an empty registry with invented writers, and writes signatures to try on them."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoder.inference.encoder import Encoder
from encoder.synthesis import encode_png, synthetic_writer
from index.errors import UnknownWriter
from index.registry.registry import Registry
from service.errors import StartRefused
from service.writers.enroll import create_writer
from service.writers.uploads import Upload

WRITERS = 25
REFERENCES_EACH = 5
PROBED_WRITERS = 4
STRANGERS = 2
# Another range of seeds than the writers', so that a stranger is never enrolled.
FIRST_STRANGER_SEED = 9001
# Writers to enroll by hand, by the beginning of their files' names.
NEWCOMER_SEEDS = {"new-writer": 9101, "other-writer": 9102}


def is_empty(registry: Registry) -> bool:
    """Whether nobody is enrolled."""
    return not registry.writers.page(limit=1).writers


def enroll_demo_writers(
    *, encoder: Encoder, registry: Registry, on_writer: Callable[[], None]
) -> int:
    """Enroll 25 invented writers with 5 references each; return how many references that made.

    Those who are enrolled already are left as they are. `on_writer` is called for each writer.

    Raises:
        StartRefused: only others are enrolled; invented writers are kept apart from real ones.
    """
    if not is_empty(registry) and not _is_enrolled(demo_writer_id(1), registry):
        raise StartRefused(
            "The demo's invented writers are enrolled into an empty registry only, and somebody "
            "is enrolled in this one. Set COUNTERSIGN_DATA_DIR to a new folder for the demo."
        )
    references = 0
    for number in range(1, WRITERS + 1):
        writer_id = demo_writer_id(number)
        if not _is_enrolled(writer_id, registry):
            invented = synthetic_writer(number)
            uploads = [
                Upload(f"{writer_id}-{n}.png", encode_png(invented.genuine(n)))
                for n in range(REFERENCES_EACH)
            ]
            _, enrollment = create_writer(
                writer_id, invented.name, uploads, encoder=encoder, registry=registry
            )
            references += len(enrollment.references)
        on_writer()
    return references


def _is_enrolled(writer_id: str, registry: Registry) -> bool:
    try:
        registry.writers.get(writer_id)
    except UnknownWriter:
        return False
    return True


def demo_writer_id(number: int) -> str:
    """The id of a demo writer, numbered from 1."""
    return f"DEMO-{number:02}"


def write_probes(folder: Path) -> list[Path]:
    """Write PNG signatures to try, none of which is among the demo's references.

    Query signatures of demo writers (genuine and forged) and of strangers, and references of two
    writers to enroll. Returns the files' paths.

    Raises:
        OSError: they cannot be written.
    """
    pictures: dict[str, NDArray[np.uint8]] = {}
    for number in range(1, PROBED_WRITERS + 1):
        writer = synthetic_writer(number)
        pictures[f"{demo_writer_id(number)}-genuine"] = writer.genuine(REFERENCES_EACH)
        pictures[f"{demo_writer_id(number)}-forged"] = writer.forgery(0)
    for number in range(STRANGERS):
        stranger = synthetic_writer(FIRST_STRANGER_SEED + number)
        pictures[f"not-enrolled-{number + 1}"] = stranger.genuine(0)
    for name, seed in NEWCOMER_SEEDS.items():
        newcomer = synthetic_writer(seed)
        for n in range(REFERENCES_EACH):
            pictures[f"{name}-{n + 1}"] = newcomer.genuine(n)
    folder.mkdir(parents=True, exist_ok=True)
    paths = {folder / f"{name}.png": picture for name, picture in pictures.items()}
    for path, picture in paths.items():
        path.write_bytes(encode_png(picture))
    return list(paths)
