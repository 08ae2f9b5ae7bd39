"""A web page elsewhere cannot drive the server, and its answers stay with it."""

import logging

import pytest

OWN = "http://localhost"


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": "http://evil.example"},
        {"Origin": "null"},
        {"Origin": "http://localhost:3000"},
        {"Origin": "https://localhost"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": "cross-site", "Origin": OWN},
        {"Sec-Fetch-Site": "same-origin", "Origin": "http://evil.example"},
    ],
)
def test_another_sites_page_changes_nothing(client, files, headers):
    client.post("/v1/writers", json={"writer_id": "C-1"})
    answers = [
        client.post("/v1/writers", json={"writer_id": "C-2"}, headers=headers),
        client.post("/v1/writers", data={"writer_id": "C-2"}, headers=headers),
        client.post("/v1/identify", data={"image": files(1, 0)[0]}, headers=headers),
        client.patch("/v1/writers/C-1", json={"name": "x"}, headers=headers),
        client.delete("/v1/writers/C-1", headers=headers),
    ]
    assert [answer.status_code for answer in answers] == [403] * 5
    assert {answer.get_json()["code"] for answer in answers} == {"cross-site-request"}
    assert client.get("/v1/writers/C-1").status_code == 200
    assert client.get("/v1/writers/C-2").status_code == 404


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Origin": OWN},
        {"Origin": OWN, "Sec-Fetch-Site": "same-origin"},
        {"Sec-Fetch-Site": "none"},
    ],
)
def test_own_pages_and_programs_may(client, headers):
    answer = client.post("/v1/writers", json={"writer_id": "C-1"}, headers=headers)
    assert answer.status_code == 201


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "192.168.1.2:8000"])
def test_a_host_name_pointed_at_us_is_refused(client, host):
    answer = client.get("/v1/writers", headers={"Host": host})
    assert answer.status_code == 421
    assert answer.get_json()["code"] == "foreign-host"


@pytest.mark.parametrize("host", ["localhost", "localhost:8000", "127.0.0.1:8000", "[::1]:8000"])
def test_own_host_names_are_known(client, host):
    assert client.get("/v1/writers", headers={"Host": host}).status_code == 200


@pytest.mark.parametrize("address", ["/", "/docs", "/v1/writers", "/v1/nothing"])
def test_every_answer_keeps_browsers_strict(client, address):
    headers = client.get(address).headers
    assert "default-src 'self'" in headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "script-src" not in headers["Content-Security-Policy"]
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Resource-Policy"] == "same-origin"
    assert not [name for name, _ in headers if name.startswith("Access-Control")]


def test_answers_about_people_are_not_cached(client):
    assert client.get("/v1/writers").headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize(
    ("given", "echoed"),
    [
        ("0af7651916cd43dd", True),
        ("a.b_c:d-1", True),
        ("", False),
        ("a b", False),
        ("x" * 65, False),
        ("a\tb", False),
        ("é", False),
    ],
)
def test_what_a_caller_calls_a_request_comes_back(client, caplog, given, echoed):
    caplog.set_level(logging.INFO)
    headers = {"X-Request-ID": given.encode().decode("latin-1")}
    answer = client.get("/v1/writers/nobody", headers=headers)
    assert (answer.headers["X-Request-ID"] == given) == echoed
    assert (f"called={given} " in caplog.text) == echoed
    own = answer.get_json()["instance"].removeprefix("urn:uuid:")
    assert f"request_id={own}" in caplog.text


def test_the_log_holds_neither_names_nor_ids(client, files, caplog):
    caplog.set_level(logging.DEBUG)
    data = {"writer_id": "C-4711", "name": "Ada Lovelace", "images": files(1, 0)}
    answer = client.post("/v1/writers", data=data)
    client.post("/v1/writers/C-4711/verify", data={"image": files(1, 1)[0]})
    client.get("/v1/writers?q=Lovelace")
    client.delete("/v1/writers/C-4711")
    log = caplog.text
    assert answer.headers["X-Request-ID"] in log
    assert "route=/v1/writers/<writer_id>/verify status=200" in log
    for private in ("Lovelace", "C-4711", "1-0.png"):
        assert private not in log
