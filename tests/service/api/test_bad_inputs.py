"""Bad inputs get a 4xx problem that helps, the server goes on, and nothing is stored."""

import struct
import zlib
from io import BytesIO

import numpy as np
import pytest
from PIL import Image
from sqlalchemy import create_engine, func, inspect, select, table, text

from encoder.synthesis import encode_png, synthetic_writer
from service.api.errors import MEDIA_TYPE


def saved(image: Image.Image, kind: str, **options) -> bytes:
    stream = BytesIO()
    image.save(stream, kind, **options)
    return stream.getvalue()


def chunk(kind: bytes, data: bytes) -> bytes:
    checked = kind + data
    return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))


def declared_png(width: int, height: int, pixels: bytes) -> bytes:
    """A PNG that declares a size, whatever its pixels are."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", zlib.compress(pixels, 9))
        + chunk(b"IEND", b"")
    )


def zip_bomb_png() -> bytes:
    """Some hundred kilobytes that inflate to a hundred megabytes, in an image declared small."""
    return declared_png(400, 200, bytes(100 * 2**20))


def blank_gif() -> bytes:
    frames = [Image.new("L", (300, 100), level) for level in (255, 250, 245)]
    return saved(frames[0], "GIF", save_all=True, append_images=frames[1:])


GENUINE = synthetic_writer(1).genuine(0)
WHITE = np.full((200, 500), 255, np.uint8)

BAD_IMAGES = {
    "empty": b"",
    "text": b"Yours sincerely,\nAda Example\n" * 50,
    "truncated.png": encode_png(GENUINE)[:2000],
    "30000x30000.png": declared_png(30000, 30000, bytes(1000)),
    "bomb.png": zip_bomb_png(),
    "blank.png": encode_png(WHITE),
    "black.png": encode_png(np.zeros((200, 500), np.uint8)),
    "1x1.png": encode_png(np.zeros((1, 1), np.uint8)),
    "blank-cmyk.jpg": saved(Image.new("CMYK", (500, 200)), "JPEG"),
    "animated.gif": blank_gif(),
    "vector.svg": b'<svg xmlns="http://www.w3.org/2000/svg"><path d="M0 0L9 9"/></svg>',
    "too-many-bytes.png": encode_png(GENUINE) + bytes(10 * 2**20),
}


@pytest.fixture
def count_rows(settings, client):
    """Count the rows of every table; the client's writer C-1 has two references."""
    engine = create_engine(settings.database_url)

    def count() -> dict[str, int]:
        with engine.connect() as connection:
            return {
                name: connection.scalar(select(func.count()).select_from(table(name)))
                for name in inspect(connection).get_table_names()
            }

    yield count
    engine.dispose()


@pytest.fixture(autouse=True)
def enrolled(client, files):
    data = {"writer_id": "C-1", "name": "Ada", "images": files(1, 0, 1)}
    assert client.post("/v1/writers", data=data).status_code == 201


def assert_problem(answer, *statuses: int) -> dict:
    assert answer.status_code in statuses, answer.get_data(as_text=True)
    assert answer.mimetype == MEDIA_TYPE
    problem = answer.get_json()
    assert problem["status"] == answer.status_code
    assert {"type", "title", "detail", "instance", "code"} <= problem.keys()
    assert len(problem["detail"]) > 20
    assert "Traceback" not in problem["detail"]
    return problem


def requests_with(image: bytes, name: str):
    def file():
        return (BytesIO(image), name)

    def genuine():
        return (BytesIO(encode_png(GENUINE)), "genuine.png")

    return [
        ("/v1/writers", {"writer_id": "C-2", "images": file()}),
        ("/v1/writers/C-1/references", {"images": [file(), file()]}),
        ("/v1/writers/C-1/verify", {"image": file()}),
        ("/v1/identify", {"image": file()}),
        ("/v1/compare", {"reference": file(), "probe": genuine()}),
        ("/v1/compare", {"reference": genuine(), "probe": file()}),
    ]


@pytest.mark.parametrize("name", BAD_IMAGES)
def test_a_bad_image_is_refused_everywhere(client, count_rows, name):
    before = count_rows()
    for address, data in requests_with(BAD_IMAGES[name], name):
        problem = assert_problem(client.post(address, data=data), 413, 422)
        for refused in problem.get("refused", []):
            assert refused["filename"] == name
            assert len(refused["reason"]) > 10
    assert count_rows() == before
    assert client.get("/readyz").status_code == 200


