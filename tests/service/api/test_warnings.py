"""Warnings about an image, by kind, in the answers of verify, identify, enroll and compare."""

from collections.abc import Callable
from io import BytesIO

import numpy as np
import pytest
from numpy.typing import NDArray

from benchmarks.scan_kinds import compressed, cut, marker, outlined, shrunk, turned
from benchmarks.simple_marks import drawn
from encoder.scoring.decision_rule import SIMPLE_LOG_LR
from encoder.synthesis import encode_png, synthetic_writer

Gray = NDArray[np.uint8]
SEED = 2

# What is told of the image alone, whoever's it is.
OF_THE_IMAGE: dict[str, Callable[[Gray], Gray]] = {
    "low-resolution": lambda gray: shrunk(gray, 1 / 3),
    "jpeg-blocks": lambda gray: compressed(gray, 4, 0.5),
    "cut-edge": lambda gray: cut(gray, "left", 0.2),
    "hollow": outlined,
    "wide-pen": marker,
    "too-simple": lambda _: drawn("X", 1, 0),
}
# What is told beside the writer's references.
BESIDE_REFERENCES: dict[str, Callable[[Gray], Gray]] = {
    "turned": np.rot90,
    "mirrored": lambda gray: gray[:, ::-1],
}


def scan(change: Callable[[Gray], Gray], n: int = 7) -> bytes:
    return encode_png(np.ascontiguousarray(change(synthetic_writer(SEED).genuine(n))))


def file(data: bytes, name: str = "query.png") -> tuple[BytesIO, str]:
    return BytesIO(data), name


@pytest.fixture
def told(client, known, files) -> Callable[[bytes], dict[str, list[str]]]:
    """Codes of the warnings of each question's answer about an image."""
    known(SEED)

    def ask(data: bytes) -> dict[str, list[str]]:
        answers = {
            "verify": client.post(f"/v1/writers/W-{SEED}/verify", data={"image": file(data)}),
            "identify": client.post("/v1/identify", data={"image": file(data)}),
            "compare": client.post(
                "/v1/compare", data={"probe": file(data), "reference": files(SEED, 0, 1, 2)}
            ),
        }
        found = {name: answer.get_json() for name, answer in answers.items()}
        assert all(answer["verdict"] != "non_match" for answer in found.values())
        return {name: [one["code"] for one in answer["warnings"]] for name, answer in found.items()}

    return ask


@pytest.mark.parametrize("code", [*OF_THE_IMAGE, *BESIDE_REFERENCES])
def test_questions_tell_what_is_wrong_with_the_image(told, code):
    change = {**OF_THE_IMAGE, **BESIDE_REFERENCES}[code]
    for question, codes in told(scan(change)).items():
        assert code in codes, question


def test_questions_about_a_clean_scan_tell_nothing(told):
    assert told(scan(lambda gray: gray)) == {"verify": [], "identify": [], "compare": []}


@pytest.mark.parametrize("code", OF_THE_IMAGE)
def test_enrollment_tells_of_each_image(client, code):
    data = {"writer_id": "C-1", "name": "Ada", "images": [file(scan(OF_THE_IMAGE[code]), "a.png")]}
    enrolled = client.post("/v1/writers", data=data)
    assert enrolled.status_code == 201
    (one,) = enrolled.get_json()["references"]
    assert code in [warning["code"] for warning in one["quality"]["warnings"]]
    listed = client.get("/v1/writers/C-1/references").get_json()["references"]
    assert listed[0]["quality"] == one["quality"]


@pytest.mark.parametrize("code", BESIDE_REFERENCES)
def test_enrollment_tells_of_a_page_unlike_the_others(client, code):
    scans = [scan(lambda gray: gray, n) for n in range(3)]
    scans.append(scan(BESIDE_REFERENCES[code], 3))
    images = [file(data, f"{n}.png") for n, data in enumerate(scans)]
    enrolled = client.post(
        "/v1/writers", data={"writer_id": "C-1", "name": "Ada", "images": images}
    )
    warned = [
        [warning["code"] for warning in one["quality"]["warnings"]]
        for one in enrolled.get_json()["references"]
    ]
    assert warned == [[], [], [], [code]]


def test_a_cross_is_neither_a_match_nor_found(client):
    """Anyone's cross would match that of whoever signs so; the answer says it, claiming nothing."""
    images = [file(encode_png(drawn("X", 1, n)), f"{n}.png") for n in range(5)]
    client.post("/v1/writers", data={"writer_id": "C-1", "name": "Ada", "images": images})
    query = encode_png(drawn("X", 1, 6))
    verified = client.post("/v1/writers/C-1/verify", data={"image": file(query)}).get_json()
    assert verified["score"] > verified["threshold"]
    assert verified["verdict"] == "inconclusive"
    assert verified["log_lr"] == verified["log_lr_random"] == SIMPLE_LOG_LR
    identified = client.post("/v1/identify", data={"image": file(query)}).get_json()
    assert identified["candidates"][0]["score"] > identified["threshold"]
    assert identified["verdict"] == "not_enrolled"


def test_a_blot_is_refused(client, known):
    known(SEED)
    rows, columns = np.mgrid[0:200, 0:300]
    dot = np.where(np.hypot(rows - 95, columns - 145) < 45, 30, 235).astype(np.uint8)
    answer = client.post(f"/v1/writers/W-{SEED}/verify", data={"image": file(encode_png(dot))})
    assert (answer.status_code, answer.get_json()["code"]) == (422, "not-writing")


def test_a_comparison_tells_what_is_wrong_with_its_references(client, files):
    data = {"probe": files(SEED, 7)[0], "reference": file(scan(OF_THE_IMAGE["low-resolution"]))}
    answer = client.post("/v1/compare", data=data).get_json()
    (one,) = answer["warnings"]
    assert one["code"] == "low-resolution"
    assert one["message"].startswith("Reference 1 ('query.png'): ")


def test_identification_straightens_and_tells_it(client, known):
    for seed in range(1, 7):
        known(seed)
    codes = []
    for seed in range(1, 7):
        for degrees in (-15, 15):
            askew = encode_png(turned(synthetic_writer(seed).genuine(7), degrees))
            answer = client.post("/v1/identify", data={"image": file(askew)}).get_json()
            codes += [one["code"] for one in answer["warnings"]]
            if answer["verdict"] == "identified":
                assert answer["candidates"][0]["writer_id"] == f"W-{seed}"
    assert "straightened" in codes
