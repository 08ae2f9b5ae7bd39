"""Finds lines and frames that stand free among marks: drawn with a ruler or compasses, not a hand.

A ruled line is straight to a pixel and of one width from end to end; a stroke of a hand bends,
tapers or swells. A stamp's ring is as round as compasses make it, its frame has straight sides.
"""

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.documents.marks import Chosen, Marks, Mask, Numbers

MIN_LINE = 0.8  # Width of a level line over that of all other ink.
MIN_UPRIGHT = 1.15  # Height of an upright one: letters hold upright strokes as high as all ink.
MIN_THIN = 14.0  # And over its own width.
MAX_SLANT = 0.09  # From level or upright, rise over run: five degrees.
STRAY_PX, STRAY_WIDTHS = 0.75, 0.2  # How far a line's middle strays from straight, at most.
UNEVEN_PX = 0.75  # Standard deviation of its width along it.
MIN_FRAME = 0.35  # Height of a ring or frame over that of all ink.
MAX_FILLED = 0.5  # Of what a ring encloses: it is hollow.
ROUND = 0.025  # Standard deviation of a ring's radius, over the radius.
ROUND_BOX = 0.15  # How far an ellipse and the outline it fits differ in size; it may be turned.
MIN_RECTANGLE = 0.96  # Of the upright or turned rectangle around it that a frame encloses.
INSIDE = 0.45  # Of a stamp's height: what is lower, within it, is its text.
MIN_PIECE = 0.01  # Share of an ink's pixels that a piece of its stamp has.
MIN_HULL_PX = 40.0  # Side of the smallest stamp.
HULL_NEAR_PX = 3  # How near its outline a stamp's ink runs,
MIN_ALONG = 0.6  # along so much of it: strokes hide the rest.
MIN_HULL_RECTANGLE, MIN_HULL_ROUND = (
    0.93,
    0.93,
)  # Of a rectangle or circle around a stamp that it fills.
MIN_EDGE, MAX_EDGE = 0.8, 0.06  # Length over the page's side, and breadth over the other side.
MIN_LINE_PX = 40.0
SIDES = ("left", "right")
MIN_SIDE = 0.75  # Height of a frame's side over that of the ink between.
HOLE_STROKES = 3.0  # Width of a hole or blot over the pen's strokes.
MIN_SOLID = 0.36  # Its width as a stroke's over that of its box: a disc has 0.4, a letter 0.2.
MIN_HOLE_PX = 12.0


def free_lines(marks: Marks) -> list[Chosen]:
    """The marks `(n,)` of each ruled line that touches nothing else."""
    lengths = np.hypot(marks.widths, marks.heights)
    thin = np.minimum(marks.widths, marks.heights) <= MAX_SLANT * lengths + lengths / MIN_THIN
    long = lengths >= MIN_LINE_PX
    slim = marks.areas <= lengths * lengths / MIN_THIN
    ruled = [n for n in map(int, np.flatnonzero(long & thin & slim)) if _is_ruled(marks, n)]
    sides = _frame_sides(marks, ruled)
    return [_only(marks, n) for n in ruled if n in sides or _is_longer_than_ink(marks, n)]


def _frame_sides(marks: Marks, ruled: list[int]) -> frozenset[int]:
    """Two uprights of one height with all other ink between them: what is left of a frame."""
    uprights = sorted(
        (n for n in ruled if marks.heights[n] > marks.widths[n]), key=lambda n: marks.boxes[n, 0]
    )
    if len(uprights) < len(SIDES):
        return frozenset()
    first, last = uprights[0], uprights[-1]
    between = np.ones(len(marks), bool)
    between[uprights] = False
    if not between.any():
        return frozenset()
    left, top, width, _ = marks.box_of(between)
    ends = np.abs(marks.boxes[first, 1::2] - marks.boxes[last, 1::2]).max()
    level = ends <= MAX_SLANT * (marks.boxes[last, 2] - marks.boxes[first, 0])
    around = marks.boxes[first, 0] <= left and marks.boxes[last, 2] >= left + width
    high = min(marks.heights[first], marks.heights[last]) >= MIN_SIDE * (
        marks.boxes[between, 3].max() - top
    )
    return frozenset({first, last}) if level and around and high else frozenset()


