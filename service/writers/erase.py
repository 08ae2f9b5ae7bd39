"""Erases writers and references for good: rows, images, vectors, and what snapshots hold.

The rows go at once. What a file may still hold of them goes as soon as nobody reads it any more;
until it is proved gone, the list of erasures says so.
"""

import logging
from collections.abc import Collection

from index.errors import GalleryError
from index.registry.audit.chain import ANYBODY
from index.registry.registry import Registry
from index.registry.writers import ErasedWriter
from index.sync.gallery_interface import Gallery

logger = logging.getLogger(__name__)


def erase_writer(
    writer_id: str,
    *,
    registry: Registry,
    gallery: Gallery,
    caller: str = ANYBODY,
    versions: Collection[str] | None = None,
) -> ErasedWriter:
    """Erase a writer for good: rows, images, vectors, and snapshots that could hold them.

    Decisions lose whom they are about and what they rest on. Those under a hold stay whole until it
    ends; the answer names them. Where `versions` came, only if the writer is as one of these.

    Raises:
        UnknownWriter: nobody is known by that id.
        WriterChanged: the writer is not as expected.
    """
    erased = registry.writers.erase(writer_id, versions=versions, actor=caller)
    _forget_or_warn(gallery)
    return erased


def erase_reference(
    writer_id: str,
    reference_id: int,
    *,
    registry: Registry,
    gallery: Gallery,
    caller: str = ANYBODY,
) -> None:
    """Erase one reference for good, as `erase_writer` does for all of a writer.

    Raises:
        UnknownWriter, UnknownReference: there is no such writer, or no such reference of theirs.
    """
    registry.references.erase(writer_id, reference_id, actor=caller)
    _forget_or_warn(gallery)


def forget(gallery: Gallery) -> None:
    """Take from the index, and from its snapshots, what the registry has erased.

    Raises:
        ErasureIncomplete: a snapshot, or a shared index, may still hold something of it.
    """
    # What is on disk goes first: were the registry lost in between, the next search would still
    # take the vectors out of memory, but nothing would remove the snapshot.
    gallery.forget_snapshots()
    gallery.catch_up()


def _forget_or_warn(gallery: Gallery) -> None:
    try:
        forget(gallery)
    except GalleryError as error:
        logger.warning("%s It is tried again.", error)
