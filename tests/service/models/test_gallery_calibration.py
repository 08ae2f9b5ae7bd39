"""A gallery of invented writers calibrates itself, and all processes follow, under load too."""

import json
import logging
import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from pathlib import Path

import pytest

import service
from benchmarks.running import running_server
from encoder.calibration.gallery_statistics import LEAST_WRITERS
from encoder.inference.artifact import read_artifact
from encoder.inference.encoder import Encoder
from index.errors import CalibrationOutdated
from index.registry.gallery_calibrations import InUse
from service.app import create_app
from service.composition import build_services, with_model
from service.decisions.identify import identify
from service.errors import NotEnoughWriters
from service.models import gallery_calibration
from service.models.calibrated import AFTER, BEFORE, PROBED, PROFILE, calibrated, own_rule, wary
from service.models.gallery_calibration import is_due, proposal, put_to_use, work_out
from service.models.live_services import LiveServices
from service.server.alone import alone
from service.server.calibrating import Calibrating
from service.settings import read_settings
from service.writers.enroll import create_writer

ROOT = Path(service.__file__).parent.parent
EACH = 2  # References of a writer in `gallery`.


def warier(new):
    """The id of the model's own rule, as wary as it is of invented writers."""
    rule, manifest = read_artifact().rule, read_artifact().manifest
    return wary(rule, manifest, new.parameters[PROFILE]).rule_id


def kept(gallery, new):
    return gallery.registry.calibrations.add(new).calibration_id


def test_a_gallery_of_invented_writers_names_one_stranger_in_a_hundred(gallery, new):
    assert (new.writer_count, new.reference_count) == (LEAST_WRITERS, EACH * LEAST_WRITERS)
    assert new.parameters[PROBED] == EACH * LEAST_WRITERS
    after, before = new.parameters[AFTER], new.parameters[BEFORE]
    assert after["naming"]["fpir"]["value"] == pytest.approx(0.01, abs=1e-3)
    assert before["naming"]["threshold"] != after["naming"]["threshold"]
    assert after["naming"]["fnir"]["value"] <= 0.1  # Invented hands are told apart easily.
    assert {one["references"] for one in after["claiming"]} == {1, 2}
    assert new.base_rule_id == gallery.encoder.rule.rule_id != new.rule_id


def test_it_is_the_same_each_time(gallery, new, told):
    again = told(work_out(gallery, "test"))
    assert (again.rule_id, again.parameters) == (new.rule_id, new.parameters)


def test_what_decides_already_makes_no_difference_to_what_is_worked_out(gallery, new, told):
    put_to_use(gallery, kept(gallery, new), "test")
    live = LiveServices(gallery, with_model)
    again = told(work_out(live.current(), "test"))
    assert (again.rule_id, again.base_rule_id) == (new.rule_id, new.base_rule_id)
    assert again.parameters[BEFORE] == again.parameters[AFTER] == new.parameters[AFTER]


def test_24_writers_are_too_few_and_so_are_25_of_whom_one_has_one_reference(gallery, enroll, told):
    gallery.registry.writers.erase("W-1")
    steps = work_out(gallery, "test")
    with pytest.raises(NotEnoughWriters, match=r"from 25 writers .* 24 of 24 here"):
        next(steps)  # At once, before anything is compared.
    enroll(gallery, 90, each=1)
    with pytest.raises(NotEnoughWriters, match=r"24 of 25 here"):
        told(work_out(gallery, "test"))


def test_nobody_is_a_stranger_to_themselves_under_another_name(gallery, new, uploads, told):
    """Copies of one's signatures elsewhere would look like strangers who score high."""
    parts = {"encoder": gallery.encoder, "registry": gallery.registry}
    create_writer("again", "", uploads(1, *range(EACH)), **parts)
    again = told(work_out(gallery, "test"))
    # The two of W-1 and the two copies of them have no stranger's score.
    assert again.parameters[PROBED] == EACH * (LEAST_WRITERS + 1) - 2 * EACH
    was, now = (one.parameters[AFTER]["naming"]["threshold"] for one in (new, again))
    assert now == pytest.approx(was, abs=0.5)