def test_a_cmyk_jpeg_with_a_signature_is_read(client):
    image = saved(Image.fromarray(GENUINE).convert("CMYK"), "JPEG", quality=95)
    answer = client.post("/v1/identify", data={"image": (BytesIO(image), "cmyk.jpg")})
    assert answer.status_code == 200
    assert answer.get_json()["candidates"][0]["writer_id"] == "C-1"


def test_a_wrong_form_field_is_named_with_the_right_one(client, files, count_rows):
    before = count_rows()
    answer = client.post("/v1/writers/C-1/verify", data={"photo": files(1, 0)[0]})
    problem = assert_problem(answer, 422)
    assert "'image'" in problem["detail"]
    assert "photo" in problem["fields"]
    answer = client.post("/v1/writers/C-1/references", data={"image": files(1, 0)[0]})
    assert "'images'" in assert_problem(answer, 422)["detail"]
    answer = client.post("/v1/compare", data={"references": files(1, 0)[0], "probe": "text"})
    problem = assert_problem(answer, 422)
    assert problem["fields"].keys() == {"reference", "references", "probe"}
    assert count_rows() == before


def test_too_many_files_are_refused(client, count_rows):
    before = count_rows()
    many = [(BytesIO(b"x"), f"{n}.png") for n in range(21)]
    assert_problem(client.post("/v1/writers/C-1/references", data={"images": many}), 422)
    two = [(BytesIO(encode_png(GENUINE)), f"{n}.png") for n in range(2)]
    assert_problem(client.post("/v1/writers/C-1/verify", data={"image": two}), 422)
    flood = [(BytesIO(b"x"), f"{n}.png") for n in range(1000)]
    answer = client.post("/v1/writers/C-1/references", data={"images": flood})
    assert_problem(answer, 413)
    assert count_rows() == before


@pytest.mark.parametrize(
    ("body", "media_type", "statuses"),
    [
        (b'{"writer_id": "C-2", "name": "' + b"x" * 2**20 + b'"}', "application/json", {413}),
        (b'{"writer_id": "C-2", "name": "' + b"x" * 201 + b'"}', "application/json", {422}),
        (b'{"writer_id": "C-2", "name": ["' + b"x" * 9 + b'"]}', "application/json", {422}),
        (b'{"writer_id": "C-2", "name": "\\ud800"}', "application/json", {422}),
        (b'{"writer_id": "C-2", "name": "a\\u0000b"}', "application/json", {422}),
        (b'{"writer_id": "C-2", "\\ud800": ""}', "application/json", {422}),
        (b'{"writer_id": ' + b"9" * 5000 + b"}", "application/json", {422}),
        (b'{"writer_id": "C-2\\n", "name": ""}', "application/json", {422}),
        (b'{"writer_id": "../C-2", "name": ""}', "application/json", {422}),
        (b'{"writer_id": "C-2", "nickname": ""}', "application/json", {422}),
        (b'{"writer_id": 7}', "application/json", {422}),
        (b'{"name": "nobody"}', "application/json", {422}),
        (b"[" * 50000, "application/json", {422}),
        (b'{"writer_id": "C-2"', "application/json", {400}),
        (b'{"writer_id": "\xff"}', "application/json", {400}),
        (b"[]", "application/json", {422}),
        (b"", "application/json", {400, 411, 422}),
        (b"writer_id=C-2", "application/x-www-form-urlencoded", {415}),
        (b"<writer/>", "application/xml", {415}),
        (b"", "multipart/form-data", {400, 411, 422}),
        (b"--x\r\n", "multipart/form-data", {415}),
        (b"garbage", "multipart/form-data; boundary=x", {400, 422}),
    ],
)
def test_a_bad_body_creates_no_writer(client, count_rows, body, media_type, statuses):
    before = count_rows()
    assert_problem(client.post("/v1/writers", data=body, content_type=media_type), *statuses)
    assert count_rows() == before


def test_what_is_no_text_is_told_so(client):
    for body, field in (
        ({"writer_id": 7}, "writer_id"),
        ({"writer_id": "C-1", "name": None}, "name"),
    ):
        answer = client.post("/v1/writers", json=body)
        assert_problem(answer, 422)
        assert answer.get_json()["fields"][field][0].startswith("expected text; ")


