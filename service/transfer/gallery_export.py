"""Writes the gallery, as it is at one moment, into a file, whose form `gallery_file` knows.

What is exported is personal data: the file is its owner's alone, and whole or not there.
"""

import os
import tempfile
from collections.abc import Generator, Iterator
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import IO

from encoder.inference.encoder import Encoder
from index.registry.audit.chain import ANYBODY, AuditEvent
from index.registry.following.consistent_reader import ConsistentReader
from index.registry.registry import Registry
from service.errors import InvalidInput
from service.transfer.gallery_file import GalleryWriter, Header

# Rows of a row group, which is what lies in memory: some 15 MB of vectors and pieces, or of scans.
ROWS, ROWS_WITH_IMAGES = 2000, 200


@dataclass(frozen=True)
class Exported:
    """How far an export is; `left_out` references have not been seen by the model."""

    writers: int
    references: int
    all_writers: int
    all_references: int
    revision: int

    @property
    def left_out(self) -> int:
        """How many references have no vector of the model; they are not in the file."""
        return self.all_references - self.references


def export_gallery(
    file: Path, *, encoder: Encoder, registry: Registry, images: bool, caller: str = ANYBODY
) -> Generator[Exported, None, None]:
    """Write writers, references and the encoder's vectors, yielding how far it is.

    All is of one moment, whoever enrolls or erases meanwhile. The file appears when the generator
    has run to its end, readable by its owner only.

    Raises:
        InvalidInput: the file exists.
        OSError: it cannot be written.
    """
    with (
        _new_private_file(file) as out,
        registry.reading(encoder.model_id) as gallery,
        closing(GalleryWriter(out, _header(encoder, gallery, images))) as written,
    ):
        total, revision = gallery.total(), gallery.position.revision
        writers = references = 0
        for batch in gallery.references(ROWS_WITH_IMAGES if images else ROWS, images=images):
            written.write_references(batch)
            references += len(batch)
            yield Exported(writers, references, total.writers, total.references, revision)
        for others in gallery.other_writers(ROWS):
            written.write_writers(others)
        yield Exported(total.writers, references, total.writers, total.references, revision)
    details = {"writers": total.writers, "references": references, "images": images}
    registry.audit.append(AuditEvent("gallery.exported", caller, details=details))


def _header(encoder: Encoder, gallery: ConsistentReader, images: bool) -> Header:
    return Header(
        model_id=encoder.model_id,
        model_name=encoder.name,
        dimension=encoder.dimension,
        images=images,
        registry_id=gallery.registry_id,
        revision=gallery.position.revision,
        exported_at=datetime.now(UTC).isoformat(timespec="seconds"),
    )


@contextmanager
def _new_private_file(path: Path) -> Iterator[IO[bytes]]:
    """Give a file for its owner alone that takes its name once it is whole and on disk."""
    if path.exists():
        raise InvalidInput(f"{path} exists already; choose another name, or remove it.")
    handle, temporary = tempfile.mkstemp(prefix=f".{path.name}.", dir=path.parent)
    try:
        with os.fdopen(handle, "wb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        Path(temporary).rename(path)
    finally:
        with suppress(FileNotFoundError):
            Path(temporary).unlink()
