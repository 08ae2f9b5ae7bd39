"""Enrolls images in bulk, batch by batch; `sources` finds them, and the caller shows the progress.

A batch is stored for good before it is yielded, and images that are references already are passed
over, so an import that was cut off goes on where it stopped when it is run again.
"""

import gc
import math
import os
from collections import deque
from collections.abc import Container, Generator, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from typing import TypeVar

import cv2

from encoder.errors import ImageError
from encoder.inference.encoder import Encoder
from index.registry.audit.chain import ANYBODY
from index.registry.registry import Registry
from index.registry.writers import NewEnrollment
from service.transfer.sources.files import FileRefusal, ImageFile
from service.writers.copies import Copied, Specimen, copied, held_specimens, new_specimen, reason
from service.writers.uploads import Acquired, Upload, new_references

# Embedded at once: the network's layers for so many stay in a core's cache. Measured: 1.1 ms an
# image, and 1.5 for 32 at once.
PIECE = 8
# Stored at once: a commit waits for the disk, and a power failure costs what is not yet stored.
BATCH = 64


@dataclass(frozen=True, slots=True)
class Imported:
    """A file of a source that is a reference now, or was before."""

    writer_id: str
    where: str
    sha256: str


@dataclass(frozen=True)
class ImportedBatch:
    """What became of a batch of files; what it enrolled is stored for good.

    `references` are those that were enrolled, and those that were there already.
    """

    files: int
    enrolled: int
    already_there: int
    refused: tuple[FileRefusal, ...]
    references: tuple[Imported, ...]


@dataclass(frozen=True)
class Held:
    """An image that is a reference already, of a writer who may still lack a name."""

    image: Imported
    writer_name: str


@dataclass(frozen=True)
class Prepared(NewEnrollment):
    """A reference made of a file, and where in the source that is."""

    where: str = ""


# What became of a file before it is stored. An enrollment may be of a writer alone.
Outcome = NewEnrollment | FileRefusal | Held


@dataclass(frozen=True)
class _Read:
    """A file and its bytes."""

    file: ImageFile
    upload: Upload
    sha256: str


@dataclass(frozen=True)
class _Found:
    """A file in which a signature was found; still without its embedding."""

    file: ImageFile
    acquired: Acquired


Item = TypeVar("Item")


def import_images(
    images: Iterable[ImageFile | Outcome],
    *,
    encoder: Encoder,
    registry: Registry,
    batch_size: int = BATCH,
    caller: str = ANYBODY,
) -> Generator[ImportedBatch, None, None]:
    """Enroll images, yielding each batch once it is stored, in one transaction.

    Threads, one a core, read, clean and embed the next batches while one is stored: all that
    takes long in it leaves the interpreter's lock. What is no file any more only passes through.
    """
    cv2.setNumThreads(1)  # The pool below is the parallelism; nested threads only get in its way.
    cores = len(os.sched_getaffinity(0))
    ahead = 1 + math.ceil(2 * cores * PIECE / batch_size)
    batches = _portions(images, batch_size)
    running: deque[list[Future[list[Outcome]]]] = deque()
    pool = ThreadPoolExecutor(cores, "import")
    gc.freeze()  # What is there already need not be searched for garbage: 1 to 2 % of the time.
    try:
        while True:
            for batch in islice(batches, ahead + 1 - len(running)):
                pieces = _portions(batch, PIECE)
                # Who is new has no references to be asked for, which is cheaper than asking.
                known = registry.writers.names_of(set(_writers_of(batch)))
                running.append(
                    [pool.submit(_prepare, one, known, encoder, registry) for one in pieces]
                )
            if not running:
                return
            outcomes = [one for piece in running.popleft() for one in piece.result()]
            once = count_once(outcomes, encoder.model_id, registry)
            yield store(once, encoder.model_id, registry, caller)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
        gc.unfreeze()


def count_once(outcomes: Sequence[Outcome], model_id: str, registry: Registry) -> list[Outcome]:
    """Refuse copies of signatures that their writers have, or that come before them; keep the rest.

    Equal files are not refused but passed over, by `store`.
    """
    writers = {one.writer_id for one in outcomes if isinstance(one, NewEnrollment)}
    claims = registry.embeddings.claims(writers, model_id) if writers else {}
    known = {one: held_specimens(claims.get(one), registry) for one in writers}
    kept: list[Outcome] = []
    for one in outcomes:
        found = None
        if isinstance(one, NewEnrollment) and one.reference is not None:
            specimen = new_specimen(one.reference)
            found = copied(specimen, known[one.writer_id])
            if found is None:
                known[one.writer_id].append(specimen)
            elif _is_same_file(one, specimen, found, registry):
                found = None
        if found is None:
            kept.append(one)
        elif isinstance(one, NewEnrollment):
            kept.append(_copy_refused(one, found))
    return kept


