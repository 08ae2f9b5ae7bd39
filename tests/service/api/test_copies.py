"""References are evidence: copies, strangers, collisions and replays, as a caller sees them."""

from io import BytesIO

import cv2
import pytest

from encoder.synthesis import encode_png, synthetic_writer
from service.writers.uploads import Upload, acquire_each, new_references


def picture(seed, n):
    return synthetic_writer(seed).genuine(n)


def sent(data, name):
    return (BytesIO(data), name)


def genuine(seed, n):
    return sent(encode_png(picture(seed, n)), f"{seed}-{n}.png")


def jpeg(seed, n, name="again.jpg"):
    return sent(cv2.imencode(".jpg", picture(seed, n), [cv2.IMWRITE_JPEG_QUALITY, 60])[1], name)


def scanned(seed, n, name="scanned.png"):
    """Turned by two degrees, 3 % smaller, and with other grey levels."""
    one = picture(seed, n)
    height, width = one.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), 2, 0.97)
    turned = cv2.warpAffine(one, matrix, (width, height), borderValue=255)
    return sent(encode_png(cv2.GaussianBlur(turned, (0, 0), 0.7)), name)


def cropped(seed, n, name="cropped.png"):
    one = picture(seed, n)
    columns = (one < 128).any(axis=0).nonzero()[0]
    rows = (one < 128).any(axis=1).nonzero()[0]
    return sent(encode_png(one[rows[0] - 3 : rows[-1] + 4, columns[0] - 3 : columns[-1] + 4]), name)


COPIES = {"jpeg": jpeg, "scanned": scanned, "cropped": cropped}


def create(client, writer_id, *images):
    answer = client.post("/v1/writers", data={"writer_id": writer_id, "images": list(images)})
    assert answer.status_code == 201, answer.get_json()
    return answer.get_json()


def verify(client, writer_id, image):
    return client.post(f"/v1/writers/{writer_id}/verify", data={"image": image}).get_json()


def codes(answer):
    return [one["code"] for one in answer["warnings"]]


@pytest.fixture
def enroll_blindly(services):
    """Store references as an earlier version did: copies and all."""

    def store(writer_id, *images):
        uploads = [Upload(name, bytes(file.getbuffer())) for file, name in images]
        acquired, _ = acquire_each(uploads, services.encoder)
        new = new_references(acquired, services.encoder)
        services.registry.writers.create(writer_id, "", services.encoder.model_id, new)

    return store


@pytest.mark.parametrize("kind", COPIES)
def test_of_a_signature_and_its_copy_one_is_kept(client, kind):
    made = create(client, "C-1", genuine(9101, 0), COPIES[kind](9101, 0), genuine(9101, 1))
    assert made["reference_count"] == 2
    [refused] = made["refused"]
    assert refused["code"] == "near-duplicate"
    assert refused["filename"] == COPIES[kind](9101, 0)[1]
    assert "'9101-0.png'" in refused["reason"]
    assert codes(made) == []


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_of_an_enrolled_reference_is_refused(client, kind):
    [first] = create(client, "C-1", genuine(9101, 0))["references"]
    address = "/v1/writers/C-1/references"
    alone = client.post(address, data={"images": [COPIES[kind](9101, 0)]})
    assert alone.status_code == 422
    [refused] = alone.get_json()["refused"]
    assert refused["code"] == "near-duplicate"
    assert f"reference {first['reference_id']} " in refused["reason"]
    both = client.post(address, data={"images": [COPIES[kind](9101, 0), genuine(9101, 1)]})
    assert both.status_code == 201
    assert [one["code"] for one in both.get_json()["refused"]] == ["near-duplicate"]
    assert len(both.get_json()["references"]) == 1
    # The writer is not locked out.
    assert verify(client, "C-1", genuine(9101, 3))["verdict"] == "match"


