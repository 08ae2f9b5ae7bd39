"""The boxes of several signatures, as an answer tells them: fit to be looked at one by one."""

import numpy as np
import pytest

from encoder.documents.find import Found, Part
from encoder.documents.told import PAPER_PX, Place, cautions
from encoder.errors import FailureToAcquire

SIZE = (300, 400)


def told(*boxes: tuple[int, int, int, int], place: Place | None = None) -> list[tuple[int, ...]]:
    """What is told of signatures with ink in these boxes (left, top, width, height)."""
    page = np.zeros(SIZE, np.uint8)
    others = tuple(Part("signature", box) for box in boxes)
    with pytest.raises(FailureToAcquire) as refused:
        cautions(Found(page, page, others=others, sure=True), 1, place or Place())
    return [tuple(int(box[side]) for side in "xywh") for box in refused.value.boxes]


def test_boxes_have_paper_around_the_ink():
    first, second = told((20, 30, 100, 50), (200, 150, 90, 60))
    paper = PAPER_PX
    assert first == (20 - paper, 30 - paper, 100 + 2 * paper, 50 + 2 * paper)
    assert second == (200 - paper, 150 - paper, 90 + 2 * paper, 60 + 2 * paper)


@pytest.mark.parametrize("gap", [0, 1, 5, 9])
@pytest.mark.parametrize("axis", ["x", "y"])
def test_boxes_do_not_reach_into_each_other_or_out_of_the_page(gap: int, axis: str):
    boxes = [(0, 2, 100, 60), (100 + gap, 2, 300 - gap, 60)]
    if axis == "y":
        boxes = [(2, 0, 60, 100), (2, 100 + gap, 60, 200 - gap)]
    first, second = told(*boxes)
    for (x, y, w, h), (left, top, width, height) in zip((first, second), boxes, strict=True):
        assert 0 <= x <= left
        assert 0 <= y <= top
        assert left + width <= x + w <= SIZE[1]
        assert top + height <= y + h <= SIZE[0]
    start = "xy".index(axis)
    assert first[start] + first[start + 2] <= second[start]


def test_boxes_of_a_region_are_in_pixels_of_the_image():
    [box, _] = told((20, 30, 100, 50), (200, 150, 90, 60), place=Place(1000, 500, 2.0, 3.0))
    assert box == (1000 + 2 * 12, 500 + 3 * 22, 2 * 116, 3 * 66)
