"""Which model is the active one, which was before, and how one becomes it: never with a gap.

Each function takes the connection of a transaction that somebody else begins and commits.
"""

from datetime import UTC, datetime

from sqlalchemy import Connection, func, insert, select

from index.errors import ModelChanged
from index.registry.schema import ModelRow, ModelSwitchRow, ReferenceRow

# Run with every request, so built once.
_ACTIVE = select(ModelSwitchRow.model_id).order_by(ModelSwitchRow.sequence.desc()).limit(1)


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
    Raises ModelChanged.
    """
    now = active(connection)
    if now not in {None, model_id}:
        raise ModelChanged(str(now))


def missing(connection: Connection, model_id: str) -> int:
    """Return how many references the model has yet to see."""
    seen = select(ModelRow.reference_count).where(ModelRow.model_id == model_id)
    embedded = connection.execute(seen).scalar_one_or_none() or 0
    return references(connection) - embedded


def references(connection: Connection) -> int:
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
    return lacking