def test_copies_of_an_older_registry_count_once(client, enroll_blindly):
    enroll_blindly("OLD", genuine(9101, 0), jpeg(9101, 0))
    enroll_blindly("ONE", genuine(9101, 0))
    old, one = (verify(client, writer_id, genuine(9101, 3)) for writer_id in ("OLD", "ONE"))
    assert old["score"] == pytest.approx(one["score"], abs=1e-6)
    assert (old["verdict"], old["threshold"]) == (one["verdict"], one["threshold"])
    assert [reference["copy"] for reference in old["references"]] == [False, True]
    assert codes(old) == ["near-duplicate"]
    assert codes(one) == ["seen-before"]  # The same file has just matched OLD.
    # Being told of copies is no reason to spare a forgery its verdict.
    forged = verify(client, "OLD", genuine(2, 0))
    assert (forged["verdict"], codes(forged)) == ("non_match", ["near-duplicate"])
    shown = client.get("/v1/writers/OLD").get_json()["references"]
    assert [reference["standing"] for reference in shown] == ["typical", "copy"]
    assert shown[1]["copy_of"] == shown[0]["reference_id"]
    named = client.post("/v1/identify", data={"image": genuine(9101, 3)}).get_json()
    scores = {candidate["writer_id"]: candidate["score"] for candidate in named["candidates"]}
    assert scores["OLD"] == pytest.approx(scores["ONE"], abs=1e-6)


@pytest.mark.parametrize("kind", [*COPIES, "same file"])
def test_a_query_that_copies_a_reference_is_no_match(client, kind):
    made = create(client, "C-1", *(genuine(1, n) for n in range(3)))
    copied = COPIES.get(kind, genuine)(1, 1)
    answer = verify(client, "C-1", copied)
    assert (answer["verdict"], codes(answer)) == ("inconclusive", ["replay"])
    assert answer["score"] >= answer["threshold"]
    assert f"reference {made['references'][1]['reference_id']} " in (
        answer["warnings"][0]["message"].replace(".", " ")
    )
    named = client.post("/v1/identify", data={"image": COPIES.get(kind, genuine)(1, 1)})
    assert codes(named.get_json()) == ["replay"]
    fresh = verify(client, "C-1", genuine(1, 9))
    assert (fresh["verdict"], codes(fresh)) == ("match", [])


def test_a_file_that_matched_another_writer_is_told(client):
    create(client, "C-1", *(genuine(1, n) for n in range(3)))
    create(client, "C-2", *(genuine(1, n) for n in range(3, 6)))
    assert codes(verify(client, "C-1", genuine(1, 9))) == []
    assert codes(verify(client, "C-1", genuine(1, 9))) == []  # The same writer again is no news.
    again = verify(client, "C-2", genuine(1, 9))
    assert (again["verdict"], codes(again)) == ("match", ["seen-before"])
    assert "C-1" in again["warnings"][0]["message"]
    assert codes(verify(client, "C-2", genuine(1, 8))) == []


def test_a_file_that_did_not_match_is_not_told(client):
    create(client, "C-1", *(genuine(1, n) for n in range(3)))
    create(client, "C-2", *(genuine(2, n) for n in range(3)))
    assert verify(client, "C-1", genuine(2, 9))["verdict"] == "non_match"
    assert codes(verify(client, "C-2", genuine(2, 9))) == []


def test_a_strangers_signature_is_pointed_out_by_its_file(client):
    images = [*(genuine(1, n) for n in range(4)), genuine(2, 0)]
    made = create(client, "C-1", *images)
    [warning] = made["warnings"]
    assert warning["code"] == "unlike-others"
    assert warning["filename"] == "2-0.png"
    assert warning["reference_id"] == made["references"][4]["reference_id"]
    assert "'2-0.png'" in warning["message"]
    shown = client.get("/v1/writers/C-1").get_json()["references"]
    assert [one["standing"] for one in shown] == [*["typical"] * 4, "unlike-others"]
    assert shown[4]["filename"] == "2-0.png"
    assert [one["reference_id"] for one in shown] == [
        one["reference_id"] for one in made["references"]
    ]


def test_a_stranger_who_came_first_is_pointed_out_by_number(client):
    [stranger] = create(client, "C-1", genuine(2, 0))["references"]
    images = [genuine(1, n) for n in range(4)]
    answer = client.post("/v1/writers/C-1/references", data={"images": images}).get_json()
    [warning] = answer["warnings"]
    assert (warning["code"], warning["filename"]) == ("unlike-others", None)
    assert warning["reference_id"] == stranger["reference_id"]


