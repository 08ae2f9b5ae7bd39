"""A request that comes again under its Idempotency-Key is carried out once."""

import json
from contextlib import closing
from io import BytesIO
from sqlite3 import connect
from uuid import uuid4

import pytest

from index.registry.access.kept_answers import Request
from service.api.access.repeating import is_repeatable
from tests.service.auth.test_who_may_do_what import routes

PEOPLE = ("/v1/session", "/v1/password", "/v1/second-factor")


@pytest.fixture
def caller(key):
    """The headers of a caller: `caller(key)` is with an Idempotency-Key."""
    known = key("enroll", "verify", "identify", "read", "erase", "admin", "audit")
    return lambda repeat=None: known | ({} if repeat is None else {"Idempotency-Key": repeat})


def decisions(services):
    with closing(connect(services.settings.data_dir / "registry.db")) as registry:
        return registry.execute("SELECT count(*) FROM decisions").fetchone()[0]


def test_every_post_that_stores_or_decides_can_be_repeated(app):
    for rule in app.url_map.iter_rules():
        if "POST" in rule.methods:
            wanted = not rule.rule.startswith(PEOPLE)
            assert is_repeatable(app.view_functions[rule.endpoint]) == wanted, rule.rule
    assert dict(routes(app))


def test_a_writer_is_created_once(client, caller):
    key, body = str(uuid4()), {"writer_id": f"C-{uuid4()}", "name": "Ada"}
    first = client.post("/v1/writers", json=body, headers=caller(key))
    again = client.post("/v1/writers", json=body, headers=caller(key))
    assert (first.status_code, again.status_code) == (201, 201)
    assert first.get_json() == again.get_json()
    assert (first.headers.get("Idempotency-Replayed"), again.headers["Idempotency-Replayed"]) == (
        None,
        "true",
    )
    assert client.post("/v1/writers", json=body, headers=caller()).status_code == 409
    spelt = json.dumps(dict(reversed(body.items())), indent=3)
    other_spelling = client.post(
        "/v1/writers", data=spelt, content_type="application/json", headers=caller(key)
    )
    assert other_spelling.status_code == 201


def test_a_signature_is_verified_once_whatever_the_boundary(client, services, caller, files):
    writer_id, key = f"C-{uuid4()}", str(uuid4())
    form = {"writer_id": writer_id, "images": files(1, 0, 1)}
    assert client.post("/v1/writers", data=form, headers=caller()).status_code == 201
    before = decisions(services)

    def verify(number=9, **fields):
        data = {"image": files(1, number)[0], **fields}
        path = f"/v1/writers/{writer_id}/verify"
        return client.post(path, data=data, headers=caller(key))

    answers = [verify() for _ in range(3)]  # Each draws a boundary of its own.
    assert [answer.status_code for answer in answers] == [200] * 3
    assert len({answer.get_json()["decision_id"] for answer in answers}) == 1
    assert decisions(services) == before + 1
    for other in (verify(8), verify(include="cleaned")):
        assert (other.status_code, other.get_json()["code"]) == (422, "idempotency-mismatch")
    elsewhere = client.post("/v1/identify", data={"image": files(1, 9)[0]}, headers=caller(key))
    assert elsewhere.get_json()["code"] == "idempotency-mismatch"


def test_a_replay_is_on_the_chain_once(client, services, caller, files):
    writer_id, key = f"C-{uuid4()}", str(uuid4())
    form = {"writer_id": writer_id, "images": files(1, 0, 1)}
    client.post("/v1/writers", data=form, headers=caller())
    path = f"/v1/writers/{writer_id}/verify"
    name = client.post(path, data={"image": files(1, 9)[0]}, headers=caller()).get_json()
    path = f"/v1/decisions/{name['decision_id']}/replay"
    answers = [client.post(path, headers=caller(key)) for _ in range(3)]
    assert [answer.get_json()["outcome"] for answer in answers] == ["equal"] * 3
    with closing(connect(services.settings.data_dir / "registry.db")) as registry:
        rows = registry.execute(
            "SELECT details FROM audit_entries WHERE kind = 'decision.replayed'"
        )
        assert len([one for (one,) in rows if name["decision_id"] in one]) == 1


def test_references_are_enrolled_once(client, caller, files):
    writer_id, key = f"C-{uuid4()}", str(uuid4())
    client.post("/v1/writers", json={"writer_id": writer_id}, headers=caller())
    path = f"/v1/writers/{writer_id}/references"
    answers = [
        client.post(path, data={"images": files(1, 0, 1)}, headers=caller(key)) for _ in range(2)
    ]
    assert [answer.status_code for answer in answers] == [201, 201]
    assert answers[0].get_json() == answers[1].get_json()


def test_another_callers_key_is_another_key(client, caller, key):
    repeat = str(uuid4())
    body = {"writer_id": f"C-{uuid4()}"}
    assert client.post("/v1/writers", json=body, headers=caller(repeat)).status_code == 201
    other = key("enroll") | {"Idempotency-Key": repeat}
    assert client.post("/v1/writers", json=body, headers=other).status_code == 409


def test_a_refused_request_is_looked_at_again(client, caller, files):
    key, writer_id = str(uuid4()), f"C-{uuid4()}"
    path = f"/v1/writers/{writer_id}/verify"

    def verify():
        return client.post(path, data={"image": files(1, 9)[0]}, headers=caller(key))

    assert verify().status_code == 404
    form = {"writer_id": writer_id, "images": files(1, 0, 1)}
    client.post("/v1/writers", data=form, headers=caller())
    assert verify().status_code == 200


