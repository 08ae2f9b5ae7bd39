"""The index in a Milvus collection, which many processes share; who writes, for `sync_worker`.

Beside the references, the collection holds one row of its own: the place in the change log that it
has come to. It is written last with every batch, so that collection and registry can be held
against each other after a crash, or after either was restored from a backup.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
from numpy.typing import NDArray

from index.errors import CollectionMissing, DuplicateReference, IndexUnavailable, InvalidVector
from index.milvus.connection import ID, REQUEST_TIMEOUT_S, VECTOR, MilvusConnection, milvus_errors
from index.registry.change_log import Position
from index.vectors.unit_vectors import unit_vectors
from index.vectors.vector_index import Neighbours

# The log's row. Its vector is zero, so its similarity to anything is 0, and no reference is -1.
_LOG_ID = -1
_REFERENCES = f"{ID} >= 0"
# What Milvus answers in one request; one of them may be the log's row.
_MOST = 16_384
_PAGE = 10_000


class MilvusIndex:
    """References in a collection; see VectorIndex for what each method promises.

    Raises:
        IndexUnavailable: the server cannot be used; by every method.
        CollectionMissing: the collection has gone; by every method.
    """

    kind = "milvus"

    def __init__(self, server: MilvusConnection, collection: str, timestamp: int = 0) -> None:
        """Take a collection; `timestamp` is of the server's clock.

        A search shows what was written up to then, and later things or not. With 0 it waits until
        it shows everything that was acknowledged before it; all else is always read so.
        """
        self.collection = collection
        self._shown = (
            {"consistency_level": "Customized", "guarantee_timestamp": timestamp}
            if timestamp
            else {"consistency_level": "Strong"}
        )
        self.dimension = server.dimension
        self._server = server
        self._client = server.client

    def put(
        self,
        reference_ids: NDArray[np.int64],
        vectors: NDArray[np.float32],
        position: Position | None = None,
    ) -> None:
        """Put ids (n,) and unit vectors (n, d) in place of what is there.

        `position` is the place in the log that this brings the collection to; it is written in the
        same request.
        """
        checked = unit_vectors(vectors, self.dimension) if len(vectors) else vectors
        rows: list[dict[str, Any]] = [
            {ID: reference_id, VECTOR: vector}
            for reference_id, vector in zip(reference_ids.tolist(), checked, strict=True)
        ]
        if position is not None:
            nowhere = np.zeros(self.dimension, dtype=np.float32)
            place = {"revision": position.revision, "mark": position.mark}
            rows.append({ID: _LOG_ID, VECTOR: nowhere, **place})
        if rows:
            with self._errors():
                self._client.upsert(self.collection, rows, timeout=REQUEST_TIMEOUT_S)

    def position(self) -> Position:
        """Return the place in the log that the collection has come to.

        Raises:
            CollectionMissing: it has gone, or was never filled to the end.
        """
        rows = self._rows([_LOG_ID], ["revision", "mark"])
        if not rows:
            raise CollectionMissing(self.collection)
        return Position(rows[0]["revision"], rows[0]["mark"])

    def add(self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]) -> None:
        """Add ids (n,) and unit vectors (n, d), all or none."""
        checked = unit_vectors(vectors, self.dimension)
        if reference_ids.shape != (len(checked),):
            raise InvalidVector(
                f"Expected one id for each of {len(checked)} vectors, got {reference_ids.shape}."
            )
        if len(np.unique(reference_ids)) != len(reference_ids):
            raise DuplicateReference(None)
        known = self._present(reference_ids)
        if known.size:
            raise DuplicateReference(int(known[0]))
        self.put(reference_ids, checked)

    def remove(self, reference_ids: NDArray[np.int64]) -> int:
        """Take references out and return how many there were."""
        there = self._present(reference_ids)
        if there.size:
            with self._errors():
                self._client.delete(self.collection, ids=there.tolist(), timeout=REQUEST_TIMEOUT_S)
        return len(there)

    def search(self, probes: NDArray[np.float32], k: int) -> list[Neighbours]:
        """Return for each probe of (n, d) its min(k, size, 16383) nearest references."""
        if k < 1:
            raise ValueError(f"Expected k of at least 1, got {k}.")
        checked = unit_vectors(probes, self.dimension)
        if not len(checked):
            return []
        with self._errors():
            answers = self._client.search(
                self.collection,
                list(checked),
                anns_field=VECTOR,
                # One more, for the log's row may come among them.
                limit=min(k + 1, _MOST),
                output_fields=[ID],
                search_params={"metric_type": "IP"},
                timeout=REQUEST_TIMEOUT_S,
                **self._shown,
            )
        return [_neighbours(answer, k) for answer in answers]

    def size(self) -> int:
        """How many references there are."""
        with self._errors():
            rows = self._client.query(
                self.collection,
                filter=_REFERENCES,
                output_fields=["count(*)"],
                timeout=REQUEST_TIMEOUT_S,
            )
        return int(rows[0]["count(*)"])

    def reference_ids(self) -> NDArray[np.int64]:
        """Return all ids (n,), ascending."""
        pages = [np.array(page, dtype=np.int64) for page in self._id_pages()]
        return np.sort(np.concatenate(pages)) if pages else np.empty(0, dtype=np.int64)

    def holds(
        self, reference_ids: NDArray[np.int64], vectors: NDArray[np.float32]
    ) -> NDArray[np.bool_]:
        """Whether (n,) the vectors are held byte for byte.

        Raises:
            KeyError: a reference is not there; its id is the argument.
        """
        held: dict[int, NDArray[np.float32]] = {
            row[ID]: np.asarray(row[VECTOR], dtype=np.float32)
            for row in self._rows(reference_ids.tolist(), [VECTOR])
        }
        same = np.empty(len(reference_ids), dtype=np.bool_)
        for row, reference_id in enumerate(reference_ids.tolist()):
            same[row] = held[reference_id].tobytes() == vectors[row].tobytes()
        return same

    def memory_bytes(self) -> int:
        """None of it is in this process."""
        return 0

    def details(self) -> dict[str, int | float | str]:
        """Return what the server calls the collection, and how it searches."""
        return {"collection": self.collection, "index_type": self._server.address.index_type}

    def _present(self, reference_ids: NDArray[np.int64]) -> NDArray[np.int64]:
        rows = self._rows(reference_ids.tolist(), [ID])
        return np.sort(np.array([row[ID] for row in rows], dtype=np.int64))

    def _rows(self, reference_ids: list[int], fields: list[str]) -> list[dict[str, Any]]:
        rows: list[dict[str, Any]] = []
        for start in range(0, len(reference_ids), _PAGE):
            some = reference_ids[start : start + _PAGE]
            with self._errors():
                rows += self._client.query(
                    self.collection,
                    ids=some,
                    output_fields=[ID, *fields],
                    timeout=REQUEST_TIMEOUT_S,
                )
        return rows

    def _id_pages(self) -> Iterator[list[int]]:
        with self._errors():
            pages = self._client.query_iterator(
                self.collection, batch_size=_PAGE, filter=_REFERENCES, output_fields=[ID]
            )
            try:
                while page := pages.next():
                    yield [row[ID] for row in page]
            finally:
                pages.close()

    @contextmanager
    def _errors(self) -> Iterator[None]:
        try:
            with milvus_errors():
                yield
        except IndexUnavailable as error:
            # Servers differ in how they say that a collection is not there, so they are asked.
            if self._server.has(self.collection):
                raise
            raise CollectionMissing(self.collection) from error


def _neighbours(answer: list[dict[str, Any]], k: int) -> Neighbours:
    """Return at most k of what a search for one probe found, without the log's row."""
    found = [hit for hit in answer if hit[ID] != _LOG_ID][:k]
    ids = np.array([hit[ID] for hit in found], np.int64)
    return Neighbours(ids, np.array([hit["distance"] for hit in found], np.float32))
