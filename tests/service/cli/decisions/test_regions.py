"""An image with two signatures, on the command line: what is said, and that following it helps."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from click.testing import Result

from encoder.synthesis import encode_png, synthetic_writer

ADA = 4
Run = Callable[..., Result]
Answer = Callable[..., Any]
Scan = Callable[[int, int], Path]


@pytest.fixture
def two(tmp_path: Path) -> Callable[[int], Path]:
    """A file with Ada's n-th signature above another writer's."""

    def write(n: int) -> Path:
        first, second = synthetic_writer(ADA).genuine(n), synthetic_writer(9).genuine(n)
        width = max(first.shape[1], second.shape[1])
        paper = int(np.median(first))
        page = np.vstack(
            [
                cv2.copyMakeBorder(
                    one, 20, 40, 0, width - one.shape[1], cv2.BORDER_CONSTANT, value=paper
                )
                for one in (first, second)
            ]
        )
        path = tmp_path / f"two-{n}.png"
        path.write_bytes(encode_png(np.asarray(page, np.uint8)))
        return path

    return write


def upper(text: str, option: str = "--region") -> str:
    """The region told of that lies higher."""
    regions = re.findall(rf"{option} (\d+,\d+,\d+,\d+)", " ".join(text.split()))
    assert len(regions) == 2, text
    return min(regions, key=lambda region: int(region.split(",")[1]))


def test_verify_and_identify_name_the_option(
    ada: str, run: Run, answer: Answer, two: Callable[[int], Path]
) -> None:
    image = two(7)
    for command in (("verify", ada), ("identify",)):
        refused = run(*command, image)
        assert refused.exit_code == 4
        assert "two signatures" in refused.stderr
        code, said = answer(*command, image, "--region", upper(refused.stderr))
        assert (code, said["verdict"]) in {(0, "match"), (0, "identified")}


def test_compare_names_the_option_of_the_image_that_it_is_about(
    run: Run, answer: Answer, scan: Scan, two: Callable[[int], Path]
) -> None:
    refused = run("compare", two(7), scan(ADA, 0), scan(ADA, 1))
    probe_region = upper(refused.stderr)
    given = ("compare", two(7), scan(ADA, 0), two(1), "--region", probe_region)
    refused = run(*given)
    assert refused.exit_code == 4
    assert "two-1.png" in refused.stderr
    region = upper(refused.stderr, "--reference-region")
    assert "give --reference-region 2 times" in refused.stderr
    code, said = answer(*given, "--reference-region", "all", "--reference-region", region)
    assert (code, said["verdict"]) == (0, "match")
    once = run(*given, "--reference-region", region)
    assert once.exit_code == 2
    assert "--reference-region came 1 times for 2 images" in once.stderr


def test_enroll_names_the_option(
    registry: None, run: Run, answer: Answer, scan: Scan, two: Callable[[int], Path]
) -> None:
    refused = run("enroll", "C-1", scan(ADA, 0), two(7))
    assert refused.exit_code == 4
    assert "Enrolled 1 of 2 images" in refused.stdout
    assert "To choose from two-7.png, add --region" in refused.stdout
    assert "With 2 images, give --region 2 times" in refused.stdout
    region = upper(re.sub(r"give --region.*", "", refused.stdout, flags=re.DOTALL))
    code, said = answer("enroll", "C-1", two(7), "--region", region)
    assert code == 0
    kept = said["references"][0]["quality"]["region"]
    assert ",".join(str(kept[side]) for side in "xywh") == region


def test_an_unusable_image_without_boxes_names_no_option(
    ada: str, run: Run, tmp_path: Path
) -> None:
    blank = tmp_path / "blank.png"
    blank.write_bytes(encode_png(np.full((200, 500), 240, np.uint8)))
    refused = run("verify", ada, blank)
    assert refused.exit_code == 4
    assert "--region" not in refused.stderr