def test_of_a_writer_with_many_references_ten_are_tried(gallery, uploads):
    parts = {"encoder": gallery.encoder, "registry": gallery.registry}
    create_writer("many", "", uploads(60, *range(14)), **parts)
    probes = gallery_calibration._probes(gallery.registry, 1000)
    assert list(probes.values()).count("many") == 10
    assert len(probes) == EACH * LEAST_WRITERS + 10


def test_a_large_gallery_is_sampled(gallery, told):
    scores = gallery_calibration.gallery_scores
    steps = scores(gallery.encoder, gallery.registry, gallery.gallery, limit=45)
    found = told(steps)
    assert found.strangers.scores.size == 45
    assert found.references == EACH * LEAST_WRITERS


def test_processes_change_over_with_their_next_request_and_back(gallery, new, data_dir, uploads):
    other = build_services(read_settings({"COUNTERSIGN_DATA_DIR": str(data_dir)}))
    here, there = LiveServices(gallery, with_model), LiveServices(other, with_model)
    own = gallery.encoder.rule.rule_id
    began_on = here.current()
    put_to_use(gallery, kept(gallery, new), "test")
    for live in (here, there):
        services = live.current()
        assert services.encoder.rule.rule_id == new.rule_id
        assert live.current() is services
        assert services.gallery is live.settled().gallery
    assert began_on.encoder.rule.rule_id == own  # A request ends on what it began on.
    [upload] = uploads(3, 5)
    parts = {"registry": other.registry, "gallery": other.gallery}
    said = identify(upload, encoder=there.current().encoder, **parts)
    assert said.model.rule_id == new.rule_id
    assert said.threshold == pytest.approx(new.parameters[AFTER]["naming"]["threshold"], abs=1e-4)
    gallery.registry.calibrations.undo(gallery.encoder.model_id, "test")
    assert {live.current().encoder.rule.rule_id for live in (here, there)} == {warier(new)}
    assert {own_rule(live.current().encoder).rule_id for live in (here, there)} == {own}
    there.close()


def test_a_server_that_starts_decides_by_it(gallery, new, data_dir):
    put_to_use(gallery, kept(gallery, new), "test")
    other = build_services(read_settings({"COUNTERSIGN_DATA_DIR": str(data_dir)}))
    assert other.encoder.rule.rule_id == new.rule_id
    number = other.calibration.calibration_id
    assert other.in_use == InUse(gallery.encoder.model_id, number, number)
    other.close()


def test_a_model_fitted_anew_goes_before_what_was_told_of_its_former_rule(gallery, new, caplog):
    number = kept(gallery, new)
    put_to_use(gallery, number, "test")
    rule = replace(own_rule(gallery.encoder), default_operating_point="fmr_skilled=1%")
    fitted = Encoder(replace(read_artifact(), rule=rule))
    with caplog.at_level(logging.WARNING):
        found = calibrated(fitted, gallery.registry)
    assert (found.encoder.rule, found.calibration.calibration_id) == (rule, number)
    assert found.told is None
    assert "countersign calibrate --gallery" in caplog.text
    with pytest.raises(CalibrationOutdated):
        put_to_use(replace(gallery, encoder=fitted), number, "test")
    assert proposal(replace(gallery, encoder=fitted)) is None


def test_what_is_damaged_in_the_registry_leaves_the_models_own_rule(gallery, new, data_dir, caplog):
    put_to_use(gallery, kept(gallery, new), "test")
    with closing(sqlite3.connect(data_dir / "registry.db")) as registry, registry:
        registry.execute("UPDATE gallery_calibrations SET parameters = '{\"gallery\": {}}'")
    with caplog.at_level(logging.WARNING):
        encoder = calibrated(gallery.encoder, gallery.registry).encoder
    assert encoder.rule.rule_id == gallery.encoder.rule.rule_id
    assert "cannot be used" in caplog.text


def auto(services):
    return replace(services, settings=replace(services.settings, calibrate="auto"))


