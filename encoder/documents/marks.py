"""The connected marks of a page's ink, with what telling them apart looks at."""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

Mask = NDArray[np.uint8]  # (h, w), 0 paper, 255 ink.
Chosen = NDArray[np.bool_]  # (n,), which of the marks.
Numbers = NDArray[np.float64]


@dataclass(frozen=True)
class Marks:
    """The n connected marks of a mask.

    Attributes:
        mask: `(h, w)` uint8, 0 or 255.
        labels: `(h, w)` int32, 0 paper, k + 1 on mark k.
        boxes: `(n, 4)` left, top, right, bottom (both past the last pixel), px.
        areas: `(n,)` pixels.
    """

    mask: Mask
    labels: NDArray[np.int32]
    boxes: Numbers
    areas: Numbers

    @classmethod
    def of(cls, mask: Mask) -> "Marks":
        """The marks of a mask `(h, w)`; touching at a corner, pixels are one mark."""
        _, labels, found, _ = cv2.connectedComponentsWithStats(
            mask, connectivity=8, ltype=cv2.CV_32S
        )
        boxes = found[1:, :4].astype(np.float64)
        boxes[:, 2:] += boxes[:, :2]
        return cls(mask, np.asarray(labels, np.int32), boxes, found[1:, 4].astype(np.float64))

    def __len__(self) -> int:
        """How many marks there are."""
        return len(self.areas)

    @property
    def widths(self) -> Numbers:
        """Of their boxes, px."""
        return np.asarray(self.boxes[:, 2] - self.boxes[:, 0])

    @property
    def heights(self) -> Numbers:
        """Of their boxes, px."""
        return np.asarray(self.boxes[:, 3] - self.boxes[:, 1])

    @property
    def centres(self) -> Numbers:
        """`(n, 2)`: column and row of the middle of their boxes."""
        return np.asarray((self.boxes[:, :2] + self.boxes[:, 2:]) / 2)

    @cached_property
    def stroke_widths(self) -> Numbers:
        """Mean width of each mark's strokes, px: twice the area over the outline's length."""
        inner = cv2.erode(self.mask, np.ones((3, 3), np.uint8))
        kept = np.bincount(self.labels[inner > 0], minlength=len(self) + 1)[1:]
        return np.asarray(2.0 * self.areas / np.maximum(self.areas - kept, 1))

    def touching(self, other: Mask) -> Chosen:
        """Which of the marks touch other ink `(h, w)`."""
        near = cv2.dilate(other, np.ones((3, 3), np.uint8)) > 0
        touched = np.bincount(self.labels[near], minlength=len(self) + 1)[1:]
        return np.asarray(touched > 0)

    def mask_of(self, chosen: Chosen) -> Mask:
        """The ink of some of the marks, on the page of all."""
        table = np.zeros(len(self) + 1, np.uint8)
        table[1:][chosen] = 255
        return np.asarray(table[self.labels])

    def box_of(self, chosen: Chosen) -> tuple[int, int, int, int]:
        """Left, top, width, height of the box around some of the marks, px."""
        return box_around(self.boxes[chosen])


def box_around(boxes: Numbers) -> tuple[int, int, int, int]:
    """Left, top, width, height around boxes `(n, 4)` of left, top, right, bottom; n at least 1."""
    left, top = (int(side) for side in boxes[:, :2].min(axis=0))
    right, bottom = (int(side) for side in boxes[:, 2:].max(axis=0))
    return left, top, right - left, bottom - top
