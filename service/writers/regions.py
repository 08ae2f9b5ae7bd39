"""Reads the part of an image to look at, as callers write it: `x,y,w,h`."""

import re

from encoder.imaging.region import Region
from service.errors import InvalidInput

EXPECTED = (
    "expected a region as x,y,w,h: column and row of its upper left corner, width and height, in "
    "whole pixels of the upright image, such as 40,120,600,200"
)
FOUR_NUMBERS = re.compile(r"(\d{1,6}),(\d{1,6}),(\d{1,6}),(\d{1,6})", re.ASCII)
TOLD = 80  # Characters of what came that are told.


def region_of(text: str) -> Region:
    """Read a region.

    Raises:
        InvalidInput: it is not four numbers, or is empty.
    """
    numbers = FOUR_NUMBERS.fullmatch(text.replace(" ", ""))
    if numbers is None:
        raise InvalidInput(f"{EXPECTED}; {text[:TOLD]!r} came.")
    x, y, w, h = map(int, numbers.groups())
    if not w or not h:
        raise InvalidInput(f"{EXPECTED}; {text[:TOLD]!r} has no width or no height.")
    return Region(x, y, w, h)
