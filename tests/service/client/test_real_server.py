"""Both clients go through all that the real server does today."""

from dataclasses import MISSING, fields

import pytest

from service.client import answers
from service.client.decoding import Answer
from service.client.errors import (
    ImageRefused,
    NoReferences,
    UnknownOperatingPoint,
    UnknownWriter,
    WriterExists,
)
from service.version import VERSION

ADA = 4  # The seed of a hand that is plainly told from others.


def test_a_day_at_the_counter(settings, serving, asker, scan, tmp_path):
    with (
        serving(settings, tmp_path / "log") as server,
        asker(f"http://127.0.0.1:{server.port}", key="cs_a_b") as client,
    ):
        enroll(client, scan)
        decide(client, scan)
        refuse(client, scan)
        look_up(client, scan)
        erase(client)
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


def erase(client):
    assert client.ask("rename_writer", "C-1", "Ada B.").name == "Ada B."
    first = client.ask("references", "C-1")[0].reference_id
    client.ask("erase_reference", "C-1", first)
    client.ask("erase_writer", "C-1")
    with pytest.raises(UnknownWriter):
        client.ask("erase_writer", "C-1")
    assert client.ask("erasures").total == 2


# Answers that the client names otherwise than the document does.
NAMES = {"Enrollment": "Enrolled"}
# Fields that a server gives with what it records and decides by, and others do not.
LATER = {"writer_id", "disposition", "etag"}


def described():
    """Each kind of answer that the document draws, with its name there."""
    kinds = {
        name: kind
        for name, kind in vars(answers).items()
        if isinstance(kind, type) and issubclass(kind, Answer) and kind is not Answer
    }
    return [(NAMES.get(name, name), kind) for name, kind in kinds.items()]


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
    assert {"Verification", "Identification", "CreatedWriter", "ShownWriter", "About"} <= read