def _is_same_file(
    one: NewEnrollment, specimen: Specimen, found: Copied, registry: Registry
) -> bool:
    if found.original.sha256 is not None:
        return found.original.sha256 == specimen.sha256
    return bool(registry.references.held({(one.writer_id, str(specimen.sha256))}))


def _copy_refused(one: NewEnrollment, found: Copied) -> FileRefusal:
    where = one.where if isinstance(one, Prepared) else None
    return FileRefusal(where, "near-duplicate", reason(found), one.writer_id)


def store(
    outcomes: Sequence[Outcome], model_id: str, registry: Registry, caller: str = ANYBODY
) -> ImportedBatch:
    """Store what is new, in one transaction; writers who lack a name get the one that came."""
    refused = tuple(one for one in outcomes if isinstance(one, FileRefusal))
    held = [one for one in outcomes if isinstance(one, Held)]
    new = [one for one in outcomes if isinstance(one, NewEnrollment)]
    named = [NewEnrollment(one.image.writer_id, one.writer_name) for one in held if one.writer_name]
    every = [*new, *named]
    enrolled = registry.writers.enroll_many(model_id, every, actor=caller) if every else 0
    references = (*(one.image for one in held), *_imported(new))
    return ImportedBatch(len(outcomes), enrolled, len(references) - enrolled, refused, references)


def _imported(new: Iterable[NewEnrollment]) -> Iterator[Imported]:
    for one in new:
        if one.reference is not None:
            where = one.where if isinstance(one, Prepared) else ""
            yield Imported(one.writer_id, where, one.reference.sha256)


def _writers_of(batch: Iterable[ImageFile | Outcome]) -> Iterator[str]:
    for one in batch:
        writer_id = one.image.writer_id if isinstance(one, Held) else one.writer_id
        if writer_id:
            yield writer_id


def _portions(items: Iterable[Item], size: int) -> Iterator[list[Item]]:
    rest = iter(items)
    while portion := list(islice(rest, size)):
        yield portion


def _prepare(
    files: Sequence[ImageFile | Outcome],
    known: Container[str],
    encoder: Encoder,
    registry: Registry,
) -> list[Outcome]:
    """Make references of a few files, or reasons why not; runs beside others in the pool."""
    read = [_read(one) if isinstance(one, ImageFile) else one for one in files]
    images = {(one.file.writer_id, one.sha256) for one in read if isinstance(one, _Read)}
    asked = {image for image in images if image[0] in known}
    held = registry.references.held(asked) if asked else set()
    seen = [_recognise(one, held, encoder) if isinstance(one, _Read) else one for one in read]
    found = [one for one in seen if isinstance(one, _Found)]
    acquired = [one.acquired for one in found]
    made = iter(new_references(acquired, encoder, several_writers=True))
    return [
        Prepared(one.file.writer_id, one.file.writer_name, next(made), one.file.where)
        if isinstance(one, _Found)
        else one
        for one in seen
    ]


def _read(file: ImageFile) -> _Read | FileRefusal:
    try:
        data = file.read()
    except ImageError as error:
        return FileRefusal(file.where, error.code, str(error), file.writer_id)
    except OSError as error:
        reason = f"The file cannot be read: {error.strerror or error}."
        return FileRefusal(file.where, "unreadable-file", reason, file.writer_id)
    upload = Upload(file.name, data)
    return _Read(file, upload, upload.sha256)


def _recognise(
    read: _Read, held: Container[tuple[str, str]], encoder: Encoder
) -> _Found | Held | FileRefusal:
    """Find the signature in a file, unless it is a reference already."""
    file = read.file
    if (file.writer_id, read.sha256) in held:
        return Held(Imported(file.writer_id, file.where, read.sha256), file.writer_name)
    try:
        return _Found(file, Acquired(read.upload, read.sha256, encoder.acquire(read.upload.data)))
    except ImageError as error:
        return FileRefusal(file.where, error.code, str(error), file.writer_id)