def holes(marks: Marks) -> list[Chosen]:
    """The marks `(n,)` of each hole or blot: solid, round and far wider than the pen."""
    pen = float(np.average(marks.stroke_widths, weights=marks.areas / marks.stroke_widths**2))
    longer = np.maximum(marks.widths, marks.heights)
    shorter = np.minimum(marks.widths, marks.heights)
    solid = marks.stroke_widths >= MIN_SOLID * shorter
    wide = (shorter >= HOLE_STROKES * pen) & (shorter >= MIN_HOLE_PX)
    likely = solid & wide & (longer <= 2 * shorter)
    if not likely.any() or likely.all():
        return []
    left, top, width, height = marks.box_of(~likely)
    outside = (marks.boxes[:, 2] <= left) | (marks.boxes[:, 0] >= left + width)
    outside |= (marks.boxes[:, 3] <= top) | (marks.boxes[:, 1] >= top + height)
    return [_only(marks, n) for n in map(int, np.flatnonzero(likely & outside))]


def _is_longer_than_ink(marks: Marks, number: int) -> bool:
    """Whether a line is as long as a line to sign on, a frame's side or a page's edge is."""
    others = ~_only(marks, number)
    if not others.any():
        return False
    _, _, width, height = marks.box_of(others)
    return bool(
        marks.widths[number] >= MIN_LINE * width or marks.heights[number] >= MIN_UPRIGHT * height
    )


