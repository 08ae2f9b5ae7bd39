"""What galleries told is kept, and one of it is in use, on both databases."""

from datetime import UTC, datetime

import pytest

from index.errors import CalibrationOutdated, ModelChanged, UnknownCalibration
from index.registry.gallery_calibrations import InUse, NewCalibration

MODEL = "a" * 64
OTHER = "b" * 64
BASE = "0123456789ab"
PARAMETERS = {"gallery": {"tail": {"start": -1.5}}, "probes": 125}


def new(rule_id="r1", writers=25, base=BASE, model_id=MODEL):
    return NewCalibration(model_id, base, rule_id, PARAMETERS, writers, 5 * writers, "test")


@pytest.fixture
def calibrations(registry):
    registry.models.begin(MODEL, "start")
    return registry.calibrations


def test_a_registry_without_models_has_nothing_in_use(registry):
    assert registry.calibrations.in_use() == InUse(None, None)


def test_what_was_worked_out_is_a_proposal_until_it_is_put_to_use(calibrations):
    began = datetime.now(UTC)
    kept = calibrations.add(new())
    assert (kept.state, kept.activated_at, kept.activated_by) == ("proposed", None, None)
    assert (kept.parameters, kept.writer_count, kept.reference_count) == (PARAMETERS, 25, 125)
    assert calibrations.in_use() == InUse(MODEL, None, kept.calibration_id)
    assert calibrations.newest(MODEL, BASE) == calibrations.get(kept.calibration_id) == kept
    used = calibrations.put_to_use(kept.calibration_id, BASE, "cli:ada")
    assert (used.state, used.activated_by) == ("active", "cli:ada")
    assert began <= used.created_at <= used.activated_at <= datetime.now(UTC)
    assert calibrations.in_use() == InUse(MODEL, kept.calibration_id, kept.calibration_id)
    assert calibrations.in_use_of(MODEL) == calibrations.in_use()
    assert calibrations.active(MODEL) == used


def test_putting_it_to_use_again_changes_nothing(calibrations):
    number = calibrations.add(new()).calibration_id
    used = calibrations.put_to_use(number, BASE, "first")
    assert calibrations.put_to_use(number, BASE, "second") == used


def test_undoing_goes_back_and_undoing_that_goes_on(calibrations):
    one, two = (calibrations.add(new(rule)).calibration_id for rule in ("r1", "r2"))
    for number in (one, two):
        calibrations.put_to_use(number, BASE, "test")
    assert calibrations.get(one).state == "former"
    assert calibrations.before(MODEL).calibration_id == one
    assert calibrations.undo(MODEL, "test").calibration_id == one
    assert calibrations.in_use().calibration_id == one
    assert calibrations.get(two).state == "former"
    assert calibrations.undo(MODEL, "test").calibration_id == two


def test_undoing_the_first_goes_back_to_the_models_own_rule(calibrations):
    number = calibrations.add(new()).calibration_id
    calibrations.put_to_use(number, BASE, "test")
    assert calibrations.undo(MODEL, "test") is None
    assert calibrations.in_use() == InUse(MODEL, None, number)
    assert calibrations.active(MODEL) is None
    assert calibrations.undo(MODEL, "test").calibration_id == number


def test_there_is_nothing_to_undo_where_nothing_was_put_to_use(calibrations):
    calibrations.add(new())
    for ask in (calibrations.before, lambda model: calibrations.undo(model, "test")):
        with pytest.raises(UnknownCalibration, match="nothing to undo"):
            ask(MODEL)


def test_what_is_not_there_is_named(calibrations):
    for ask in (calibrations.get, lambda one: calibrations.put_to_use(one, BASE, "test")):
        with pytest.raises(UnknownCalibration, match=r"no calibration .* 9;"):
            ask(9)
    assert calibrations.newest(MODEL, BASE) is None


def test_a_calibration_for_another_rule_is_not_put_to_use(calibrations):
    number = calibrations.add(new()).calibration_id
    with pytest.raises(CalibrationOutdated, match=f"calibration {number} .* another model or rule"):
        calibrations.put_to_use(number, "ba9876543210", "test")
    assert calibrations.in_use() == InUse(MODEL, None, number)
    assert calibrations.newest(MODEL, "ba9876543210") is None


def test_each_model_has_its_own(registry, calibrations):
    number = calibrations.add(new()).calibration_id
    calibrations.put_to_use(number, BASE, "test")
    registry.models.register(OTHER, "other", 128)
    with pytest.raises(ModelChanged):
        calibrations.add(new(model_id=OTHER))
    assert registry.models.switch(OTHER, "test") == 0
    assert calibrations.in_use() == InUse(OTHER, None, None)
    assert calibrations.in_use_of(MODEL) == InUse(MODEL, number, number)
    with pytest.raises(CalibrationOutdated):
        calibrations.put_to_use(number, BASE, "test")
    with pytest.raises(ModelChanged):
        calibrations.add(new())
    assert registry.models.switch(MODEL, "test") == 0
    assert calibrations.in_use() == InUse(MODEL, number, number)


def test_erasing_a_writer_leaves_what_their_gallery_told(registry, calibrations, new_references):
    registry.writers.create("C-1", "Ada Lind", MODEL, new_references(2))
    kept = calibrations.put_to_use(calibrations.add(new()).calibration_id, BASE, "test")
    registry.writers.erase("C-1")
    assert calibrations.active(MODEL) == kept
