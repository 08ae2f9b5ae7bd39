"""The models that the registry holds embeddings of: how much each knows, and which is active.

`Models` gives each question and change a transaction of its own; the functions below it take the
connection of a transaction that somebody else begins and commits. A model becomes the active one
only where it has seen every reference.
"""

from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import Connection, bindparam, distinct, func, insert, select, update
from sqlalchemy.orm import aliased

from index.errors import InvalidVector, ModelChanged, UnknownModel
from index.registry.audit import chain
from index.registry.audit.chain import AuditEvent
from index.registry.database import Database
from index.registry.schema import (
    EmbeddingRow,
    ModelFilesRow,
    ModelRow,
    ModelSwitchRow,
    ReferenceRow,
)


@dataclass(frozen=True)
class GallerySize:
    """How many writers and references one model can compare with."""

    writers: int
    references: int


@dataclass(frozen=True)
class ModelFiles:
    """What a model is made of, as the encoder reads it: a manifest and a network."""

    manifest: bytes
    network: bytes


@dataclass(frozen=True)
class KnownModel:
    """A model that the registry holds embeddings of, and how many of all references it has seen.

    `state` is `active`, `before` for the one that a rollback goes back to, or None. `kept` says
    whether the registry has its files, so that servers can change over to it.
    """

    model_id: str
    name: str
    dimension: int
    embedded: int
    references: int
    state: Literal["active", "before"] | None
    kept: bool

    @property
    def missing(self) -> int:
        """How many references the model has yet to see."""
        return self.references - self.embedded


class Models:
    """The models that the registry knows, and which is active; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self) -> str | None:
        """Return the id of the active model, None if the registry has none yet; one SELECT."""
        with self._database.read() as connection:
            return active(connection)

    def before(self) -> str | None:
        """Return the id of the model that was active before the active one."""
        with self._database.read() as connection:
            return before(connection)

    def known(self) -> list[KnownModel]:
        """Return every model, oldest first."""
        with self._database.read() as connection:
            states: dict[str | None, Literal["active", "before"]] = {
                before(connection): "before",
                active(connection): "active",
            }
            references = reference_count(connection)
            rows = connection.execute(
                select(
                    ModelRow.model_id,
                    ModelRow.name,
                    ModelRow.dimension,
                    ModelRow.reference_count,
                    ModelFilesRow.model_id.label("kept"),
                )
                .outerjoin(ModelFilesRow, ModelFilesRow.model_id == ModelRow.model_id)
                .order_by(ModelRow.created_at)
            ).all()
        return [
            KnownModel(
                model_id=row.model_id,
                name=row.name,
                dimension=row.dimension,
                embedded=row.reference_count,
                references=references,
                state=states.get(row.model_id),
                kept=row.kept is not None,
            )
            for row in rows
        ]

    def missing(self, model_id: str) -> int:
        """Return how many references the model has yet to see."""
        with self._database.read() as connection:
            return missing(connection, model_id)

    def knows_all(self, model_id: str) -> bool:
        """Whether the model has seen every reference that the active one has; two lookups."""
        with self._database.read() as connection:
            now = active(connection)
            return now is None or (
                gallery_size(connection, model_id).references
                >= gallery_size(connection, now).references
            )

    def seen_by_both(self, model_id: str, other_id: str) -> NDArray[np.int64]:
        """Return the ids (n,) of the references that both models have seen, ascending."""
        mine, theirs = aliased(EmbeddingRow), aliased(EmbeddingRow)
        query = (
            select(mine.reference_id)
            .join(theirs, theirs.reference_id == mine.reference_id)
            .where(mine.model_id == model_id, theirs.model_id == other_id)
        )
        with self._database.read() as connection:
            return np.sort(np.fromiter(connection.execute(query).scalars(), dtype=np.int64))

    def keep(self, model_id: str, files: ModelFiles) -> None:
        """Keep a registered model's files; those kept before are replaced."""
        with self._database.write() as connection:
            stored = select(ModelFilesRow.model_id).where(ModelFilesRow.model_id == model_id)
            values = {"manifest": files.manifest, "network": files.network}
            if connection.execute(stored).first() is None:
                connection.execute(insert(ModelFilesRow).values(model_id=model_id, **values))
            else:
                connection.execute(
                    update(ModelFilesRow).where(ModelFilesRow.model_id == model_id).values(**values)
                )

    def files(self, model_id: str) -> ModelFiles | None:
        """Return a model's files; None if the registry has none of this model."""
        with self._database.read() as connection:
            row = connection.execute(
                select(ModelFilesRow.manifest, ModelFilesRow.network).where(
                    ModelFilesRow.model_id == model_id
                )
            ).first()
        return None if row is None else ModelFiles(row.manifest, row.network)

    def begin(self, model_id: str, caller: str) -> str | None:
        """Make a registered model the active one if none is and it has seen every reference.

        Returns the id of the active model; None if there is still none.
        """
        with self._database.write() as connection:
            if active(connection) is None:
                switch(connection, model_id, caller)
            return active(connection)

    def switch(self, model_id: str, caller: str) -> int:
        """Make a registered model the active one if it has seen every reference.

        Returns how many it has yet to see; 0 is a model that is active now.
        """
        with self._database.write() as connection:
            return switch(connection, model_id, caller)

    def register(self, model_id: str, name: str, dimension: int) -> None:
        """Make a model known; once more is nothing, with another dimension InvalidVector."""
        with self._database.write() as connection:
            register(connection, model_id, name, dimension)

    def gallery_size(self, model_id: str) -> GallerySize:
        """Return how many writers and references the model can compare with; one lookup."""
        with self._database.read() as connection:
            return gallery_size(connection, model_id)


