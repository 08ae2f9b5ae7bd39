"""What scans and photographs go through: grey levels in, grey levels out, before any cleaning.

`robustness` measures what each does to error rates. Training varies canvases instead
(`datasets.augment`).
"""

from collections.abc import Callable
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.imaging.pixels import Gray, as_uint8

Perturbation = Callable[[Gray, np.random.Generator], Gray]
Light = NDArray[np.float64]  # (h, w), 0 none to 1 full


def _unchanged(gray: Gray, rng: np.random.Generator) -> Gray:
    del rng
    return gray


def _rotated(gray: Gray, rng: np.random.Generator, degrees: float) -> Gray:
    """Turned either way about the middle, on a page large enough for all of it."""
    height, width = gray.shape
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees * rng.choice([-1, 1]), 1.0)
    cosine, sine = abs(turn[0, 0]), abs(turn[0, 1])
    size = (int(width * cosine + height * sine) + 1, int(width * sine + height * cosine) + 1)
    turn[:, 2] += (size[0] - width) / 2, (size[1] - height) / 2
    return as_uint8(cv2.warpAffine(gray, turn, size, borderValue=(_paper(gray),)))


def _resized(gray: Gray, rng: np.random.Generator, scale: float) -> Gray:
    del rng
    size = (max(1, round(gray.shape[1] * scale)), max(1, round(gray.shape[0] * scale)))
    method = cv2.INTER_AREA if scale < 1 else cv2.INTER_CUBIC
    return as_uint8(cv2.resize(gray, size, interpolation=method))


def _thickened(gray: Gray, rng: np.random.Generator) -> Gray:
    del rng
    return as_uint8(cv2.erode(gray, np.ones((2, 2), np.uint8)))


def _thinned(gray: Gray, rng: np.random.Generator) -> Gray:
    del rng
    return as_uint8(cv2.dilate(gray, np.ones((2, 2), np.uint8)))


def _compressed(gray: Gray, rng: np.random.Generator, quality: int) -> Gray:
    del rng
    data = cv2.imencode(".jpg", gray, [cv2.IMWRITE_JPEG_QUALITY, quality])[1]
    return decode(data.tobytes()).gray


def _unevenly_lit(gray: Gray, rng: np.random.Generator) -> Gray:
    """Light falls from full to less than half across the page, from a random side."""
    return _dimmed(gray, 1.0 - 0.55 * _ramp(gray, rng))


def _photographed(gray: Gray, rng: np.random.Generator) -> Gray:
    """Seen askew, with the soft edge of a shadow across it, a little blurred, with noise."""
    height, width = gray.shape
    margin = round(0.08 * max(height, width))
    page = cv2.copyMakeBorder(
        gray, margin, margin, margin, margin, cv2.BORDER_CONSTANT, value=(_paper(gray),)
    )
    height, width = page.shape
    corners = np.array([[0, 0], [width, 0], [width, height], [0, height]], np.float32)
    reach = 0.06 * np.array([width, height])
    moved = (corners + rng.uniform(-1, 1, (4, 2)) * reach).astype(np.float32)
    askew = cv2.getPerspectiveTransform(corners, moved)
    seen = as_uint8(
        cv2.warpPerspective(page, askew, (width, height), borderMode=cv2.BORDER_REPLICATE)
    )
    edge = 1.0 / (1.0 + np.exp(-20.0 * (_ramp(seen, rng) - rng.uniform(0.3, 0.7))))
    shaded = cv2.GaussianBlur(_dimmed(seen, 1.0 - 0.4 * edge), (0, 0), 0.8)
    return as_uint8(np.clip(shaded + rng.normal(0.0, 5.0, shaded.shape), 0, 255))


def _ruled(gray: Gray, rng: np.random.Generator) -> Gray:
    """A dark line, two pixels wide, across the page through the lower half of the ink."""
    _, top, _, height = clean(gray).box
    row = top + round(rng.uniform(0.5, 0.8) * height)
    page = gray.copy()
    page[row : row + 2] = np.minimum(page[row : row + 2], 70)
    return page


def _paper(gray: Gray) -> float:
    return float(np.median(gray))


def _ramp(gray: Gray, rng: np.random.Generator) -> Light:
    """From 0 to 1 across the page, in a random direction."""
    height, width = gray.shape
    angle = rng.uniform(0, 2 * np.pi)
    rows, columns = np.mgrid[0:height, 0:width]
    way = np.cos(angle) * columns / max(width, 1) + np.sin(angle) * rows / max(height, 1)
    return np.asarray((way - way.min()) / max(float(np.ptp(way)), 1e-9))


def _dimmed(gray: Gray, light: Light) -> Gray:
    return as_uint8(np.clip(gray * light, 0, 255))


PERTURBATIONS: dict[str, Perturbation] = {
    "as scanned": _unchanged,
    "rotated 5 degrees": partial(_rotated, degrees=5.0),
    "rotated 10 degrees": partial(_rotated, degrees=10.0),
    "half resolution": partial(_resized, scale=1 / 2),
    "third resolution": partial(_resized, scale=1 / 3),
    "strokes 1 px thicker": _thickened,
    "strokes 1 px thinner": _thinned,
    "JPEG quality 30": partial(_compressed, quality=30),
    "uneven light": _unevenly_lit,
    "phone photo": _photographed,
    "ruled line through it": _ruled,
    "scale 0.7": partial(_resized, scale=0.7),
    "scale 1.4": partial(_resized, scale=1.4),
}
