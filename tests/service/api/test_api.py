"""The API as the contract has it: its addresses, statuses and names."""

import base64
import tempfile
import uuid
from io import BytesIO

import pytest
from prometheus_client.parser import text_string_to_metric_families

from index.registry.references import NewReference


@pytest.fixture
def ada(client, files):
    """A writer with three references."""
    data = {"writer_id": "C-1001", "name": "Ada", "images": files(1, 0, 1, 2)}
    return client.post("/v1/writers", data=data).get_json()


def test_a_writer_is_created_from_json(client):
    answer = client.post("/v1/writers", json={"writer_id": "C-1", "name": "Ada"})
    assert answer.status_code == 201
    body = answer.get_json()
    assert body.pop("created_at")
    assert body == {
        "writer_id": "C-1",
        "name": "Ada",
        "reference_count": 0,
        "references": [],
        "refused": [],
        "warnings": [],
    }


def test_a_writer_is_created_from_a_form_with_images(ada):
    assert ada["reference_count"] == 3
    assert [type(one["reference_id"]) for one in ada["references"]] == [int] * 3
    assert ada["references"][0]["quality"]["ink_width_px"] > 0
    assert ada["refused"] == []


def test_a_writer_exists_once(client, ada):
    answer = client.post("/v1/writers", json={"writer_id": "C-1001", "name": "Bob"})
    assert answer.status_code == 409
    assert answer.get_json()["code"] == "writer-exists"
    assert client.get("/v1/writers/C-1001").get_json()["name"] == "Ada"


def test_writers_are_listed_by_the_page(client):
    for number in range(5):
        client.post("/v1/writers", json={"writer_id": f"C-{number}", "name": f"Name {number}"})
    first = client.get("/v1/writers?limit=3").get_json()
    assert [one["writer_id"] for one in first["writers"]] == ["C-0", "C-1", "C-2"]
    rest = client.get("/v1/writers", query_string={"cursor": first["next_cursor"]}).get_json()
    assert [one["writer_id"] for one in rest["writers"]] == ["C-3", "C-4"]
    assert rest["next_cursor"] is None
    found = client.get("/v1/writers?q=name 4").get_json()
    assert [one["writer_id"] for one in found["writers"]] == ["C-4"]


def test_a_writer_is_looked_up_renamed_and_erased(client, ada):
    assert client.get("/v1/writers/C-1001").get_json()["reference_count"] == 3
    renamed = client.patch("/v1/writers/C-1001", json={"name": "Ada K."})
    assert renamed.status_code == 200
    assert renamed.get_json()["name"] == "Ada K."
    erased = client.delete("/v1/writers/C-1001")
    assert (erased.status_code, erased.data) == (204, b"")
    assert client.get("/v1/writers/C-1001").status_code == 404
    assert client.delete("/v1/writers/C-1001").status_code == 404


def test_names_in_any_script_are_kept(client):
    for number, name in enumerate(["Zoë Ångström", "李 小龙", "क्\u200dष", "😀"]):
        client.post("/v1/writers", json={"writer_id": f"C-{number}", "name": name})
        assert client.get(f"/v1/writers/C-{number}").get_json()["name"] == name


def test_references_are_enrolled_and_listed(client, ada, files):
    data = {"images": files(1, 3, 0), "include": "cleaned"}
    answer = client.post("/v1/writers/C-1001/references", data=data)
    assert answer.status_code == 201
    [new] = answer.get_json()["references"]
    [refused] = answer.get_json()["refused"]
    assert refused["filename"] == "1-0.png"
    assert str(ada["references"][0]["reference_id"]) in refused["reason"]
    assert png_of(new["cleaned"])
    listed = client.get("/v1/writers/C-1001/references").get_json()["references"]
    assert [one["reference_id"] for one in listed] == [
        *(one["reference_id"] for one in ada["references"]),
        new["reference_id"],
    ]


