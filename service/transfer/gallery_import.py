"""Enrolls what another registry exported; every value of the file is checked before it is kept.

A reference is enrolled anew: it gets this registry's next number, and the date of today.
"""

import hashlib
import json
import re
from collections.abc import Generator, Iterator, Sequence
from dataclasses import fields
from functools import partial

import numpy as np

from encoder.imaging.decode import MEDIA_TYPES, ImageLimits
from encoder.imaging.quality import Quality
from encoder.inference.encoder import Encoder
from encoder.scoring.local_descriptors import SCALE, SHAPE_SIZE, unpack
from index.registry.audit.chain import ANYBODY
from index.registry.embeddings import MAX_PIECES_BYTES
from index.registry.identifiers import (
    MAX_NAME_LENGTH,
    WRITER_ID_EXPECTED,
    is_clean_text,
    is_writer_id,
)
from index.registry.references import NewReference
from index.registry.registry import Registry
from index.registry.writers import NewEnrollment
from index.vectors.unit_vectors import are_unit
from service.errors import InvalidInput
from service.transfer.gallery_file import GalleryReader, Header, Row
from service.transfer.importing import ImportedBatch, Outcome, Prepared, import_images, store
from service.transfer.sources.files import FileRefusal, ImageFile, shown

AT_ONCE = 200
MAX_QUALITY_CHARACTERS = 10_000
ROUNDED_BY = 2.5  # The length of a piece's shape, as 24 whole numbers.
_SHA256 = re.compile("[0-9a-f]{64}")
_PNG = b"\x89PNG\r\n\x1a\n"

Problem = tuple[str, str]


def import_gallery(
    reader: GalleryReader, *, encoder: Encoder, registry: Registry, caller: str = ANYBODY
) -> Generator[ImportedBatch, None, None]:
    """Enroll a file's rows, yielding each batch once it is stored.

    Vectors of the encoder's model are kept. Those of another would be found by nothing here: then
    the images are encoded anew. References that are there already are passed over.

    Raises:
        InvalidInput: the vectors are of another model, and there are no images; or the file is
            damaged. What was yielded stays.
    """
    header = reader.header
    if header.model_id != encoder.model_id:
        _require_images(header, encoder)
        items = _images(reader)
        yield from import_images(items, encoder=encoder, registry=registry, caller=caller)
        return
    if header.dimension != encoder.dimension:
        raise InvalidInput(
            f"The file has vectors of {header.dimension} numbers, expected {encoder.dimension} of "
            f"the model {encoder.name!r}. Export it again."
        )
    place, pieces = 1, encoder.knows_pieces
    for rows in reader.batches(AT_ONCE):
        outcomes = _enrollments(rows, place, images=header.images, pieces=pieces)
        yield store(outcomes, encoder.model_id, registry, caller)
        place += len(rows)


def is_of(reader: GalleryReader, encoder: Encoder) -> bool:
    """Whether the file's vectors are the encoder's, so that they can be kept."""
    return reader.header.model_id == encoder.model_id


def _require_images(header: Header, encoder: Encoder) -> None:
    if not header.images:
        raise InvalidInput(
            f"The file has vectors of the model {shown(header.model_name)[:80]!r} "
            f"({shown(header.model_id)[:12]}); this registry uses {encoder.name!r} "
            f"({encoder.model_id[:12]}), to which they mean nothing. Export it with --images, so "
            "that they can be encoded anew, or name the same model in COUNTERSIGN_MODEL."
        )


def _enrollments(rows: Sequence[Row], place: int, *, images: bool, pieces: bool) -> list[Outcome]:
    """Check rows, the first of which is the file's `place`th, and take their vectors over.

    `pieces` says whether the model knows pieces of strokes: then each reference must have them.
    """
    unit = iter(are_unit(np.stack([x.vector for x in rows if x.vector is not None] or [_NONE])))
    outcomes: list[Outcome] = []
    for number, row in enumerate(rows, place):
        good = row.vector is not None and bool(next(unit))
        problem = _problem(row, images)
        if not problem and row.sha256 is not None and not good:
            problem = "invalid-vector", "Expected a finite vector of length 1."
        if not problem and row.sha256 is not None:
            problem = _pieces_problem(row.pieces, pieces)
        outcomes.append(_refusal(number, row, problem) if problem else _enrollment(number, row))
    return outcomes


_NONE = np.zeros(1, np.float32)


def _images(reader: GalleryReader) -> Iterator[ImageFile | Outcome]:
    """Yield the rows' images, as files to enroll."""
    number = 0
    for rows in reader.batches(AT_ONCE):
        for row in rows:
            number += 1
            if problem := _problem(row, images=True):
                yield _refusal(number, row, problem)
            elif row.sha256 is None:
                yield _enrollment(number, row)
            elif not row.image:
                reason = "The image is not held where this was exported; its vector means nothing."
                yield _refusal(number, row, ("no-image", reason))
            else:
                name, where = shown(row.filename or ""), _where(number)
                read = partial(bytes, row.image)
                yield ImageFile(str(row.writer_id), name, where, read, row.name or "")


