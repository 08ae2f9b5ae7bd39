"""Tells whether two images show one and the same writing, by laying the ink of one on the other.

Nobody signs twice alike: laid on each other as well as shifting, turning and scaling allow, two
signatures of one hand leave much of either beside the strokes of the other. Saved again, scanned
again, cropped or photocopied, one signature stays on itself. Pen widths differ between scans, so
the middle lines of strokes are compared.
"""

from dataclasses import dataclass
from functools import cached_property

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.imaging.canvas import canvas_scale
from encoder.imaging.pixels import HALF_INK, Mask, as_uint8
from encoder.imaging.skeleton import thin

# The lines are drawn as large as on a canvas of the network's size, where signatures are alike in
# spread whatever they were scanned at; all lengths below are in its pixels.
CANVAS = (144, 288)
FINENESS = 2  # Points lie on so many times the canvas's resolution.
THIN_INK = 48  # Of 255: a pixel of reduced ink is kept from here on, so that thin lines stay.
ROOM_PX = 24  # What may lie outside the canvas, on every side.
NEAR_PX = 1.5  # A point counts as lying on the other's lines up to here: half a stroke.
# What shares less, moved onto the other, does not share enough the other way round either.
WORTH_TURNING_ROUND = 0.5
STEPS = 20  # Of the alignment.
# How far from the other's lines a point may lie to count half, at the first step and at the last:
# first the signatures as wholes are brought together, then stroke by stroke.
REACH_PX = (8.0, 1.0)
LEAST_POINTS = 60  # A stroke as short as that lies on any other.

# Of the points of either on the lines of the other. In 55,000 pairs of signatures of one writer in
# six data sets, the most alike that are no copies reach 0.85; copies have 0.97 and more in the
# middle (docs/robustness.md).
COPY_SHARE = 0.9

Points = NDArray[np.float32]


@dataclass(frozen=True, eq=False)
class Lines:
    """The middle lines of a signature's strokes.

    Attributes:
        points: `(n, 2)` float32, x and y, in canvas pixels from the centre of the ink.
    """

    points: Points

    @cached_property
    def nearest(self) -> tuple[Points, NDArray[np.int32], Points]:
        """For each place of the plane the distance to its next point and a label; points by label.

        Distances and labels are `(height, width)`, points `(labels, 2)`.
        """
        places = _places(self.points)
        plane = np.full(_PLANE, 255, np.uint8)
        plane[places[:, 1], places[:, 0]] = 0
        distances, labels = cv2.distanceTransformWithLabels(
            plane, cv2.DIST_L2, cv2.DIST_MASK_5, labelType=cv2.DIST_LABEL_PIXEL
        )
        found = np.zeros((int(labels.max()) + 1, 2), np.float32)
        found[labels[places[:, 1], places[:, 0]]] = self.points
        return np.asarray(distances / FINENESS, np.float32), np.asarray(labels, np.int32), found

    def around(self, points: Points) -> tuple[Points, Points]:
        """Distances `(k,)` of points `(k, 2)` from these lines, and their nearest points."""
        distances, labels, found = self.nearest
        across, down = _places(points).T
        return distances[down, across], found[labels[down, across]]


_PLANE = tuple(FINENESS * (side + 2 * ROOM_PX) for side in CANVAS)


def ink_of_preview(png: bytes) -> Mask:
    """The ink `(h, w)`, 0 or 255, that `preview_png` drew; `(0, 0)` of what is no picture."""
    paper = cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_GRAYSCALE) if png else None
    return np.zeros((0, 0), np.uint8) if paper is None else as_uint8(255 - paper)


def lines_of(ink: Mask) -> Lines:
    """The middle lines of ink `(h, w)`, 0 or 255."""
    if not ink.size or not cv2.countNonZero(ink):
        return Lines(np.zeros((0, 2), np.float32))
    scale, (row, column) = canvas_scale(ink, CANVAS)
    finer = FINENESS * scale
    size = (max(1, round(ink.shape[1] * finer)), max(1, round(ink.shape[0] * finer)))
    reduced = finer < 1
    sized = cv2.resize(ink, size, interpolation=cv2.INTER_AREA if reduced else cv2.INTER_LINEAR)
    strokes = cv2.threshold(sized, THIN_INK if reduced else HALF_INK, 255, cv2.THRESH_BINARY)[1]
    room = cv2.copyMakeBorder(as_uint8(strokes), 1, 1, 1, 1, cv2.BORDER_CONSTANT, value=(0,))
    down, across = np.nonzero(thin(as_uint8(room)))
    points = np.stack([across - 1, down - 1], axis=1) / FINENESS - scale * np.array([column, row])
    return Lines(np.asarray(points, np.float32))


def shared_lines(one: Lines, other: Lines) -> float:
    """How much of two signatures lies on each other, laid as well as can be, 0 to 1.

    Of the one that has more beside the other. Too short lines, which lie on any, share nothing.
    """
    if min(len(one.points), len(other.points)) < LEAST_POINTS:
        return 0.0
    share = _shared(one, other)
    return share if share < WORTH_TURNING_ROUND else max(share, _shared(other, one))


def _shared(moved: Lines, still: Lines) -> float:
    """The same, where only `moved` is moved: the way it comes to lie depends on which one is."""
    points = moved.points
    for scale in np.geomspace(*REACH_PX, STEPS):
        distances, nearest = still.around(points)
        # Far points weigh little: ink that one scan lacks must not pull the rest away.
        weights = np.asarray(1 / (1 + (distances / scale) ** 2), np.float32)
        points = _laid_on(points, nearest, weights)
    there, _ = still.around(points)
    back, _ = Lines(points).around(still.points)
    return float(min((there < NEAR_PX).mean(), (back < NEAR_PX).mean()))


def _laid_on(points: Points, targets: Points, weights: Points) -> Points:
    """Points `(n, 2)` shifted, turned and scaled onto as many targets, by least squares.

    A least-squares estimate in closed form, after Umeyama (IEEE TPAMI 13(4), 1991).
    """
    share = (weights / weights.sum())[:, None]
    middle, aim = (share * points).sum(axis=0), (share * targets).sum(axis=0)
    x, y = (points - middle).T
    u, v = (targets - aim).T
    weight = share[:, 0]
    spread = max(float(weight @ (x * x + y * y)), 1e-9)
    along, aside = weight @ (x * u + y * v) / spread, weight @ (x * v - y * u) / spread
    laid = np.stack([along * x - aside * y, aside * x + along * y], axis=1) + aim
    return np.asarray(laid, np.float32)


def _places(points: Points) -> NDArray[np.intp]:
    """Column and row `(n, 2)` of points on the plane; those outside are put on its edge."""
    height, width = _PLANE
    places = np.rint(points * FINENESS + np.array([width / 2, height / 2])).astype(np.intp)
    return np.asarray(np.clip(places, 0, [width - 1, height - 1]), np.intp)
