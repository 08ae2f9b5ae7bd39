"""Splits ink by its colour or darkness, where a page was written on with two inks."""

from collections.abc import Iterator

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.documents.marks import Mask, Numbers

CORE_PX = 5  # Side of the square whose darkest level stands for a pixel: edges are paler.
COLOUR_PX = 3  # Side of the blur of colours, which many files hold at half the resolution.
MIN_APART = 28.0  # Grey levels between two inks,
MIN_COLOURS_APART = 14.0  # or a* and b* of L*a*b*, 0 to 255 each as OpenCV has them.
MIN_SHARE = 0.04  # Of all ink that each must have.
MAX_SPREAD = 0.3  # Of that distance: how far each ink's pixels stray, on average.
ROUNDS = 8
SAMPLED_PX = 60_000  # Of the page, in whole rows: by their ink two inks are told apart.


def ink_layers(mask: Mask, gray: NDArray[np.uint8], colour: NDArray[np.uint8] | None) -> list[Mask]:
    """The ink of each of two pens; nothing where there is one.

    Args:
        mask: `(h, w)` uint8, 0 or 255.
        gray: `(h, w)` uint8 levels that it was found in.
        colour: `(h, w, 3)` uint8 RGB, where the image has colours.
    """
    every = max(1, mask.shape[0] * mask.shape[1] // SAMPLED_PX)
    sampled = mask[::every] > 0
    if not sampled.any():
        return []
    for seen in _looks(gray, colour):
        centres = _two_centres(seen[::every][sampled].astype(np.float64))
        if centres is not None:
            ink = mask > 0
            levels = seen[ink].astype(np.float64)
            second = _distance(levels, centres[1]) < _distance(levels, centres[0])
            return [_layer(ink, ~second), _layer(ink, second)]
    return []


def _layer(ink: NDArray[np.bool_], chosen: NDArray[np.bool_]) -> Mask:
    layer = np.zeros(ink.shape, np.uint8)
    layer[ink] = chosen * np.uint8(255)
    return layer


def _looks(
    gray: NDArray[np.uint8], colour: NDArray[np.uint8] | None
) -> Iterator[NDArray[np.uint8]]:
    """`(h, w, 2 or 1)` what tells inks apart: their colour, then their darkness.

    Pressure changes how dark a pen writes, not its colour.
    """
    if colour is not None:
        soft = cv2.GaussianBlur(colour, (COLOUR_PX, COLOUR_PX), 0)
        yield np.asarray(cv2.cvtColor(soft, cv2.COLOR_RGB2LAB)[..., 1:], np.uint8)
    yield np.asarray(cv2.erode(gray, np.ones((CORE_PX, CORE_PX), np.uint8))[..., None], np.uint8)


def _two_centres(seen: Numbers) -> Numbers | None:
    """The colours of two inks, `(2, 1 or 3)`, or None where they are one."""
    least = MIN_APART if seen.shape[1] == 1 else MIN_COLOURS_APART
    spread = np.ptp(seen, axis=0)
    if spread.max() < least:
        return None
    along = seen[:, int(spread.argmax())]
    centres = np.stack([seen[along.argmin()], seen[along.argmax()]]).astype(np.float64)
    for _ in range(ROUNDS):
        second = _distance(seen, centres[1]) < _distance(seen, centres[0])
        if second.all() or not second.any():
            return None
        centres = np.stack([np.median(seen[~second], axis=0), np.median(seen[second], axis=0)])
    apart = float(np.linalg.norm(centres[1] - centres[0]))
    share = float(second.mean())
    stray = max(
        _distance(seen[~second], centres[0]).mean(), _distance(seen[second], centres[1]).mean()
    )
    if apart < least or not MIN_SHARE <= share <= 1 - MIN_SHARE or stray > MAX_SPREAD * apart:
        return None
    return centres


def _distance(seen: Numbers, centre: Numbers) -> Numbers:
    return np.asarray(np.linalg.norm(seen - centre, axis=1))
