"""What galleries told of their own scores, and which of it a model decides by, since when.

A calibration is a proposal until it is put to use. Which one decides is the last line of a log, so
that all processes change over with their next request, at a moment that is on record.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import Connection, Row, Select, bindparam, insert, select

from index.errors import CalibrationOutdated, UnknownCalibration
from index.registry import models
from index.registry.audit import chain
from index.registry.audit.chain import AuditEvent
from index.registry.database import Database
from index.registry.schema import CalibrationSwitchRow, GalleryCalibrationRow, ModelSwitchRow


@dataclass(frozen=True)
class NewCalibration:
    """What was worked out for a model's rule, and from how many writers and references."""

    model_id: str
    base_rule_id: str
    rule_id: str
    parameters: Mapping[str, Any]
    writer_count: int
    reference_count: int
    caller: str


@dataclass(frozen=True)
class GalleryCalibration(NewCalibration):
    """One that the registry keeps.

    `state` is `active` for the one that decides, `former` for one that did, else `proposed`;
    `activated_at` and `activated_by` tell of the last time that it was put to use.
    """

    calibration_id: int
    created_at: datetime
    state: Literal["proposed", "active", "former"]
    activated_at: datetime | None
    activated_by: str | None


@dataclass(frozen=True)
class InUse:
    """The active model, the calibration that it decides by, and the last worked out for it.

    None for each there is none.
    """

    model_id: str | None
    calibration_id: int | None
    newest_id: int | None = None


class GalleryCalibrations:
    """The calibrations of all models; every method is one transaction."""

    def __init__(self, database: Database) -> None:
        self._database = database

    def in_use(self) -> InUse:
        """Return the active model with its active and its newest calibration; one SELECT."""
        with self._database.read() as connection:
            row = connection.execute(_IN_USE).first()
        return InUse(None, None) if row is None else InUse(*row)

    def in_use_of(self, model_id: str) -> InUse:
        """Return the same of a model that need not be the active one."""
        with self._database.read() as connection:
            newest = connection.execute(_newest_of(model_id)).scalar_one_or_none()
            return InUse(model_id, active(connection, model_id), newest)

    def get(self, calibration_id: int) -> GalleryCalibration:
        """Return one.

        Raises:
            UnknownCalibration: there is none of this number.
        """
        with self._database.read() as connection:
            return get(connection, calibration_id)

    def active(self, model_id: str) -> GalleryCalibration | None:
        """Return the one that a model decides by, if any."""
        with self._database.read() as connection:
            number = active(connection, model_id)
            return None if number is None else get(connection, number)

    def before(self, model_id: str) -> GalleryCalibration | None:
        """Return what decided before the active one; None is the model's own rule.

        Raises:
            UnknownCalibration: nothing was ever put to use for this model.
        """
        with self._database.read() as connection:
            number = before(connection, model_id)
            return None if number is None else get(connection, number)

    def newest(self, model_id: str, base_rule_id: str) -> GalleryCalibration | None:
        """Return the one that was worked out last for this rule of a model."""
        with self._database.read() as connection:
            number = connection.execute(
                _NEWEST, {"model_id": model_id, "base_rule_id": base_rule_id}
            ).scalar_one_or_none()
            return None if number is None else get(connection, number)

    def add(self, new: NewCalibration) -> GalleryCalibration:
        """Keep what was worked out, as a proposal.

        Raises:
            ModelChanged: another model is active now.
        """
        with self._database.write() as connection:
            models.require_active(connection, new.model_id)
            number = connection.execute(
                insert(GalleryCalibrationRow)
                .values(
                    model_id=new.model_id,
                    base_rule_id=new.base_rule_id,
                    rule_id=new.rule_id,
                    parameters=dict(new.parameters),
                    writer_count=new.writer_count,
                    reference_count=new.reference_count,
                    created_at=datetime.now(UTC),
                    caller=new.caller,
                )
                .returning(GalleryCalibrationRow.calibration_id)
            ).scalar_one()
            return get(connection, number)

    def put_to_use(self, calibration_id: int, base_rule_id: str, caller: str) -> GalleryCalibration:
        """Let the active model decide by a calibration from now on; once more is nothing.

        Raises:
            UnknownCalibration: there is none of this number.
            CalibrationOutdated: it is for another model or rule than decides now.
        """
        with self._database.write() as connection:
            found = get(connection, calibration_id)
            now = models.active(connection)
            if (found.model_id, found.base_rule_id) != (now, base_rule_id):
                raise CalibrationOutdated(calibration_id)
            if found.state != "active":
                _switch(connection, found.model_id, calibration_id, caller)
            return get(connection, calibration_id)

    def undo(self, model_id: str, caller: str) -> GalleryCalibration | None:
        """Go back to what decided before; return it, None for the model's own rule.

        Raises:
            UnknownCalibration: nothing was ever put to use for this model.
        """
        with self._database.write() as connection:
            number = before(connection, model_id)
            _switch(connection, model_id, number, caller)
            return None if number is None else get(connection, number)


