"""Both clients go through all that the real server does today."""

import re
from contextlib import closing
from dataclasses import MISSING, fields
from datetime import UTC, datetime, timedelta

import pytest

from index.registry.registry import Registry
from service.auth.keys import make_key
from service.auth.scopes import SCOPES
from service.client import answers
from service.client.decoding import Answer
from service.client.errors import (
    ImageRefused,
    InvalidRequest,
    MissingScope,
    NoReferences,
    ReviewRefused,
    Unauthorized,
    UnknownDecision,
    UnknownKey,
    UnknownOperatingPoint,
    UnknownWriter,
    WriterExists,
)
from service.version import VERSION

ADA = 4  # The seed of a hand that is plainly told from others.
FAR = datetime(2099, 5, 4, tzinfo=UTC)


def test_a_day_at_the_counter(settings, serving, asker, scan, tmp_path):
    with closing(Registry(settings.database_url)) as registry:
        _, till = make_key(registry, "till", SCOPES, None, "test")
        _, desk = make_key(registry, "desk", ["read", "review"], None, "test")
    with serving(settings, tmp_path / "log", COUNTERSIGN_AUTH="on") as server:
        address = f"http://127.0.0.1:{server.port}"
        with asker(address, key=till) as client, asker(address, key=desk) as reviewer:
            enroll(client, scan)
            decide(client, scan)
            refuse(client, scan)
            look_up(client, scan)
            read_decisions(client, reviewer, scan)
            erase(client)
            manage_keys(client, reviewer)
    assert "Traceback" not in (tmp_path / "log").read_text()


def enroll(client, scan):
    made = client.ask("enroll", "C-1", [scan(ADA, n) for n in range(3)], name="Ada Example")
    assert (made.writer_id, made.name, made.reference_count) == ("C-1", "Ada Example", 3)
    assert made.refused == ()
    more = client.ask("add_references", "C-1", [scan(ADA, 3), b"no image"], regions=[None, None])
    assert len(more.references) == 1
    assert [one.code for one in more.refused] == ["unsupported-format"]
    assert client.ask("enroll", "C-2", name="Bo").references == ()


def decide(client, scan):
    verified = client.ask("verify", "C-1", scan(ADA, 7), include="cleaned")
    assert verified.verdict == "match"
    assert verified.score > verified.threshold
    assert len(verified.references) == 4
    assert verified.cleaned.startswith("data:image/png")
    assert client.ask("verify", "C-1", scan(2, 0)).verdict == "non_match"
    found = client.ask("identify", scan(ADA, 8), top=1)
    assert (found.verdict, found.candidates[0].writer_id) == ("identified", "C-1")
    compared = client.ask("compare", [scan(ADA, 0), scan(ADA, 1)], scan(ADA, 5))
    assert compared.decision_id is None
    assert len(compared.references) == 2


def refuse(client, scan):
    with pytest.raises(ImageRefused) as refused:
        client.ask("verify", "C-1", b"no image")
    assert refused.value.code == "unsupported-format"
    with pytest.raises(ImageRefused) as refused:
        client.ask("add_references", "C-1", [b"no image"])
    assert refused.value.refused[0]["code"] == "unsupported-format"
    with pytest.raises(UnknownWriter):
        client.ask("verify", "nobody", scan(ADA, 0))
    with pytest.raises(NoReferences):
        client.ask("verify", "C-2", scan(ADA, 0))
    with pytest.raises(WriterExists):
        client.ask("enroll", "C-1")
    with pytest.raises(UnknownOperatingPoint) as unknown:
        client.ask("verify", "C-1", scan(ADA, 0), operating_point="x")
    assert "fmr_skilled=5%" in unknown.value.available


def look_up(client, scan):
    assert [one.writer_id for one in client.all("writers", page_size=1)] == ["C-1", "C-2"]
    assert [one.writer_id for one in client.all("writers", "bo")] == ["C-2"]
    shown = client.ask("writer", "C-1")
    assert [one.standing for one in shown.references] == ["typical"] * 4
    listed = client.ask("references", "C-1")
    assert [one.reference_id for one in listed] == [one.reference_id for one in shown.references]
    media_type, pieces = client.fetch("reference_image", "C-1", listed[0].reference_id)
    assert (media_type, b"".join(pieces)) == ("image/png", scan(ADA, 0))
    _, cleaned = client.fetch("reference_image", "C-1", listed[0].reference_id, cleaned=True)
    assert b"".join(cleaned).startswith(b"\x89PNG")
    assert client.ask("about").version == VERSION
    assert client.ask("model").model == client.ask("about").model


def read_decisions(client, reviewer, scan):
    verified = client.ask("verify", "C-1", scan(ADA, 9))
    assert verified.writer_id == "C-1"
    assert verified.request_id
    every = client.all("decisions", page_size=1)
    assert every[0].decision_id == verified.decision_id
    assert (every[0].decided_at, every[0].score) == (verified.decided_at, verified.score)
    assert [one.kind for one in every] == ["verify", "identify", "verify", "verify"]
    assert client.all("decisions", kind="identify") == every[1:2]
    assert client.all("decisions", until=every[-1].decided_at) == []
    one = client.ask("decision", verified.decision_id)
    assert (one.probe_sha256, one.rule["gallery"]) == (verified.probe_sha256, None)
    assert (one.hold, one.reviews) == (None, ())
    media_type, pieces = client.fetch("decision_image", one.decision_id)
    assert (media_type, b"".join(pieces)) == ("image/png", scan(ADA, 9))
    media_type, pieces = client.fetch("decision_evidence", one.decision_id)
    assert (media_type, b"".join(pieces)[:2]) == ("application/zip", b"PK")
    assert client.ask("replay_decision", one.decision_id).outcome == "equal"
    with pytest.raises(UnknownDecision):
        client.ask("replay_decision", "nothing")
    review(client, reviewer, one.decision_id)


