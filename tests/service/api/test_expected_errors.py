"""Answers state the errors that the manifest holds of data sets unknown to the rule."""

import json

import pytest

from encoder.inference.artifact import SHIPPED

UNSEEN = json.loads((SHIPPED / "manifest.json").read_text(encoding="utf-8"))["unseen"]
RATES = ("fmr_skilled", "fnmr", "refused_genuine")


def measured(references, point, rate):
    return [of_set[str(references)]["points"][point][rate] for of_set in UNSEEN.values()]


@pytest.fixture
def enrolled(client, files):
    client.post("/v1/writers", data={"writer_id": "W-1", "images": files(1, 0, 1, 2, 3)})


@pytest.mark.parametrize("point", ["fmr_skilled=1%", "fmr_skilled=5%", "fmr_skilled=10%"])
@pytest.mark.usefixtures("enrolled")
def test_a_verification_states_what_the_manifest_holds(client, files, point):
    form = {"image": files(1, 7)[0], "operating_point": point}
    answer = client.post("/v1/writers/W-1/verify", data=form).get_json()
    stated = answer["expected_errors"]
    assert stated["references"] == 3  # Of four, as for thresholds.
    assert stated["data_sets"] == len(UNSEEN) >= 5
    for rate in RATES:
        found = measured(3, point, rate)
        assert stated[rate]["worst"] == pytest.approx(max(found), abs=6e-4)
        assert stated[rate]["mean"] == pytest.approx(sum(found) / len(found), abs=6e-4)


@pytest.mark.usefixtures("enrolled")
def test_a_score_comes_apart_into_what_was_compared(client, files, services):
    answer = client.post("/v1/writers/W-1/verify", data={"image": files(1, 7)[0]}).get_json()
    points = [one["points"] for one in answer["contributions"]]
    assert points == sorted(points)
    parts = {one["part"] for one in answer["contributions"]}
    assert parts == {*services.encoder.rule.scoring.parts, "richness"}
    weights = services.encoder.rule.scoring.weights_for(4)
    usual = weights.intercept + sum(
        weight * value for weight, value in zip(weights.weights, weights.typical, strict=True)
    )
    assert sum(points) + usual == pytest.approx(answer["score"], abs=1e-3)


def test_the_server_states_them_for_five_references(client):
    about = client.get("/v1/about").get_json()
    assert set(about["expected_errors"]) == set(about["operating_points"])
    for point, stated in about["expected_errors"].items():
        assert stated["references"] == 5
        assert stated["fmr_skilled"]["worst"] == pytest.approx(
            max(measured(5, point, "fmr_skilled")), abs=6e-4
        )


def test_a_stricter_operating_point_lets_less_pass(client):
    errors = client.get("/v1/about").get_json()["expected_errors"]
    strict, usual, lenient = (errors[f"fmr_skilled={n}%"] for n in (1, 5, 10))
    for less, more in ((strict, usual), (usual, lenient)):
        assert less["fmr_skilled"]["mean"] < more["fmr_skilled"]["mean"]
        assert less["fnmr"]["mean"] > more["fnmr"]["mean"]
