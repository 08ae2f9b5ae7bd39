"""Judges whether cleaned ink can serve as a signature; refusals are failures to acquire."""

from dataclasses import asdict, dataclass, replace

import cv2
import numpy as np

from encoder.cautions import Caution
from encoder.errors import FailureToAcquire
from encoder.imaging.blemishes import blocks, hollow, solid, widest_px
from encoder.imaging.canvas import canvas_scale
from encoder.imaging.complexity import Complexity, complexity
from encoder.imaging.ink import MIN_CONTRAST, BlankPage, CleanedSignature
from encoder.imaging.pixels import Gray, Mask, as_uint8

MIN_HEIGHT_PX = 16  # Of the ink: below, strokes are too few pixels to tell a hand.
MIN_WIDTH_PX = 32
MIN_LENGTH_DIAGONALS = 0.8  # Length of all strokes over the diagonal of their box.
# Length of all strokes over the widest place: a blot has less, real signatures 3.7 at the least.
MIN_LENGTH_WIDTHS = 2.5
MAX_INK_FRACTION = 0.5  # Of the box of the ink: pens leave more paper than they cover.
MAX_RULED_SHARE = 0.5  # Of the ink, in straight runs: more, and it is a form or a table.
MAX_CUT_SHARE = 0.065  # Share of a page's side under ink from which strokes count as cut off.
WARN_CUT_SHARE = MAX_CUT_SHARE / 2  # From which a warning is given,
WARN_CUT_STROKES = 1  # or so many strokes that run to one edge: with two pixels of paper none does.
# Pixels of the canvas to one of ink. Up to 1 a coarser scan costs nothing; at 1.25 to 1.5 genuine
# signatures are refused two to thirty times as often as at full resolution, at 2 all but always.
WARN_SCALE = 1.0
# Width of the strokes on the canvas, px. Pens are 1 to 5 wide there; drawn three times as wide, at
# 5 to 7, nine in ten genuine signatures are refused against references in the usual pen.
WARN_STROKE_PX = 6.0
# From here on, other writers' signatures are no more told from the writer's own: an equal error
# rate of 15 to 29 %, from 0. References as small can still be matched below it, so that it is not
# where the errors of small queries against large references double (docs/robustness.md).
MAX_SCALE = 5.0
PRINT_MIN_PIECES = 60  # Connected pieces of ink, most of them low: lines of type have more.
PRINT_MAX_PIECE_HEIGHT = 0.2  # Median height of the pieces over the height of all ink.
LEVEL_RUN = 0.4  # Of the width of the ink: a straight run from which a line counts as ruled.
UPRIGHT_RUN = 0.67  # Of the height of the ink.
BLACK_PAGE = 32  # Grey level that some pixel of a page reaches, unless it is black all over.
BLANK_CONTRAST = 4.0  # Grey levels within which nothing is written.
LOW_CONTRAST = 45.0  # Grey levels between paper and ink below which a warning is given.
LOOK_WIDTH_PX = 200  # Ruled lines are looked for in ink reduced to this width,
LOOK_INK = 32  # where a pixel is ink from an eighth of 255 on, so that thin lines stay,
MIN_RUN_PX = 15  # and a run is so long at least: on small ink, a letter's own stroke is not.


@dataclass(frozen=True)
class Quality:
    """What is known of an accepted image.

    Attributes:
        ink_height_px, ink_width_px: size of the ink's box in the scan.
        ink_fraction: share of that box that is ink, 0 to 1.
        contrast: grey levels between paper and ink, 0 to 255.
        complexity: by how many full turns the ink's outline winds; an X's winds 3 times.
        warnings: what makes answers about this image less sure.
    """

    ink_height_px: int
    ink_width_px: int
    ink_fraction: float
    contrast: float
    complexity: float = 0.0
    warnings: tuple[Caution, ...] = ()

    def with_warnings(self, more: tuple[Caution, ...]) -> "Quality":
        """The same with more warnings."""
        return replace(self, warnings=(*self.warnings, *more))

    def as_dict(self) -> dict[str, object]:
        """The same, ready for JSON."""
        return asdict(self) | {"warnings": [one.as_dict() for one in self.warnings]}


