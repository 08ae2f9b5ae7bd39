"""/openapi.json says what the API answers, and /docs draws it without a network."""

import re
from dataclasses import replace

import pytest
from flask import Flask

from service.api.description.operations import describe_operations
from service.app import create_app
from service.problems import kinds

# What only some answers have.
OPTIONAL = {"available", "cleaned", "filename", "refused", "fields", "boxes", "region", "left_out"}
PYTHON_TYPES = {
    "string": str,
    "integer": int,
    "number": (int, float),
    "boolean": bool,
    "array": list,
    "object": dict,
    "null": type(None),
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
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    assert any(isinstance(value, PYTHON_TYPES[one]) for one in types), where
    assert value in schema.get("enum", [value]), where
    if isinstance(value, list):
        for item in value:
            assert_conforms(item, schema["items"], spec, f"{where}[]")
    drawn = schema.get("properties", {})
    if drawn:
        assert value.keys() <= drawn.keys(), where
        assert set(schema["required"]) <= value.keys(), where
    any_name = schema.get("additionalProperties")
    if isinstance(value, dict) and (drawn or any_name):  # {} draws anything.
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
        *decision_cases(client),
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


def decision_cases(client):
    """What was decided before, read back and decided anew."""
    d, one = "/v1/decisions", "/v1/decisions/{decision_id}"
    listed = client.get(f"{d}?limit=1")
    (head,) = listed.get_json()["decisions"]
    (verified,) = client.get(f"{d}?kind=verify").get_json()["decisions"]
    mine = f"{d}/{head['decision_id']}"
    hold = {"reason": "12 O 34/26", "until": "2099-05-04T00:00:00Z"}
    return [
        ("get", d, listed),
        ("get", one, client.get(mine)),
        ("get", one, client.get(f"{d}/{verified['decision_id']}")),
        ("get", one, client.get(f"{d}/nothing")),
        ("put", f"{one}/hold", client.put(f"{mine}/hold", json=hold)),
        ("post", f"{one}/replay", client.post(f"{mine}/replay")),
        ("post", f"{one}/reviews", client.post(f"{mine}/reviews", json={"outcome": "accept"})),
        ("get", "/v1/reviews/queue", client.get("/v1/reviews/queue?limit=50")),
    ]


def test_every_address_of_the_contract_is_drawn(spec):
    drawn = {(method, path) for path, operations in spec["paths"].items() for method in operations}
    one, decision = "/v1/writers/{writer_id}", "/v1/decisions/{decision_id}"
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
        ("get", "/v1/decisions"),
        ("get", decision),
        ("get", f"{decision}/image"),
        ("post", f"{decision}/replay"),
        ("get", f"{decision}/evidence"),
        ("put", f"{decision}/hold"),
        ("post", f"{decision}/reviews"),
        ("get", "/v1/reviews/queue"),
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


def operations(spec):
    """Each operation with its path and method."""
    return [
        (path, method, operation)
        for path, drawn in spec["paths"].items()
        for method, operation in drawn.items()
    ]


def test_every_operation_has_a_name_that_stays(spec):
    names = [operation["operationId"] for _, _, operation in operations(spec)]
    assert len(names) == len(set(names))
    assert all(re.fullmatch(r"[a-z]+(_[a-z]+)+", name) for name in names)
    assert set(names) >= {
        *("create_writer", "list_writers", "get_writer", "rename_writer", "erase_writer"),
        *("enroll_references", "list_references", "get_reference_image", "erase_reference"),
        *("verify_signature", "identify_signature", "compare_signatures"),
        *("get_about", "get_model", "approve_calibration", "list_erasures"),
        *("check_liveness", "check_readiness", "get_metrics"),
    }


# What everybody may ask, and what only somebody on the page may.
OPEN = {
    ("/healthz", "get"),
    ("/readyz", "get"),
    ("/v1/session", "get"),
    ("/v1/session", "post"),
    ("/v1/password", "post"),
}
ON_THE_PAGE = ("/v1/session", "/v1/sessions", "/v1/password", "/v1/second-factor")


def test_every_operation_says_by_what_its_caller_is_known(spec):
    assert spec["servers"] == [{"url": "/", "description": "This server."}]
    assert spec["components"]["securitySchemes"]["key"]["scheme"] == "bearer"
    assert spec["components"]["securitySchemes"]["session"]["in"] == "cookie"
    for path, method, operation in operations(spec):
        taken = [name for one in operation["security"] for name in one]
        if (path, method) in OPEN:
            assert taken == [], path
        elif path.startswith(ON_THE_PAGE):
            assert taken == ["session"], path
        else:
            assert taken == ["key", "session"], path
            # With AUTH=off, who brings neither is answered as well.
            assert {} in operation["security"]
            assert f"`{operation['x-required-scope']}`" in operation["description"]


def test_headers_are_drawn_where_they_are_read(spec):
    """Every POST of a program can be sent again; a writer changes or goes as they were seen."""
    for path, method, operation in operations(spec):
        headers = [one["name"] for one in operation.get("parameters", []) if one["in"] == "header"]
        if method == "post" and not path.startswith(ON_THE_PAGE):
            wanted = ["Idempotency-Key"]
        elif path == "/v1/writers/{writer_id}" and method != "get":
            wanted = ["If-Match"]
        else:
            wanted = []
        assert headers == wanted, (path, method)


def scoped():
    """An application with a route that states its scope, and a document to complete."""
    app = Flask("scoped")

    def verify_it(writer_id: str) -> str:
        return writer_id

    verify_it.required_scope = "verify"
    app.add_url_rule("/v1/<writer_id>/<int:number>", view_func=verify_it, methods=["POST"])
    operation = {"description": "Asks.", "responses": {}}
    spec = {"paths": {"/v1/{writer_id}/{number}": {"post": operation}}, "components": {}}
    return app, spec, operation


@pytest.mark.parametrize("keyless", [True, False])
def test_a_scope_that_a_route_states_is_said(keyless):
    app, spec, operation = scoped()
    describe_operations(app, spec, keyless=keyless)
    assert operation["operationId"] == "verify_it"
    assert operation["x-required-scope"] == "verify"
    assert operation["description"] == "Asks.\n\nNeeds the scope `verify`."
    wanted = [{"key": ["verify"]}, {"session": ["verify"]}]
    assert operation["security"] == ([*wanted, {}] if keyless else wanted)
    assert spec["security"] == [{"key": []}, {"session": []}, *([{}] if keyless else [])]


def test_examples_are_whole_and_as_drawn(spec):
    count = 0
    for path, method, operation in operations(spec):
        for response in operation["responses"].values():
            for content in response.get("content", {}).values():
                if "example" in content:
                    whole = drawn_as({}, content["schema"], spec)
                    assert content["example"].keys() == whole["properties"].keys(), path
                    assert_conforms(content["example"], whole, spec, f"{method} {path}")
                    count += 1
    assert count > 12


def test_every_problem_has_an_example_where_it_is_named(spec):
    shown = spec["components"]["examples"]
    assert shown.keys() == {kind.code for kind in kinds()}
    for path, _, operation in operations(spec):
        for status, response in operation["responses"].items():
            if status >= "400":
                named = re.findall(r"problem:([a-z-]+)`", response["description"])
                examples = response["content"]["application/problem+json"]["examples"]
                assert examples.keys() == set(named), path
                for code in named:
                    value = shown[code]["value"]
                    assert (value["code"], str(value["status"])) == (code, status)
                    assert_conforms(value, {"$ref": "#/components/schemas/Problem"}, spec)


def test_what_some_answers_lack_is_not_required(spec):
    schemas = spec["components"]["schemas"]
    assert "x-sometimes" not in str(spec)
    assert set(schemas["Problem"]["required"]) == {
        *("type", "title", "status", "detail", "instance", "code")
    }
    assert {"cleaned", "left_out"}.isdisjoint(schemas["Verification"]["required"])
    assert {"verdict", "score", "decision_id"} <= set(schemas["Verification"]["required"])
    assert schemas["VerifyForm"]["required"] == ["image"]


def test_every_reference_within_the_document_leads_somewhere(client, spec):
    text = client.get("/openapi.json").get_data(as_text=True)
    for name in re.findall(r'"#/components/(\w+/[^"]+)"', text):
        kind, one = name.split("/")
        assert one in spec["components"][kind]


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
    assert len(addresses) >= 7
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
    assert paths["/v1/identify"]["post"]["security"] == [
        {"key": ["identify"]},
        {"session": ["identify"]},
    ]
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
