"""The gallery as it was at one moment, read from end to end in batches while others write."""

from collections.abc import Iterator

from sqlalchemy import Connection, Select, exists, func, select

from index.registry import change_log, models
from index.registry.change_log import Position
from index.registry.models import GallerySize
from index.registry.references import Reference, StoredReference
from index.registry.schema import EmbeddingRow, ReferenceRow, WriterRow
from index.vectors.unit_vectors import from_bytes


class ConsistentReader:
    """One model's view of the registry in one reading transaction; `Registry.reading` gives it."""

    def __init__(self, connection: Connection, model_id: str) -> None:
        self._connection = connection
        self._model_id = model_id
        self.registry_id: str = change_log.registry_id(connection)
        self.position: Position = change_log.head(connection)
        self.size: GallerySize = models.gallery_size(connection, model_id)

    def total(self) -> GallerySize:
        """Return how many writers and references there are, whatever model has seen them."""
        writers = select(func.count()).select_from(WriterRow)
        return GallerySize(
            writers=self._connection.execute(writers).scalar_one(),
            references=models.reference_count(self._connection),
        )

    def references(self, limit: int, *, images: bool) -> Iterator[list[StoredReference]]:
        """Yield the references that the model has seen, `limit` at a time, in the order of ids."""
        last = 0
        while batch := self._references_after(last, limit, images):
            yield batch
            last = batch[-1].reference.reference_id

    def other_writers(self, limit: int) -> Iterator[list[tuple[str, str]]]:
        """Yield (id, name) of the writers of whom the model has seen no reference."""
        seen = (
            exists()
            .where(ReferenceRow.writer_id == WriterRow.writer_id)
            .where(EmbeddingRow.reference_id == ReferenceRow.reference_id)
            .where(EmbeddingRow.model_id == self._model_id)
        )
        last = ""
        while True:
            rows = self._connection.execute(
                select(WriterRow.writer_id, WriterRow.name)
                .where(WriterRow.writer_id > last, ~seen)
                .order_by(WriterRow.writer_id)
                .limit(limit)
            ).all()
            if not rows:
                return
            yield [(row.writer_id, row.name) for row in rows]
            last = rows[-1].writer_id

    def _references_after(self, last: int, limit: int, images: bool) -> list[StoredReference]:
        query = _with_vectors(self._model_id).where(EmbeddingRow.reference_id > last).limit(limit)
        if images:
            query = query.add_columns(ReferenceRow.image, ReferenceRow.cleaned_png)
        rows = self._connection.execute(query).all()
        vectors = from_bytes([row.vector for row in rows])
        return [
            StoredReference(
                reference=Reference.of_row(row),
                writer_name=row.name,
                filename=row.filename,
                vector=vector,
                pieces=row.pieces,
                image=row.image if images else None,
                cleaned_png=row.cleaned_png if images else None,
            )
            for row, vector in zip(rows, vectors, strict=True)
        ]


def _with_vectors(model_id: str) -> Select:  # type: ignore[type-arg]
    return (
        select(
            ReferenceRow.reference_id,
            ReferenceRow.writer_id,
            ReferenceRow.sha256,
            ReferenceRow.media_type,
            ReferenceRow.quality,
            ReferenceRow.created_at,
            ReferenceRow.filename,
            WriterRow.name,
            EmbeddingRow.vector,
            EmbeddingRow.pieces,
        )
        .join(EmbeddingRow, EmbeddingRow.reference_id == ReferenceRow.reference_id)
        .join(WriterRow, WriterRow.writer_id == ReferenceRow.writer_id)
        .where(EmbeddingRow.model_id == model_id)
        .order_by(EmbeddingRow.reference_id)
    )
