"""Enrolls a folder of writers in bulk, batch by batch; showing what happened is the caller's.

A batch is stored for good before it is yielded, and images that are references already are passed
over, so an import that was cut off goes on where it stopped when it is run again.
"""

import os
from collections import defaultdict
from collections.abc import Generator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from encoder.decode import ImageLimits
from encoder.errors import ImageError, OversizeImage
from encoder.model import Encoder
from encoder.writers_folder import IMAGE_SUFFIXES
from index.errors import UnknownWriter
from index.naming import WRITER_ID_EXPECTED, is_writer_id
from index.registry import Registry
from index.values import NewReference
from service.errors import InvalidInput, Refusal
from service.uploads import Acquired, Upload, new_references

FORGED = "forged"


@dataclass(frozen=True)
class ImageFile:
    """A file to enroll as a reference of a writer; `name` is its path below the folder."""

    writer_id: str
    name: str
    path: Path


@dataclass(frozen=True)
class Survey:
    """What lies in a folder: files to enroll, what cannot be enrolled, and how much is skipped."""

    images: tuple[ImageFile, ...]
    refused: tuple[Refusal, ...]
    skipped: int


@dataclass(frozen=True)
class ImportedBatch:
    """What became of a batch of files; what it enrolled is stored for good."""

    files: int
    enrolled: int
    already_there: int
    refused: tuple[Refusal, ...]


@dataclass(frozen=True)
class _Prepared:
    """A file whose signature was found; still without its embedding."""

    file: ImageFile
    acquired: Acquired


# None is for a file that is a reference of the writer already.
_Outcome = _Prepared | Refusal | None


def read_upload(path: Path) -> Upload:
    """Read an image file of this machine, as if it had been uploaded.

    Raises:
        OversizeImage: it is too large to be read at all.
        OSError: it cannot be read.
    """
    limit = ImageLimits().max_image_bytes
    with path.open("rb") as file:
        # A size that is asked for beforehand says nothing of a pipe or a device.
        data = file.read(limit + 1)
    if len(data) > limit:
        raise OversizeImage(
            "too-many-bytes",
            f"The file has more than {limit} bytes, which are the most that are read. "
            "Scan in grey at 300 dpi, or crop to the signature.",
        )
    return Upload(shown(path.name), data)