def _where(number: int) -> str:
    return f"row {number}"


def _refusal(number: int, row: Row, problem: Problem) -> FileRefusal:
    known = row.writer_id if is_writer_id(row.writer_id or "") else None
    return FileRefusal(_where(number), *problem, known)


def _enrollment(number: int, row: Row) -> NewEnrollment:
    """Return what a checked row enrolls: a reference, or a writer alone."""
    if row.sha256 is None or row.vector is None:
        return NewEnrollment(str(row.writer_id), row.name or "")
    reference = NewReference(
        image=row.image or b"",
        media_type=str(row.media_type),
        cleaned_png=row.cleaned_png or b"",
        sha256=row.sha256,
        quality=json.loads(str(row.quality)),
        vector=row.vector,
        filename=None if row.filename is None else shown(row.filename),
        pieces=row.pieces,
    )
    return Prepared(str(row.writer_id), row.name or "", reference, _where(number))


def _problem(row: Row, images: bool) -> Problem | None:
    """Return code and reason where a row, its vector and pieces aside, cannot be kept."""
    problem = _writer_problem(row)
    if not problem and not (row.reference_id is None and row.sha256 is None):
        problem = _reference_problem(row) or (_image_problem(row) if images else None)
    return problem


def _writer_problem(row: Row) -> Problem | None:
    if not is_writer_id(row.writer_id or ""):
        return "invalid-writer-id", f"The writer's id: {WRITER_ID_EXPECTED}."
    if len(row.name or "") > MAX_NAME_LENGTH or not is_clean_text(row.name or ""):
        return "invalid-name", (
            f"Expected a name of at most {MAX_NAME_LENGTH} characters, none of them control "
            "characters."
        )
    return None


def _reference_problem(row: Row) -> Problem | None:
    if not _SHA256.fullmatch(row.sha256 or ""):
        return "invalid-sha256", "Expected the image's sha256 as 64 hexadecimal digits."
    if row.media_type not in MEDIA_TYPES.values():
        return "unsupported-format", f"Expected one of {', '.join(MEDIA_TYPES.values())}."
    if not _is_quality(row.quality or ""):
        return "invalid-quality", "Expected the image's quality as this version records it."
    return None


def _image_problem(row: Row) -> Problem | None:
    limit = ImageLimits().max_image_bytes
    image, preview = row.image or b"", row.cleaned_png or b""
    if max(len(image), len(preview)) > limit:
        return "too-many-bytes", f"The image has more than the {limit} bytes that are read."
    if image and hashlib.sha256(image).hexdigest() != row.sha256:
        return "damaged-image", "The image is not the one that its sha256 is of; export it again."
    if preview and not preview.startswith(_PNG):
        return "invalid-preview", "Expected the cleaned image as PNG."
    return None


def _pieces_problem(data: bytes | None, expected: bool) -> Problem | None:
    if data is None:
        reason = "Expected the signature's pieces of strokes, which the model compares by."
        return ("invalid-pieces", f"{reason} None came; export it again.") if expected else None
    if not expected:
        return "invalid-pieces", "Expected no pieces of strokes: the model knows none. Some came."
    if not 0 < len(data) <= MAX_PIECES_BYTES:
        reason = f"Expected pieces of strokes, at most {MAX_PIECES_BYTES} bytes"
        return "invalid-pieces", f"{reason}; got {len(data)}. Export it again."
    try:
        pieces = unpack(data).astype(np.float64)
    except ValueError as error:
        return "invalid-pieces", f"The pieces of strokes are damaged: {error}. Export it again."
    lengths = np.linalg.norm(pieces[:, :SHAPE_SIZE], axis=1)
    if (np.abs(lengths - SCALE) > ROUNDED_BY).any() or (pieces[:, SHAPE_SIZE:] < 0).any():
        return "invalid-pieces", "The pieces of strokes are no shapes at places; export it again."
    return None


def _is_quality(text: str) -> bool:
    """Whether text is JSON of a `Quality`: its fields, of their types, finite.

    Earlier versions wrote no `complexity`.
    """
    if len(text) > MAX_QUALITY_CHARACTERS:
        return False
    try:
        found = json.loads(text, parse_constant=_refuse_constant)
    except (ValueError, RecursionError):
        return False
    expected = {one.name for one in fields(Quality)}
    if not isinstance(found, dict) or found.keys() | {"complexity"} != expected:
        return False
    warnings = found.pop("warnings")
    numbers = all(type(one) in {int, float} for one in found.values())
    return numbers and isinstance(warnings, list) and all(map(_is_warning, warnings))


def _is_warning(found: object) -> bool:
    """Whether this is a `Caution`, or the sentence alone that earlier versions wrote."""
    if isinstance(found, dict) and found.keys() == {"code", "message"}:
        texts = list(found.values())
    else:
        texts = [found]
    return all(isinstance(one, str) and is_clean_text(one) for one in texts)


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is no JSON.")
