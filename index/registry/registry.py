"""The registry: every question and change to the SQL truth, each in one transaction.

The work itself is in `writers`, `references`, `embeddings`, `models`, `decisions` and
`revisions`; this class gives each its transaction. Which model is active, `known_models` says. It
knows no vector index.
"""

from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager

import numpy as np
from numpy.typing import NDArray

from index.registry import audit_log, change_log, embeddings, models, writers
from index.registry import references as reference_rows
from index.registry.audit_log import ChainReport, DecisionRecord
from index.registry.change_log import Changes, Position
from index.registry.consistent_reader import FrozenGallery
from index.registry.database import Database, WriteLock
from index.registry.embeddings import Claim
from index.registry.known_models import KnownModels
from index.registry.lease import Lease
from index.registry.models import GallerySize
from index.registry.references import NewEnrollment, NewReference, Reference, StoredImage
from index.registry.writers import Writer, WriterPage


class Registry:
    """One process's door to the registry; thread-safe; build it after a fork, never before.

    Any method raises RegistryUnavailable when the database cannot be used. A change is on disk
    when its method returns.
    """

    def __init__(self, database_url: str) -> None:
        self._database = Database(database_url)
        self.models = KnownModels(self._database)

    def close(self) -> None:
        """Close the connections."""
        self._database.close()

    # Writers

    def create_writer(
        self,
        writer_id: str,
        name: str,
        model_id: str | None = None,
        references: Sequence[NewReference] = (),
    ) -> tuple[Writer, list[Reference]]:
        """Enroll a writer, with references under a model if there are any: all or nothing.

        Raises InvalidWriter, WriterExists, and what add_references raises.
        """
        with self._database.write() as connection:
            writers.create(connection, writer_id, name)
            added: list[Reference] = []
            if references:
                if model_id is None:
                    raise ValueError("Expected the model that encoded the references, got None.")
                added = reference_rows.add(connection, writer_id, model_id, references)
            return writers.get(connection, writer_id), added

    def get_writer(self, writer_id: str) -> Writer:
        """Return a writer; raises UnknownWriter."""
        with self._database.read() as connection:
            return writers.get(connection, writer_id)

    def knows_writer(self, writer_id: str) -> bool:
        """Whether somebody is enrolled under this id."""
        with self._database.read() as connection:
            return writers.exists(connection, writer_id)

    def names_of(self, writer_ids: Collection[str]) -> dict[str, str]:
        """Return id -> name of those of these writers who are enrolled; thousands at most."""
        with self._database.read() as connection:
            return writers.names_of(connection, writer_ids)

    def list_writers(
        self, cursor: str | None = None, limit: int = 50, search: str | None = None
    ) -> WriterPage:
        """Return a page of writers in the order of their ids; raises InvalidCursor.

        `search` is found anywhere in id or name, whatever the case; `cursor` is an earlier
        page's `next_cursor`.
        """
        with self._database.read() as connection:
            return writers.page(connection, cursor, limit, search)

    def rename_writer(self, writer_id: str, name: str) -> Writer:
        """Give a writer another name; raises InvalidWriter and UnknownWriter."""
        with self._database.write() as connection:
            writers.rename(connection, writer_id, name)
            return writers.get(connection, writer_id)

    def erase_writer(self, writer_id: str) -> int:
        """Erase a writer with all references for good; return how many references there were.

        Afterwards no file of the database holds them; the snapshots of indexes are for
        `Gallery.forget_snapshots`. Raises UnknownWriter and ErasureIncomplete.
        """
        with self._database.write() as connection:
            count = writers.erase(connection, writer_id)
        self._database.purge_erased()
        return count

    # References

    def add_references(
        self, writer_id: str, model_id: str, references: Sequence[NewReference]
    ) -> list[Reference]:
        """Add references under a model, all or none, in the given order.

        Raises UnknownWriter, ModelChanged, DuplicateReference, and what put_embeddings raises.
        """
        with self._database.write() as connection:
            return reference_rows.add(connection, writer_id, model_id, references)

    def add_in_bulk(self, model_id: str, enrollments: Sequence[NewEnrollment]) -> int:
        """Enroll some thousands at most, of whatever writers, all or none; return what was new.

        Unknown writers are created, and images that a writer has already are passed over: the
        work can be repeated. Raises InvalidWriter, UnknownModel, InvalidVector, InvalidPieces.
        """
        names: dict[str, str] = {}
        for one in enrollments:
            names[one.writer_id] = names.get(one.writer_id) or one.name
        new = [(one.writer_id, one.reference) for one in enrollments if one.reference]
        with self._database.write() as connection:
            writers.enroll_missing(connection, names)
            return reference_rows.add_in_bulk(connection, model_id, new)

    def held_images(self, images: Collection[tuple[str, str]]) -> set[tuple[str, str]]:
        """Return those of these (writer_id, sha256) that are references; thousands at most."""
        with self._database.read() as connection:
            return reference_rows.held(connection, images)

    def list_references(self, writer_id: str) -> list[Reference]:
        """Return a writer's references, oldest first; raises UnknownWriter."""
        with self._database.read() as connection:
            return reference_rows.listed(connection, writer_id)

    def existing_sha256(self, writer_id: str) -> dict[str, int]:
        """Return sha256 -> reference_id of a writer; empty for one who is not enrolled."""
        with self._database.read() as connection:
            return reference_rows.sha256_to_id(connection, writer_id)

    def reference_image(
        self, writer_id: str, reference_id: int, cleaned: bool = False
    ) -> StoredImage:
        """Return the uploaded image, or its cleaned preview.

        Raises UnknownWriter, UnknownReference and ImageNotHeld.
        """
        with self._database.read() as connection:
            return reference_rows.image(connection, writer_id, reference_id, cleaned)

    def erase_reference(self, writer_id: str, reference_id: int) -> None:
        """Erase one reference for good, as erase_writer does.

        Raises UnknownWriter, UnknownReference and ErasureIncomplete.
        """
        with self._database.write() as connection:
            reference_rows.erase(connection, writer_id, reference_id)
        self._database.purge_erased()

    def writers_of(self, reference_ids: Collection[int]) -> dict[int, str]:
        """Return reference_id -> writer_id of those of these references that are there."""
        with self._database.read() as connection:
            return embeddings.writers_of(connection, reference_ids)

    # Models and embeddings

    def register_model(self, model_id: str, name: str, dimension: int) -> None:
        """Make a model known; once more is nothing, with another dimension InvalidVector."""
        with self._database.write() as connection:
            models.register(connection, model_id, name, dimension)

    def gallery_size(self, model_id: str) -> GallerySize:
        """Return how many writers and references the model can compare with; one lookup."""
        with self._database.read() as connection:
            return models.gallery_size(connection, model_id)

    def claim(self, writer_id: str, model_id: str) -> Claim:
        """Return what a claim is compared with; raises UnknownWriter and NoReferences."""
        with self._database.read() as connection:
            return embeddings.claim(connection, writer_id, model_id)

    def claims(
        self, writer_ids: Collection[str], model_id: str, *, with_pieces: bool = False
    ) -> dict[str, Claim]:
        """Return the claims of those of these writers who can be compared with; pieces if asked."""
        with self._database.read() as connection:
            return embeddings.claims(connection, writer_ids, model_id, with_pieces=with_pieces)

    def references_without_embedding(
        self, model_id: str, limit: int, after: int = 0
    ) -> list[tuple[int, bytes]]:
        """Return (reference_id, image) of references that the model has yet to see.

        In the order of their ids, from the one after the id `after` on.
        """
        with self._database.read() as connection:
            return embeddings.without_vector(connection, model_id, limit, after)

    def put_embeddings(
        self,
        model_id: str,
        reference_ids: Sequence[int],
        vectors: NDArray[np.float32],
        pieces: Sequence[bytes | None] | None,
    ) -> int:
        """Add a model's vectors (n, d), and n pieces, of references; return how many were new.

        Erased references, and those that have a vector of this model, are passed over.
        Raises UnknownModel, InvalidVector and InvalidPieces.
        """
        with self._database.write() as connection:
            return embeddings.put(connection, model_id, reference_ids, vectors, pieces)

    def vectors_after(
        self, model_id: str, reference_id: int, limit: int
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return the next ids (n,) and vectors (n, d) after a reference, in the order of ids."""
        with self._database.read() as connection:
            return embeddings.vectors_after(connection, model_id, reference_id, limit)

    def vectors_of(
        self, model_id: str, reference_ids: Collection[int]
    ) -> tuple[NDArray[np.int64], NDArray[np.float32]]:
        """Return ids (n,) and vectors (n, d) of those of these references the model has seen."""
        with self._database.read() as connection:
            return embeddings.vectors_of(connection, model_id, reference_ids)

    @contextmanager
    def frozen(self, model_id: str) -> Iterator[FrozenGallery]:
        """Give the gallery as it is now, to read all of it while others write: one transaction."""
        with self._database.snapshot() as connection:
            yield FrozenGallery(connection, model_id)

    # The change log

    def registry_id(self) -> str:
        """Return the name that this registry was given when its database was made."""
        with self._database.read() as connection:
            return change_log.registry_id(connection)

    def head(self) -> Position:
        """Return the newest place in the change log."""
        with self._database.read() as connection:
            return change_log.head(connection)

    def head_revision(self) -> int:
        """Return the newest revision; 0 before the first change."""
        return self.head().revision

    def changes_since(self, position: Position, model_id: str, limit: int) -> Changes | None:
        """Return what an index at `position` must apply next, or None; one SELECT.

        Raises HistoryForked when the log is not the one that `position` came from.
        """
        with self._database.read() as connection:
            return change_log.changes_since(connection, position, model_id, limit)

    def erased_references(self) -> NDArray[np.int64]:
        """Return the ids (n,) of all references that were ever erased, ascending."""
        with self._database.read() as connection:
            return change_log.erased_references(connection)

    def lease(self, model_id: str, address: str) -> Lease:
        """Return the lease to write to the index that the server at `address` holds of a model."""
        return Lease(self._database, model_id, address)

    # The audit trail

    def record_decision(self, decision: DecisionRecord) -> str:
        """Append a decision to the audit trail; return its id, 32 hexadecimal digits."""
        with self._database.write(WriteLock.DECISIONS) as connection:
            return audit_log.record(connection, decision)

    def verify_decisions(self) -> ChainReport:
        """Compute the audit trail's hashes again, oldest first, up to the first that differs."""
        report = ChainReport(0, audit_log.GENESIS_SHA256, None)
        sequence, previous = 0, -1
        while report.intact and sequence != previous:
            previous = sequence
            with self._database.read() as connection:
                sequence, report = audit_log.verify_batch(connection, sequence, report)
        return report
