"""A writer's ETag names them as they are, and a change can ask for them to be so still."""

import pytest


@pytest.fixture
def seen(client):
    answer = client.post("/v1/writers", json={"writer_id": "C-1", "name": "Ada"})
    return answer.headers["ETag"]


def look(client):
    return client.get("/v1/writers/C-1").headers["ETag"]


def test_an_etag_changes_with_name_and_references(client, seen, files):
    assert look(client) == seen
    renamed = client.patch("/v1/writers/C-1", json={"name": "Ben"}).headers["ETag"]
    assert renamed not in {seen, None}
    assert look(client) == renamed
    enrolled = client.post("/v1/writers/C-1/references", data={"images": files(1, 0)})
    [reference] = enrolled.get_json()["references"]
    with_one = look(client)
    assert with_one not in {seen, renamed}
    client.delete(f"/v1/writers/C-1/references/{reference['reference_id']}")
    client.post("/v1/writers/C-1/references", data={"images": files(1, 1)})
    assert look(client) not in {with_one, renamed}  # As many, and others.


def test_a_change_may_ask_for_the_writer_as_seen(client, seen):
    first = client.patch("/v1/writers/C-1", json={"name": "Ben"}, headers={"If-Match": seen})
    assert first.status_code == 200
    late = client.patch("/v1/writers/C-1", json={"name": "Cyn"}, headers={"If-Match": seen})
    assert (late.status_code, late.get_json()["code"]) == (412, "precondition-failed")
    assert client.get("/v1/writers/C-1").get_json()["name"] == "Ben"
    assert client.delete("/v1/writers/C-1", headers={"If-Match": seen}).status_code == 412
    now = first.headers["ETag"]
    either = {"If-Match": f'"other", {now}'}
    assert client.delete("/v1/writers/C-1", headers=either).status_code == 204
    gone = client.patch("/v1/writers/C-1", json={"name": "x"}, headers={"If-Match": now})
    assert gone.status_code == 404


@pytest.mark.parametrize("header", ["*", None])
def test_any_writer_will_do_if_so_asked(client, seen, header):
    headers = {} if header is None else {"If-Match": header}
    assert client.patch("/v1/writers/C-1", json={"name": "B"}, headers=headers).status_code == 200


@pytest.mark.parametrize("spoil", [lambda tag: f"W/{tag}", lambda _: '""', lambda _: "nonsense"])
def test_what_is_no_etag_of_the_writer_matches_none(client, seen, spoil):
    headers = {"If-Match": spoil(seen)}
    assert client.patch("/v1/writers/C-1", json={"name": "B"}, headers=headers).status_code == 412