def test_a_server_proposes_once_and_again_when_the_gallery_has_doubled(
    gallery, monkeypatch, enroll
):
    turns = Calibrating(LiveServices(gallery, with_model), rest=0)
    assert turns.turn()
    first = proposal(gallery)
    assert (first.state, first.writer_count, first.caller) == ("proposed", LEAST_WRITERS, "server")
    assert gallery.registry.calibrations.in_use().calibration_id is None
    assert not turns.turn()
    enroll(gallery, 70)
    assert not turns.turn()
    monkeypatch.setattr(gallery_calibration, "GROWTH", (LEAST_WRITERS + 1) / LEAST_WRITERS)
    assert is_due(gallery)
    assert turns.turn()
    assert proposal(gallery).calibration_id > first.calibration_id


def test_with_auto_it_takes_effect_at_once(gallery):
    live = LiveServices(auto(gallery), with_model)
    assert Calibrating(live, rest=0).turn()
    assert live.current().calibration.activated_by == "server"
    assert live.current().encoder.rule.gallery is not None
    assert proposal(gallery) is None


def test_one_process_at_a_time_works_it_out(gallery):
    turns = Calibrating(LiveServices(gallery, with_model), rest=0)
    with alone(gallery.settings.data_dir / "calibration.lock") as first:
        assert first
        assert not turns.turn()
    assert turns.turn()


def test_too_few_references_are_not_tried_again_and_again(gallery, monkeypatch, enroll):
    gallery.registry.writers.erase("W-1")
    enroll(gallery, 90, each=1)
    asked = []
    real = gallery_calibration._probes
    monkeypatch.setattr(
        gallery_calibration, "_probes", lambda *given: asked.append(1) or real(*given)
    )
    turns = Calibrating(LiveServices(gallery, with_model), rest=0)
    assert not turns.turn()
    assert not turns.turn()
    assert len(asked) == 1
    enroll(gallery, 91, 92, 93)
    assert turns.turn()


def test_ending_gives_up_what_is_under_way(gallery):
    turns = Calibrating(LiveServices(gallery, with_model), rest=1e6)
    turns.close()
    assert not turns.turn()
    assert gallery.registry.calibrations.newest(
        gallery.encoder.model_id, gallery.encoder.rule.rule_id
    ) is None  # fmt: skip


def assert_drawn(value, schema, spec):
    """Its fields are those of /openapi.json, all the way down."""
    drawn = [schema, *schema.get("allOf", ()), *schema.get("anyOf", ())]
    if value is None:
        assert any("null" in one.get("type", ()) for one in drawn)
        return
    for named in (one["$ref"].split("/")[-1] for one in drawn if "$ref" in one):
        assert_drawn(value, spec["components"]["schemas"][named], spec)
    if isinstance(value, list):
        for one in value:
            assert_drawn(one, schema["items"], spec)
    elif "properties" in schema:
        assert value.keys() == schema["properties"].keys()
        for name, one in value.items():
            assert_drawn(one, schema["properties"][name], spec)


def test_the_api_shows_a_proposal_and_puts_it_to_use(gallery, new, files):
    client = create_app(gallery).test_client()
    state = client.get("/v1/model").get_json()
    assert (state["calibration"], state["proposal"]) == (None, None)
    assert state["model"]["rule"] == state["own_rule"]
    assert {one["data_set"] for one in state["unseen"]} == set(gallery.encoder.manifest["unseen"])
    number = kept(gallery, new)
    proposed = client.get("/v1/model").get_json()["proposal"]
    assert (proposed["calibration_id"], proposed["state"]) == (number, "proposed")
    assert (proposed["since"], proposed["approved_by"]) == (None, None)
    answer = client.post("/v1/model/calibration", json={"calibration_id": number})
    state = answer.get_json()
    assert answer.status_code == 200
    spec = client.get("/openapi.json").get_json()
    assert_drawn(state, spec["components"]["schemas"]["ModelState"], spec)
    assert (state["proposal"], state["calibration"]["state"]) == (None, "active")
    assert state["model"]["rule"] == state["calibration"]["rule"] == new.rule_id
    assert state["calibration"]["after"] == new.parameters[AFTER]
    assert state == client.get("/v1/model").get_json()
    said = client.post("/v1/identify", data={"image": files(1, 7)[0]}).get_json()
    assert said["model"]["rule"] == new.rule_id


