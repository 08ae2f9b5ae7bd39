"""One page of a file, and how many are looked at."""

from dataclasses import dataclass

from encoder.imaging.pixels import Colour, Gray
from encoder.imaging.region import WHOLE, Frame

MAX_PAGES = 10  # Looked at for ink.


@dataclass(frozen=True)
class Page:
    """One page, read.

    Attributes:
        gray: `(h, w)` uint8, upright, at working resolution.
        more: whether another page follows it.
        views: whether what follows are views of the same, as phones write them, not pages.
        aspect: how many times as many dots an inch it had across as down.
        colour: `(h, w, 3)` uint8 RGB of the same, where there is colour to speak of.
        frame: where it lies in the upright page of the file.
    """

    gray: Gray
    more: bool
    views: bool = False
    aspect: float = 1.0
    colour: Colour | None = None
    frame: Frame = WHOLE