def _is_ruled(marks: Marks, number: int) -> bool:
    ink = _cut(marks, number) > 0
    if ink.shape[0] > ink.shape[1]:
        ink = ink.T
    widths = ink.sum(axis=0)
    if not widths.all():
        return False
    columns = np.arange(len(widths))
    middles = (np.arange(ink.shape[0])[:, None] * ink).sum(axis=0) / widths
    ends = max(2, len(columns) // 50)  # A line's ends may be cut at any angle.
    columns, middles, widths = columns[ends:-ends], middles[ends:-ends], widths[ends:-ends]
    if len(columns) < MIN_THIN:
        return False
    slope, start = np.polyfit(columns, middles, 1)
    stray = np.abs(middles - slope * columns - start)
    reach = max(STRAY_PX, STRAY_WIDTHS * float(widths.mean()))
    return bool(
        abs(slope) <= MAX_SLANT
        and np.percentile(stray, 95) <= reach
        and widths.std() <= UNEVEN_PX
        and len(columns) >= MIN_THIN * widths.mean()
    )


def edges(marks: Marks) -> list[Chosen]:
    """The marks `(n,)` of each edge of the paper: along a side of the page, narrow, and long."""
    found = []
    for along, across in ((1, 0), (0, 1)):
        length, breadth = marks.mask.shape[1 - along], marks.mask.shape[1 - across]
        first, last = marks.boxes[:, across], marks.boxes[:, across + 2]
        at_side = (first <= 1) | (last >= breadth - 1)
        long = marks.boxes[:, along + 2] - marks.boxes[:, along] >= MIN_EDGE * length
        narrow = last - first <= MAX_EDGE * breadth
        found += [_only(marks, n) for n in map(int, np.flatnonzero(at_side & long & narrow))]
    return found


def stamps(marks: Marks, *, alone: bool) -> list[Chosen]:
    """The marks `(n,)` of each ring or frame, with the text within it.

    Args:
        marks: of the ink of one colour.
        alone: whether the signature is of another colour, so that all within is the stamp's.
    """
    inked = float(marks.boxes[:, 3].max() - marks.boxes[:, 1].min())
    large = (marks.heights >= MIN_FRAME * inked) & (marks.widths >= marks.heights / 2)
    found = [
        _with_text(marks, number, alone=alone)
        for number in map(int, np.flatnonzero(large))
        if _is_frame(_cut(marks, number))
    ]
    solid = marks.areas >= MIN_PIECE * marks.areas.sum()
    if alone and not found and solid.any() and _is_outline(_hull(marks, solid), marks):
        found = [np.ones(len(marks), bool)]
    return found


def _hull(marks: Marks, solid: Chosen) -> NDArray[np.int32]:
    """The convex outline `(n, 1, 2)` around all but the smallest marks: strokes cut up a ring."""
    points = cv2.findNonZero(marks.mask_of(solid))
    return np.asarray(cv2.convexHull(points))


def _is_outline(hull: NDArray[np.int32], marks: Marks) -> bool:
    """Whether a convex outline is a rectangle's or a ring's, and the marks lie along it."""
    enclosed = cv2.contourArea(hull)
    (_, _), (width, height), _ = cv2.minAreaRect(hull)
    if enclosed < MIN_HULL_PX**2:
        return False
    line = np.zeros_like(marks.mask)
    cv2.polylines(line, [hull], True, 255, 1)
    reach = np.ones((2 * HULL_NEAR_PX + 1,) * 2, np.uint8)
    along = cv2.countNonZero(cv2.bitwise_and(line, cv2.dilate(marks.mask, reach)))
    if along < MIN_ALONG * cv2.countNonZero(line):
        return False
    if enclosed >= MIN_HULL_RECTANGLE * width * height:
        return True
    (_, _), radius = cv2.minEnclosingCircle(hull)
    return bool(enclosed >= MIN_HULL_ROUND * np.pi * radius * radius)


def _is_frame(ink: Mask) -> bool:
    """Whether ink has the outline of a ring or a rectangle, and is hollow."""
    outlines, _ = cv2.findContours(np.pad(ink, 1), cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_NONE)
    outline = max(outlines, key=len)
    enclosed = cv2.contourArea(outline)
    if cv2.countNonZero(ink) > MAX_FILLED * max(enclosed, 1.0):
        return False
    corners = cv2.minAreaRect(outline)[1]
    if enclosed >= MIN_RECTANGLE * corners[0] * corners[1]:
        return True
    return _is_round(outline.reshape(-1, 2).astype(np.float64))


def _is_round(points: Numbers) -> bool:
    (x, y), (width, height), turn = cv2.fitEllipse(points.astype(np.float32))
    sides = np.sort(np.ptp(points, axis=0)) + 1
    if min(width, height) <= 0 or np.any(np.abs(np.sort([width, height]) / sides - 1) > ROUND_BOX):
        return False  # An arc fits an ellipse far larger than itself.
    turned = np.exp(-1j * np.radians(turn)) * (points[:, 0] - x + 1j * (points[:, 1] - y))
    radii = np.hypot(turned.real / (width / 2), turned.imag / (height / 2))
    return bool(radii.std() <= ROUND)


def _with_text(marks: Marks, number: int, *, alone: bool) -> Chosen:
    left, top, right, bottom = marks.boxes[number]
    across, down = marks.centres.T
    inside = (across >= left) & (across <= right) & (down >= top) & (down <= bottom)
    if not alone:
        inside &= marks.heights <= INSIDE * (bottom - top)
        inside &= marks.widths <= INSIDE * (right - left)
    inside[number] = True
    return np.asarray(inside)


def _cut(marks: Marks, number: int) -> Mask:
    left, top, right, bottom = marks.boxes[number].astype(int)
    own = marks.labels[top:bottom, left:right] == number + 1
    return np.asarray(own * np.uint8(255), np.uint8)


def _only(marks: Marks, number: int) -> Chosen:
    chosen = np.zeros(len(marks), bool)
    chosen[number] = True
    return chosen