def assess(
    cleaned: CleanedSignature,
    gray: Gray,
    canvas_size: tuple[int, int],
    notes: tuple[Caution, ...] = (),
) -> Quality:
    """Accept cleaned ink, with warnings, or refuse it.

    Args:
        cleaned: the ink found.
        gray: the scan that it was found in.
        canvas_size: height and width of the canvas that it will be set on, px.
        notes: what reading the file already had to say; put before our own warnings.

    Raises:
        FailureToAcquire: `no-ink`, `too-small`, `too-little-ink`, `touches-border`,
            `ruled-or-print`, `too-much-ink` or `not-writing`.
    """
    height, width = cleaned.ink.shape
    if not height or not width:
        raise FailureToAcquire("no-ink", _why_no_ink(cleaned.blank))
    scale = canvas_scale(cleaned.ink, canvas_size)[0]
    _refuse_what_is_too_small(cleaned.ink, scale)
    area = cv2.countNonZero(cleaned.ink)
    _refuse_what_is_no_signature(cleaned, area)
    filled = solid(gray, cleaned)
    _refuse_blots(filled)
    mark = complexity(cleaned.ink)
    found = (
        _faint(cleaned),
        _coarse(cleaned.ink, scale),
        _cut_off(cleaned),
        hollow(cleaned, filled),
        _wide(cleaned.stroke_width_px * scale) if scale <= WARN_SCALE else None,
        blocks(gray, cleaned, scale),
        _too_simple(mark),
    )
    return Quality(
        ink_height_px=height,
        ink_width_px=width,
        ink_fraction=round(area / (height * width), 4),
        contrast=round(cleaned.contrast, 1),
        complexity=mark.turns,
        warnings=(*notes, *(one for one in found if one is not None)),
    )


def _why_no_ink(page: BlankPage | None) -> str:
    if page is None:
        return "No ink was found: the page looks blank. Scan the signature again, darker."
    if page.brightest < BLACK_PAGE:
        return (
            f"No ink was found: the image is black all over, its brightest level {page.brightest} "
            "of 255. Check the exposure, or save it in grey of 8 bits."
        )
    if page.contrast < BLANK_CONTRAST:
        return (
            f"No ink was found: the page is blank, all of it within {page.contrast:.0f} of 255 "
            "grey levels. Check that the side with the signature was scanned."
        )
    if page.contrast < MIN_CONTRAST:
        return (
            "No ink was found: the page is blank or its ink too light. Its darkest marks differ "
            f"from the paper by {page.contrast:.0f} of 255 grey levels; at least "
            f"{MIN_CONTRAST:.0f} are needed. Scan the signature again, darker."
        )
    return (
        "No ink was found: there are only specks, shadows or lines along the edge. Check that the "
        "right part of the page was scanned."
    )


def _refuse_what_is_too_small(ink: Mask, scale: float) -> None:
    height, width = ink.shape
    tiny = (height < MIN_HEIGHT_PX and width < MIN_WIDTH_PX) or width < MIN_HEIGHT_PX
    if tiny or scale > MAX_SCALE:
        needed = max(scale / WARN_SCALE, MIN_WIDTH_PX / width)
        raise FailureToAcquire(
            "too-small",
            f"The ink is {width} x {height} pixels; at least {needed * width:.0f} x "
            f"{max(needed * height, MIN_HEIGHT_PX):.0f} are needed. Scan at 300 dpi.",
        )


def _faint(cleaned: CleanedSignature) -> Caution | None:
    if cleaned.contrast >= LOW_CONTRAST:
        return None
    return Caution(
        "faint",
        f"The ink is faint: {cleaned.contrast:.0f} grey levels from the paper, {LOW_CONTRAST:.0f} "
        "are needed. A darker scan compares better.",
    )


def _coarse(ink: Mask, scale: float) -> Caution | None:
    if scale <= WARN_SCALE:
        return None
    height, width = ink.shape
    return Caution(
        "low-resolution",
        f"The ink is {width} x {height} pixels; {width * scale:.0f} x {height * scale:.0f} are "
        f"compared, {scale:.1f} times as many each way. Scan it again at 300 dpi, not enlarged.",
    )


def _wide(stroke_px: float) -> Caution | None:
    if stroke_px <= WARN_STROKE_PX:
        return None
    return Caution(
        "wide-pen",
        f"The pen is very wide for the size of the signature: {stroke_px:.0f} pixels at the size "
        f"compared, up to {WARN_STROKE_PX:.0f} are usual. Sign with a ballpoint or fineliner.",
    )


def _cut_off(cleaned: CleanedSignature) -> Caution | None:
    share, strokes = max(cleaned.border_runs), max(_strokes_at_edges(cleaned))
    if share <= WARN_CUT_SHARE and strokes < WARN_CUT_STROKES:
        return None
    number = f"{strokes} strokes run" if strokes > 1 else "Ink runs"
    return Caution(
        "cut-edge",
        f"{number} to the edge of the image, along {100 * share:.1f}% of it; part of the "
        "signature may be cut off. Leave some paper on all sides.",
    )


def _strokes_at_edges(cleaned: CleanedSignature) -> list[int]:
    """Count the strokes that end at the left, top, right and bottom edge of the page."""
    left, top, width, height = cleaned.box
    down, across = cleaned.page_size
    ink = cleaned.ink
    sides = (
        (left == 0, ink[:, 0]),
        (top == 0, ink[0]),
        (left + width == across, ink[:, -1]),
        (top + height == down, ink[-1]),
    )
    return [_runs(side, cleaned.stroke_width_px / 2) if at else 0 for at, side in sides]