def shown(name: str) -> str:
    """Return a file's name as text that can be printed and stored, whatever bytes it has."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def survey(folder: Path) -> Survey:
    """List the images of `<writer>/<image>` below `folder`, in the order of their names.

    Files starting with `forged` are no references of the writer and are skipped, and so are
    hidden files. A folder whose name cannot be a writer's id is refused, and the others go on.

    Raises:
        InvalidInput: there is no folder of a writer in it.
        OSError: the folder cannot be read.
    """
    images: list[ImageFile] = []
    refused: list[Refusal] = []
    skipped = 0
    entries = sorted(folder.iterdir())
    for entry in entries:
        if entry.name.startswith("."):
            skipped += 1
        elif not entry.is_dir():
            if entry.suffix.lower() in IMAGE_SUFFIXES:
                refused.append(_refused_loose(entry))
            else:
                skipped += 1
        elif not is_writer_id(entry.name):
            refused.append(_refused_name(entry))
        else:
            found, nested, passed_over = _survey_writer(entry)
            images += found
            refused += nested
            skipped += passed_over
    if not any(entry.is_dir() for entry in entries):
        raise InvalidInput(
            f"{folder} holds no folders. Expected one folder for each writer, named by the "
            "writer's id, with the reference images in it: FOLDER/C-1001/scan1.png"
        )
    return Survey(tuple(images), tuple(refused), skipped)


def import_images(
    images: Sequence[ImageFile], *, encoder: Encoder, registry: Registry, batch_size: int = 32
) -> Generator[ImportedBatch, None, None]:
    """Enroll images, yielding each batch once it is stored: one transaction for each writer in it.

    All cores decode and clean the next batch while this one is embedded and stored.
    """
    pool = ThreadPoolExecutor(os.cpu_count())
    ahead: list[Future[_Outcome]] = []
    try:
        for start in range(0, len(images) + batch_size, batch_size):
            pending, ahead = ahead, []
            batch = images[start : start + batch_size]
            enrolled = {
                writer_id: frozenset(registry.existing_sha256(writer_id))
                for writer_id in {file.writer_id for file in batch}
            }
            ahead = [
                pool.submit(_prepare, file, enrolled[file.writer_id], encoder) for file in batch
            ]
            if pending:
                yield _store([job.result() for job in pending], encoder, registry)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def _survey_writer(folder: Path) -> tuple[list[ImageFile], list[Refusal], int]:
    images: list[ImageFile] = []
    refused: list[Refusal] = []
    skipped = 0
    try:
        entries = sorted(folder.iterdir())
    except OSError as error:
        reason = f"The folder cannot be read: {error.strerror}."
        return [], [Refusal(f"{folder.name}/", "unreadable-folder", reason)], 0
    for entry in entries:
        name = shown(f"{folder.name}/{entry.name}")
        if entry.name.startswith(".") or entry.name.lower().startswith(FORGED):
            skipped += 1
        elif entry.is_file():
            images.append(ImageFile(folder.name, name, entry))
        else:
            reason = "Expected an image file; move the images into the writer's folder itself."
            refused.append(Refusal(name, "not-a-file", reason))
    return images, refused, skipped


def _refused_loose(entry: Path) -> Refusal:
    reason = "Not in a writer's folder; move it into one that is named by the writer's id."
    return Refusal(shown(entry.name), "no-writer", reason)


def _refused_name(folder: Path) -> Refusal:
    reason = f"The folder's name cannot be a writer's id: {WRITER_ID_EXPECTED}. Rename the folder."
    return Refusal(shown(f"{folder.name}/"), "invalid-writer-id", reason)


def _prepare(file: ImageFile, enrolled: frozenset[str], encoder: Encoder) -> _Outcome:
    """Read, recognise and clean one file; runs beside others in the pool."""
    try:
        upload = read_upload(file.path)
        digest = upload.sha256
        if digest in enrolled:
            return None
        return _Prepared(file, Acquired(upload, digest, encoder.acquire(upload.data)))
    except ImageError as error:
        return Refusal(file.name, error.code, str(error))
    except OSError as error:
        reason = f"The file cannot be read: {error.strerror}."
        return Refusal(file.name, "unreadable-file", reason)


def _store(outcomes: Sequence[_Outcome], encoder: Encoder, registry: Registry) -> ImportedBatch:
    """Embed what was prepared in one go, and store it writer by writer."""
    prepared = [one for one in outcomes if isinstance(one, _Prepared)]
    refused = tuple(one for one in outcomes if isinstance(one, Refusal))
    references: dict[str, list[NewReference]] = defaultdict(list)
    made = new_references([one.acquired for one in prepared], encoder)
    for one, reference in zip(prepared, made, strict=True):
        references[one.file.writer_id].append(reference)
    enrolled = sum(
        _store_references(writer_id, new, encoder.model_id, registry)
        for writer_id, new in references.items()
    )
    already_there = len(outcomes) - len(refused) - enrolled
    return ImportedBatch(len(outcomes), enrolled, already_there, refused)


def _store_references(
    writer_id: str, references: Sequence[NewReference], model_id: str, registry: Registry
) -> int:
    """Store what the writer does not have yet; return how many references that was."""
    # Asked once more: the same image may have come with the batch before, or in this one twice.
    enrolled = registry.existing_sha256(writer_id)
    new = {one.sha256: one for one in references if one.sha256 not in enrolled}
    if new:
        try:
            registry.add_references(writer_id, model_id, list(new.values()))
        except UnknownWriter:
            registry.create_writer(writer_id, "", model_id, list(new.values()))
    return len(new)