def _last_of(model_id: Any) -> Select[int | None]:
    return (
        select(CalibrationSwitchRow.calibration_id)
        .where(CalibrationSwitchRow.model_id == model_id)
        .order_by(CalibrationSwitchRow.sequence.desc())
        .limit(1)
    )


def _newest_of(model_id: Any) -> Select[int | None]:
    return (
        select(GalleryCalibrationRow.calibration_id)
        .where(GalleryCalibrationRow.model_id == model_id)
        .order_by(GalleryCalibrationRow.calibration_id.desc())
        .limit(1)
    )


# Run with every request, so built once.
_IN_USE = (
    select(
        ModelSwitchRow.model_id,
        _last_of(ModelSwitchRow.model_id)
        .correlate(ModelSwitchRow)
        .scalar_subquery()
        .label("calibration_id"),
        _newest_of(ModelSwitchRow.model_id)
        .correlate(ModelSwitchRow)
        .scalar_subquery()
        .label("newest_id"),
    )
    .order_by(ModelSwitchRow.sequence.desc())
    .limit(1)
)
_ACTIVE = _last_of(bindparam("model_id"))
_NEWEST = _newest_of(bindparam("model_id")).where(
    GalleryCalibrationRow.base_rule_id == bindparam("base_rule_id")
)


def active(connection: Connection, model_id: str) -> int | None:
    """Return the number of the calibration that a model decides by; None is its own rule."""
    return connection.execute(_ACTIVE, {"model_id": model_id}).scalar_one_or_none()


def before(connection: Connection, model_id: str) -> int | None:
    """Return the number of what decided before the active one; None is the model's own rule.

    Raises:
        UnknownCalibration: nothing was ever put to use for this model.
    """
    now = active(connection, model_id)
    lines = connection.execute(
        select(CalibrationSwitchRow.calibration_id)
        .where(CalibrationSwitchRow.model_id == model_id)
        .order_by(CalibrationSwitchRow.sequence.desc())
    ).scalars()
    earlier = list(lines)
    if not earlier:
        raise UnknownCalibration(None)
    return next((one for one in earlier if one != now), None)


def get(connection: Connection, calibration_id: int) -> GalleryCalibration:
    """Return one.

    Raises:
        UnknownCalibration: there is none of this number.
    """
    row = connection.execute(
        select(GalleryCalibrationRow.__table__).where(
            GalleryCalibrationRow.calibration_id == calibration_id
        )
    ).first()
    if row is None:
        raise UnknownCalibration(calibration_id)
    return _calibration(connection, row)


def _calibration(connection: Connection, row: Row[*tuple[Any, ...]]) -> GalleryCalibration:
    line = connection.execute(
        select(CalibrationSwitchRow.switched_at, CalibrationSwitchRow.caller)
        .where(
            CalibrationSwitchRow.model_id == row.model_id,
            CalibrationSwitchRow.calibration_id == row.calibration_id,
        )
        .order_by(CalibrationSwitchRow.sequence.desc())
        .limit(1)
    ).first()
    state: Literal["proposed", "active", "former"] = "proposed"
    if line is not None:
        decides = active(connection, row.model_id) == row.calibration_id
        state = "active" if decides else "former"
    return GalleryCalibration(
        calibration_id=row.calibration_id,
        model_id=row.model_id,
        base_rule_id=row.base_rule_id,
        rule_id=row.rule_id,
        parameters=row.parameters,
        writer_count=row.writer_count,
        reference_count=row.reference_count,
        caller=row.caller,
        created_at=row.created_at,
        state=state,
        activated_at=None if line is None else line.switched_at,
        activated_by=None if line is None else line.caller,
    )


def _switch(connection: Connection, model_id: str, calibration_id: int | None, caller: str) -> None:
    connection.execute(
        insert(CalibrationSwitchRow).values(
            model_id=model_id,
            calibration_id=calibration_id,
            switched_at=datetime.now(UTC),
            caller=caller,
        )
    )
    details = {"model": model_id, "calibration": calibration_id}
    chain.append(connection, AuditEvent("calibration.switched", caller, details=details))
