"""The errors to expect: what the rule came to on data sets that it was not fitted on."""

from typing import Any

import pytest

from encoder.inference.artifact import read_artifact
from encoder.inference.unseen_errors import Range, UnseenErrors, unseen_errors


def row(fmr: float, fnmr: float, refused: float, point: str = "usual") -> dict[str, Any]:
    rates = {"fmr_skilled": fmr, "fmr_random": 0.0, "fnmr": fnmr, "refused_genuine": refused}
    return {"eer_skilled": 0.1, "points": {point: rates}}


UNSEEN = {
    "one": {"1": row(0.1, 0.3, 0.1), "10": row(0.04, 0.1, 0.02), "3": row(0.06, 0.2, 0.04)},
    "two": {"1": row(0.3, 0.5, 0.0), "3": row(0.02, 0.4, 0.08)},
}
MANIFEST = {"unseen": UNSEEN}


def test_rates_are_the_mean_and_the_worst_of_the_data_sets() -> None:
    assert unseen_errors(MANIFEST, 3, "usual") == UnseenErrors(
        references=3,
        data_sets=2,
        fmr_skilled=Range(0.04, 0.06),
        fnmr=Range(0.3, 0.4),
        refused_genuine=Range(0.06, 0.08),
    )


@pytest.mark.parametrize(
    ("references", "told", "sets"), [(1, 1, 2), (2, 1, 2), (3, 3, 2), (9, 3, 2), (10, 10, 1)]
)
def test_they_are_of_the_largest_number_measured_not_above(
    references: int, told: int, sets: int
) -> None:
    found = unseen_errors(MANIFEST, references, "usual")
    assert found is not None
    assert (found.references, found.data_sets) == (told, sets)


@pytest.mark.parametrize(
    ("manifest", "references", "point"),
    [
        ({}, 5, "usual"),
        ({"unseen": {}}, 5, "usual"),
        (MANIFEST, 0, "usual"),
        (MANIFEST, 5, "strict"),
        ({"unseen": {"one": {"5": row(0.1, 0.1, 0.1)}}}, 3, "usual"),
    ],
)
def test_what_was_not_measured_is_not_told(
    manifest: dict[str, Any], references: int, point: str
) -> None:
    assert unseen_errors(manifest, references, point) is None


def test_an_operating_point_counts_where_it_was_measured() -> None:
    unseen = UNSEEN | {"three": {"3": row(0.9, 0.9, 0.9, "strict")}}
    found = unseen_errors({"unseen": unseen}, 3, "usual")
    assert found is not None
    assert (found.data_sets, found.fmr_skilled.worst) == (2, 0.06)


def test_ready_for_json() -> None:
    found = unseen_errors(MANIFEST, 10, "usual")
    assert found is not None
    assert found.as_dict() == {
        "references": 10,
        "data_sets": 1,
        "fmr_skilled": {"mean": 0.04, "worst": 0.04},
        "fnmr": {"mean": 0.1, "worst": 0.1},
        "refused_genuine": {"mean": 0.02, "worst": 0.02},
    }


def test_the_shipped_model_tells_them_at_every_operating_point_and_number() -> None:
    shipped = read_artifact()
    for calibration in shipped.rule.calibrations:
        for point in shipped.rule.operating_points:
            found = unseen_errors(shipped.manifest, calibration.references, point)
            assert found is not None
            assert found.references == calibration.references
            assert found.data_sets >= 4
            for rate in (found.fmr_skilled, found.fnmr, found.refused_genuine):
                assert 0 <= rate.mean <= rate.worst < 1
            assert found.refused_genuine.mean <= found.fnmr.mean


def test_thresholds_that_were_fitted_anew_have_no_errors_to_expect() -> None:
    assert unseen_errors(MANIFEST | {"calibrated_on": {"data": "ours"}}, 3, "usual") is None
    assert unseen_errors(MANIFEST | {"calibrated_on": None}, 3, "usual") is not None


def test_a_gallery_that_sets_when_it_is_no_match_leaves_the_other_rates() -> None:
    plain = unseen_errors(MANIFEST, 3, "usual")
    own = unseen_errors(MANIFEST, 3, "usual", own_bounds=True)
    assert plain is not None
    assert own is not None
    assert own.refused_genuine is None
    assert (own.fmr_skilled, own.fnmr) == (plain.fmr_skilled, plain.fnmr)
