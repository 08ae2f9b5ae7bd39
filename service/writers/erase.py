"""Erases writers and references for good: rows, images, vectors, and what snapshots hold."""

from collections.abc import Iterator
from contextlib import contextmanager

from index.errors import ErasureIncomplete
from index.registry.registry import Registry
from index.sync.gallery_interface import Gallery


def erase_writer(writer_id: str, *, registry: Registry, gallery: Gallery) -> None:
    """Erase a writer for good: rows, images, vectors, and snapshots that could hold them.

    Raises:
        UnknownWriter: nobody is known by that id.
        ErasureIncomplete: the rows are gone, but a file on disk may still hold them.
    """
    with _forgetting(gallery):
        registry.writers.erase(writer_id)


def erase_reference(
    writer_id: str, reference_id: int, *, registry: Registry, gallery: Gallery
) -> None:
    """Erase one reference for good, as `erase_writer` does for all of a writer.

    Raises:
        UnknownWriter, UnknownReference: there is no such writer, or no such reference of theirs.
        ErasureIncomplete: the rows are gone, but a file on disk may still hold them.
    """
    with _forgetting(gallery):
        registry.references.erase(writer_id, reference_id)


@contextmanager
def _forgetting(gallery: Gallery) -> Iterator[None]:
    """Take from the index what the registry erases, also where a log still holds its rows."""
    try:
        yield
    except ErasureIncomplete:
        _forget(gallery)
        raise
    _forget(gallery)


def _forget(gallery: Gallery) -> None:
    # What is on disk goes first: were the registry lost in between, the next search would still
    # take the vectors out of memory, but nothing would remove the snapshot.
    gallery.forget_snapshots()
    gallery.catch_up()