@pytest.mark.parametrize(
    ("body", "status", "code"),
    [
        ({"calibration_id": 9}, 404, "unknown-calibration"),
        ({"calibration_id": 0}, 422, "invalid-input"),
        ({"calibration_id": 2**63}, 422, "invalid-input"),
        ({"calibration_id": "1"}, 422, "invalid-input"),
        ({"calibration_id": None}, 422, "invalid-input"),
        ({"calibration_id": 1, "other": 1}, 422, "invalid-input"),
        ({}, 422, "invalid-input"),
    ],
)
def test_what_cannot_be_approved_is_said(client, body, status, code):
    answer = client.post("/v1/model/calibration", json=body)
    assert (answer.status_code, answer.get_json()["code"]) == (status, code)


def test_a_page_of_another_site_cannot_approve(client):
    answer = client.post(
        "/v1/model/calibration", json={"calibration_id": 1}, headers={"Origin": "http://other"}
    )
    assert (answer.status_code, answer.get_json()["code"]) == (403, "cross-site-request")


def test_an_outdated_proposal_is_a_conflict(gallery, new):
    number = kept(gallery, replace(new, base_rule_id="0" * 12))
    client = create_app(gallery).test_client()
    answer = client.post("/v1/model/calibration", json={"calibration_id": number})
    assert (answer.status_code, answer.get_json()["code"]) == (409, "calibration-outdated")


def run(data_dir, *arguments):
    environ = {name: value for name, value in os.environ.items() if "COUNTERSIGN" not in name}
    done = subprocess.run(
        [sys.executable, "-m", "service.cli", *map(str, arguments), "--json"],
        cwd=ROOT,
        env=environ | {"COUNTERSIGN_DATA_DIR": str(data_dir)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_a_change_of_rule_under_load_loses_no_request_on_any_server(data_dir, new, scan):
    """Two servers of two processes; a decision says what the rule that it names comes to."""
    variables = {
        "COUNTERSIGN_DATA_DIR": str(data_dir),
        "COUNTERSIGN_WORKERS": "2",
        "COUNTERSIGN_CALIBRATE": "off",
    }
    thresholds = {
        # What is told of the gallery's likeness leaves identifications as they are.
        new.base_rule_id: new.parameters[BEFORE]["naming"]["threshold"],
        warier(new): new.parameters[BEFORE]["naming"]["threshold"],
        new.rule_id: new.parameters[AFTER]["naming"]["threshold"],
    }
    answers, ended = [], threading.Event()
    with running_server(variables=variables) as a, running_server(variables=variables) as b:

        def ask(server, seed):
            image = [("image", "q.png", scan(seed, 5))]
            while not ended.is_set():
                answers.append(server.post("/v1/identify", image))

        def rules():
            return {
                server.post("/v1/identify", [("image", "q.png", scan(4, 6))])["model"]["rule"]
                for server in (a, b)
                for _ in range(6)
            }

        with ThreadPoolExecutor(2) as pool:
            asking = [pool.submit(ask, a, 2), pool.submit(ask, b, 3)]
            try:
                assert rules() == {new.base_rule_id}
                # From the moment that it is put to use, whichever process answers.
                assert run(data_dir, "calibrate", "--gallery")["rule"] == new.rule_id
                assert rules() == {new.rule_id}
                run(data_dir, "calibrate", "--gallery", "--undo")
                assert rules() == {warier(new)}
            finally:
                ended.set()
            for one in asking:
                one.result()
    assert {one["model"]["rule"] for one in answers} == set(thresholds)
    for one in answers:
        assert one["threshold"] == pytest.approx(thresholds[one["model"]["rule"]], abs=1e-4)
    with closing(sqlite3.connect(data_dir / "registry.db")) as registry:
        recorded = dict(registry.execute("SELECT decision_id, threshold FROM decisions"))
        lines = registry.execute("SELECT calibration_id FROM calibration_switches ORDER BY 1")
        assert [one for (one,) in lines] == [None, 1]
    assert {one["decision_id"]: one["threshold"] for one in answers}.items() <= recorded.items()
