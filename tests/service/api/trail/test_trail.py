"""Decisions over HTTP: listed, read, looked at, replayed, held, reviewed; and what is refused."""

import json
import zipfile
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from io import BytesIO

import pytest
from sqlalchemy import text

from service.app import create_app
from service.auth import callers
from service.auth.scopes import SCOPES

DECISIONS = "/v1/decisions"


@pytest.fixture
def decided(client, known, files):
    """Answers to two verifications, one of them of another's signature, and to a search."""
    known(1, count=3)
    known(2, count=2)

    def ask(path, seed, n):
        answer = client.post(path, data={"image": files(seed, n)[0]})
        assert answer.status_code == 200
        return answer

    return [
        ask("/v1/writers/W-1/verify", 1, 9),
        ask("/v1/writers/W-1/verify", 2, 3),
        ask("/v1/identify", 2, 9),
    ]


def one(answer):
    return f"{DECISIONS}/{answer.get_json()['decision_id']}"


def entries(services, kind):
    with services.registry._database.read() as connection:
        query = text("SELECT details FROM audit_entries WHERE kind = :kind ORDER BY sequence")
        return [json.loads(row) for row in connection.execute(query, {"kind": kind}).scalars()]


def test_an_answer_says_by_what_it_is_found_again(client, decided):
    first = decided[0]
    said = first.get_json()
    assert said["writer_id"] == "W-1"
    assert said["request_id"] == first.headers["X-Request-ID"]
    assert said["disposition"] == "accept"
    read = client.get(one(first)).get_json()
    for name in ("decision_id", "decided_at", "verdict", "writer_id", "score", "probe_sha256"):
        assert read[name] == said[name], name
    assert read["details"]["request_id"] == said["request_id"]
    assert read["details"]["model"]["rule"] == said["model"]["rule"]
    assert (read["state"], read["hold"], read["reviews"]) == ("whole", None, [])


def test_decisions_are_listed_page_by_page(client, decided):
    ids = [answer.get_json()["decision_id"] for answer in reversed(decided)]
    page = client.get(f"{DECISIONS}?limit=2").get_json()
    assert [found["decision_id"] for found in page["decisions"]] == ids[:2]
    rest = client.get(f"{DECISIONS}?limit=2&cursor={page['next_cursor']}").get_json()
    assert [found["decision_id"] for found in rest["decisions"]] == ids[2:]
    assert rest["next_cursor"] is None
    verified = client.get(f"{DECISIONS}?kind=verify&writer_id=W-1&from=2001-01-01T00:00:00Z")
    assert [found["decision_id"] for found in verified.get_json()["decisions"]] == ids[1:]
    assert client.get(f"{DECISIONS}?to=2001-01-01T00:00:00Z").get_json()["decisions"] == []


@pytest.mark.parametrize(
    ("query", "says"),
    [
        ("kind=x", "verify, identify"),
        ("verdict=yes", "non_match"),
        ("from=yesterday", "with its zone"),
        ("from=2026-01-01T00:00:00", "with its zone"),
        ("writer_id=!", "writer_id"),
        ("limit=0", "1 to 200"),
        ("reviewed=perhaps", "reviewed"),
        ("since=2026-01-01T00:00:00Z", "from"),
        ("cursor=x", "cursor"),
    ],
)
def test_a_filter_that_is_none_is_refused(client, query, says):
    answer = client.get(f"{DECISIONS}?{query}")
    assert answer.status_code == 422
    assert says in answer.get_json()["detail"]


@pytest.mark.parametrize("decision_id", ["0" * 32, "x", "A" * 32, "%00"])
@pytest.mark.parametrize("path", ["", "/image", "/evidence"])
def test_an_unknown_decision_is_told(client, decision_id, path):
    answer = client.get(f"{DECISIONS}/{decision_id}{path}")
    assert answer.status_code == 404
    assert answer.get_json()["code"] == "unknown-decision"


