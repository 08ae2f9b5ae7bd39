"""Varies canvases for training as pens, scanners and hands do; mirror images are nobody's hand."""

from dataclasses import dataclass

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.imaging.pixels import as_uint8

Canvas = NDArray[np.uint8]

PATCH_PX = (4, 12)  # Sides of an erased patch, from the one to below the other.
BEND_GRID = (4, 7)  # Rows and columns of the random field that bends: a few waves to a signature.


@dataclass(frozen=True)
class Variation:
    """How far training images are varied; all are the largest change, drawn evenly up to it."""

    rotation_deg: float = 8.0
    shear: float = 0.12
    zoom: float = 0.12
    stretch: float = 0.10
    shift: float = 0.05
    bend_px: float = 2.0
    pen: float = 0.8
    erase: float = 0.25  # Probability that a small patch of ink is missing.


# As the notebook's ImageDataGenerator, less its mirror images.
NOTEBOOK_VARIATION = Variation(
    rotation_deg=20, shear=0.2, zoom=0.2, stretch=0.0, shift=0.2, bend_px=0, pen=0, erase=0
)


def vary(canvas: Canvas, variation: Variation, rng: np.random.Generator) -> Canvas:
    """One random variant of a canvas `(height, width)` uint8, same size."""
    height, width = canvas.shape
    affine = _affine(height, width, variation, rng)
    varied = as_uint8(cv2.warpAffine(canvas, affine, (width, height)))
    if variation.bend_px:
        varied = _bend(varied, variation.bend_px, rng)
    if variation.pen:
        varied = _another_pen(varied, variation.pen, rng)
    if rng.random() < variation.erase:
        size = rng.integers(*PATCH_PX, 2)
        top, left = rng.integers(0, (height - size[0], width - size[1]))
        varied[top : top + size[0], left : left + size[1]] = 0
    return varied


def _affine(
    height: int, width: int, variation: Variation, rng: np.random.Generator
) -> NDArray[np.float64]:
    turn, shear, zoom, stretch, shift_x, shift_y = rng.uniform(-1, 1, 6)
    angle = np.deg2rad(turn * variation.rotation_deg)
    scale = np.exp(zoom * variation.zoom)
    across = np.exp(stretch * variation.stretch)
    rotation = np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
    shape = np.array([[scale * across, shear * variation.shear], [0.0, scale / across]])
    linear = rotation @ shape
    centre = np.array([width / 2, height / 2])
    shift = np.array([shift_x * width, shift_y * height]) * variation.shift
    return np.column_stack([linear, centre - linear @ centre + shift])


def _bend(canvas: Canvas, bend_px: float, rng: np.random.Generator) -> Canvas:
    """Displace smoothly, as paper and hands do: a coarse random field, interpolated."""
    height, width = canvas.shape
    field = rng.normal(0.0, bend_px / 2, (2, *BEND_GRID)).astype(np.float32)
    dx, dy = (cv2.resize(part, (width, height), interpolation=cv2.INTER_CUBIC) for part in field)
    columns, rows = np.meshgrid(
        np.arange(width, dtype=np.float32), np.arange(height, dtype=np.float32)
    )
    return as_uint8(cv2.remap(canvas, columns + dx, rows + dy, cv2.INTER_LINEAR))


def _another_pen(canvas: Canvas, amount: float, rng: np.random.Generator) -> Canvas:
    """Blend towards a broader or a finer pen, so that the pen's width tells nothing."""
    kernel = cv2.getStructuringElement(cv2.MORPH_CROSS, (3, 3))
    share = rng.uniform(-amount, amount)
    if share > 0:
        other = cv2.dilate(canvas, kernel)
    else:
        other = cv2.resize(
            cv2.erode(cv2.resize(canvas, None, fx=2, fy=2), kernel),
            canvas.shape[::-1],
            interpolation=cv2.INTER_AREA,
        )
    return as_uint8(cv2.addWeighted(other, abs(share), canvas, 1 - abs(share), 0))
