"""/openapi.json says what the API answers, and /docs draws it without a network."""

import re
from dataclasses import replace

import pytest

from service.app import create_app

# What only some answers have.
OPTIONAL = {"available", "cleaned", "filename", "refused", "fields", "boxes", "region", "left_out"}
PYTHON_TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
}


@pytest.fixture
def spec(client):
    answer = client.get("/openapi.json")
    assert answer.status_code == 200
    return answer.get_json()


def drawn_as(value, schema, spec):
    """The drawing of a value itself, whatever it is nested in."""
    if "$ref" in schema:
        return drawn_as(
            value, spec["components"]["schemas"][schema["$ref"].rsplit("/", 1)[1]], spec
        )
    if "allOf" in schema:
        return drawn_as(value, *schema["allOf"], spec)
    if "anyOf" in schema:  # A nested answer, or nothing.
        nested, nothing = schema["anyOf"]
        return drawn_as(value, nothing if value is None else nested, spec)
    return schema


def assert_conforms(value, schema, spec, where="answer"):
    """Check types, and that names are exactly those drawn; the drawing is what callers read."""
    schema = drawn_as(value, schema, spec)
    if value is None:
        assert schema.get("nullable"), where
        return
    assert isinstance(value, PYTHON_TYPES[schema["type"]]), where
    assert value in schema.get("enum", [value]), where
    if schema["type"] == "array":
        for item in value:
            assert_conforms(item, schema["items"], spec, f"{where}[]")
    drawn = schema.get("properties", {})
    if drawn:
        assert value.keys() <= drawn.keys(), where
        assert drawn.keys() - value.keys() <= OPTIONAL, where
    any_name = schema.get("additionalProperties")
    if drawn or any_name:  # {} draws anything.
        for name, item in value.items():
            assert_conforms(item, drawn.get(name) or any_name, spec, f"{where}.{name}")


def answer_schema(spec, method, path, answer):
    response = spec["paths"][path][method]["responses"][str(answer.status_code)]
    return response["content"][answer.mimetype]["schema"]


def test_answers_are_as_drawn(client, spec, files):
    new_key = {"name": "teller", "scopes": ["verify"], "expires_in": "90d"}
    w, r = "/v1/writers", "/v1/writers/{writer_id}/references"
    bad = (files(1, 0)[0][0].__class__(b"x"), "bad.png")
    form = {
        "writer_id": "C-1",
        "name": "Ada",
        "images": files(1, 0, 1),
        "include": "cleaned,left-out",
    }
    signature = {"image": files(1, 9)[0], "include": "cleaned,left-out"}
    cases = [
        ("post", w, client.post(w, data=form)),
        ("post", w, client.post(w, json={"writer_id": "C-2"})),
        ("post", w, client.post(w, json={"writer_id": "C-2"})),
        ("post", w, client.post(w, json={"writer_id": "?"})),
        ("get", w, client.get(f"{w}?limit=1")),
        ("get", f"{w}/{{writer_id}}", client.get(f"{w}/C-1")),
        ("get", f"{w}/{{writer_id}}", client.get(f"{w}/C-9")),
        ("patch", f"{w}/{{writer_id}}", client.patch(f"{w}/C-1", json={"name": "B"})),
        ("post", r, client.post(f"{w}/C-1/references", data={"images": [*files(1, 2), bad]})),
        ("get", r, client.get(f"{w}/C-1/references")),
        ("post", f"{w}/{{writer_id}}/verify", client.post(f"{w}/C-1/verify", data=signature)),
        (
            "post",
            f"{w}/{{writer_id}}/verify",
            client.post(f"{w}/C-2/verify", data={"image": files(1, 9)[0]}),
        ),
        ("post", "/v1/identify", client.post("/v1/identify", data={"image": files(1, 8)[0]})),
        (
            "post",
            "/v1/compare",
            client.post("/v1/compare", data={"reference": files(1, 0), "probe": files(1, 7)[0]}),
        ),
        ("get", "/v1/about", client.get("/v1/about")),
        ("get", "/v1/model", client.get("/v1/model")),
        ("post", "/v1/keys", client.post("/v1/keys", json=new_key)),
        ("get", "/v1/keys", client.get("/v1/keys")),
        ("get", "/v1/session", client.get("/v1/session")),
        ("get", "/healthz", client.get("/healthz")),
        ("get", "/readyz", client.get("/readyz")),
    ]
    statuses = set()
    for method, path, answer in cases:
        schema = answer_schema(spec, method, path, answer)
        assert_conforms(answer.get_json(), schema, spec, f"{method} {path}")
        statuses.add(answer.status_code)
    assert statuses == {200, 201, 404, 409, 422}


