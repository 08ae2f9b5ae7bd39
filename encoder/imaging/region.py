"""A part of an upright image that a caller names, and where what was read lies in the image."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from encoder.errors import FailureToAcquire

Pixels = NDArray[np.uint8]


@dataclass(frozen=True)
class Region:
    """A part of an upright image, px: its upper left corner, width and height."""

    x: int
    y: int
    w: int
    h: int

    def cut(self, image: Pixels, width: int, height: int) -> Pixels:
        """The region of what was read `(h, w, ...)` of an image of `width` x `height` px.

        Raises:
            FailureToAcquire: `region-outside`, it does not lie within the image.
        """
        if self.x + self.w > width or self.y + self.h > height:
            raise FailureToAcquire(
                "region-outside",
                f"The region {self.x},{self.y},{self.w},{self.h} (x,y,w,h) reaches out of the "
                f"image, which is {width} x {height} pixels when upright. Name a part within it.",
            )
        down, across = image.shape[0] / height, image.shape[1] / width
        top, left = round(self.y * down), round(self.x * across)
        bottom = max(top + 1, round((self.y + self.h) * down))
        right = max(left + 1, round((self.x + self.w) * across))
        return np.ascontiguousarray(image[top:bottom, left:right])


@dataclass(frozen=True)
class Frame:
    """Where what was read lies in the upright image.

    Attributes:
        x, y: column and row of its upper left corner in the image, px.
        across, down: pixels of the image to one that was read.
    """

    x: int = 0
    y: int = 0
    across: float = 1.0
    down: float = 1.0

    @classmethod
    def of(cls, gray: Pixels, width: int, height: int, region: Region | None) -> "Frame":
        """The frame of `gray` `(h, w)`, read of a region of an image of `width` x `height` px."""
        whole = region or Region(0, 0, width, height)
        return cls(whole.x, whole.y, whole.w / gray.shape[1], whole.h / gray.shape[0])


WHOLE = Frame()
