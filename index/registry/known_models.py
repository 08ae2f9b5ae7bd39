"""The models of a registry, as `Registry.models`: which there are, their files, which is active."""

from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from sqlalchemy import insert, select, update
from sqlalchemy.orm import aliased

from index.registry import models, switches
from index.registry.database import Database
from index.registry.schema import EmbeddingRow, ModelFilesRow, ModelRow


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


class KnownModels:
    """One process's door to the registry's models; thread-safe, raises as `Registry` does."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def active(self) -> str | None:
        """Return the id of the active model, None if the registry has none yet; one SELECT."""
        with self._database.read() as connection:
            return switches.active(connection)

    def before(self) -> str | None:
        """Return the id of the model that was active before the active one."""
        with self._database.read() as connection:
            return switches.before(connection)

    def known(self) -> list[KnownModel]:
        """Return every model, oldest first."""
        with self._database.read() as connection:
            states: dict[str | None, Literal["active", "before"]] = {
                switches.before(connection): "before",
                switches.active(connection): "active",
            }
            references = switches.references(connection)
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
            return switches.missing(connection, model_id)

    def knows_all(self, model_id: str) -> bool:
        """Whether the model has seen every reference that the active one has; two lookups."""
        with self._database.read() as connection:
            active = switches.active(connection)
            return active is None or (
                models.gallery_size(connection, model_id).references
                >= models.gallery_size(connection, active).references
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
            if switches.active(connection) is None:
                switches.switch(connection, model_id, caller)
            return switches.active(connection)

    def switch(self, model_id: str, caller: str) -> int:
        """Make a registered model the active one if it has seen every reference.

        Returns how many it has yet to see; 0 is a model that is active now.
        """
        with self._database.write() as connection:
            return switches.switch(connection, model_id, caller)
