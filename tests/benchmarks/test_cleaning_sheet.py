"""The sheet of cleaned scenes is drawn, and tells ink that was missed from ink that is none."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks import cleaning_sheet
from benchmarks.scenes import SCENES


def test_the_sheet_shows_every_scene(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    picture = tmp_path / "sheet.png"
    monkeypatch.setattr(sys, "argv", ["cleaning_sheet", str(picture)])
    cleaning_sheet.main()
    rows = -(-len(SCENES) // cleaning_sheet.COLUMNS)
    assert Image.open(picture).height > rows * cleaning_sheet.TILE_PX[0]


def test_errors_have_their_own_colours() -> None:
    found, ink = np.array([[255, 0, 255, 0]], np.uint8), np.array([[255, 255, 0, 0]], np.uint8)
    colours = [tuple(pixel) for pixel in cleaning_sheet._judged(found, ink)[0].tolist()]
    assert colours == [(0, 0, 0), cleaning_sheet.MISSED, cleaning_sheet.NONE, (255, 255, 255)]
