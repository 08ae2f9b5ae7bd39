"""Lists a zip of writers, `<writer>/<image>`, and reads its images where they lie; trusts nothing.

Nothing is unpacked to disk, so no name in the zip can lead anywhere. No member is decompressed
further than an image may be long, and members cannot share bytes to be many times as much.
"""

import stat
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path, PurePosixPath

from encoder.datasets.folder import IMAGE_SUFFIXES
from encoder.errors import UndecodableImage
from encoder.imaging.decode import ImageLimits
from index.registry.identifiers import is_writer_id
from service.errors import InvalidInput
from service.transfer.sources.files import (
    FileRefusal,
    ImageFile,
    Survey,
    is_skipped,
    read_limited,
    shown,
    too_large,
)
from service.transfer.sources.folder import no_writers, refused_loose, refused_name, refused_nested

# Deflate reaches 1032; an image with a signature in it, uncompressed before, some 200.
MAX_RATIO = 500
# The others decompress as much as they like at once, whatever is asked for.
METHODS = {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}
ENCRYPTED = 0x1  # Of the general purpose flags (APPNOTE.TXT, 4.4.4).
ZIP_START = b"PK\x03\x04"
IMAGE_DEPTH = 2  # WRITER/IMAGE
APPLE_NOTES = "__MACOSX"
LEADS_OUT = "Its name leads out of the zip; expected WRITER/IMAGE. Make the zip anew."


@contextmanager
def open_archive(path: Path) -> Iterator[Survey]:
    """List the images of `<writer>/<image>` in a zip, or all in one folder around the writers'.

    What is skipped and refused is as in a folder; refused besides: names that lead out of the
    zip, encrypted members, zips in it, and what would be far larger than an image.

    Raises:
        InvalidInput: it is no zip, is damaged or made to do harm, or holds no writer's folder.
        OSError: it cannot be read.
    """
    try:
        archive = zipfile.ZipFile(path)
    except (zipfile.BadZipFile, NotImplementedError, ValueError) as error:
        raise InvalidInput(f"{path} is no zip that can be read: {error}. Make it anew.") from error
    with archive:
        _require_apart(archive, path)
        yield _survey(archive, path)


def _require_apart(archive: zipfile.ZipFile, path: Path) -> None:
    """Refuse members that share bytes, by which a small zip unfolds to any size.

    Raises:
        InvalidInput: some do.
    """
    compressed = sum(info.compress_size for info in archive.infolist())
    size = path.stat().st_size
    if compressed > size:
        raise InvalidInput(
            f"{path} has {size} bytes, but its members {compressed} while compressed: they share "
            "bytes, as in a zip bomb. Nothing was imported; make the zip anew from the files."
        )


def _survey(archive: zipfile.ZipFile, path: Path) -> Survey:
    members = [info for info in archive.infolist() if not info.is_dir()]
    wrapping = _wrapping_folders([PurePosixPath(info.filename) for info in members])
    images: list[ImageFile] = []
    refused: dict[str, FileRefusal] = {}
    skipped = 0
    nested = False
    for info in sorted(members, key=lambda info: info.filename):
        member = PurePosixPath(info.filename)
        inner = PurePosixPath(*member.parts[wrapping:])
        nested |= len(inner.parts) > 1
        if _leads_out(info.filename):
            where = shown(info.filename)
            refused[where] = FileRefusal(where, "unsafe-path", LEADS_OUT)
        elif _is_noise(inner):
            skipped += 1
        elif refusal := _refusal(info, inner):
            refused[refusal.filename or ""] = refusal
        elif len(inner.parts) == 1:
            skipped += 1
        else:
            read = partial(_read, archive, info)
            where = shown(str(inner))
            images.append(ImageFile(inner.parts[0], shown(inner.name), where, read))
    if not nested:
        raise no_writers(path)
    return Survey(tuple(images), tuple(refused.values()), skipped)


def _wrapping_folders(paths: list[PurePosixPath]) -> int:
    """Return 1 where one folder holds all the writers' folders, as when that folder was zipped."""
    paths = [path for path in paths if path.parts and path.parts[0] != APPLE_NOTES]
    wrapped = paths and min(len(path.parts) for path in paths) > IMAGE_DEPTH
    return int(bool(wrapped) and len({path.parts[0] for path in paths}) == 1)


def _leads_out(name: str) -> bool:
    return name.startswith("/") or "\\" in name or ".." in PurePosixPath(name).parts


def _is_noise(path: PurePosixPath) -> bool:
    hidden = any(part.startswith(".") for part in path.parts)
    return hidden or path.parts[:1] == (APPLE_NOTES,) or is_skipped(path)


def _refusal(info: zipfile.ZipInfo, path: PurePosixPath) -> FileRefusal | None:
    """Return why a member is not read, or None; `path` is below the wrapping folder."""
    if len(path.parts) == 1:
        return refused_loose(path.name) if path.suffix.lower() in IMAGE_SUFFIXES else None
    writer_id = path.parts[0]
    if not is_writer_id(writer_id):
        return refused_name(writer_id)
    if len(path.parts) > IMAGE_DEPTH:
        return refused_nested(f"{writer_id}/{path.parts[1]}", writer_id)
    if stat.S_ISLNK(info.external_attr >> 16):
        return refused_nested(str(path), writer_id)
    found = _danger(info)
    return found and FileRefusal(shown(str(path)), *found, writer_id)


def _danger(info: zipfile.ZipInfo) -> tuple[str, str] | None:
    """Return code and reason where decompressing a member cannot be, or is not, tried."""
    if info.flag_bits & ENCRYPTED:
        return "encrypted", "The file is encrypted; make a zip without a password."
    if info.filename.lower().endswith(".zip"):
        return _NESTED
    if info.compress_type not in METHODS:
        return "unsupported-compression", "Expected a zip of stored or deflated files; zip it anew."
    limit = ImageLimits().max_image_bytes
    if info.file_size > limit:
        error = too_large(limit)
        return error.code, str(error)
    if info.file_size > MAX_RATIO * max(info.compress_size, 1):
        return "zip-bomb", (
            f"The file would grow from {info.compress_size} to {info.file_size} bytes, more than "
            f"{MAX_RATIO} times: no signature does. Take it out of the zip."
        )
    return None


_NESTED = "nested-zip", "A zip within the zip is not read; put the writers' folders into one zip."


def _read(archive: zipfile.ZipFile, info: zipfile.ZipInfo) -> bytes:
    """Return a member's bytes. Threads may read side by side.

    Raises:
        OversizeImage: it has more bytes than an image may have.
        UndecodableImage: it is damaged, or a zip itself.
    """
    try:
        with archive.open(info) as member:
            data = read_limited(member)
    except (zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError) as error:
        reason = "The file is damaged in the zip, or is not what the zip says; make the zip anew."
        raise UndecodableImage("damaged-member", reason) from error
    if data.startswith(ZIP_START):
        raise UndecodableImage(*_NESTED)
    return data
