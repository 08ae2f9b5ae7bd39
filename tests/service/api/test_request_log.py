"""A line in the log for each request: which, by whom, how it ended; and an id to find it by."""

import json
import logging
import uuid

import pytest

from service.api import request_log


@pytest.mark.parametrize(
    "given", ["a", "7f3e-Ab_9.z", "x" * 64, "7b0e6f3c-9d1a-4c52-8f0e-2a64d1c09b77"]
)
def test_a_callers_own_id_is_echoed_and_logged(client, logged, given):
    with logged("json") as lines:
        answer = client.get("/healthz", headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given
    assert [line["request_id"] for line in lines.objects()] == [given]


@pytest.mark.parametrize(
    "given", ["", "x" * 65, "a b", "a,b", "<script>", "ä", '"', "a=b", "-a", "../etc"]
)
def test_what_is_no_token_is_replaced_by_an_id_of_our_own(client, logged, given):
    with logged("text") as lines:
        answer = client.get("/healthz", headers={"X-Request-ID": given})
    uuid.UUID(answer.headers["X-Request-ID"])
    assert len(lines.getvalue().splitlines()) == 1
    assert not given or f"request_id={given}" not in lines.getvalue()


def test_a_problem_names_the_request_by_a_urn(client):
    answer = client.get("/v1/writers/nobody", headers={"X-Request-ID": "job-17"})
    assert answer.get_json()["instance"] == "urn:countersign:request:job-17"
    answer = client.get("/v1/writers/nobody")
    assert answer.get_json()["instance"] == f"urn:uuid:{answer.headers['X-Request-ID']}"


def test_a_verifications_line_names_its_decision(client, known, files, logged):
    known(1)
    with logged("json") as lines:
        answer = client.post("/v1/writers/W-1/verify", data={"image": files(1, 6)[0]})
        client.get("/v1/about")
    verified, after = lines.objects()
    assert verified["decision_id"] == answer.get_json()["decision_id"]
    assert verified["route"] == "/v1/writers/<writer_id>/verify"
    assert (verified["method"], verified["status"]) == ("POST", 200)
    assert verified["duration_ms"] > 0
    assert verified["caller"] == "anonymous"
    assert "decision_id" not in after


def test_lines_on_the_way_belong_to_their_request(client, services, logged, monkeypatch):
    def fail(*_args, **_more):
        raise RuntimeError("of no consequence")

    monkeypatch.setattr(services.registry.models, "gallery_size", fail)
    with logged("json") as lines:
        answer = client.get("/v1/about")
    failed, answered = lines.objects()
    assert answer.status_code == 500
    assert failed["request_id"] == answered["request_id"] == answer.headers["X-Request-ID"]
    assert "RuntimeError: of no consequence" in failed["exception"]
    with logged("json") as lines:
        logging.getLogger("service.elsewhere").info("later")
    assert "request_id" not in lines.objects()[0]


@pytest.mark.parametrize(
    ("path", "level"),
    [
        ("/assets/js/app.js", "debug"),
        ("/docs/assets/swagger-ui.css", "debug"),
        ("/docs/start.js", "debug"),
        ("/", "info"),
        ("/docs", "info"),
        ("/v1/about", "info"),
        ("/nowhere", "info"),
    ],
)
def test_files_of_the_page_are_for_debugging(client, logged, path, level):
    with logged("json") as lines:
        client.get(path)
    assert [line["level"] for line in lines.objects()] == [level]


@pytest.mark.parametrize(
    ("who", "shown"),
    [
        ("anonymous", "anonymous"),
        ("key:a1b2c3d4", "key:a1b2c3d4"),
        ("user:ada.lovelace", "user"),
        ("command line:ada", "command line"),
    ],
)
def test_a_caller_is_logged_without_a_name(client, logged, monkeypatch, who, shown):
    monkeypatch.setattr(request_log, "caller", lambda: who)
    with logged("json") as lines:
        client.get("/healthz")
    assert lines.objects()[0]["caller"] == shown
    assert "ada" not in lines.getvalue()


def test_json_is_one_object_a_line_whatever_is_in_it(logged):
    with logged("json") as lines:
        logging.getLogger("service.x").warning("two\nlines, %s", '"é"', extra={"also": 'a\n"b"'})
    (line,) = lines.getvalue().splitlines()
    told = json.loads(line)
    assert told["event"] == 'two\nlines, "é"'
    assert told["also"] == 'a\n"b"'
    assert told.keys() >= {"timestamp", "level", "logger", "pid"}


def test_text_begins_with_when_how_grave_and_where(logged):
    with logged("text") as lines:
        logging.getLogger("service.x").warning("%d came", 3, extra={"why": "no reason", "n": 1})
    assert lines.getvalue().endswith(' service.x 3 came why="no reason" n=1\n')
    assert " WARNING pid=" in lines.getvalue()
