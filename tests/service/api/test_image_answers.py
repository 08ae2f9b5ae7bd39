"""What is measured and drawn of an image is of that image, in every answer that tells it."""

import base64
from io import BytesIO

import numpy as np
import pytest
from PIL import Image

from encoder.imaging.preview import preview_png


def seen(image: bytes) -> dict[str, float]:
    """Measure a scan by its grey levels alone: where it is half as dark as its ink, there is ink.

    Good for the clean scans of invented writers, and told apart from the code that it judges.
    """
    grey = np.asarray(Image.open(BytesIO(image)).convert("L"), np.float64)
    paper = np.median(grey)
    ink = np.median(grey[grey < paper - 40])
    dark = grey < (paper + ink) / 2
    rows, columns = np.flatnonzero(dark.any(axis=1)), np.flatnonzero(dark.any(axis=0))
    height, width = int(np.ptp(rows)) + 1, int(np.ptp(columns)) + 1
    return {
        "ink_height_px": height,
        "ink_width_px": width,
        "ink_fraction": dark.sum() / (height * width),
        "contrast": paper - ink,
    }


@pytest.fixture
def ask(client, known, files):
    """Every question with the ninth signature of a writer: the answers by name."""
    known(1, count=2)

    def post(seed, n):
        form = {"include": "cleaned"}
        one = files(seed, n)
        told = {
            "verify": client.post("/v1/writers/W-1/verify", data={"image": one[0], **form}),
            "identify": client.post("/v1/identify", data={"image": files(seed, n)[0], **form}),
            "compare": client.post(
                "/v1/compare",
                data={"probe": files(seed, n)[0], "reference": files(1, 0), **form},
            ),
        }
        enrolled = client.post(
            "/v1/writers/W-1/references", data={"images": files(seed, n), **form}
        )
        answers = {name: answer.get_json() for name, answer in told.items()}
        return {**answers, "enroll": enrolled.get_json()["references"][0]}

    return post


@pytest.mark.parametrize(("seed", "n"), [(1, 9), (2, 4)])
def test_quality_and_preview_are_of_the_image_that_came(client, services, ask, scan, seed, n):
    image = scan(seed, n)
    expected = seen(image)
    preview = preview_png(services.encoder.acquire(image).ink)
    answers = ask(seed, n)
    for name, answer in answers.items():
        quality = answer["quality"]
        assert quality.pop("warnings") == [], name
        assert quality.keys() == expected.keys() | {"complexity"}
        assert 5 < quality["complexity"] < 60, name
        for size in ("ink_height_px", "ink_width_px"):
            assert quality[size] == pytest.approx(expected[size], abs=4), (name, size)
        assert quality["ink_fraction"] == pytest.approx(expected["ink_fraction"], rel=0.25), name
        assert quality["contrast"] == pytest.approx(expected["contrast"], rel=0.2), name
        drawn = base64.b64decode(answer["cleaned"].partition("base64,")[2])
        assert drawn == preview, name
    enrolled = answers["enroll"]
    kept = services.registry.references.of_writer("W-1")[-1]
    assert (kept.reference_id, kept.quality) == (
        enrolled["reference_id"],
        enrolled["quality"] | {"warnings": []},
    )
    address = f"/v1/writers/W-1/references/{kept.reference_id}/image"
    assert client.get(address).data == image
    assert client.get(address, query_string={"cleaned": "true"}).data == preview
