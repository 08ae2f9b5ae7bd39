"""Previews show the ink as it was found, to whatever program reads PNG."""

import io

import cv2
import numpy as np
import pytest
from PIL import Image

from encoder.imaging.acquire import acquire
from encoder.imaging.preview import MARGIN_PX, MAX_WIDTH_PX, preview_png
from encoder.synthesis import encode_png, synthetic_writer


@pytest.mark.parametrize("size", [(1, 1), (7, 8), (40, 9), (213, 503), (300, 944)])
def test_ink_comes_back_pixel_by_pixel(size: tuple[int, int]) -> None:
    ink = np.where(np.random.default_rng(1).random(size) < 0.3, 255, 0).astype(np.uint8)
    data = preview_png(ink)
    image = Image.open(io.BytesIO(data))
    assert (image.format, image.mode) == ("PNG", "1")
    seen = np.asarray(image.convert("L"))
    assert np.array_equal(seen, np.pad(255 - ink, MARGIN_PX, constant_values=255))
    assert np.array_equal(cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_GRAYSCALE), seen)


def test_wide_ink_is_reduced_and_keeps_its_thin_lines() -> None:
    ink = np.zeros((400, 2400), np.uint8)
    ink[200, :] = 255
    ink[:, 1200] = 255
    image = Image.open(io.BytesIO(preview_png(ink)))
    assert image.width == MAX_WIDTH_PX
    dark = np.asarray(image.convert("L"))[MARGIN_PX:-MARGIN_PX, MARGIN_PX:-MARGIN_PX] == 0
    assert dark.any(axis=0).all()
    assert dark.any(axis=1).all()


def test_a_preview_of_a_signature_is_small() -> None:
    found = acquire(encode_png(synthetic_writer(1).genuine(0)))
    data = preview_png(found.ink)
    assert len(data) < 10_000
    assert Image.open(io.BytesIO(data)).height == found.ink.shape[0] + 2 * MARGIN_PX