def test_a_query_image_is_shown_and_whoever_looks_is_put_on_the_chain(client, services, decided):
    answer = client.get(f"{one(decided[0])}/image")
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    viewed = entries(services, "image.viewed")
    assert viewed == [{"decision": decided[0].get_json()["decision_id"]}]
    services.registry.retention.purge_images(datetime(9000, 1, 1, tzinfo=UTC))
    answer = client.get(f"{one(decided[0])}/image")
    assert (answer.status_code, answer.get_json()["code"]) == (404, "query-not-kept")


def test_references_looked_at_are_on_the_chain_and_a_page_of_thumbnails_once(
    client, services, decided, monkeypatch
):
    image = "/v1/writers/W-1/references/{}/image"
    for number in (1, 2, 3, 1):
        assert client.get(f"{image.format(number)}?cleaned=true").status_code == 200
    assert client.get("/v1/writers/W-2/references/4/image?cleaned=true").status_code == 200
    viewed = [(one["reference"], one["cleaned"]) for one in entries(services, "image.viewed")]
    assert viewed == [(1, True), (4, True)]
    for _ in range(2):
        client.get(image.format(1))
    assert [one["cleaned"] for one in entries(services, "image.viewed")[2:]] == [False, False]
    monkeypatch.setattr("service.audit.thumbnails.PAGE_S", 0.0)
    client.get(f"{image.format(2)}?cleaned=true")
    assert len(entries(services, "image.viewed")) == 5
    assert client.get(image.format(9)).status_code == 404
    assert len(entries(services, "image.viewed")) == 5


def test_a_decision_is_replayed(client, decided):
    for answer in decided:
        done = client.post(f"{one(answer)}/replay").get_json()
        assert (done["outcome"], done["differences"], done["reasons"]) == ("equal", [], [])


def test_the_evidence_is_an_archive(client, decided):
    answer = client.get(f"{one(decided[0])}/evidence")
    assert answer.mimetype == "application/zip"
    assert "report.pdf" in zipfile.ZipFile(BytesIO(answer.data)).namelist()


def test_a_hold_meets_an_erasure_which_says_what_stays(client, decided):
    until = (datetime.now(UTC) + timedelta(days=30)).isoformat()
    hold = {"reason": "Proceedings 12 O 34/26", "until": until}
    held = client.put(f"{one(decided[0])}/hold", json=hold).get_json()["hold"]
    assert (held["reason"], held["in_force"], held["erasure_waits"]) == (
        hold["reason"],
        True,
        False,
    )
    erased = client.delete("/v1/writers/W-1")
    assert erased.status_code == 200
    [stays] = erased.get_json()["held"]
    assert stays["decision_id"] == decided[0].get_json()["decision_id"]
    assert stays["reason"] == hold["reason"]
    assert client.get(one(decided[0])).get_json()["writer_id"] == "W-1"
    assert client.get(one(decided[1])).get_json()["writer_id"] is None
    assert client.delete("/v1/writers/W-2").status_code == 204


@pytest.mark.parametrize(
    ("hold", "field"),
    [
        ({"until": "2030-01-01T00:00:00Z"}, "reason"),
        ({"reason": "x"}, "until"),
        ({"reason": "", "until": "2030-01-01T00:00:00Z"}, "reason"),
        ({"reason": "x", "until": "soon"}, "until"),
        ({"reason": "x", "until": "2030-01-01T00:00:00Z", "more": 1}, "more"),
    ],
)
def test_a_hold_that_is_none_is_refused(client, decided, hold, field):
    answer = client.put(f"{one(decided[0])}/hold", json=hold)
    assert answer.status_code == 422
    assert field in answer.get_json()["fields"]


def as_caller(services, monkeypatch, name, scopes=SCOPES):
    """A client for whom all that follows is asked by this caller, until the next is made."""
    who = replace(callers.ANYONE, caller=name, scopes=frozenset(scopes))
    monkeypatch.setattr(callers, "ANYONE", who)
    return create_app(services).test_client()