def _runs(side: Mask, least_px: float) -> int:
    """Count runs of ink `(n,)` that are so long at least."""
    changes = np.diff(np.concatenate([[0], (side > 0).astype(np.int8), [0]]))
    lengths = np.flatnonzero(changes < 0) - np.flatnonzero(changes > 0)
    return int(np.count_nonzero(lengths >= least_px))


def _too_simple(mark: Complexity) -> Caution | None:
    if not mark.is_simple:
        return None
    return Caution(
        "too-simple",
        f"The mark is too simple to tell people apart: its outline winds {mark.turns:.1f} times, "
        "as anyone's cross, circle or letters do. Ask for a full signature, or for other proof.",
    )


def _refuse_blots(filled: Mask) -> None:
    """Refuse ink, filled in, that is hardly longer than wide."""
    lengths = cv2.countNonZero(filled) / max(widest_px(filled), 1.0) ** 2
    if lengths < MIN_LENGTH_WIDTHS:
        raise FailureToAcquire(
            "not-writing",
            f"The ink is a blot, {lengths:.1f} times as long as wide, and no writing. Check that "
            "the right part of the page was scanned.",
        )


def _refuse_what_is_no_signature(cleaned: CleanedSignature, area: int) -> None:
    height, width = cleaned.ink.shape
    if area > MAX_INK_FRACTION * height * width and min(height, width) > MIN_HEIGHT_PX:
        raise FailureToAcquire(
            "too-much-ink",
            f"{100 * area / (height * width):.0f}% of the image is dark; expected pen strokes on "
            "light paper. Crop the image to the signature.",
        )
    if area < MIN_LENGTH_DIAGONALS * cleaned.stroke_width_px * float(np.hypot(height, width)):
        raise FailureToAcquire(
            "too-little-ink",
            f"There is too little ink for a signature: {area} pixels of it in a box of {width} x "
            f"{height}, a mark or some dots. Check that the right part of the page was scanned.",
        )
    if sum(share > MAX_CUT_SHARE for share in cleaned.border_runs) > 1:
        raise FailureToAcquire(
            "touches-border",
            "Ink runs out of the image on two sides or more: the signature is cut off. Crop less.",
        )
    if _ruled_share(cleaned.ink) > MAX_RULED_SHARE or _is_print(cleaned.ink):
        raise FailureToAcquire(
            "ruled-or-print",
            "The ink is mostly ruled lines or print. Crop the image to the signature alone.",
        )


def _ruled_share(ink: Mask) -> float:
    """Share of the ink in straight runs as long as ruled lines have."""
    height, width = ink.shape
    fullest_row = int(cv2.reduce(ink, 1, cv2.REDUCE_SUM, dtype=cv2.CV_32S).max()) // 255
    fullest_column = int(cv2.reduce(ink, 0, cv2.REDUCE_SUM, dtype=cv2.CV_32S).max()) // 255
    # Without the ink in any row or column for even a slanting half of such a run, there is none.
    may_be_level = fullest_row >= LEVEL_RUN * width / 2
    may_be_upright = fullest_column >= UPRIGHT_RUN * height / 2
    if not may_be_level and not may_be_upright:
        return 0.0
    scale = min(1.0, LOOK_WIDTH_PX / width)
    size = (max(1, round(width * scale)), max(1, round(height * scale)))
    small = as_uint8(cv2.threshold(cv2.resize(ink, size), LOOK_INK, 255, cv2.THRESH_BINARY)[1])
    runs = np.zeros_like(small)
    if may_be_level:
        level = np.ones((1, max(MIN_RUN_PX, round(LEVEL_RUN * size[0]))), np.uint8)
        runs = as_uint8(cv2.morphologyEx(small, cv2.MORPH_OPEN, level))
    if may_be_upright:
        upright = np.ones((max(MIN_RUN_PX, round(UPRIGHT_RUN * size[1])), 1), np.uint8)
        runs = as_uint8(cv2.bitwise_or(runs, cv2.morphologyEx(small, cv2.MORPH_OPEN, upright)))
    return cv2.countNonZero(runs) / max(cv2.countNonZero(small), 1)


def _is_print(ink: Mask) -> bool:
    """Many pieces of one small height: lines of type."""
    outlines, _ = cv2.findContours(ink, cv2.RETR_EXTERNAL, cv2.CHAIN_APPROX_SIMPLE)
    if len(outlines) < PRINT_MIN_PIECES:
        return False
    heights = [cv2.boundingRect(outline)[3] for outline in outlines]
    return bool(np.median(heights) < PRINT_MAX_PIECE_HEIGHT * ink.shape[0])
