"""Turns ink and mirrors it, as sheets lie that were scanned askew, sideways or from the back."""

from dataclasses import dataclass

import cv2
import numpy as np

from encoder.imaging.pixels import HALF_INK, Mask, as_uint8

QUARTER = 90  # Degrees by which ink is turned exactly, pixel by pixel.
# Ink is reduced to this side before it is turned by less: the canvas needs no more of it.
MAX_SIDE_PX = 900


@dataclass(frozen=True)
class Pose:
    """How ink is laid anew: mirrored left to right, or not, and then turned clockwise."""

    degrees: int = 0
    mirrored: bool = False


SIDEWAYS = (Pose(90), Pose(180), Pose(270))
MIRRORED = tuple(Pose(degrees, mirrored=True) for degrees in (0, 90, 180, 270))


def posed(ink: Mask, pose: Pose) -> Mask:
    """Ink `(h, w)`, 0 or 255, laid as the pose says, cropped to itself."""
    if pose.mirrored:
        ink = ink[:, ::-1]
    quarters, rest = divmod(pose.degrees, QUARTER) if pose.degrees > 0 else (0, pose.degrees)
    ink = np.ascontiguousarray(np.rot90(ink, -quarters))
    return _turned(ink, rest) if rest else ink


def _turned(ink: Mask, degrees: int) -> Mask:
    """Ink turned clockwise about its middle, on a page large enough for all of it, cropped."""
    scale = min(1.0, MAX_SIDE_PX / max(ink.shape))
    if scale < 1:
        size = (max(1, round(ink.shape[1] * scale)), max(1, round(ink.shape[0] * scale)))
        ink = as_uint8(cv2.resize(ink, size, interpolation=cv2.INTER_AREA))
    height, width = ink.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), -degrees, 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = (int(width * cosine + height * sine) + 2, int(width * sine + height * cosine) + 2)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    page = cv2.warpAffine(ink, turn, size)
    mask = as_uint8(cv2.threshold(page, HALF_INK, 255, cv2.THRESH_BINARY)[1])
    left, top, width, height = cv2.boundingRect(mask)
    return mask[top : top + height, left : left + width]
