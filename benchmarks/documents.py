"""Draws signatures of invented writers on forms: with print, lines, stamps and other hands.

Each kind takes a scan of one signature and sets it into a picture, and says where. How much of the
ink is found is the overlap of the ink kept and the ink that is there, by kind:
`python -m benchmarks.documents`; with `--sheet docs/images/finding.png` it also draws one of each.
"""

import argparse
from collections.abc import Callable
from functools import cache
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont

from benchmarks.cleaning_sheet import draw_cell, draw_sheet
from encoder.documents.told import Place, cautions
from encoder.errors import FailureToAcquire
from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.synthesis import encode_png, synthetic_writer

Gray = NDArray[np.uint8]  # (h, w)
Picture = NDArray[np.uint8]  # (h, w) or (h, w, 3) red, green, blue
Scene = tuple[Picture, tuple[int, int]]  # A picture, and where the scan's corner lies: x, y.
Kind = Callable[[Gray, np.random.Generator], Scene]

FONT_FOLDERS = (Path("/usr/share/fonts"), Path("/usr/local/share/fonts"))
FONTS_TRIED = 24
NAMES = (
    "Ada Example, Treasurer",
    "JOHN M. SMITH",
    "Peter Quinn",
    "Дмитрий Иванов",
    "Dr. Inès Faure",
)
LABELS = ("Name:", "Signature", "Signed by", "Unterschrift", "Authorised")
CAPTIONS = ("Authorised signature", "Signature of account holder", "Datum, Unterschrift")
DATES = ("01.12.2026", "2026-03-14", "12 JAN 2026", "14/03/2026 09:41")
BLUE, RED, GREY, DARK = (40, 60, 170), (190, 40, 50), (130, 130, 130), (35, 35, 35)
MARGIN_PX = 12
SHOWN_SEED = 8  # Whose signature the sheet shows.


def scan_of(seed: int, number: int = 5) -> Gray:
    """A genuine signature of an invented writer, as a scanner sees it."""
    return synthetic_writer(seed).genuine(number)


def ink_of(scan: Gray) -> Gray:
    """The ink `(h, w)`, 0 or 255, that is found in a clean scan of nothing else."""
    cleaned = clean(scan)
    left, top, width, height = cleaned.box
    ink = np.zeros(scan.shape, np.uint8)
    ink[top : top + height, left : left + width] = cleaned.ink
    return ink


def _room(
    scan: Gray, rng: np.random.Generator, sides: tuple[int, int, int, int]
) -> tuple[Gray, tuple[int, int, int, int]]:
    """The ink with room at its left, top, right, bottom; and the ink's box in that."""
    left, top, width, height = cv2.boundingRect(ink_of(scan))
    cut = scan[top : top + height, left : left + width]
    paper = float(np.median(scan))
    before, above, behind, below = (side + MARGIN_PX for side in sides)
    shape = (height + above + below, width + before + behind)
    page = np.clip(rng.normal(paper, 2.0, shape), 0, 255).astype(np.uint8)
    page[above : above + height, before : before + width] = cut
    return page, (before, above, width, height)


def _placed(picture: Picture, scan: Gray, box: tuple[int, int, int, int]) -> Scene:
    left, top, _, _ = cv2.boundingRect(ink_of(scan))
    return picture, (box[0] - left, box[1] - top)


