"""Enrolls: makes writers known by their reference signatures."""

from collections.abc import Sequence
from dataclasses import dataclass

from encoder.inference.encoder import Encoder
from index.registry.references import Reference
from index.registry.registry import Registry
from index.registry.writers import Writer
from service.errors import ImagesRefused, Refusal
from service.writers.uploads import Upload, acquire_each, new_references


@dataclass(frozen=True)
class Enrollment:
    """What became of the images: the references made of them, and the refused ones."""

    references: tuple[Reference, ...]
    refused: tuple[Refusal, ...]


def create_writer(
    writer_id: str,
    name: str,
    uploads: Sequence[Upload] = (),
    *,
    encoder: Encoder,
    registry: Registry,
) -> tuple[Writer, Enrollment]:
    """Create a writer, with references if images came; all in one transaction.

    Raises:
        WriterExists: the id is taken.
        ImagesRefused: images came and none could be used; no writer was created.
    """
    acquired, refused = acquire_each(uploads, encoder)
    if uploads and not acquired:
        raise _all_refused(refused, "No writer was created.")
    new = new_references(acquired, encoder)
    writer, references = registry.writers.create(writer_id, name, encoder.model_id, new)
    return writer, Enrollment(tuple(references), tuple(refused))


def enroll(
    writer_id: str, uploads: Sequence[Upload], *, encoder: Encoder, registry: Registry
) -> Enrollment:
    """Add reference signatures to a known writer; the usable ones are stored in one transaction.

    Raises:
        UnknownWriter: nobody is known by that id.
        ImagesRefused: none of the images could be used; nothing was stored.
    """
    registry.writers.get(writer_id)  # Who is unknown learns it before any image is looked at.
    known = registry.references.sha256_to_id(writer_id)
    acquired, refused = acquire_each(uploads, encoder, known)
    if not acquired:
        raise _all_refused(refused, "Nothing was stored.")
    new = new_references(acquired, encoder)
    references = registry.references.add(writer_id, encoder.model_id, new)
    return Enrollment(tuple(references), tuple(refused))


def _all_refused(refused: Sequence[Refusal], outcome: str) -> ImagesRefused:
    return ImagesRefused(f"None of the {len(refused)} images could be used. {outcome}", refused)