def test_reviewers_are_neither_who_asked_nor_who_enrolled(
    services, monkeypatch, files, decided, client
):
    clerk = as_caller(services, monkeypatch, "user:clerk")
    clerk.post("/v1/writers", data={"writer_id": "C-1", "images": files(1, 0, 1, 2)})
    bob = as_caller(services, monkeypatch, "user:bob")
    answer = bob.post("/v1/writers/C-1/verify", data={"image": files(3, 3)[0]})
    reviews = f"{one(answer)}/reviews"
    refused = bob.post(reviews, json={"outcome": "reject"})
    assert (refused.status_code, refused.get_json()["code"]) == (409, "review-refused")
    clerk = as_caller(services, monkeypatch, "user:clerk")
    assert "enrolled them" in clerk.post(reviews, json={"outcome": "reject"}).get_json()["detail"]
    first = as_caller(services, monkeypatch, "user:first")
    said = first.post(reviews, json={"outcome": "reject", "reason": "loops"})
    assert (said.status_code, said.get_json()["done"]) == (201, False)
    assert first.post(reviews, json={"outcome": "reject"}).status_code == 409
    second = as_caller(services, monkeypatch, "user:second")
    said = second.post(reviews, json={"outcome": "reject"}).get_json()
    # The second sees no word of the first.
    assert (said["done"], [found["reviewer"] for found in said["reviews"]]) == (
        True,
        ["user:second"],
    )
    assert services.registry.trail.verify().intact


@pytest.mark.parametrize(
    "review", [{}, {"outcome": "perhaps"}, {"outcome": "accept", "comment": "\x00"}]
)
def test_a_review_that_is_none_is_refused(client, decided, review):
    assert client.post(f"{one(decided[0])}/reviews", json=review).status_code == 422


def test_the_queue_gives_each_decision_to_one_reviewer_at_a_time(
    services, monkeypatch, decided, client
):
    second = decided[1].get_json()  # Another's signature: inconclusive, or warned of.
    with services.registry._database.write() as connection:
        connection.execute(text("DELETE FROM review_tasks"))
        query = text("SELECT sequence FROM decisions ORDER BY sequence")
        for number in connection.execute(query).scalars().all():
            connection.execute(
                text("INSERT INTO review_tasks (sequence, why) VALUES (:number, 'inconclusive')"),
                {"number": number},
            )
    first = as_caller(services, monkeypatch, "user:first")
    taken = first.get("/v1/reviews/queue?limit=2").get_json()
    assert taken["waiting"] == 3
    ids = [answer.get_json()["decision_id"] for answer in decided]
    assert [found["decision_id"] for found in taken["decisions"]] == ids[:2]
    other = as_caller(services, monkeypatch, "user:second")
    assert [
        found["decision_id"]
        for found in other.get("/v1/reviews/queue?limit=5").get_json()["decisions"]
    ] == ids[2:]
    with services.registry._database.write() as connection:
        past = text("UPDATE review_tasks SET claimed_until = '2001-01-01 00:00:00.000000'")
        connection.execute(past)
    again = other.get("/v1/reviews/queue?limit=5").get_json()["decisions"]
    assert [found["decision_id"] for found in again] == ids
    other.post(f"{DECISIONS}/{second['decision_id']}/reviews", json={"outcome": "accept"})
    again = other.get("/v1/reviews/queue?limit=5").get_json()
    assert again["waiting"] == 2
    assert second["decision_id"] not in [found["decision_id"] for found in again["decisions"]]


