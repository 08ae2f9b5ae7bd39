"""Copies lie on each other, different signatures of one hand do not."""

import cv2
import numpy as np
import pytest

from encoder.imaging.acquire import acquire
from encoder.imaging.overlay import (
    COPY_SHARE,
    ink_of_preview,
    lines_of,
    shared_lines,
)
from encoder.imaging.preview import preview_png
from encoder.synthesis import encode_png, synthetic_writer


def turned(picture, degrees, scale=1.0):
    height, width = picture.shape
    matrix = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, scale)
    return cv2.warpAffine(picture, matrix, (width, height), borderValue=255)


def encoded(picture, kind=".png", *options):
    return cv2.imencode(kind, picture, options)[1].tobytes()


def noisy(picture):
    grain = np.random.default_rng(1).normal(0, 8, picture.shape)
    return np.clip(cv2.GaussianBlur(picture, (0, 0), 0.8) + grain, 0, 255).astype(np.uint8)


def bilevel(picture, level):
    return np.where(picture > level, 255, 0).astype(np.uint8)


COPIES = {
    "saved again": encoded,
    "as a JPEG": lambda one: encoded(one, ".jpg", cv2.IMWRITE_JPEG_QUALITY, 40),
    "with a wide margin": lambda one: encoded(
        cv2.copyMakeBorder(one, 60, 90, 200, 20, cv2.BORDER_CONSTANT, value=(255,))
    ),
    "2 % smaller": lambda one: encoded(cv2.resize(one, None, fx=0.98, fy=0.98)),
    "half as large": lambda one: encoded(
        cv2.resize(one, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA)
    ),
    "turned a little": lambda one: encoded(turned(one, 3)),
    "scanned again": lambda one: encoded(noisy(turned(one, -2, 0.95)), ".jpg"),
    "of another threshold": lambda one: encoded(bilevel(one, 150)),
    "photocopied thicker": lambda one: encoded(cv2.erode(bilevel(one, 170), np.ones((2, 2)))),
    "cut off a little": lambda one: encoded(one[:, int(0.08 * one.shape[1]) :]),
}


def lines(data):
    return lines_of(acquire(data).ink)


@pytest.mark.parametrize("kind", COPIES)
def test_a_copy_lies_on_its_original(kind):
    for seed in (1, 2, 3):
        picture = synthetic_writer(seed).genuine(0)
        original, copy = lines(encode_png(picture)), lines(COPIES[kind](picture))
        assert shared_lines(original, copy) >= COPY_SHARE, shared_lines(original, copy)
        assert shared_lines(copy, original) >= COPY_SHARE


def test_signatures_of_one_hand_do_not_lie_on_each_other():
    for seed in (1, 2, 3):
        hand = synthetic_writer(seed)
        drawn = [lines(encode_png(hand.genuine(n))) for n in range(4)]
        shares = [shared_lines(one, other) for one in drawn for other in drawn if one is not other]
        assert max(shares) < COPY_SHARE - 0.1


def test_a_preview_holds_the_lines():
    ink = acquire(encode_png(synthetic_writer(1).genuine(0))).ink
    assert shared_lines(lines_of(ink), lines_of(ink_of_preview(preview_png(ink)))) > 0.98


@pytest.mark.parametrize("png", [b"", b"no picture"])
def test_what_is_no_preview_has_no_ink(png):
    nothing = lines_of(ink_of_preview(png))
    assert len(nothing.points) == 0
    assert shared_lines(nothing, nothing) < COPY_SHARE


def test_a_short_stroke_is_nobodys_copy():
    stroke = np.zeros((40, 40), np.uint8)
    stroke[20:23, 10:14] = 255
    assert shared_lines(lines_of(stroke), lines_of(stroke)) == 0