def png_of(data_url: str) -> bytes:
    head, _, encoded = data_url.partition(",")
    assert head == "data:image/png;base64"
    png = base64.b64decode(encoded, validate=True)
    assert png.startswith(b"\x89PNG")
    return png


def test_a_large_upload_stays_in_memory(client, ada, monkeypatch, scan):
    def fail(*_args, **_options):
        raise AssertionError("a temporary file was made")

    monkeypatch.setattr(tempfile, "SpooledTemporaryFile", fail)
    monkeypatch.setattr(tempfile, "TemporaryFile", fail)
    monkeypatch.setattr("werkzeug.formparser.SpooledTemporaryFile", fail)
    padded = scan(1, 3) + bytes(2**20)
    answer = client.post(
        "/v1/writers/C-1001/references", data={"images": (BytesIO(padded), "large.png")}
    )
    assert answer.status_code == 201


def test_a_reference_shows_its_image(client, ada, scan):
    address = f"/v1/writers/C-1001/references/{ada['references'][0]['reference_id']}/image"
    upload = client.get(address)
    assert upload.mimetype == "image/png"
    assert upload.data == scan(1, 0)
    cleaned = client.get(address, query_string={"cleaned": "true"})
    assert cleaned.mimetype == "image/png"
    assert cleaned.data != upload.data
    assert cleaned.data.startswith(b"\x89PNG")


def test_a_reference_is_erased(client, ada):
    address = f"/v1/writers/C-1001/references/{ada['references'][0]['reference_id']}"
    assert client.delete(address).status_code == 204
    assert client.delete(address).status_code == 404
    assert client.get(f"{address}/image").status_code == 404
    assert client.get("/v1/writers/C-1001").get_json()["reference_count"] == 2


def test_verify_answers_as_agreed(client, services, ada, files):
    data = {"image": files(1, 9)[0], "include": "cleaned"}
    answer = client.post("/v1/writers/C-1001/verify", data=data)
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["verdict"] in {"match", "inconclusive", "non_match"}
    assert isinstance(body["score"], float)
    assert isinstance(body["log_lr"], float)
    assert body["log_lr_random"] >= body["log_lr"]
    assert body["log_lr"] <= body["log_lr_bound"]
    assert body["log_lr_random"] <= body["log_lr_random_bound"]
    assert isinstance(body["threshold"], float)
    assert body["operating_point"] == services.encoder.rule.default_operating_point
    assert body["model"] == {
        "name": services.encoder.name,
        "id": services.encoder.model_id,
        "rule": services.encoder.rule.rule_id,
    }
    assert [one["reference_id"] for one in body["references"]] == [
        one["reference_id"] for one in ada["references"]
    ]
    assert all(-1 <= one["similarity"] <= 1 for one in body["references"])
    assert all(0 < one["local_similarity"] <= 1 for one in body["references"])
    assert body["quality"]["warnings"] == []
    assert uuid.UUID(body["decision_id"])
    assert png_of(body["cleaned"])
    without = client.post("/v1/writers/C-1001/verify", data={"image": files(1, 9)[0]})
    assert "cleaned" not in without.get_json()


def test_a_writer_without_references_cannot_be_verified(client, files):
    client.post("/v1/writers", json={"writer_id": "C-1"})
    answer = client.post("/v1/writers/C-1/verify", data={"image": files(1, 9)[0]})
    assert answer.status_code == 409
    assert answer.get_json()["code"] == "no-references"


def test_an_unknown_operating_point_is_answered_with_the_known_ones(client, services, ada, files):
    data = {"image": files(1, 9)[0], "operating_point": "fmr=0"}
    answer = client.post("/v1/writers/C-1001/verify", data=data)
    assert answer.status_code == 422
    assert answer.get_json()["available"] == list(services.encoder.rule.operating_points)


