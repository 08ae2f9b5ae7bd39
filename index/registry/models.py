"""The models that the registry holds embeddings of, and how much each can compare with.

Each function takes the connection of a transaction that somebody else begins and commits.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime

from sqlalchemy import Connection, bindparam, distinct, func, insert, select, update

from index.errors import InvalidVector, UnknownModel
from index.registry.schema import EmbeddingRow, ModelRow, ReferenceRow


@dataclass(frozen=True)
class GallerySize:
    """How many writers and references one model can compare with."""

    writers: int
    references: int


_SIZE = select(ModelRow.writer_count, ModelRow.reference_count).where(
    ModelRow.model_id == bindparam("model_id")
)


def register(connection: Connection, model_id: str, name: str, dimension: int) -> None:
    """Make a model known; once more is nothing, but with another dimension raises InvalidVector."""
    known = connection.execute(
        select(ModelRow.dimension).where(ModelRow.model_id == model_id)
    ).scalar_one_or_none()
    if known is None:
        connection.execute(
            insert(ModelRow).values(
                model_id=model_id,
                name=name,
                dimension=dimension,
                writer_count=0,
                reference_count=0,
                created_at=datetime.now(UTC),
            )
        )
    elif known != dimension:
        raise InvalidVector(
            f"Model {model_id!r} is registered with dimension {known}, got {dimension}."
        )


def dimension_of(connection: Connection, model_id: str) -> int:
    """Return the length of a model's vectors; raises UnknownModel."""
    found = connection.execute(
        select(ModelRow.dimension).where(ModelRow.model_id == model_id)
    ).scalar_one_or_none()
    if found is None:
        raise UnknownModel(model_id)
    return found


def gallery_size(connection: Connection, model_id: str) -> GallerySize:
    """Return how many writers and references have an embedding of this model; one lookup."""
    row = connection.execute(_SIZE, {"model_id": model_id}).first()
    return GallerySize(0, 0) if row is None else GallerySize(row.writer_count, row.reference_count)


@contextmanager
def counted(connection: Connection, writer_ids: Collection[str]) -> Iterator[None]:
    """Carry what changes inside, for the references of these writers, into the models' counts.

    Exact, because writing transactions run one after another.
    """
    before = _coverage(connection, writer_ids)
    yield
    after = _coverage(connection, writer_ids)
    nothing = GallerySize(0, 0)
    for model_id in before.keys() | after.keys():
        old, new = before.get(model_id, nothing), after.get(model_id, nothing)
        connection.execute(
            update(ModelRow)
            .where(ModelRow.model_id == model_id)
            .values(
                writer_count=ModelRow.writer_count + (new.writers - old.writers),
                reference_count=ModelRow.reference_count + (new.references - old.references),
            )
        )


def _coverage(connection: Connection, writer_ids: Collection[str]) -> dict[str, GallerySize]:
    rows = connection.execute(
        select(
            EmbeddingRow.model_id,
            func.count(distinct(ReferenceRow.writer_id)).label("writers"),
            func.count().label("embedded"),
        )
        .join(ReferenceRow, ReferenceRow.reference_id == EmbeddingRow.reference_id)
        .where(ReferenceRow.writer_id.in_(writer_ids))
        .group_by(EmbeddingRow.model_id)
    ).all()
    return {row.model_id: GallerySize(row.writers, row.embedded) for row in rows}
