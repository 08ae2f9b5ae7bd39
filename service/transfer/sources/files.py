"""Files to enroll and files refused, whatever they come from; each source finds its own."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path, PurePosixPath
from typing import IO

from encoder.errors import OversizeImage
from encoder.imaging.decode import ImageLimits
from encoder.imaging.region import Region
from service.errors import Refusal
from service.writers.uploads import Upload

FORGED = "forged"
_STEP = 2**17


@dataclass(frozen=True, slots=True)
class ImageFile:
    """A file to enroll as a reference of a writer; `where` says where in the source it is.

    `read` returns its bytes, and raises ImageError or OSError.
    """

    writer_id: str
    name: str
    where: str
    read: Callable[[], bytes]
    writer_name: str = ""


@dataclass(frozen=True, slots=True)
class FileRefusal(Refusal):
    """A file, a folder or a line that was not enrolled, and whose it is where that is known."""

    writer_id: str | None = None


@dataclass(frozen=True)
class Survey:
    """What a source holds: files to enroll, what cannot be enrolled, and how much is skipped."""

    images: tuple[ImageFile, ...]
    refused: tuple[FileRefusal, ...]
    skipped: int


def read_upload(path: Path, region: Region | None = None) -> Upload:
    """Read an image file of this machine, or a region of it, as if it had been uploaded.

    Raises:
        OversizeImage: it is too large to be read at all.
        OSError: it cannot be read.
    """
    return Upload(shown(path.name), _read(path), region)


def image_file(writer_id: str, where: str, path: Path, writer_name: str = "") -> ImageFile:
    """Return a file of this machine as one to enroll."""
    return ImageFile(writer_id, shown(path.name), where, partial(_read, path), writer_name)


def read_limited(file: IO[bytes]) -> bytes:
    """Read as much as an image may have.

    Raises:
        OversizeImage: there is more.
    """
    limit = ImageLimits().max_image_bytes
    # A size that is asked for beforehand says nothing of a pipe, and that in a zip may be a lie.
    # In steps, for whoever reads makes room for as much as is asked for.
    parts = [file.read(_STEP)]
    while len(parts[-1]) == _STEP and len(parts) * _STEP <= limit:
        parts.append(file.read(_STEP))
    data = parts[0] if len(parts) == 1 else b"".join(parts)
    if len(data) > limit:
        raise too_large(limit)
    return data


def too_large(limit: int) -> OversizeImage:
    """Return the error of a file with more bytes than the limit."""
    return OversizeImage(
        "too-many-bytes",
        f"The file has more than {limit} bytes, which are the most that are read. "
        "Scan in grey at 300 dpi, or crop to the signature.",
    )


def is_skipped(path: PurePosixPath) -> bool:
    """Whether a file is passed over by its name: hidden, or a forgery and so no reference."""
    return path.name.startswith(".") or path.name.lower().startswith(FORGED)


def shown(name: str) -> str:
    """Return a file's name as text that can be printed and stored, whatever bytes it has."""
    text = os.fsencode(name).decode("utf-8", "replace")
    return "".join(one if one.isprintable() else "\ufffd" for one in text)


def _read(path: Path) -> bytes:
    with path.open("rb") as file:
        return read_limited(file)
