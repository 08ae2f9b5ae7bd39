"""Multipart forms are read as browsers and programs send them, within the same limits as ever."""

from collections.abc import Callable

import pytest
from werkzeug.test import TestResponse

from service.api.guard import MAX_FORM_PARTS, MAX_FORM_TEXT_BYTES

Post = Callable[..., TestResponse]
BOUNDARY = "----WebKitFormBoundary7MA4YWxkTrZu0gW"


def part(disposition: str, content: bytes, *more: str) -> bytes:
    lines = [f"Content-Disposition: form-data; {disposition}", *more]
    head = "".join(f"{line}\r\n" for line in lines)
    return f"--{BOUNDARY}\r\n{head}\r\n".encode() + content + b"\r\n"


def file(field: str, filename: str, content: bytes) -> bytes:
    return part(f'name="{field}"; filename="{filename}"', content, "Content-Type: image/png")


END = f"--{BOUNDARY}--\r\n".encode()


@pytest.fixture
def post(client, files) -> Post:
    data = {"writer_id": "C-1", "images": files(1, 0, 1)}
    assert client.post("/v1/writers", data=data).status_code == 201

    def send(
        body: bytes, address: str = "/v1/writers/C-1/verify", boundary: str = BOUNDARY
    ) -> TestResponse:
        kind = f"multipart/form-data; boundary={boundary}"
        return client.post(address, data=body, content_type=kind)

    return send


def test_a_browsers_form_is_read(post, scan):
    fields = part('name="operating_point"', b"fmr_skilled=1%") + part('name="include"', b"cleaned")
    answer = post(fields + file("image", "scan.png", scan(1, 2)) + END)
    assert answer.status_code == 200
    assert answer.get_json()["operating_point"] == "fmr_skilled=1%"
    assert answer.get_json()["cleaned"].startswith("data:image/png")


@pytest.mark.parametrize(
    "head",
    [
        "content-disposition: form-data; name=image; filename=scan.png",
        'Content-Disposition: form-data; filename="scan.png"; name="image"',
        'Content-Disposition: form-data; name="image"; filename=""',
        'Content-Disposition: form-data; name="image"; filename="a;b \\"c\\" %22.png"',
        'X-Lines: 1\r\nContent-Disposition: form-data; name="image"; filename="Müller.png"',
    ],
)
def test_other_spellings_of_a_file_are_read_too(post, scan, head):
    body = f"--{BOUNDARY}\r\n{head}\r\n\r\n".encode() + scan(1, 2) + b"\r\n" + END
    assert post(body).status_code == 200


def test_a_field_in_which_a_browser_was_given_no_file_is_empty(post):
    answer = post(part('name="image"; filename=""', b"", "Content-Type: x/y") + END)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"


def test_lines_before_the_first_boundary_and_after_the_last_are_passed_over(post, scan):
    whole = file("image", "scan.png", scan(1, 2)) + END
    assert post(b"This is a form.\r\n" + whole + b"Goodbye.\r\n").status_code == 200


def test_a_file_that_holds_line_breaks_and_dashes_is_kept_to_the_byte(post, client, scan):
    image = scan(1, 2) + b"\r\n--" + BOUNDARY[:-1].encode() + b"\r\n\r\n--\r\n\n\r"
    answer = post(file("images", "scan.png", image) + END, "/v1/writers/C-1/references")
    [reference] = answer.get_json()["references"]
    address = f"/v1/writers/C-1/references/{reference['reference_id']}/image"
    assert client.get(address).data == image


def test_files_that_come_in_many_pieces_keep_their_order(post, client, scan):
    padding = bytes(2**20)
    images = [scan(1, n) + padding for n in (2, 3, 4)]
    body = b"".join(file("images", f"{n}.png", image) for n, image in enumerate(images))
    answer = post(body + END, "/v1/writers/C-1/references")
    ids = [reference["reference_id"] for reference in answer.get_json()["references"]]
    kept = [client.get(f"/v1/writers/C-1/references/{one}/image").data for one in ids]
    assert kept == images


@pytest.mark.parametrize("lost", [1, 30, 2000])
def test_a_form_that_breaks_off_is_refused(post, scan, lost):
    whole = file("image", "scan.png", scan(1, 2)) + END.rstrip()
    assert post(whole).status_code == 200
    answer = post(whole[:-lost])
    assert answer.status_code == 422
    assert "breaks off" in answer.get_json()["detail"]
    assert answer.get_json()["fields"].keys() == {"body"}


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\r\n" * 1000,
        END[:-2] + b"x",
        f"--{BOUNDARY}\r\nno header at all\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        f"--{BOUNDARY}\r\nContent-Type: image/png\r\n\r\nx\r\n--{BOUNDARY}--\r\n".encode(),
        part('name="operating_point"', b"\xff\xfe") + END,
        part('name="image"; filename="a"', b"x", "Content-Length: 99") + END,
    ],
)
def test_a_damaged_form_is_refused(post, body):
    answer = post(body)
    assert answer.status_code == 422
    assert answer.mimetype == "application/problem+json"


def test_a_boundary_that_is_not_the_bodys_is_refused(post, scan):
    body = file("image", "scan.png", scan(1, 2)) + END
    assert post(body, boundary="other").status_code == 422
    assert post(body, boundary="x" * 5000).status_code == 422


def test_a_form_may_have_so_many_parts_and_no_more(post):
    parts = [file("image", f"{n}.png", b"x") for n in range(MAX_FORM_PARTS + 1)]
    assert post(b"".join(parts[:-1]) + END).status_code == 422
    assert post(b"".join(parts) + END).status_code == 413


def test_a_text_may_be_so_long_and_no_longer(post):
    long = b"x" * MAX_FORM_TEXT_BYTES
    assert post(part('name="operating_point"', long) + END).status_code == 422
    answer = post(part('name="operating_point"', long + b"x") + END)
    assert answer.status_code == 413
    assert answer.get_json()["code"] == "text-too-large"
    assert "'operating_point'" in answer.get_json()["detail"]
    assert "20" not in answer.get_json()["detail"]


@pytest.mark.parametrize(
    "head",
    [
        b'Content-Disposition: form-data; name="' + b"n" * 2**20 + b'"',
        b'Content-Disposition: form-data; name="image"; filename="' + b"n" * 2**20 + b'"',
        b"X: y\r\n" * 1000 + b'Content-Disposition: form-data; name="image"',
    ],
)
def test_the_headers_of_a_part_may_not_be_huge(post, head):
    body = f"--{BOUNDARY}\r\n".encode() + head + b"\r\n\r\nx\r\n" + END
    assert post(body).status_code == 413


def test_a_part_without_a_name_is_no_field(post):
    answer = post(part('filename="scan.png"', b"x") + END)
    assert answer.status_code == 422
    assert "'image'" in answer.get_json()["detail"]