def test_identify_answers_as_agreed(client, ada, files):
    client.post("/v1/writers", data={"writer_id": "C-2", "images": files(2, 0, 1)})
    answer = client.post("/v1/identify", data={"image": files(1, 0)[0], "top": "1"})
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["verdict"] in {"identified", "not_enrolled"}
    assert body["gallery_size"] == 2
    [candidate] = body["candidates"]
    assert candidate.keys() == {
        "writer_id",
        "name",
        "score",
        "likeness",
        "reference_id",
        "shares_with",
    }
    assert (candidate["writer_id"], candidate["name"]) == ("C-1001", "Ada")
    assert candidate["reference_id"] == ada["references"][0]["reference_id"]
    assert uuid.UUID(body["decision_id"])
    assert body["model"]["id"]


def test_nobody_is_identified_in_an_empty_gallery(client, files):
    body = client.post("/v1/identify", data={"image": files(1, 0)[0]}).get_json()
    assert body["verdict"] == "not_enrolled"
    assert body["candidates"] == []
    assert body["gallery_size"] == 0


def test_compare_stores_nothing(client, files):
    data = {"reference": files(1, 0, 1, 2), "probe": files(1, 9)[0], "include": "cleaned"}
    answer = client.post("/v1/compare", data=data)
    assert answer.status_code == 200
    body = answer.get_json()
    assert body["decision_id"] is None
    assert [one["filename"] for one in body["references"]] == ["1-0.png", "1-1.png", "1-2.png"]
    assert png_of(body["cleaned"])
    assert client.get("/v1/writers").get_json()["writers"] == []


def test_the_server_says_what_it_is(client, services, ada):
    about = client.get("/v1/about").get_json()
    assert about["version"]
    assert about["model"] == {
        "name": services.encoder.name,
        "id": services.encoder.model_id,
        "rule": services.encoder.rule.rule_id,
    }
    assert about["operating_points"] == list(services.encoder.rule.operating_points)
    assert about["default_operating_point"] in about["operating_points"]
    assert about["gallery"] == {"writers": 1, "references": 3}


def test_the_server_is_alive_and_ready(client, ada):
    assert client.get("/healthz").get_json() == {"status": "ok"}
    ready = client.get("/readyz")
    assert ready.status_code == 200
    assert ready.get_json()["index"]["size"] == 3


def test_metrics_say_what_the_index_is_like(client, ada):
    index = client.get("/readyz").get_json()["index"]
    answer = client.get("/metrics")
    assert answer.status_code == 200
    assert answer.mimetype == "text/plain"
    families = text_string_to_metric_families(answer.get_data(as_text=True))
    samples = {one.name: one for family in families for one in family.samples}
    told = {name: value for name, value in index.items() if isinstance(value, int | float)}
    assert told.keys() >= {"size", "recall", "revision", "memory_bytes"}
    for name, value in told.items():
        assert samples[f"countersign_index_{name}"].value == value
    assert samples["countersign_index_info"].labels == {"kind": "flat"}


def test_the_page_is_served(client):
    page = client.get("/")
    assert page.status_code == 200
    assert page.mimetype == "text/html"


def test_an_image_that_was_never_here_is_said_to_be_missing(client, services, known):
    known(1, count=1)
    reference = services.registry.references.of_writer("W-1")[0]
    claim = services.registry.embeddings.claim("W-1", services.encoder.model_id)
    bare = NewReference(
        image=b"",
        media_type="image/png",
        cleaned_png=b"",
        sha256="0" * 64,
        quality=reference.quality,
        vector=claim.vectors[0],
        pieces=claim.pieces[0],
    )
    services.registry.references.add("W-1", services.encoder.model_id, [bare])
    reference_id = services.registry.references.of_writer("W-1")[1].reference_id
    for query in ("", "?cleaned=true"):
        answer = client.get(f"/v1/writers/W-1/references/{reference_id}/image{query}")
        assert answer.status_code == 404
        assert answer.json["code"] == "image-not-held"
