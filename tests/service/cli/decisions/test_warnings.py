"""Warnings about an image, by kind, as the command line says them."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import Result
from numpy.typing import NDArray

from benchmarks.scan_kinds import compressed, cut, marker, outlined, shrunk
from benchmarks.simple_marks import drawn
from encoder.synthesis import encode_png, synthetic_writer

ADA = 4
Run = Callable[..., Result]
Gray = NDArray[np.uint8]
KINDS: dict[str, tuple[Callable[[Gray], Gray], str]] = {
    "low-resolution": (lambda gray: shrunk(gray, 1 / 4), "Scan it again at 300 dpi"),
    "jpeg-blocks": (lambda gray: compressed(gray, 4, 0.5), "compressed too strongly"),
    "cut-edge": (lambda gray: cut(gray, "left", 0.3), "to the edge of the image"),
    "hollow": (lambda _: outlined(synthetic_writer(2).genuine(7)), "came out hollow"),
    "wide-pen": (marker, "pen is very wide"),
    "too-simple": (lambda _: drawn("X", 1, 0), "too simple to tell people apart"),
    "turned": (lambda gray: np.rot90(gray, 2), "turned clockwise by 180 degrees"),
    "mirrored": (lambda gray: gray[:, ::-1], "mirrored left to right"),
}


@pytest.fixture
def query(tmp_path: Path) -> Callable[[str], Path]:
    """The file of a signature of Ada's in one of the kinds."""

    def write(code: str) -> Path:
        path = tmp_path / f"{code}.png"
        changed = KINDS[code][0](synthetic_writer(ADA).genuine(7))
        path.write_bytes(encode_png(np.ascontiguousarray(changed)))
        return path

    return write


@pytest.mark.parametrize("code", KINDS)
def test_answers_say_what_is_wrong_with_the_image(
    ada: str, run: Run, scan: Callable[[int, int], Path], query: Callable[[str], Path], code: str
) -> None:
    image = query(code)
    said = KINDS[code][1]
    verified = run("verify", ada, image)
    compared = run("compare", image, scan(ADA, 0), scan(ADA, 1))
    for result in (verified, run("identify", image), compared):
        text = " ".join(result.stdout.replace("│", " ").split())
        assert said in text, result.stdout
        assert "No match" not in text


@pytest.mark.parametrize("code", ["too-simple", "cut-edge"])
def test_enroll_says_what_is_wrong_with_an_image(
    registry: None, run: Run, query: Callable[[str], Path], code: str
) -> None:
    result = run("enroll", "C-9", query(code))
    assert result.exit_code == 0
    assert "Note on reference 1: " in result.stdout
    assert KINDS[code][1] in " ".join(result.stdout.split())


def test_enroll_of_clean_scans_notes_nothing(
    registry: None, answer: Callable[..., Any], run: Run, scan: Callable[[int, int], Path]
) -> None:
    assert "Note" not in run("enroll", "C-9", scan(ADA, 0), scan(ADA, 1)).stdout