def test_an_unknown_writer_is_not_found(client, files, count_rows):
    before = count_rows()
    for method, address, data in [
        ("GET", "/v1/writers/C-9", None),
        ("DELETE", "/v1/writers/C-9", None),
        ("GET", "/v1/writers/C-9/references", None),
        ("GET", "/v1/writers/C-9/references/1/image", None),
        ("DELETE", "/v1/writers/C-9/references/1", None),
        ("POST", "/v1/writers/C-9/references", {"images": files(1, 5)}),
        ("POST", "/v1/writers/C-9/verify", {"image": files(1, 5)[0]}),
    ]:
        problem = assert_problem(client.open(address, method=method, data=data), 404)
        assert problem["code"] == "unknown-writer"
        assert "C-9" in problem["detail"]
    assert_problem(client.patch("/v1/writers/C-9", json={"name": "x"}), 404)
    assert count_rows() == before


def test_a_reference_is_not_found_under_another_writer(client, count_rows):
    client.post("/v1/writers", json={"writer_id": "C-2"})
    [first, _] = client.get("/v1/writers/C-1/references").get_json()["references"]
    before = count_rows()
    address = f"/v1/writers/C-2/references/{first['reference_id']}"
    assert_problem(client.get(f"{address}/image"), 404)
    assert_problem(client.delete(address), 404)
    assert count_rows() == before


@pytest.mark.parametrize(
    "address",
    ["/v1/writers/-C", "/v1/writers/" + "x" * 65, "/v1/writers/a%00b", "/v1/writers/%F0%9F%98%80"],
)
def test_an_id_that_cannot_be_one_is_refused(client, address):
    assert "1 to 64 of the characters" in assert_problem(client.get(address), 422)["detail"]


@pytest.mark.parametrize("reference_id", ["0", str(2**63), "9" * 400, "x", "-1"])
def test_a_number_that_is_no_reference_is_not_found(client, reference_id):
    assert_problem(client.delete(f"/v1/writers/C-1/references/{reference_id}"), 404)


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=201", "limit=x", "cursor=nonsense", "lmit=5", "q=" + "x" * 300]
)
def test_a_bad_page_is_refused(client, query):
    assert_problem(client.get(f"/v1/writers?{query}"), 422)


@pytest.mark.parametrize("top", ["0", "101", "-1", "x", "1e3", "9" * 5000])
def test_a_bad_top_is_refused(client, files, top, count_rows):
    before = count_rows()
    answer = client.post("/v1/identify", data={"image": files(1, 0)[0], "top": top})
    assert "1 to 100" in assert_problem(answer, 422)["detail"]
    assert count_rows() == before


def test_an_unknown_address_and_a_wrong_method_are_problems(client):
    assert assert_problem(client.get("/v1/nothing"), 404)["code"] == "unknown-address"
    answer = client.put("/v1/writers/C-1")
    assert_problem(answer, 405)
    assert "PATCH" in answer.headers["Allow"]


def test_an_unforeseen_error_tells_nothing(client, services, monkeypatch, caplog):
    def fail(*_args):
        raise RuntimeError("secret of the house")

    monkeypatch.setattr(services.registry.writers, "get", fail)
    answer = client.get("/v1/writers/C-1")
    problem = assert_problem(answer, 500)
    assert "secret" not in answer.get_data(as_text=True)
    assert answer.headers["X-Request-ID"] in problem["instance"]
    assert answer.headers["X-Request-ID"] in caplog.text


def test_why_the_registry_fails_is_for_the_operator_alone(client, settings, caplog):
    engine = create_engine(settings.database_url)
    with engine.begin() as connection:
        connection.execute(text("ALTER TABLE writers RENAME TO gone"))
    engine.dispose()
    problem = assert_problem(client.get("/v1/writers/C-1"), 503)
    assert "no such table" not in problem["detail"]
    assert "no such table" in caplog.text
    assert "C-1" not in caplog.text


def test_a_text_field_that_comes_twice_is_refused_rather_than_read_once(client, files):
    form = {"image": files(1, 0)[0], "top": ["1", "5"]}
    answer = client.post("/v1/identify", data=form)
    assert answer.status_code == 422
    assert "came 2 times" in answer.get_json()["fields"]["top"][0]


def test_an_unknown_operating_point_is_answered_with_those_there_are(client, files):
    client.post("/v1/writers", data={"writer_id": "C-1", "images": files(1, 0)})
    form = {"image": files(1, 1)[0], "operating_point": "none"}
    answer = client.post("/v1/writers/C-1/verify", data=form)
    assert answer.status_code == 422
    spec = client.get("/openapi.json").get_json()
    drawn = spec["components"]["schemas"]["Problem"]["properties"]
    assert answer.get_json().keys() <= drawn.keys()
    assert "available" in answer.get_json()
