"""Fills an empty registry with invented writers, and writes query signatures to try on them."""

from collections.abc import Callable
from pathlib import Path

from encoder.model import Encoder
from encoder.synthesis import SyntheticWriter, encode_png, synthetic_writer
from index.registry import Registry
from index.values import Writer
from service.enroll import create_writer
from service.errors import StartRefused
from service.uploads import Upload

WRITERS = 25
REFERENCES_EACH = 5
PROBED_WRITERS = 4
STRANGERS = 2
# Another range of seeds than the writers', so that a stranger is never enrolled.
FIRST_STRANGER_SEED = 9001


def is_empty(registry: Registry) -> bool:
    """Whether nobody is enrolled."""
    return not registry.list_writers(limit=1).writers


def enroll_demo_writers(
    *, encoder: Encoder, registry: Registry, on_writer: Callable[[Writer], None]
) -> int:
    """Enroll 25 invented writers with 5 references each; return how many references that made.

    `on_writer` is called with each writer once they are stored.

    Raises:
        StartRefused: somebody is enrolled; invented writers are kept apart from real ones.
    """
    if not is_empty(registry):
        raise StartRefused(
            "The demo's invented writers are enrolled into an empty registry only, and somebody "
            "is enrolled in this one. Set COUNTERSIGN_DATA_DIR to a new folder for the demo."
        )
    references = 0
    for number in range(1, WRITERS + 1):
        invented = synthetic_writer(number)
        uploads = [
            Upload(f"{demo_writer_id(number)}-{n}.png", encode_png(invented.genuine(n)))
            for n in range(REFERENCES_EACH)
        ]
        writer, enrollment = create_writer(
            demo_writer_id(number), invented.name, uploads, encoder=encoder, registry=registry
        )
        references += len(enrollment.references)
        on_writer(writer)
    return references


def demo_writer_id(number: int) -> str:
    """The id of a demo writer, numbered from 1."""
    return f"DEMO-{number:02}"


def write_probes(folder: Path) -> list[Path]:
    """Write PNG query signatures to try: genuine ones, forgeries, and some of strangers.

    None of them is among the references. Returns the files' paths; raises OSError.
    """
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []

    def write(name: str, writer: SyntheticWriter, forged: bool, n: int) -> None:
        path = folder / f"{name}.png"
        path.write_bytes(encode_png(writer.forgery(n) if forged else writer.genuine(n)))
        written.append(path)

    for number in range(1, PROBED_WRITERS + 1):
        writer = synthetic_writer(number)
        write(f"{demo_writer_id(number)}-genuine", writer, False, REFERENCES_EACH)
        write(f"{demo_writer_id(number)}-forged", writer, True, 0)
    for number in range(STRANGERS):
        stranger = synthetic_writer(FIRST_STRANGER_SEED + number)
        write(f"not-enrolled-{number + 1}", stranger, False, 0)
    return written