def test_every_address_of_the_contract_is_drawn(spec):
    drawn = {(method, path) for path, operations in spec["paths"].items() for method in operations}
    one = "/v1/writers/{writer_id}"
    assert drawn == {
        ("post", "/v1/writers"),
        ("get", "/v1/writers"),
        ("get", one),
        ("patch", one),
        ("delete", one),
        ("post", f"{one}/references"),
        ("get", f"{one}/references"),
        ("delete", f"{one}/references/{{reference_id}}"),
        ("get", f"{one}/references/{{reference_id}}/image"),
        ("post", f"{one}/verify"),
        ("post", "/v1/identify"),
        ("post", "/v1/compare"),
        ("get", "/v1/about"),
        ("get", "/v1/model"),
        ("post", "/v1/model/calibration"),
        ("get", "/v1/erasures"),
        ("get", "/v1/session"),
        ("post", "/v1/session"),
        ("delete", "/v1/session"),
        ("get", "/v1/sessions"),
        ("delete", "/v1/sessions/{session_id}"),
        ("post", "/v1/password"),
        ("put", "/v1/password"),
        ("post", "/v1/second-factor"),
        ("put", "/v1/second-factor"),
        ("post", "/v1/second-factor/removal"),
        ("get", "/v1/keys"),
        ("post", "/v1/keys"),
        ("delete", "/v1/keys/{prefix}"),
        ("post", "/v1/keys/{prefix}/rotate"),
        ("get", "/healthz"),
        ("get", "/readyz"),
        ("get", "/metrics"),
    }


def test_every_reference_within_the_document_leads_somewhere(client, spec):
    text = client.get("/openapi.json").get_data(as_text=True)
    for name in re.findall(r'"#/components/schemas/([^"]+)"', text):
        assert name in spec["components"]["schemas"]


def test_a_writer_is_drawn_as_json_and_as_a_form(spec):
    content = spec["paths"]["/v1/writers"]["post"]["requestBody"]["content"]
    assert content.keys() == {"application/json", "multipart/form-data"}


def test_identification_says_what_it_does_not_say(spec):
    operation = spec["paths"]["/v1/identify"]["post"]
    assert "not that it is authentic" in operation["description"]
    assert "not that it is authentic" in spec["info"]["description"]


def test_every_field_is_described(spec):
    bare = [
        f"{name}.{field}"
        for name, schema in spec["components"]["schemas"].items()
        for field, drawn in schema["properties"].items()
        if not ({"description", "$ref", "allOf"} & drawn.keys() or "$ref" in str(drawn))
    ]
    assert bare == []


def test_docs_load_nothing_from_elsewhere(client):
    page = client.get("/docs").get_data(as_text=True)
    addresses = re.findall(r'(?:src|href)="([^"]+)"', page)
    assert len(addresses) >= 5
    for address in addresses:
        assert address.startswith("/"), address
        assert not address.startswith("//"), address
        with client.get(address) as answer:
            assert answer.status_code == 200, address
    script = client.get("/docs/start.js").get_data(as_text=True)
    assert '"/openapi.json"' in script
    assert "http" not in script


def test_docs_serve_swagger_uis_files_alone(client):
    for name in ("..%2f__init__.py", "nothing.js", "../../flask_swagger_ui.py"):
        assert client.get(f"/docs/assets/{name}").status_code == 404


def test_every_operation_names_the_problems_it_can_answer_with(spec):
    problem = {"$ref": "#/components/schemas/Problem"}
    common = {"400", "401", "403", "421", "429", "500", "503", "507"}
    form = common | {"408", "411", "413", "415", "422"}
    expected = {
        ("/v1/writers", "post"): form | {"409"},
        ("/v1/writers/{writer_id}/references", "post"): form | {"404", "409"},
        ("/v1/writers/{writer_id}/verify", "post"): form | {"404", "409"},
        ("/v1/identify", "post"): form | {"409"},
        ("/v1/compare", "post"): form | {"409"},
        ("/v1/writers/{writer_id}", "delete"): common | {"404", "412", "422"},
        ("/healthz", "get"): {"400", "421", "500"},
        ("/readyz", "get"): {"400", "421", "500", "503", "507"},
    }
    for (path, method), statuses in expected.items():
        responses = spec["paths"][path][method]["responses"]
        assert {one for one in responses if one >= "400"} == statuses, path
    assert spec["paths"]["/healthz"]["get"]["security"] == []
    assert spec["paths"]["/v1/identify"]["post"]["security"] == []  # With AUTH=off.
    assert "scope `identify`" in spec["paths"]["/v1/identify"]["post"]["description"]
    for path, operations in spec["paths"].items():
        for method, operation in operations.items():
            for status, response in operation["responses"].items():
                if status >= "400":
                    assert "`urn:countersign:problem:" in response["description"], (path, method)
                    assert response["content"]["application/problem+json"]["schema"] == problem


def test_who_must_show_what_is_drawn_where_callers_are_known(services):
    guarded = replace(services, settings=replace(services.settings, auth="on"))
    paths = create_app(guarded).test_client().get("/openapi.json").get_json()["paths"]
    assert paths["/v1/identify"]["post"]["security"] == [{"key": []}, {"session": []}]
    assert paths["/v1/sessions"]["get"]["security"] == [{"session": []}]
    assert paths["/healthz"]["get"]["security"] == []


def test_problems_are_named_where_they_can_occur(spec):
    def named(path, method, status):
        return spec["paths"][path][method]["responses"][status]["description"]

    assert "cross-site" not in named("/v1/writers", "get", "403")
    assert "cross-site" in named("/v1/writers", "post", "403")
    assert "missing-scope" in named("/v1/writers", "get", "403")
    assert "disk-full" in named("/v1/writers", "post", "507")
    assert "too-many-requests" in named("/v1/writers", "get", "429")
    assert "body-too-slow" in named("/v1/identify", "post", "408")
    assert "no-references" in named("/v1/writers/{writer_id}/verify", "post", "409")
    assert "duplicate" not in named("/v1/writers/{writer_id}/verify", "post", "409")
    assert "image-not-held" not in named("/v1/writers/{writer_id}", "get", "404")