def test_the_oldest_reference_is_told(client):
    create(client, "C-1", genuine(1, 0))
    client.post("/v1/writers/C-1/references", data={"images": [genuine(1, 1), genuine(1, 2)]})
    shown = client.get("/v1/writers/C-1").get_json()["references"]
    assert [one["standing"] for one in shown] == ["oldest", "typical", "typical"]
    client.post("/v1/writers", json={"writer_id": "C-2"})
    assert client.get("/v1/writers/C-2").get_json()["references"] == []


@pytest.mark.parametrize("kind", [*COPIES, "same file"])
def test_another_writers_reference_is_told_at_enrollment(client, kind):
    create(client, "C-1", *(genuine(1, n) for n in range(3)))
    made = create(client, "C-2", COPIES.get(kind, genuine)(1, 1))
    assert codes(made) == ["collision"]
    assert "C-1" in made["warnings"][0]["message"]
    assert codes(create(client, "C-3", genuine(3, 0))) == []


def test_a_second_account_of_one_person_is_told_at_enrollment(client):
    for seed in (1, 2, 3):
        create(client, f"C-{seed}", *(genuine(seed, n) for n in range(3)))
    made = create(client, "C-9", *(genuine(1, n) for n in range(4, 6)))
    assert set(codes(made)) <= {"collision"}
    assert codes(made)
    assert all("C-1" in one["message"] for one in made["warnings"])


def test_who_has_one_copied_reference_stands_behind_who_has_five(client):
    for seed in (1, 2, 3):
        create(client, f"C-{seed}", *(genuine(seed, n) for n in range(5)))
    create(client, "THIEF", jpeg(1, 2))
    for n in range(6, 12):
        answer = client.post("/v1/identify", data={"image": genuine(1, n)}).get_json()
        first, second = answer["candidates"][:2]
        assert (first["writer_id"], second["writer_id"]) == ("C-1", "THIEF")
        assert (first["shares_with"], second["shares_with"]) == (["THIEF"], ["C-1"])
        assert "collision" in codes(answer)
        assert first["likeness"] > 0
    other = client.post("/v1/identify", data={"image": genuine(2, 9)}).get_json()
    assert other["candidates"][0]["writer_id"] == "C-2"
    assert codes(other) == []


def test_the_true_owner_of_a_stolen_reference_is_named(client):
    """Who mixed a victim's reference among four of his own is not named for the victim's."""
    create(client, "VICTIM", genuine(1, 0))
    create(client, "THIEF", *(genuine(2, n) for n in range(4)), jpeg(1, 0))
    for n in range(6, 10):
        answer = client.post("/v1/identify", data={"image": genuine(1, n)}).get_json()
        assert answer["candidates"][0]["writer_id"] == "VICTIM"


def test_a_comparison_counts_copies_once(client):
    once = {"reference": [genuine(9101, 0), genuine(9101, 1)], "probe": genuine(9101, 3)}
    one = client.post("/v1/compare", data=once).get_json()
    for copy in (jpeg(9101, 0), scanned(9101, 0), genuine(9101, 0)):
        form = {
            "reference": [genuine(9101, 0), genuine(9101, 1), copy],
            "probe": genuine(9101, 3),
        }
        both = client.post("/v1/compare", data=form).get_json()
        assert both["score"] == pytest.approx(one["score"], abs=1e-6)
        assert both["verdict"] == one["verdict"] == "match"
        assert [reference["copy"] for reference in both["references"]] == [False, False, True]
        assert codes(both) == ["near-duplicate"]
        assert copy[1] in both["warnings"][0]["message"]
    replayed = {"reference": [genuine(9101, 0)], "probe": scanned(9101, 0)}
    answer = client.post("/v1/compare", data=replayed).get_json()
    assert (answer["verdict"], codes(answer)) == ("inconclusive", ["replay"])
    assert "9101-0.png" in answer["warnings"][0]["message"]
