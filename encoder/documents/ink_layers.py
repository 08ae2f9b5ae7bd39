"""Splits ink by its colour or darkness, where a page was written on with two inks."""

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.documents.marks import Mask, Numbers

CORE_PX = 5  # Side of the square whose darkest level stands for a pixel: edges are paler.
MIN_APART = 28.0  # Distance of two inks' colours in L*a*b* as OpenCV scales it, 0 to 255 each.
MIN_SHARE = 0.04  # Of all ink that each must have.
MAX_SPREAD = 0.28  # Of that distance: how far each ink's pixels stray, on average.
ROUNDS = 8
SAMPLED_PX = 60_000  # Of the page, in whole rows: by their ink two inks are told apart.
TONE_WEIGHT = 0.8  # Darkness varies with pressure, colour does not.


def ink_layers(mask: Mask, gray: NDArray[np.uint8], colour: NDArray[np.uint8] | None) -> list[Mask]:
    """The ink of each of two pens; nothing where there is one.

    Args:
        mask: `(h, w)` uint8, 0 or 255.
        gray: `(h, w)` uint8 levels that it was found in.
        colour: `(h, w, 3)` uint8 RGB, where the image has colours.
    """
    seen = _seen(gray, colour)
    rows = max(1, mask.shape[0] * mask.shape[1] // SAMPLED_PX)
    sample = seen[::rows][mask[::rows] > 0]
    centres = _two_centres(sample) if len(sample) else None
    if centres is None:
        return []
    ink = mask > 0
    seen = seen[ink]
    second = _distance(seen, centres[1]) < _distance(seen, centres[0])
    layers = []
    for chosen in (~second, second):
        layer = np.zeros_like(mask)
        layer[ink] = chosen * np.uint8(255)
        layers.append(layer)
    return layers


def _seen(gray: NDArray[np.uint8], colour: NDArray[np.uint8] | None) -> Numbers:
    """`(h, w, 1 or 3)` what a pixel's ink looks like: the darkest level about it, and its hue."""
    core = cv2.erode(gray, np.ones((CORE_PX, CORE_PX), np.uint8))
    if colour is None:
        return np.asarray(core[..., None])
    hue = cv2.cvtColor(cv2.GaussianBlur(colour, (CORE_PX, CORE_PX), 0), cv2.COLOR_RGB2LAB)
    return np.dstack([TONE_WEIGHT * core, 2.0 * hue[..., 1:].astype(np.float32)])


def _two_centres(seen: Numbers) -> Numbers | None:
    """The colours of two inks, `(2, 1 or 3)`, or None where they are one."""
    seen = seen.astype(np.float32)
    spread = np.ptp(seen, axis=0)
    if spread.max() < MIN_APART:
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
    if apart < MIN_APART or not MIN_SHARE <= share <= 1 - MIN_SHARE or stray > MAX_SPREAD * apart:
        return None
    return centres


def _distance(seen: Numbers, centre: Numbers) -> Numbers:
    return np.asarray(np.linalg.norm(seen - centre.astype(np.float32), axis=1))