@pytest.mark.parametrize("blind", ["off", "on"])
def test_who_still_has_to_review_sees_no_other_review(
    services, settings, monkeypatch, decided, blind
):
    """And, where it is set so, nothing of what the software said; who has reviewed sees all."""
    services = replace(services, settings=replace(settings, review_blind=blind))
    first = as_caller(services, monkeypatch, "user:first")
    first.post(f"{one(decided[0])}/reviews", json={"outcome": "reject"})
    second = as_caller(services, monkeypatch, "user:second", ("read", "review"))
    read = second.get(one(decided[0])).get_json()
    assert read["reviews"] == []
    shown = (read["verdict"], read["score"], read["details"], read["rule"])
    assert shown == (None,) * 4 if blind == "on" else None not in shown
    queued = second.get("/v1/reviews/queue?limit=9").get_json()["decisions"]
    verdicts = {found["verdict"] for found in queued}
    assert (verdicts == {None}) == (blind == "on")
    second.post(f"{one(decided[0])}/reviews", json={"outcome": "reject"})
    read = second.get(one(decided[0])).get_json()
    assert [found["reviewer"] for found in read["reviews"]] == ["user:first", "user:second"]
    assert read["verdict"] == "match"
    third = as_caller(services, monkeypatch, "user:auditor")
    assert len(third.get(one(decided[0])).get_json()["reviews"]) == 2


@pytest.mark.parametrize("blind", ["off", "on"])
def test_the_list_and_its_filters_tell_a_reviewer_no_more(
    services, settings, monkeypatch, decided, blind
):
    services = replace(services, settings=replace(settings, review_blind=blind))
    first = as_caller(services, monkeypatch, "user:first")
    first.post(f"{one(decided[0])}/reviews", json={"outcome": "reject"})
    open_one, verdict = decided[0].get_json()["decision_id"], decided[0].get_json()["verdict"]

    def listed(reader, query=""):
        page = reader.get(f"{DECISIONS}{query}").get_json()["decisions"]
        return {found["decision_id"]: found for found in page}

    second = as_caller(services, monkeypatch, "user:second", ("read", "review"))
    row = listed(second)[open_one]
    assert ((row["verdict"], row["score"]) == (None, None)) == (blind == "on")
    assert row["writer_id"] == "W-1"  # What is claimed has to be judged.
    assert (open_one in listed(second, f"?verdict={verdict}")) == (blind == "off")
    assert open_one in listed(second, "?writer_id=W-1")
    # That somebody has reviewed it, and yet it waits, would say that they did not accept.
    assert open_one not in listed(second, "?reviewed=true")
    assert open_one in listed(second, "?reviewed=false")
    second.post(f"{one(decided[0])}/reviews", json={"outcome": "accept"})
    assert listed(second)[open_one]["verdict"] == verdict
    assert open_one in listed(second, f"?verdict={verdict}")
    assert open_one in listed(second, "?reviewed=true")
    auditor = as_caller(services, monkeypatch, "user:auditor")
    assert open_one in listed(auditor, f"?verdict={verdict}&reviewed=true")


def test_a_writer_whom_a_warning_names_is_no_filter_for_the_blind(
    services, settings, monkeypatch, decided
):
    """`seen-before` names others: who lists those would learn of the warning."""
    services = replace(services, settings=replace(settings, review_blind="on"))
    open_one = decided[0].get_json()["decision_id"]
    with services.registry._database.write() as connection:
        query = text("SELECT sequence FROM decisions WHERE decision_id = :id")
        number = connection.execute(query, {"id": open_one}).scalar_one()
        for statement in (
            "INSERT INTO decision_mentions (sequence, writer_id) VALUES (:number, 'W-2')",
            "INSERT INTO review_tasks (sequence, why) VALUES (:number, 'warned')",
        ):
            connection.execute(text(statement), {"number": number})

    def listed(scopes):
        reader = as_caller(services, monkeypatch, "user:reader", scopes)
        page = reader.get(f"{DECISIONS}?writer_id=W-2").get_json()["decisions"]
        return [found["decision_id"] for found in page]

    assert open_one not in listed(("read", "review"))
    assert open_one in listed(("read", "audit"))
