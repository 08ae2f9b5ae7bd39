"""Marks that many others make are told wherever they come, and named nobody's."""

import io

import numpy as np
import pytest

from benchmarks.simple_marks import drawn
from encoder.synthesis import encode_png, synthetic_writer

LETTERS = "letters THK"  # Too many turns to be told by their ink alone.


def file(image, name="query.png"):
    return io.BytesIO(encode_png(image)), name


def enroll(client, writer_id, images):
    answer = client.post(
        "/v1/writers",
        data={
            "writer_id": writer_id,
            "name": writer_id,
            "images": [file(one, f"{number}.png") for number, one in enumerate(images)],
        },
    )
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def codes(answer):
    return [one["code"] for one in answer["warnings"]]


@pytest.fixture
def initialled(client):
    """A writer who signs with three letters in print; the answer of the enrollment."""
    return enroll(client, "C-1", [drawn(LETTERS, 1, n) for n in range(5)])


def test_letters_in_print_are_told_at_enrollment(initialled):
    told = [
        warning["message"]
        for one in initialled["references"]
        for warning in one["quality"]["warnings"]
        if warning["code"] == "too-simple"
    ]
    assert len(told) >= 3  # One mark or another is like those of too few.
    assert all("of 40 other hands" in one for one in told)


def test_letters_in_print_are_no_match_and_claim_no_more_than_others_allow(client, initialled):
    query = drawn(LETTERS, 1, 6)
    verified = client.post("/v1/writers/C-1/verify", data={"image": file(query)}).get_json()
    assert verified["score"] > verified["threshold"]
    assert verified["verdict"] == "inconclusive"
    assert codes(verified).count("too-simple") == 1
    assert verified["log_lr"] <= verified["log_lr_random"] <= np.log10(41 / 4)
    data = {"probe": file(query), "reference": file(drawn(LETTERS, 1, 0), "one.png")}
    compared = client.post("/v1/compare", data=data).get_json()
    assert compared["verdict"] == "inconclusive"
    assert "too-simple" in codes(compared)
    assert compared["log_lr_random"] <= np.log10(41 / 4)


def test_letters_in_print_find_nobody(client, initialled):
    answer = client.post("/v1/identify", data={"image": file(drawn(LETTERS, 1, 6))}).get_json()
    assert answer["candidates"][0]["score"] > answer["threshold"]
    assert answer["verdict"] == "not_enrolled"
    assert codes(answer) == ["too-simple"]


def test_signatures_of_some_writers_are_told_nothing(client):
    for seed in range(31, 36):
        writer = synthetic_writer(seed)
        enrolled = enroll(client, f"W-{seed}", [writer.genuine(n) for n in range(3)])
        assert enrolled["warnings"] == []
        assert [one["quality"]["warnings"] for one in enrolled["references"]] == [[]] * 3
    for seed in range(31, 36):
        query = file(synthetic_writer(seed).genuine(4))
        answer = client.post("/v1/identify", data={"image": query}).get_json()
        assert (answer["verdict"], answer["warnings"]) == ("identified", [])
        assert answer["candidates"][0]["writer_id"] == f"W-{seed}"


def test_a_mark_of_many_enrolled_writers_is_told_with_their_number(client):
    for who in range(1, 5):
        enroll(client, f"C-{who}", [drawn("circle", who, n) for n in range(3)])
    messages = set()
    for top in (4, 1):
        data = {"image": file(drawn("circle", 2, 6)), "top": str(top)}
        answer = client.post("/v1/identify", data=data).get_json()
        assert len(answer["candidates"]) == top
        (told,) = [one for one in answer["warnings"] if one["code"] == "not-distinctive"]
        messages.add(told["message"])
    (message,) = messages  # However few are shown, as many are counted.
    # Of the three that are compared in full, two besides the first: those who have no copy.
    assert message.startswith(
        (
            "The signature looks like those of 1 other enrolled writer or more, of 4:",
            "The signature looks like those of 2 other enrolled writers or more, of 4:",
        )
    )


def test_who_has_the_same_reference_is_told_once(client):
    writer = synthetic_writer(31)
    enroll(client, "C-1", [writer.genuine(n) for n in range(3)])
    enroll(client, "C-2", [writer.genuine(0)])
    answer = client.post("/v1/identify", data={"image": file(writer.genuine(5))}).get_json()
    assert "collision" in codes(answer)
    assert "not-distinctive" not in codes(answer)


def test_a_reference_that_fits_other_writers_too_is_told_at_enrollment(client):
    for who in range(1, 4):
        enroll(client, f"C-{who}", [drawn("circle", who, n) for n in range(3)])
    made = enroll(client, "C-9", [drawn("circle", 9, n) for n in range(5)])
    told = [one for one in made["warnings"] if one["code"] == "not-distinctive"]
    assert told
    assert all("other enrolled writer" in one["message"] for one in told)
    # Whoever is said to collide with a reference is not counted again.
    for one in told:
        number = int(one["message"].split(" other")[0].rsplit(" ", 1)[1])
        collisions = [
            other
            for other in made["warnings"]
            if (other["code"], other["reference_id"]) == ("collision", one["reference_id"])
        ]
        assert number + len(collisions) <= 3
