"""Enrolls: makes writers known by their reference signatures."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from encoder.imaging.acquire import Acquisition
from encoder.inference.encoder import Encoder
from index.registry.audit.chain import ANYBODY
from index.registry.embeddings import Claim
from index.registry.references import NewReference, Reference
from index.registry.registry import Registry
from index.registry.writers import Writer
from index.sync.gallery_interface import Gallery
from service.errors import ImagesRefused, Refusal
from service.writers.copies import held_specimens, without_copies
from service.writers.remarks import Enrolled, Remark, enrolling, remarks
from service.writers.uploads import Upload, acquire_each, new_references, without_repeats


@dataclass(frozen=True)
class ReferenceWarning:
    """What to look at in one reference of an enrollment, with a stable code and a sentence."""

    reference_id: int
    filename: str | None
    code: str
    message: str


@dataclass(frozen=True)
class Enrollment:
    """What became of the images: the references made of them, and the refused ones.

    `warnings` point out a stranger's signature among the writer's references, and references that
    other writers have as well. `acquisitions` are what was found in the image of each reference.
    """

    references: tuple[Reference, ...]
    refused: tuple[Refusal, ...]
    warnings: tuple[ReferenceWarning, ...] = ()
    acquisitions: tuple[Acquisition, ...] = ()


def create_writer(  # noqa: PLR0913  # Who, by whom, and what it works with.
    writer_id: str,
    name: str,
    uploads: Sequence[Upload] = (),
    *,
    encoder: Encoder,
    registry: Registry,
    gallery: Gallery | None = None,
    caller: str = ANYBODY,
) -> tuple[Writer, Enrollment]:
    """Create a writer, with references if images came; all in one transaction.

    Without a gallery to search, only equal files are recognised as other writers'.

    Raises:
        WriterExists: the id is taken.
        ImagesRefused: images came and none could be used; no writer was created.
    """
    new, acquisitions, refused = _new(uploads, None, {}, encoder, registry)
    if uploads and not new:
        raise _all_refused(refused, "No writer was created.")
    told = _told(writer_id, new, None, Enrolled(encoder, registry, gallery))
    writer, references = registry.writers.create(
        writer_id, name, encoder.model_id, new, actor=caller
    )
    done = _enrollment(references, new, refused, None, told)
    return writer, replace(done, acquisitions=acquisitions)


def enroll(
    writer_id: str,
    uploads: Sequence[Upload],
    *,
    encoder: Encoder,
    registry: Registry,
    gallery: Gallery | None = None,
    caller: str = ANYBODY,
) -> Enrollment:
    """Add reference signatures to a known writer; the usable ones are stored in one transaction.

    Copies of a signature that the writer has already, or that come together, are refused but one.
    Without a gallery to search, only equal files are recognised as other writers'.

    Raises:
        UnknownWriter: nobody is known by that id.
        ImagesRefused: none of the images could be used; nothing was stored.
    """
    registry.writers.get(writer_id)  # Who is unknown learns it before any image is looked at.
    known = registry.references.sha256_to_id(writer_id)
    model_id = encoder.model_id
    held = registry.embeddings.claims([writer_id], model_id, with_pieces=True).get(writer_id)
    new, acquisitions, refused = _new(uploads, held, known, encoder, registry)
    if not new:
        raise _all_refused(refused, "Nothing was stored.")
    told = _told(writer_id, new, held, Enrolled(encoder, registry, gallery))
    references = registry.references.add(writer_id, model_id, new, actor=caller)
    done = _enrollment(references, new, refused, held, told)
    return replace(done, acquisitions=acquisitions)


def _new(
    uploads: Sequence[Upload],
    held: Claim | None,
    known: Mapping[str, int],
    encoder: Encoder,
    registry: Registry,
) -> tuple[list[NewReference], tuple[Acquisition, ...], list[Refusal]]:
    """References to make of uploads, what was found in each, and the refused: unusable or known."""
    first, repeats = without_repeats(uploads, known)
    acquired, unusable = acquire_each(first, encoder)
    described = new_references(acquired, encoder)
    new, copies = without_copies(described, held_specimens(held, registry))
    found = {one.sha256: one.acquisition for one in acquired}  # Each file comes once.
    acquisitions = tuple(found[one.sha256] for one in new)
    return new, acquisitions, [*repeats, *unusable, *copies]


def _told(
    writer_id: str, new: Sequence[NewReference], held: Claim | None, enrolled: Enrolled
) -> list[Remark]:
    """What is worth telling of new references, and of those held since these have come."""
    if not new:
        return []
    return remarks([enrolling(writer_id, new, held, enrolled.encoder)], enrolled)[0]


def _enrollment(
    references: Sequence[Reference],
    new: Sequence[NewReference],
    refused: Sequence[Refusal],
    held: Claim | None,
    told: Sequence[Remark],
) -> Enrollment:
    """What became of the images, each remark under the number that its reference got."""
    ids: list[int] = [] if held is None else held.reference_ids.tolist()
    about: list[tuple[int, str | None]] = [(one, None) for one in ids]
    for reference, one in zip(references, new, strict=True):
        about.append((reference.reference_id, one.filename))
    warnings = [
        ReferenceWarning(*about[one.place], one.caution.code, one.caution.message) for one in told
    ]
    return Enrollment(tuple(references), tuple(refused), tuple(warnings))


def _all_refused(refused: Sequence[Refusal], outcome: str) -> ImagesRefused:
    return ImagesRefused(f"None of the {len(refused)} images could be used. {outcome}", refused)