# Run with every request, so built once.
_ACTIVE = select(ModelSwitchRow.model_id).order_by(ModelSwitchRow.sequence.desc()).limit(1)
_SIZE = select(ModelRow.writer_count, ModelRow.reference_count).where(
    ModelRow.model_id == bindparam("model_id")
)


def register(connection: Connection, model_id: str, name: str, dimension: int) -> None:
    """Make a model known; once more is nothing.

    Raises:
        InvalidVector: it is known with another dimension.
    """
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
    """Return the length of a model's vectors.

    Raises:
        UnknownModel: the registry has no such model.
    """
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


def active(connection: Connection) -> str | None:
    """Return the id of the active model; None before the registry's first server started."""
    return connection.execute(_ACTIVE).scalar_one_or_none()


def before(connection: Connection) -> str | None:
    """Return the id of the model that was active before the active one; None if none was."""
    now = active(connection)
    return connection.execute(_ACTIVE.where(ModelSwitchRow.model_id != now)).scalar_one_or_none()


def require_active(connection: Connection, model_id: str) -> None:
    """Refuse embeddings of a model that is not active: servers would not find what they belong to.

    In the enrolling transaction this is exact, since a switch waits for it or the other way round.

    Raises:
        ModelChanged: another model is active now.
    """
    now = active(connection)
    if now not in {None, model_id}:
        raise ModelChanged(str(now))


def missing(connection: Connection, model_id: str) -> int:
    """Return how many references the model has yet to see."""
    seen = select(ModelRow.reference_count).where(ModelRow.model_id == model_id)
    embedded = connection.execute(seen).scalar_one_or_none() or 0
    return reference_count(connection) - embedded


def reference_count(connection: Connection) -> int:
    """Return how many references are enrolled."""
    return connection.execute(select(func.count()).select_from(ReferenceRow)).scalar_one()


def switch(connection: Connection, model_id: str, caller: str) -> int:
    """Make a model the active one if it has seen every reference; return how many it has not.

    0 is a model that is active now. No reference can be enrolled between count and switch.
    """
    lacking = missing(connection, model_id)
    if lacking == 0:
        connection.execute(
            insert(ModelSwitchRow).values(
                model_id=model_id, switched_at=datetime.now(UTC), caller=caller
            )
        )
        entry = AuditEvent("model.switched", caller, details={"model": model_id})
        chain.append(connection, entry)
    return lacking
