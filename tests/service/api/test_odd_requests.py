"""What nothing reads is refused, and what is no file or no text is told so."""

from io import BytesIO

import pytest

from service.api.errors import MEDIA_TYPE

BOUNDARY = "frontier"


def refused(answer, status=422):
    assert answer.status_code == status, answer.get_data(as_text=True)
    assert answer.mimetype == MEDIA_TYPE
    return answer.get_json()


@pytest.fixture(autouse=True)
def enrolled(client, files):
    data = {"writer_id": "C-1", "images": files(1, 0, 1)}
    assert client.post("/v1/writers", data=data).status_code == 201


def form(*parts):
    """A multipart body of parts, each its headers and its content."""
    body = b"".join(
        f"--{BOUNDARY}\r\n{headers}\r\n\r\n".encode() + content + b"\r\n"
        for headers, content in parts
    )
    return {
        "data": body + f"--{BOUNDARY}--\r\n".encode(),
        "content_type": f"multipart/form-data; boundary={BOUNDARY}",
    }


def disposition(name, more=""):
    return f'Content-Disposition: form-data; name="{name}"{more}'


FORMS = (
    ("/v1/writers/C-1/references", "images"),
    ("/v1/writers/C-1/verify", "image"),
    ("/v1/identify", "image"),
    ("/v1/compare", "probe"),
    ("/v1/compare", "reference"),
)


@pytest.mark.parametrize(
    ("method", "address"),
    [
        ("POST", "/v1/writers"),
        ("POST", "/v1/writers/C-1/references"),
        ("POST", "/v1/writers/C-1/verify"),
        ("POST", "/v1/identify"),
        ("POST", "/v1/compare"),
        ("PATCH", "/v1/writers/C-1"),
        ("DELETE", "/v1/writers/C-1"),
        ("DELETE", "/v1/writers/C-1/references/1"),
        ("GET", "/v1/writers/C-1"),
        ("GET", "/v1/writers/C-1/references"),
        ("GET", "/v1/about"),
    ],
)
@pytest.mark.parametrize("option", ["operating_point=fmr_skilled=1%25", "top=3", "x", "image="])
def test_an_option_in_the_query_string_is_refused(client, method, address, option):
    problem = refused(client.open(f"{address}?{option}", method=method))
    assert option.split("=")[0] in problem["fields"]
    assert client.get("/v1/writers/C-1").get_json()["reference_count"] == 2


def test_a_stricter_operating_point_is_never_dropped(client, files):
    address = "/v1/writers/C-1/verify"
    dropped = client.post(
        f"{address}?operating_point=fmr_skilled=1%25", data={"image": files(1, 9)}
    )
    assert "in the body" in refused(dropped)["detail"]
    said = {"image": files(1, 9)[0], "operating_point": "fmr_skilled=1%"}
    assert client.post(address, data=said).get_json()["operating_point"] == "fmr_skilled=1%"


@pytest.mark.parametrize("query", ["limit=1&limit=2", "q=a&q=b", "nothing=1"])
def test_an_option_comes_once(client, query):
    refused(client.get(f"/v1/writers?{query}"))
    assert client.get("/v1/writers?limit=1").status_code == 200


@pytest.mark.parametrize(("address", "field"), FORMS)
@pytest.mark.parametrize("text", [b"", b"signature.png", b"\x00"])
def test_text_where_a_file_is_wanted_is_told(client, address, field, text):
    problem = refused(client.post(address, **form((disposition(field), text))))
    assert "expected a file; text came" in problem["fields"][field][0]


def test_text_for_the_images_of_a_new_writer_creates_none(client):
    parts = ((disposition("writer_id"), b"C-2"), (disposition("images"), b""))
    problem = refused(client.post("/v1/writers", **form(*parts)))
    assert "expected a file; text came" in problem["fields"]["images"][0]
    assert client.get("/v1/writers/C-2").status_code == 404


@pytest.mark.parametrize("field", ["operating_point", "include"])
def test_a_file_where_text_is_wanted_is_told(client, files, field):
    data = {"image": files(1, 9)[0], field: (BytesIO(b"cleaned"), "x.txt")}
    problem = refused(client.post("/v1/writers/C-1/verify", data=data))
    assert problem["fields"][field] == ["expected text; a file came."]


@pytest.mark.parametrize(("address", "field"), FORMS)
def test_a_form_without_a_chosen_file_is_told(client, address, field):
    """Browsers send an empty part with an empty name where no file was chosen."""
    headers = f"{disposition(field, '; filename=' + chr(34) * 2)}\r\nContent-Type: image/png"
    problem = refused(client.post(address, **form((headers, b""))))
    assert "Choose a file" in problem["fields"][field][0]


def test_an_image_without_a_file_name_is_read(client, scan):
    headers = f"{disposition('image')}\r\nContent-Type: image/png"
    answer = client.post("/v1/writers/C-1/verify", **form((headers, scan(1, 9))))
    assert answer.status_code == 200


def test_bytes_without_a_file_name_are_not_called_damaged(client, scan):
    answer = client.post("/v1/writers/C-1/verify", **form((disposition("image"), scan(1, 9))))
    problem = refused(answer)
    assert "without a file name" in problem["fields"]["image"][0]
    assert "damaged" not in problem["detail"]


def test_a_large_text_is_not_called_many_images(client):
    answer = client.post("/v1/identify", **form((disposition("image"), b"a" * 300_000)))
    problem = refused(answer, 413)
    assert problem["code"] == "text-too-large"
    assert "'image'" in problem["detail"]
    assert "20" not in problem["detail"]


@pytest.mark.parametrize("field", ["operating_point", "include"])
def test_a_text_field_comes_once(client, files, field):
    value = "cleaned" if field == "include" else "fmr_skilled=5%"
    data = {"image": files(1, 9)[0], field: [value, value]}
    problem = refused(client.post("/v1/writers/C-1/verify", data=data))
    assert "2 times" in problem["fields"][field][0]


@pytest.mark.parametrize(
    "body",
    [
        b'{"writer_id": "C-2", "writer_id": "C-3"}',
        b'{"writer_id": null}',
        b'{"writer_id": ["C-2"]}',
        b'{"writer_id": {"id": "C-2"}}',
        b'{"writer_id": true}',
        b'{"writer_id": "C-2\\u0000"}',
        b'{"writer_id": "C-2", "images": ""}',
        b'"C-2"',
        b"null",
    ],
)
def test_json_of_another_form_creates_nobody(client, body):
    refused(client.post("/v1/writers", data=body, content_type="application/json"))
    listed = client.get("/v1/writers").get_json()["writers"]
    assert [one["writer_id"] for one in listed] == ["C-1"]


def test_an_empty_file_is_told_so(client):
    headers = f"{disposition('image', '; filename=scan.png')}\r\nContent-Type: image/png"
    problem = refused(client.post("/v1/identify", **form((headers, b""))))
    assert "empty" in problem["detail"].lower()