@cache
def _font_files() -> tuple[Path, ...]:
    files = sorted(path for folder in FONT_FOLDERS for path in folder.rglob("*.ttf"))
    step = max(1, len(files) // FONTS_TRIED)
    return tuple(files[::step])


def _font(rng: np.random.Generator, size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    files = _font_files()
    number = int(rng.integers(len(files) + 1))
    if number == len(files):
        return ImageFont.load_default(size)
    return ImageFont.truetype(files[number], size)


def _text(text: str, rng: np.random.Generator, size: int) -> Gray:
    """A line of print `(h, w)`, 0 to 255 ink, cropped: TrueType, or OpenCV's Hershey fonts."""
    if rng.random() < 0.15 and text.isascii():
        face = int(rng.choice([cv2.FONT_HERSHEY_SIMPLEX, cv2.FONT_HERSHEY_TRIPLEX]))
        drawn = np.zeros((3 * size, 2 * size * len(text)), np.uint8)
        scale, thick = size / 30, max(1, size // 14)
        cv2.putText(drawn, text, (5, 2 * size), face, scale, 255, thick, cv2.LINE_AA)
    else:
        image = Image.new("L", (2 * size * len(text), 3 * size))
        ImageDraw.Draw(image).text((5, size // 2), text, 255, font=_font(rng, size))
        drawn = np.asarray(image, np.uint8)
    left, top, width, height = cv2.boundingRect(drawn)
    return drawn[top : top + height, left : left + width]


def _print(
    page: Picture, ink: Gray, x: int, y: int, tone: tuple[int, ...] | int, strength: float = 1.0
) -> None:
    """Print ink (0 to 255) onto a page in place; it darkens what lies under it."""
    top, left = max(0, y), max(0, x)
    seen = ink[top - y : page.shape[0] - y, left - x : page.shape[1] - x]
    if not seen.size:
        return
    part = page[top : top + seen.shape[0], left : left + seen.shape[1]].astype(np.float64)
    share = strength * cv2.GaussianBlur(seen, (3, 3), 0).astype(np.float64) / 255
    colour = np.asarray(tone, np.float64)
    if part.ndim == 3:
        share = share[..., None]
    printed = np.minimum(part, part * (1 - share) + colour * share)
    page[top : top + seen.shape[0], left : left + seen.shape[1]] = printed.astype(np.uint8)


def _tone(rng: np.random.Generator) -> int:
    return int(rng.choice([20, 50, 90]))


def alone(scan: Gray, rng: np.random.Generator) -> Scene:
    """The signature with nothing else."""
    page, box = _room(scan, rng, (40, 40, 40, 40))
    return _placed(page, scan, box)


def name_below(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name, or two lines of print, under the signature."""
    page, box = _room(scan, rng, (60, 20, 160, 120))
    y = box[1] + box[3] + int(rng.integers(6, 24))
    for text in rng.permutation(NAMES)[: int(rng.integers(1, 3))]:
        line = _text(str(text), rng, int(rng.integers(18, 34)))
        _print(page, line, box[0] + int(rng.integers(-40, 60)), y, _tone(rng))
        y += line.shape[0] + 12
    return _placed(page, scan, box)


def name_above(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name over the signature."""
    page, box = _room(scan, rng, (60, 90, 160, 20))
    line = _text(str(rng.choice(NAMES)), rng, int(rng.integers(18, 34)))
    _print(page, line, box[0] + int(rng.integers(-40, 60)), box[1] - line.shape[0] - 10, _tone(rng))
    return _placed(page, scan, box)


def name_beside(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name at the right of the signature."""
    page, box = _room(scan, rng, (20, 20, 420, 20))
    line = _text(str(rng.choice(NAMES)), rng, int(rng.integers(18, 30)))
    y = box[1] + int(rng.integers(0, max(1, box[3] - line.shape[0])))
    _print(page, line, box[0] + box[2] + int(rng.integers(12, 40)), y, _tone(rng))
    return _placed(page, scan, box)


def label_in_front(scan: Gray, rng: np.random.Generator) -> Scene:
    """A label at the left, with a line to sign on."""
    page, box = _room(scan, rng, (240, 20, 40, 30))
    line = _text(str(rng.choice(LABELS)), rng, int(rng.integers(18, 30)))
    y = box[1] + round(0.75 * box[3])
    x = box[0] - line.shape[1] - int(rng.integers(12, 40))
    _print(page, line, x, y - line.shape[0], _tone(rng))
    if rng.random() < 0.6:
        rule = np.full((2, page.shape[1] - box[0] + 4), 255, np.uint8)
        _print(page, rule, box[0] - 8, y, _tone(rng))
    return _placed(page, scan, box)


def name_touching(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name into which the signature reaches."""
    page, box = _room(scan, rng, (60, 20, 160, 70))
    line = _text(str(rng.choice(NAMES)), rng, int(rng.integers(20, 32)))
    y = box[1] + box[3] - round(line.shape[0] * rng.uniform(0.2, 0.8))
    _print(page, line, box[0] + int(rng.integers(-40, 60)), y, _tone(rng))
    return _placed(page, scan, box)


def printed_date(scan: Gray, rng: np.random.Generator) -> Scene:
    """A date in print, below or at the right."""
    page, box = _room(scan, rng, (20, 20, 330, 70))
    line = _text(str(rng.choice(DATES)), rng, int(rng.integers(20, 32)))
    if rng.random() < 0.5:
        x, y = box[0] + box[2] + 20, box[1] + box[3] - line.shape[0]
    else:
        x, y = box[0] + int(rng.integers(0, 100)), box[1] + box[3] + 15
    _print(page, line, x, y, _tone(rng))
    return _placed(page, scan, box)


def box_with_caption(scan: Gray, rng: np.random.Generator) -> Scene:
    """A frame about the signature, its caption under it or in its corner."""
    page, box = _room(scan, rng, (50, 50, 50, 70))
    frame = np.zeros(page.shape, np.uint8)
    x0, y0 = box[0] - int(rng.integers(10, 40)), box[1] - int(rng.integers(8, 30))
    x1, y1 = box[0] + box[2] + int(rng.integers(10, 40)), box[1] + box[3] + int(rng.integers(5, 14))
    cv2.rectangle(frame, (x0, y0), (x1, y1), 255, int(rng.integers(1, 4)))
    _print(page, frame, 0, 0, _tone(rng))
    line = _text(str(rng.choice(CAPTIONS)), rng, int(rng.integers(15, 24)))
    _print(page, line, x0 + 6, y1 + 8, _tone(rng))
    return _placed(page, scan, box)


def _broken_line(
    scan: Gray, rng: np.random.Generator, marks: tuple[int, ...], space: int, height: float
) -> Scene:
    """A line of marks (their lengths, 0 a dot) at a share of the signature's height."""
    page, box = _room(scan, rng, (60, 20, 60, 50))
    lines = np.zeros(page.shape, np.uint8)
    slant = rng.uniform(-0.03, 0.03) if rng.random() < 0.5 else 0.0
    thick = int(rng.integers(2, 5))
    row = box[1] + height * box[3]
    x, number = 14.0, 0
    while x < page.shape[1] - 20:
        length = marks[number % len(marks)]
        y = round(row + slant * (x - page.shape[1] / 2))
        if length:
            end = (round(x + length), round(y + slant * length))
            cv2.line(lines, (round(x), y), end, 255, thick, cv2.LINE_AA)
        else:
            cv2.circle(lines, (round(x), y), thick // 2 + 1, 255, -1, cv2.LINE_AA)
        x += length + space
        number += 1
    _print(page, lines, 0, 0, _tone(rng))
    return _placed(page, scan, box)


def dotted_below(scan: Gray, rng: np.random.Generator) -> Scene:
    """A dotted line under the signature."""
    return _broken_line(scan, rng, (0,), int(rng.integers(9, 18)), rng.uniform(1.05, 1.2))


def dotted_through(scan: Gray, rng: np.random.Generator) -> Scene:
    """A dotted line through the signature."""
    return _broken_line(scan, rng, (0,), int(rng.integers(9, 18)), rng.uniform(0.55, 0.95))


def dashed(scan: Gray, rng: np.random.Generator) -> Scene:
    """A dashed line under or through the signature."""
    length = int(rng.integers(10, 26))
    return _broken_line(scan, rng, (length,), length, rng.uniform(0.6, 1.2))


def dash_dotted(scan: Gray, rng: np.random.Generator) -> Scene:
    """A line of dashes and dots, under or through the signature."""
    return _broken_line(scan, rng, (20, 0), int(rng.integers(11, 16)), rng.uniform(0.6, 1.2))


def ruled_with_caption(scan: Gray, rng: np.random.Generator) -> Scene:
    """A line to sign on, wider than the signature or not, and a caption under it."""
    page, box = _room(scan, rng, (80, 20, 120, 70))
    y = box[1] + round(box[3] * rng.uniform(0.7, 1.1))
    rule = np.full((int(rng.integers(2, 4)), round(box[2] * rng.uniform(0.95, 1.3))), 255, np.uint8)
    _print(page, rule, box[0] - 10, y, _tone(rng))
    line = _text(str(rng.choice(CAPTIONS)), rng, int(rng.integers(15, 24)))
    _print(page, line, box[0], max(y, box[1] + box[3]) + 8, _tone(rng))
    return _placed(page, scan, box)


def _stamp(rng: np.random.Generator, side: int, *, round_one: bool) -> Gray:
    """A stamp `(h, w)`: a ring or frame with print within."""
    height = side if round_one else round(0.55 * side)
    ink = np.zeros((height + 8, side + 8), np.uint8)
    middle = (side // 2 + 4, height // 2 + 4)
    thick = int(rng.integers(3, 6))
    if round_one:
        cv2.circle(ink, middle, side // 2, 255, thick, cv2.LINE_AA)
        cv2.circle(ink, middle, round(0.36 * side), 255, 2, cv2.LINE_AA)
    else:
        cv2.rectangle(ink, (4, 4), (side + 3, height + 3), 255, thick)
    for row, text in enumerate(("REGISTRY", str(rng.choice(DATES))[:10])):
        line = _text(text, rng, max(12, round(side * 0.1)))
        x = middle[0] - line.shape[1] // 2
        y = middle[1] - line.shape[0] - 4 if row == 0 else middle[1] + 6
        part = ink[max(0, y) : y + line.shape[0], max(0, x) : x + line.shape[1]]
        part |= line[: part.shape[0], : part.shape[1]]
    if rng.random() < 0.5:
        turn = cv2.getRotationMatrix2D(middle, float(rng.uniform(-12, 12)), 0.95)
        ink = np.asarray(cv2.warpAffine(ink, turn, ink.shape[::-1]), np.uint8)
    return ink


def stamped(colour: tuple[int, int, int], *, over: bool) -> Kind:
    """A stamp of a colour, over the signature's end or beside it."""

    def scene(scan: Gray, rng: np.random.Generator) -> Scene:
        side = int(rng.integers(130, 210))
        page, box = _room(scan, rng, (20, 60, side + 60, 60))
        picture = np.dstack([page] * 3)
        stamp = _stamp(rng, side, round_one=bool(rng.random() < 0.6))
        x = box[0] + box[2] + (20 if not over else -round(side * rng.uniform(0.4, 0.9)))
        y = box[1] + box[3] // 2 - stamp.shape[0] // 2
        _print(picture, stamp, x, y, colour, strength=0.85)
        return _placed(picture, scan, box)

    return scene


def other_scan(rng: np.random.Generator) -> Gray:
    """The ink of another writer's signature, as levels, cropped to it."""
    other = scan_of(int(rng.integers(5000, 5400)), int(rng.integers(0, 4)))
    left, top, width, height = cv2.boundingRect(ink_of(other))
    return other[top : top + height, left : left + width]


def _set_beside(page: Gray, other: Gray, x: int, y: int) -> None:
    part = page[y : y + other.shape[0], x : x + other.shape[1]]
    part[:] = np.minimum(part, other[: part.shape[0], : part.shape[1]])


def second_beside(scan: Gray, rng: np.random.Generator) -> Scene:
    """Another writer's signature at the right."""
    other = other_scan(rng)
    gap = round(rng.uniform(0.6, 2.0) * other.shape[0])
    grown = max(0, other.shape[0] - scan.shape[0])
    page, box = _room(scan, rng, (20, 20 + grown // 2, gap + other.shape[1] + 10, 20 + grown))
    y = max(0, min(box[1] + box[3] // 2 - other.shape[0] // 2, page.shape[0] - other.shape[0]))
    _set_beside(page, other, box[0] + box[2] + gap, y)
    return _placed(page, scan, box)


def second_below(scan: Gray, rng: np.random.Generator) -> Scene:
    """Another writer's signature under it."""
    other = other_scan(rng)
    gap = round(rng.uniform(0.3, 1.0) * other.shape[0])
    page, box = _room(scan, rng, (20, 20, max(40, other.shape[1]), gap + other.shape[0] + 10))
    _set_beside(page, other, box[0] + int(rng.integers(0, 40)), box[1] + box[3] + gap)
    return _placed(page, scan, box)


def date_by_hand(scan: Gray, rng: np.random.Generator) -> Scene:
    """A date in the writer's hand, at the right: figures that waver as a hand does."""
    height = int(rng.integers(28, 44))
    figures = np.zeros((2 * height, 12 * height), np.uint8)
    x = 6.0
    for sign in str(rng.choice(["12.3.26", "4/11/2026", "1.12.26"])):
        glyph = np.zeros((2 * height, 2 * height), np.uint8)
        cv2.putText(
            glyph, sign, (height // 2, round(1.4 * height)), cv2.FONT_HERSHEY_SCRIPT_SIMPLEX,
            height / 24 * rng.uniform(0.85, 1.15), 255, 3, cv2.LINE_AA,
        )  # fmt: skip
        middle = (float(height), float(height))
        turn = cv2.getRotationMatrix2D(middle, float(rng.uniform(-9, 9)), 1.0)
        turn[:, 2] += rng.uniform(-2.5, 2.5, 2)
        glyph = np.asarray(cv2.warpAffine(glyph, turn, glyph.shape[::-1]), np.uint8)
        left, _, width, _ = cv2.boundingRect(glyph)
        figures[:, round(x) : round(x) + width] |= glyph[:, left : left + width]
        x += width + height * rng.uniform(0.12, 0.3)
    gap = int(rng.integers(60, 160))
    page, box = _room(scan, rng, (20, 20, gap + figures.shape[1], 40))
    tone = int(np.percentile(scan[ink_of(scan) > 0], 30))
    _print(page, figures, box[0] + box[2] + gap, box[1] + box[3] - round(1.4 * height), tone)
    return _placed(page, scan, box)


def cheque(scan: Gray, rng: np.random.Generator) -> Scene:
    """A pale pattern, a line, small print under it, figures at the foot."""
    page, box = _room(scan, rng, (90, 40, 60, 110))
    y, x = np.mgrid[: page.shape[0], : page.shape[1]]
    waves = 8 * (np.sin((x + 18 * np.sin(y / 17)) / 5) > 0.75)
    page = np.clip(page - waves, 0, 255).astype(np.uint8)
    row = box[1] + round(0.9 * box[3])
    _print(page, np.full((2, page.shape[1] - 70), 255, np.uint8), 40, row, 90)
    foot = _text(str(rng.choice(CAPTIONS)), rng, 16)
    _print(page, foot, box[0] + 30, box[1] + box[3] + 12, 80)
    numbers = _text("123456789 0987 654321", rng, 24)
    _print(page, numbers, 40, box[1] + box[3] + 60, 30)
    return _placed(page, scan, box)


def form(scan: Gray, rng: np.random.Generator) -> Scene:
    """A part of a form: a table's lines and headings, the signature in a field."""
    page, box = _room(scan, rng, (150, 70, 60, 60))
    lines = np.zeros(page.shape, np.uint8)
    for y in (box[1] - 14, box[1] + box[3] + 8):
        cv2.line(lines, (4, y), (page.shape[1] - 5, y), 255, 2)
    for x in (4, box[0] - 14, page.shape[1] - 5):
        cv2.line(lines, (x, box[1] - 50), (x, box[1] + box[3] + 50), 255, 2)
    _print(page, lines, 0, 0, _tone(rng))
    for text, x, y in (("Date", 14, box[1] + 20), ("Applicant signs", box[0] + 10, box[1] - 40)):
        _print(page, _text(text, rng, 20), x, y, _tone(rng))
    return _placed(page, scan, box)


def punched(scan: Gray, rng: np.random.Generator) -> Scene:
    """Two punched holes at the left, dark on the scanner's lid."""
    page, box = _room(scan, rng, (130, 60, 40, 60))
    for y in (24, page.shape[0] - 24):
        cv2.circle(page, (34, y), int(rng.integers(12, 20)), 45, -1, cv2.LINE_AA)
    return _placed(page, scan, box)


def page_edge(scan: Gray, rng: np.random.Generator) -> Scene:
    """The paper's edge, a dark band along one side of the scan."""
    page, box = _room(scan, rng, (60, 60, 60, 60))
    band = int(rng.integers(5, 16))
    x = np.arange(page.shape[0]) * rng.uniform(-0.02, 0.02)
    for row, shift in enumerate(x):
        page[row, : max(2, round(band + shift))] = 60
    return _placed(page, scan, box)


# By name: the scene, and whether a second hand is in it, so that it should be refused or warned.
KINDS: dict[str, Kind] = {
    "alone": alone,
    "printed name below": name_below,
    "printed name above": name_above,
    "printed name at the right": name_beside,
    "label in front": label_in_front,
    "printed name touching": name_touching,
    "printed date": printed_date,
    "box with caption": box_with_caption,
    "dotted line below": dotted_below,
    "dotted line through": dotted_through,
    "dashed line": dashed,
    "dash-dot line": dash_dotted,
    "ruled line with caption": ruled_with_caption,
    "blue stamp beside": stamped(BLUE, over=False),
    "blue stamp over": stamped(BLUE, over=True),
    "red stamp over": stamped(RED, over=True),
    "grey stamp beside": stamped(GREY, over=False),
    "grey stamp over": stamped(GREY, over=True),
    "cheque": cheque,
    "form": form,
    "punched holes": punched,
    "page edge": page_edge,
    "second signature beside": second_beside,
    "second signature below": second_below,
    "date by hand": date_by_hand,
}


def scene(name: str, seed: int, member: int) -> tuple[Picture, Gray]:
    """A member of a kind: the picture and the signature's ink in it."""
    rng = np.random.default_rng([seed, member, *name.encode()])
    scan = scan_of(seed)
    picture, (x, y) = KINDS[name](scan, rng)
    left, top, width, height = cv2.boundingRect(ink_of(scan))
    truth = np.zeros(picture.shape[:2], np.uint8)
    truth[y + top : y + top + height, x + left : x + left + width] = ink_of(scan)[
        top : top + height, left : left + width
    ]
    return picture, truth


def judged(picture: Picture, truth: Gray) -> tuple[Gray, float, str]:
    """The ink found `(h, w)`, its overlap with the truth, and `refused`, `warned` or nothing."""
    decoded = decode(encode(picture))
    cleaned = clean(decoded.gray, decoded.colour)
    found = np.zeros(truth.shape, np.uint8)
    left, top, width, height = cleaned.box
    found[top : top + height, left : left + width] = cleaned.ink
    share = cv2.countNonZero(found & truth) / max(cv2.countNonZero(found | truth), 1)
    try:
        told = "warned" if cautions(cleaned.found, cleaned.ink.size, Place()) else ""
    except FailureToAcquire:
        told = "refused"
    return found, share, told


def encode(picture: Picture) -> bytes:
    """A PNG of a picture in grey or in colours."""
    if picture.ndim == 2:
        return encode_png(picture)
    return cv2.imencode(".png", cv2.cvtColor(picture, cv2.COLOR_RGB2BGR))[1].tobytes()


def main() -> None:
    """Print the table, and draw the sheet if asked for."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("--writers", type=int, default=12, help="whose signatures to draw (12)")
    parser.add_argument("--members", type=int, default=2, help="of each kind for each writer (2)")
    parser.add_argument("--sheet", type=Path, help="a PNG to draw one member of each kind into")
    options = parser.parse_args()
    print(f"{'kind':26} {'median':>6} {'lowest':>6} {'over 80 %':>9} {'warned':>6} {'refused':>7}")
    for name in KINDS:
        shares, told = [], []
        for seed in range(1, options.writers + 1):
            for member in range(options.members):
                _, share, said = judged(*scene(name, seed, member))
                shares.append(share)
                told.append(said)
        good = sum(share > 0.8 for share in shares) / len(shares)
        print(
            f"{name:26} {np.median(shares):6.2f} {min(shares):6.2f} {good:9.0%} "
            f"{told.count('warned'):6} {told.count('refused'):7}"
        )
    if options.sheet:
        draw_sheet([_cell(name) for name in KINDS], options.sheet)


def _cell(name: str) -> Picture:
    picture, truth = scene(name, SHOWN_SEED, 0)
    found, share, told = judged(picture, truth)
    colours = picture if picture.ndim == 3 else np.dstack([picture] * 3)
    words = f"{name}: {100 * share:.0f} % of the ink{told and ', ' + told}"
    return draw_cell(words, colours[..., ::-1], found, truth)


if __name__ == "__main__":
    main()
