"""One page of a file, and how many are looked at."""

from dataclasses import dataclass

from encoder.imaging.pixels import Gray

MAX_PAGES = 10  # Looked at for ink.


@dataclass(frozen=True)
class Page:
    """One page, read.

    Attributes:
        gray: `(h, w)` uint8, upright, at working resolution.
        more: whether another page follows it.
        views: whether what follows are views of the same, as phones write them, not pages.
        aspect: how many times as many dots an inch it had across as down.
    """

    gray: Gray
    more: bool
    views: bool = False
    aspect: float = 1.0