def test_a_request_that_runs_is_not_run_again(client, services, caller):
    key, body = str(uuid4()), {"writer_id": f"C-{uuid4()}"}
    client.post("/v1/writers", json=body, headers=caller(key))
    with services.registry._database.write() as connection:
        connection.exec_driver_sql(
            "UPDATE idempotency_keys SET status = NULL, body = NULL WHERE idempotency_key = ?",
            (key,),
        )
    answer = client.post("/v1/writers", json=body, headers=caller(key))
    assert (answer.status_code, answer.get_json()["code"]) == (409, "idempotency-in-progress")


@pytest.mark.parametrize("text", ["", " ", "a b", "é", "x" * 201])
def test_a_key_that_is_none_is_refused(client, caller, text):
    headers = caller() | {"Idempotency-Key": text.encode("utf-8").decode("latin-1")}
    answer = client.post("/v1/writers", json={"writer_id": "C-1"}, headers=headers)
    assert answer.status_code == 422
    assert list(answer.get_json()["fields"]) == ["Idempotency-Key"]


def test_the_secret_of_a_key_is_given_once_and_kept_nowhere(client, services, caller):
    repeat = str(uuid4())
    wish = {"name": "teller", "scopes": ["read"]}
    first = client.post("/v1/keys", json=wish, headers=caller(repeat)).get_json()
    again = client.post("/v1/keys", json=wish, headers=caller(repeat)).get_json()
    assert first["key"].startswith("cs_")
    assert again == first | {"key": None}
    with closing(connect(services.settings.data_dir / "registry.db")) as registry:
        kept = registry.execute("SELECT body FROM idempotency_keys").fetchall()
    assert not [body for (body,) in kept if body and first["key"].rsplit("_")[-1].encode() in body]


def test_erasing_a_writer_erases_the_answers_about_them(client, services, caller, files):
    writer_id = f"C-{uuid4()}"
    form = {"writer_id": writer_id, "name": "Ada Lovelace-Byron", "images": files(5, 0, 1)}
    client.post("/v1/writers", data=form, headers=caller(str(uuid4())))
    probe = {"image": files(5, 9)[0]}
    found = client.post("/v1/identify", data=probe, headers=caller(str(uuid4())))
    assert writer_id in found.text

    def kept():
        with closing(connect(services.settings.data_dir / "registry.db")) as registry:
            rows = registry.execute("SELECT body FROM idempotency_keys").fetchall()
        return [body for (body,) in rows if b"Lovelace-Byron" in (body or b"")]

    assert len(kept()) == 2
    assert client.delete(f"/v1/writers/{writer_id}", headers=caller()).status_code == 204
    assert kept() == []


def test_erasing_a_writer_erases_what_was_answered_to_their_reviewers(
    client, services, caller, key, files
):
    """Reviews hold what people wrote, and no writer's id."""
    writer_id = f"C-{uuid4()}"
    form = {"writer_id": writer_id, "images": files(6, 0, 1)}
    client.post("/v1/writers", data=form, headers=caller())
    probe = {"image": files(6, 9)[0]}
    asked = client.post(f"/v1/writers/{writer_id}/verify", data=probe, headers=caller())
    reviews = f"/v1/decisions/{asked.get_json()['decision_id']}/reviews"
    said = {"outcome": "accept", "comment": "Known to Mrs Hollerith-Zuse."}
    repeat = key("review") | {"Idempotency-Key": str(uuid4())}
    assert client.post(reviews, json=said, headers=repeat).status_code == 201
    again = client.post(reviews, json=said, headers=repeat)
    assert (again.status_code, again.headers["Idempotency-Replayed"]) == (201, "true")

    def kept():
        with closing(connect(services.settings.data_dir / "registry.db")) as registry:
            rows = registry.execute("SELECT body FROM idempotency_keys").fetchall()
        return [body for (body,) in rows if b"Hollerith" in (body or b"")]

    assert len(kept()) == 1
    assert client.delete(f"/v1/writers/{writer_id}", headers=caller()).status_code == 204
    assert kept() == []
    nowhere = "/v1/decisions/none/reviews"
    headers = key("review") | {"Idempotency-Key": str(uuid4())}
    assert client.post(nowhere, json=said, headers=headers).status_code == 404


def test_a_damaged_body_is_refused_as_without_a_key(client, caller):
    for data, media_type in [
        (b"{", "application/json"),
        (b"[" * 5000, "application/json"),
        (b"x", "text/plain"),
        (b"--x\r\nhello", "multipart/form-data; boundary=x"),
        (b"x", "multipart/form-data"),
    ]:
        statuses = {
            client.post(
                "/v1/writers",
                input_stream=BytesIO(data),
                content_length=len(data),
                content_type=media_type,
                headers=headers,
            ).status_code
            for headers in (caller(), caller(str(uuid4())))
        }
        assert len(statuses) == 1, media_type
        assert statuses < {400, 415, 422}, media_type


def test_the_answer_is_lost_if_somebody_was_erased_meanwhile(services):
    kept = services.registry.kept_answers
    asked = Request("test", str(uuid4()), "1", None)
    kept.begin(asked)
    services.registry.writers.create("C-gone", "Ada")
    services.registry.writers.erase("C-gone")
    kept.finish(asked, 200, b'{"name": "Ada"}')
    assert kept.begin(asked) is None