def review(client, reviewer, decision_id):
    with pytest.raises(ReviewRefused):
        client.ask("review_decision", decision_id, "accept")  # They asked for it themselves.
    said = reviewer.ask("review_decision", decision_id, "accept", comment="as ever")
    assert (said.done, said.reviews[0].comment) == (True, "as ever")
    assert client.ask("decision", decision_id).reviews == said.reviews
    assert len(client.all("decisions", reviewed=True)) == 1
    queue = reviewer.ask("review_queue", limit=5)
    assert queue.waiting >= len(queue.decisions)
    with pytest.raises(MissingScope) as refused:
        reviewer.ask("hold_decision", decision_id, "Proceedings", FAR)
    assert refused.value.scope == "audit"
    held = client.ask("hold_decision", decision_id, "Proceedings", FAR)
    assert (held.hold.held_until, held.hold.in_force) == (FAR, True)


def manage_keys(client, reviewer):
    made = client.ask("create_key", "import", ["enroll", "read"], expires_in="90d")
    assert (made.scopes, made.state) == (("enroll", "read"), "valid")
    assert made.key.startswith(f"cs_{made.prefix}_")
    rotated = client.ask("rotate_key", made.prefix, expires_in="12h", overlap="30m")
    assert rotated.expires_at - rotated.created_at < timedelta(hours=13)
    client.ask("revoke_key", rotated.prefix)
    with pytest.raises(UnknownKey):
        client.ask("rotate_key", rotated.prefix)
    states = {one.prefix: (one.state, one.replaced_by) for one in client.all("keys")}
    assert states[made.prefix] == ("valid", rotated.prefix)
    assert states[rotated.prefix] == ("revoked", None)
    with pytest.raises(InvalidRequest) as refused:
        client.ask("create_key", "import", ["read"], expires_in="soon")
    assert list(refused.value.fields) == ["expires_in"]
    with pytest.raises(MissingScope):
        reviewer.all("keys")
    desk = next(one for one in client.all("keys") if one.name == "desk")
    client.ask("revoke_key", desk.prefix)
    with pytest.raises(Unauthorized):
        reviewer.all("decisions")


def erase(client):
    assert client.ask("rename_writer", "C-1", "Ada B.").name == "Ada B."
    first = client.ask("references", "C-1")[0].reference_id
    client.ask("erase_reference", "C-1", first)
    (kept,) = client.ask("erase_writer", "C-1")
    assert (kept.reason, kept.held_until) == ("Proceedings", FAR)
    with pytest.raises(UnknownWriter):
        client.ask("erase_writer", "C-1")
    assert client.ask("erasures").total == 2


# Answers that the client names otherwise than the document does.
NAMES = {"Enrollment": "Enrolled"}
# What an answer's header gives.
LATER = {"etag"}
# Lists of what is known, which the client hands on entry by entry, and the answers of the page.
LISTS = {"Decisions", "ErasedButHeld", "Keys", "ListedWriter", "References", "Writers"}
OF_THE_PAGE = {"RecoveryCodes", "SecondFactor", "Session", "Sessions", "SignedIn"}
# What a client has under another name: errors, the probes of an orchestrator, an image's region.
OTHERWISE = {"Health", "ImageRegion", "Problem", "Readiness"}


def described():
    """Each kind of answer that the document draws, with its name there."""
    kinds = {
        name: kind
        for name, kind in vars(answers).items()
        if isinstance(kind, type) and issubclass(kind, Answer) and kind is not Answer
    }
    return [(NAMES.get(name, name), kind) for name, kind in kinds.items()]


def test_the_client_knows_every_answer_of_the_document(client):
    document = client.get("/openapi.json").get_json()
    schemas = document["components"]["schemas"]
    answered = parts(schemas, str(responses(document)))
    known = {name for name, _ in described()} | parts(schemas, str(schemas["ModelState"]))
    assert answered - known - LISTS - OF_THE_PAGE - OTHERWISE == set()


def parts(schemas, drawn):
    """The names of all schemas that a part of the document is made of."""
    waiting, found = re.findall(r"schemas/(\w+)", drawn), set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += re.findall(r"schemas/(\w+)", str(schemas[name]))
    return found


def responses(document):
    return [
        response
        for operations in document["paths"].values()
        for operation in operations.values()
        for response in operation["responses"].values()
    ]


def test_the_client_knows_every_field_of_the_document(client):
    schemas = client.get("/openapi.json").get_json()["components"]["schemas"]
    drawn = [(schemas[name], kind) for name, kind in described() if name in schemas]
    assert len(drawn) > 18
    for schema, kind in drawn:
        known = {one.name: one for one in fields(kind) if one.name != "raw"}
        assert schema["properties"].keys() <= known.keys(), kind
        assert known.keys() - schema["properties"].keys() <= LATER, kind
        for name, one in known.items():
            if one.default is MISSING and one.default_factory is MISSING:
                assert name in schema["required"], (kind, name)


def test_the_client_reads_every_example_of_the_document(client):
    document = client.get("/openapi.json").get_json()
    kinds, read = dict(described()), set()
    for operations in document["paths"].values():
        for operation in operations.values():
            for response in operation["responses"].values():
                content = response.get("content", {}).get("application/json", {})
                name = content.get("schema", {}).get("$ref", "").rsplit("/", 1)[-1]
                if name in kinds:
                    shown = kinds[name].of(content["example"])
                    assert shown.raw == content["example"]
                    read.add(name)
    assert {"Verification", "CreatedWriter", "ShownWriter", "About"} <= read
    assert {"Decision", "Replay", "Reviews", "Queue", "MadeKey"} <= read
