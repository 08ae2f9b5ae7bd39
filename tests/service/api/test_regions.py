"""An image with two signatures is refused with their boxes, and a region chooses one of them."""

import base64
from io import BytesIO

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks import documents, scenes
from encoder.synthesis import encode_png, synthetic_writer
from service.models.reencode import _acquire


def two_below(seed: int = 1, other: int = 9) -> tuple[bytes, list[int]]:
    """A writer's signature with another's below it, and the region of the first."""
    first = synthetic_writer(seed).genuine(9)
    second = synthetic_writer(other).genuine(0)
    height = first.shape[0] + second.shape[0] + 40
    page = np.full((height, max(first.shape[1], second.shape[1])), int(np.median(first)), np.uint8)
    page[: first.shape[0], : first.shape[1]] = first
    page[-second.shape[0] :, : second.shape[1]] = second
    return encode_png(page), [0, 0, first.shape[1], first.shape[0]]


def as_file(image: bytes) -> tuple[BytesIO, str]:
    return BytesIO(image), "scan.png"


@pytest.fixture
def page() -> tuple[bytes, str]:
    image, region = two_below()
    return image, ",".join(map(str, region))


def test_two_signatures_are_refused_with_their_boxes(client, known, page):
    known(1)
    answer = client.post("/v1/writers/W-1/verify", data={"image": as_file(page[0])})
    problem = answer.get_json()
    assert answer.status_code == 422
    assert problem["code"] == "several-signatures"
    upper, lower = sorted(problem["boxes"], key=lambda box: box["y"])
    assert upper["what"] == lower["what"] == "signature"
    assert upper["y"] + upper["h"] < lower["y"]


def test_boxes_are_in_pixels_of_the_image_that_came(client, known, page):
    """Large scans are reduced before they are looked at."""
    known(1)
    image = cv2.imdecode(np.frombuffer(page[0], np.uint8), cv2.IMREAD_GRAYSCALE)
    small = client.post("/v1/identify", data={"image": as_file(page[0])}).get_json()["boxes"]
    large = encode_png(np.asarray(cv2.resize(image, None, fx=5, fy=5), np.uint8))
    boxes = client.post("/v1/identify", data={"image": as_file(large)}).get_json()["boxes"]
    for one, five in zip(small, boxes, strict=True):
        for start, size in ("xw", "yh"):
            middle, expected = (box[start] + box[size] / 2 for box in (five, one))
            assert middle == pytest.approx(5 * expected, abs=25)
            # The same pixels of paper on either side of the ink are a fifth of as much.
            assert five[size] == pytest.approx(5 * one[size] - 64, abs=25)


@pytest.mark.parametrize("kind", ["second signature beside", "second signature below"])
@pytest.mark.parametrize("factor", [1, 4])
def test_each_box_is_a_region_that_is_accepted(client, known, kind, factor):
    known(1)
    picture, ink = documents.scene(kind, 1, 0)
    scan = np.asarray(cv2.resize(picture, None, fx=factor, fy=factor), np.uint8)
    image = documents.encode(scan)
    left, top, _, _ = cv2.boundingRect(ink)
    refused = client.post("/v1/writers/W-1/verify", data={"image": as_file(image)}).get_json()
    assert refused["code"] == "several-signatures"
    nearest = min(
        refused["boxes"],
        key=lambda box: np.hypot(box["x"] - factor * left, box["y"] - factor * top),
    )
    for box in refused["boxes"]:
        assert box["x"] + box["w"] <= scan.shape[1]
        assert box["y"] + box["h"] <= scan.shape[0]
        region = ",".join(str(box[side]) for side in "xywh")
        data = {"image": as_file(image), "region": region}
        answer = client.post("/v1/writers/W-1/verify", data=data).get_json()
        assert answer["warnings"] == []
        assert (answer["verdict"] == "match") == (box is nearest)


def test_a_region_of_all_is_accepted_and_warned_of(client, known, page):
    known(1)
    whole = cv2.imdecode(np.frombuffer(page[0], np.uint8), cv2.IMREAD_GRAYSCALE).shape
    data = {"image": as_file(page[0]), "region": f"0,0,{whole[1]},{whole[0]}"}
    answer = client.post("/v1/writers/W-1/verify", data=data).get_json()
    assert "several-signatures" in {one["code"] for one in answer["warnings"]}
    assert answer["verdict"] != "non_match"


def test_identify_compare_and_enroll_take_regions(client, known, files, page):
    image, region = page
    known(1)
    data = {"image": as_file(image), "region": region}
    assert client.post("/v1/identify", data=data).get_json()["candidates"][0]["writer_id"] == "W-1"
    data = {"reference": files(1, 0, 1), "probe": as_file(image), "region": region}
    assert client.post("/v1/compare", data=data).get_json()["verdict"] == "match"
    data = {
        "reference": [as_file(image), *files(1, 1)],
        "reference_region": [region, "all"],
        "probe": files(1, 8)[0],
    }
    answer = client.post("/v1/compare", data=data).get_json()
    assert answer.get("verdict") == "match", answer
    data = {"images": [as_file(image), *files(1, 6)], "region": [region, "all"]}
    answer = client.post("/v1/writers/W-1/references", data=data).get_json()
    first, second = answer["references"]
    assert ",".join(str(first["quality"]["region"][side]) for side in "xywh") == region
    assert "region" not in second["quality"]


