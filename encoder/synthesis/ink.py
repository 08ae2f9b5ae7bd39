"""Lays a pen's path down as ink on paper and scans it; knows nothing of who moved the pen."""

from dataclasses import dataclass, replace

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.synthesis.kinematics import Floats
from encoder.synthesis.plan import PenPath

Gray = NDArray[np.uint8]

_ZOOM = 3  # the ink is drawn larger, then averaged down
_SHIFT = 4  # fractional bits of OpenCV's drawing coordinates
_LEVELS = 10  # shades in which a line is drawn


@dataclass(frozen=True)
class Pen:
    """A pen and its ink. `width_px` at usual speed; `level` is the grey of its full ink, 0..255."""

    width_px: float
    level: float
    speed_effect: float  # how much a fast line is thinner and paler
    pressure_effect: float
    nib: float  # contrast of a broad nib: 0 for a ball
    grain: float  # how patchy its ink lies


@dataclass(frozen=True)
class Scan:
    """Paper and scanner. Grey levels 0..255, blur in px."""

    paper: float
    noise: float
    blur_px: float
    shading: float


def draw_pen(rng: np.random.Generator) -> Pen:
    """Draws a ballpoint, a gel pen or a fountain pen."""
    kind = rng.choice(3, p=[0.5, 0.3, 0.2])
    width = (rng.uniform(2.6, 4.2), rng.uniform(3.4, 5.4), rng.uniform(3.6, 6.0))[kind]
    return Pen(
        width_px=float(width),
        level=float(rng.uniform(25, 110) if kind == 0 else rng.uniform(15, 75)),
        speed_effect=float((0.06, 0.06, 0.1)[kind] * rng.uniform(0.7, 1.3)),
        pressure_effect=float((0.35, 0.25, 0.6)[kind] * rng.uniform(0.7, 1.3)),
        nib=float(rng.uniform(0.15, 0.45)) if kind == 2 else 0.0,
        grain=float((0.3, 0.08, 0.12)[kind] * rng.uniform(0.5, 1.5)),
    )


def worn(pen: Pen, rng: np.random.Generator) -> Pen:
    """The same kind of pen on another day."""
    return replace(
        pen,
        width_px=float(np.clip(pen.width_px * np.exp(rng.normal(0, 0.07)), 2.5, 8.0)),
        level=float(np.clip(pen.level + rng.normal(0, 8), 10, 125)),
    )


def draw_scan(rng: np.random.Generator) -> Scan:
    """Draws paper and scanner settings."""
    return Scan(
        paper=float(rng.uniform(228, 254)),
        noise=float(rng.uniform(0.8, 4.0)),
        blur_px=float(rng.uniform(0.35, 0.85)),
        shading=float(rng.normal(0, 1.5)),
    )


def scan(path: PenPath, pen: Pen, settings: Scan, rng: np.random.Generator) -> Gray:
    """The path as a grey scan (h, w), dark ink on paper, with margins."""
    left, top, right, bottom = rng.integers(22, 60, 4).tolist()
    down = path.points[path.pressure > 0]
    origin = complex(down.real.min() - left, down.imag.max() + top)
    width = int(np.ptp(down.real)) + left + right
    height = int(np.ptp(down.imag)) + top + bottom
    coverage = _ink(np.conj(path.points - origin), path, pen, (height, width))
    if pen.grain:
        patches = cv2.resize(
            rng.random((height // 3 + 1, width // 3 + 1), dtype=np.float32), (width, height)
        )
        coverage *= 1 - pen.grain * patches
    shade = np.linspace(-settings.shading, settings.shading, width, dtype=np.float32)
    paper = settings.paper + shade
    gray = paper - (paper - pen.level) * coverage
    gray = cv2.GaussianBlur(gray, (5, 5), settings.blur_px)
    grit = rng.integers(0, 256, (2, height, width), dtype=np.uint8).astype(np.float32)
    # Two uniform bytes have a standard deviation of 104.
    gray += (grit[0] + grit[1] - 255) * (settings.noise / 104)
    scanned: Gray = np.clip(gray + 0.5, 0, 255).astype(np.uint8)
    return scanned


def _ink(
    points: NDArray[np.complex128], path: PenPath, pen: Pen, size: tuple[int, int]
) -> NDArray[np.float32]:
    """Ink coverage (h, w), 0..1."""
    thickness, shade = _line(path, pen)
    canvas = np.zeros((size[0] * _ZOOM, size[1] * _ZOOM), np.uint8)
    # Centres of the zoomed pixels: x * zoom + (zoom - 1) / 2.
    fixed = (points * _ZOOM + (1 + 1j) * (_ZOOM - 1) / 2) * (1 << _SHIFT)
    corners = np.stack([fixed.real, fixed.imag], axis=1).round().astype(np.int32)
    level = np.round(shade * _LEVELS).astype(np.int64)
    style = np.where(path.pressure > 0.02, level * 1000 + thickness, 0)
    cuts = np.flatnonzero(np.diff(style)) + 1
    runs = zip(np.concatenate([[0], cuts]), np.concatenate([cuts, [style.size]]), strict=True)
    # The palest first, so that a crossing is as dark as its darker line.
    for first, end in sorted(runs, key=lambda run: int(style[run[0]])):
        if style[first]:
            ink, wide = divmod(int(style[first]), 1000)
            line = corners[first : end + 1]
            grey = round(255 * ink / _LEVELS)
            cv2.polylines(canvas, [line], False, grey, wide, cv2.LINE_8, _SHIFT)
    small = cv2.resize(canvas, (size[1], size[0]), interpolation=cv2.INTER_AREA)
    return np.asarray(small, np.float32) / np.float32(255)


def _line(path: PenPath, pen: Pen) -> tuple[NDArray[np.int64], Floats]:
    """Thickness (t,) in zoomed px and shade (t,) 0..1 of the line along a path."""
    velocity = np.gradient(path.points)
    speed = np.abs(velocity) + 1e-6
    down = path.pressure > 0.5
    usual = np.median(speed[down])
    slow = np.clip((speed / usual) ** -pen.speed_effect, 0.75, 1.45)
    press = np.clip(1 + pen.pressure_effect * (path.pressure - 0.95), 0.25, 1.5)
    flow = slow * press
    # Relative to the whole line, so that a slowly drawn signature is not a darker one.
    flow /= np.average(flow[down], weights=speed[down])
    # A broad nib held at 45 degrees: thin along its edge, wide across it.
    nib = 1 + pen.nib * (np.abs(np.sin(np.angle(velocity) - np.pi / 4)) - 0.6)
    thickness = np.maximum(np.round(pen.width_px * flow * nib * _ZOOM), 1)
    return thickness.astype(np.int64), np.clip(0.93 * flow, 0.3, 1.0)