def test_a_reference_is_found_again_in_its_region(client, services, known, page):
    known(1)
    data = {"images": as_file(page[0]), "region": page[1]}
    client.post("/v1/writers/W-1/references", data=data)
    stored = services.registry.references.of_writer("W-1")[-1]
    found = _acquire(page[0], stored.quality, services.encoder)
    assert found.quality.ink_height_px == stored.quality["ink_height_px"]


@pytest.mark.parametrize(
    "region", ["1,2,3", "a,b,c,d", "-1,0,5,5", "0,0,0,5", "0,0,5,0", "1.5,0,5,5", "1,2,3,4,5"]
)
def test_what_is_no_region_is_refused(client, known, files, region):
    known(1)
    data = {"image": files(1, 9)[0], "region": region}
    answer = client.post("/v1/writers/W-1/verify", data=data)
    assert answer.status_code == 422
    assert "x,y,w,h" in answer.get_json()["fields"]["region"][0]


def test_a_region_outside_the_image_is_refused(client, known, files):
    known(1)
    data = {"image": files(1, 9)[0], "region": "0,0,9000,10"}
    answer = client.post("/v1/writers/W-1/verify", data=data)
    assert (answer.status_code, answer.get_json()["code"]) == (422, "region-outside")


def test_there_is_a_region_for_each_image_or_none(client, known, files):
    known(1)
    data = {"images": files(1, 7, 8), "region": "0,0,50,50"}
    answer = client.post("/v1/writers/W-1/references", data=data)
    assert answer.status_code == 422
    assert "2 files" in answer.get_json()["fields"]["region"][0]


def above_print(seed: int = 1) -> tuple[bytes, int]:
    """A writer's signature above their name in print, and the row where the print may begin."""
    scan = synthetic_writer(seed).genuine(9)
    page = np.full((scan.shape[0] + 70, scan.shape[1]), int(np.median(scan)), np.uint8)
    page[: scan.shape[0]] = scan
    at = (30, scan.shape[0] + 40)
    cv2.putText(page, "Ada Example, Treasurer", at, cv2.FONT_HERSHEY_SIMPLEX, 0.9, 40, 2)
    return encode_png(page), scan.shape[0]


def inks(picture: str) -> tuple[NDArray[np.bool_], NDArray[np.bool_]]:
    """Where a data URL's picture is black, and where it is brown."""
    png = base64.b64decode(picture.removeprefix("data:image/png;base64,"))
    blue, green, red = (
        cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR).astype(int).transpose(2, 0, 1)
    )
    return (red < 50) & (blue < 50), (red - blue > 100) & (red > green)


LEFT_OUT = {"include": "cleaned,left-out"}


def ask(client, question, image):
    """The part of an answer that has an image's pictures."""
    address, field = {
        "verify": ("/v1/writers/W-1/verify", "image"),
        "identify": ("/v1/identify", "image"),
        "compare": ("/v1/compare", "probe"),
        "references": ("/v1/writers/W-1/references", "images"),
        "writers": ("/v1/writers", "images"),
    }[question]
    more = {
        "compare": {"reference": as_file(encode_png(synthetic_writer(1).genuine(0)))},
        "writers": {"writer_id": "W-2"},
    }.get(question, {})
    data = {field: as_file(image), **more, **LEFT_OUT}
    answer = client.post(address, data=data).get_json()
    return answer["references"][0] if question in {"references", "writers"} else answer


QUESTIONS = ("verify", "identify", "compare", "references", "writers")


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_was_left_out_is_drawn_in_brown(client, known, question):
    known(1)
    image, below = above_print()
    answer = ask(client, question, image)
    black, brown = inks(answer["left_out"])
    assert brown[below:].sum() > 500
    assert not brown[: below - 10].any()
    assert black[:below].sum() > 500
    assert answer["cleaned"].startswith("data:image/png")


@pytest.mark.parametrize("question", QUESTIONS)
def test_there_is_no_picture_where_nothing_was_left_out(client, known, question):
    known(1)
    answer = ask(client, question, encode_png(synthetic_writer(1).genuine(9)))
    assert answer["left_out"] is None
    assert answer["cleaned"].startswith("data:image/png")


@pytest.mark.parametrize("name", ["baseline", "notebook"])
def test_ruled_lines_are_among_what_was_left_out(client, known, name):
    known(1)
    image, ink = getattr(scenes, name)(3)
    black, brown = inks(ask(client, "identify", image)["left_out"])
    assert brown.any(axis=0).mean() > 0.8  # It goes across the page.
    assert brown[ink > 0].mean() < 0.2
    assert black[ink > 0].mean() > 0.8


def test_each_reference_has_its_own_picture(client, known):
    known(1)
    clean = [encode_png(synthetic_writer(1).genuine(n)) for n in (7, 0, 8)]  # 0 is enrolled.
    sent = [clean[0], clean[1], clean[2], above_print()[0]]
    data = {"images": [as_file(one) for one in sent], **LEFT_OUT}
    answer = client.post("/v1/writers/W-1/references", data=data).get_json()
    assert len(answer["refused"]) == 1
    assert [one["left_out"] is None for one in answer["references"]] == [True, True, False]


def test_as_many_images_as_are_taken_may_each_have_a_region(client, files):
    """The form has twice as many parts then."""
    form = {
        "writer_id": "W-1",
        "name": "Ada",
        "images": files(1, *range(20)),
        "region": ["all"] * 20,
    }
    answer = client.post("/v1/writers", data=form)
    assert answer.status_code == 201
    against = {"probe": files(1, 20)[0], "reference": files(1, *range(20)), "region": "all"}
    against |= {"reference_region": ["all"] * 20, "include": "cleaned"}
    assert client.post("/v1/compare", data=against).status_code == 200
