"""Kinds of documents: each sets a scan of one signature into a picture, and says where."""

from collections.abc import Callable

import cv2
import numpy as np

from benchmarks.document_drawing import (
    Gray,
    Scene,
    any_tone,
    ink_of,
    placed,
    print_on,
    scan_of,
    typed,
    with_room,
)

Kind = Callable[[Gray, np.random.Generator], Scene]

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


def alone(scan: Gray, rng: np.random.Generator) -> Scene:
    """The signature with nothing else."""
    page, box = with_room(scan, rng, (40, 40, 40, 40))
    return placed(page, scan, box)


def name_below(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name, or two lines of print, under the signature."""
    page, box = with_room(scan, rng, (60, 20, 160, 120))
    y = box[1] + box[3] + int(rng.integers(6, 24))
    for text in rng.permutation(NAMES)[: int(rng.integers(1, 3))]:
        line = typed(str(text), rng, int(rng.integers(18, 34)))
        print_on(page, line, box[0] + int(rng.integers(-40, 60)), y, any_tone(rng))
        y += line.shape[0] + 12
    return placed(page, scan, box)


def name_above(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name over the signature."""
    page, box = with_room(scan, rng, (60, 90, 160, 20))
    line = typed(str(rng.choice(NAMES)), rng, int(rng.integers(18, 34)))
    print_on(
        page, line, box[0] + int(rng.integers(-40, 60)), box[1] - line.shape[0] - 10, any_tone(rng)
    )
    return placed(page, scan, box)


def name_beside(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name at the right of the signature."""
    page, box = with_room(scan, rng, (20, 20, 420, 20))
    line = typed(str(rng.choice(NAMES)), rng, int(rng.integers(18, 30)))
    y = box[1] + int(rng.integers(0, max(1, box[3] - line.shape[0])))
    print_on(page, line, box[0] + box[2] + int(rng.integers(12, 40)), y, any_tone(rng))
    return placed(page, scan, box)


def label_in_front(scan: Gray, rng: np.random.Generator) -> Scene:
    """A label at the left, with a line to sign on."""
    page, box = with_room(scan, rng, (240, 20, 40, 30))
    line = typed(str(rng.choice(LABELS)), rng, int(rng.integers(18, 30)))
    y = box[1] + round(0.75 * box[3])
    x = box[0] - line.shape[1] - int(rng.integers(12, 40))
    print_on(page, line, x, y - line.shape[0], any_tone(rng))
    if rng.random() < 0.6:
        rule = np.full((2, page.shape[1] - box[0] + 4), 255, np.uint8)
        print_on(page, rule, box[0] - 8, y, any_tone(rng))
    return placed(page, scan, box)


def name_touching(scan: Gray, rng: np.random.Generator) -> Scene:
    """A printed name into which the signature reaches."""
    page, box = with_room(scan, rng, (60, 20, 160, 70))
    line = typed(str(rng.choice(NAMES)), rng, int(rng.integers(20, 32)))
    y = box[1] + box[3] - round(line.shape[0] * rng.uniform(0.2, 0.8))
    print_on(page, line, box[0] + int(rng.integers(-40, 60)), y, any_tone(rng))
    return placed(page, scan, box)


def printed_date(scan: Gray, rng: np.random.Generator) -> Scene:
    """A date in print, below or at the right."""
    page, box = with_room(scan, rng, (20, 20, 330, 70))
    line = typed(str(rng.choice(DATES)), rng, int(rng.integers(20, 32)))
    if rng.random() < 0.5:
        x, y = box[0] + box[2] + 20, box[1] + box[3] - line.shape[0]
    else:
        x, y = box[0] + int(rng.integers(0, 100)), box[1] + box[3] + 15
    print_on(page, line, x, y, any_tone(rng))
    return placed(page, scan, box)


def box_with_caption(scan: Gray, rng: np.random.Generator) -> Scene:
    """A frame about the signature, its caption under it or in its corner."""
    page, box = with_room(scan, rng, (50, 50, 50, 70))
    frame = np.zeros(page.shape, np.uint8)
    x0, y0 = box[0] - int(rng.integers(10, 40)), box[1] - int(rng.integers(8, 30))
    x1, y1 = box[0] + box[2] + int(rng.integers(10, 40)), box[1] + box[3] + int(rng.integers(5, 14))
    cv2.rectangle(frame, (x0, y0), (x1, y1), 255, int(rng.integers(1, 4)))
    print_on(page, frame, 0, 0, any_tone(rng))
    line = typed(str(rng.choice(CAPTIONS)), rng, int(rng.integers(15, 24)))
    print_on(page, line, x0 + 6, y1 + 8, any_tone(rng))
    return placed(page, scan, box)


def _broken_line(
    scan: Gray, rng: np.random.Generator, marks: tuple[int, ...], space: int, height: float
) -> Scene:
    """A line of marks (their lengths, 0 a dot) at a share of the signature's height."""
    page, box = with_room(scan, rng, (60, 20, 60, 50))
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
    print_on(page, lines, 0, 0, any_tone(rng))
    return placed(page, scan, box)


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
    page, box = with_room(scan, rng, (80, 20, 120, 70))
    y = box[1] + round(box[3] * rng.uniform(0.7, 1.1))
    rule = np.full((int(rng.integers(2, 4)), round(box[2] * rng.uniform(0.95, 1.3))), 255, np.uint8)
    print_on(page, rule, box[0] - 10, y, any_tone(rng))
    line = typed(str(rng.choice(CAPTIONS)), rng, int(rng.integers(15, 24)))
    print_on(page, line, box[0], max(y, box[1] + box[3]) + 8, any_tone(rng))
    return placed(page, scan, box)


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
        line = typed(text, rng, max(12, round(side * 0.1)))
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
        page, box = with_room(scan, rng, (20, 60, side + 60, 60))
        picture = np.dstack([page] * 3)
        stamp = _stamp(rng, side, round_one=bool(rng.random() < 0.6))
        x = box[0] + box[2] + (20 if not over else -round(side * rng.uniform(0.4, 0.9)))
        y = box[1] + box[3] // 2 - stamp.shape[0] // 2
        print_on(picture, stamp, x, y, colour, strength=0.85)
        return placed(picture, scan, box)

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
    page, box = with_room(scan, rng, (20, 20 + grown // 2, gap + other.shape[1] + 10, 20 + grown))
    y = max(0, min(box[1] + box[3] // 2 - other.shape[0] // 2, page.shape[0] - other.shape[0]))
    _set_beside(page, other, box[0] + box[2] + gap, y)
    return placed(page, scan, box)


def second_below(scan: Gray, rng: np.random.Generator) -> Scene:
    """Another writer's signature under it."""
    other = other_scan(rng)
    gap = round(rng.uniform(0.3, 1.0) * other.shape[0])
    page, box = with_room(scan, rng, (20, 20, max(40, other.shape[1]), gap + other.shape[0] + 10))
    _set_beside(page, other, box[0] + int(rng.integers(0, 40)), box[1] + box[3] + gap)
    return placed(page, scan, box)


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
    page, box = with_room(scan, rng, (20, 20, gap + figures.shape[1], 40))
    tone = int(np.percentile(scan[ink_of(scan) > 0], 30))
    print_on(page, figures, box[0] + box[2] + gap, box[1] + box[3] - round(1.4 * height), tone)
    return placed(page, scan, box)


def cheque(scan: Gray, rng: np.random.Generator) -> Scene:
    """A pale pattern, a line, small print under it, figures at the foot."""
    page, box = with_room(scan, rng, (90, 40, 60, 110))
    y, x = np.mgrid[: page.shape[0], : page.shape[1]]
    waves = 8 * (np.sin((x + 18 * np.sin(y / 17)) / 5) > 0.75)
    page = np.clip(page - waves, 0, 255).astype(np.uint8)
    row = box[1] + round(0.9 * box[3])
    print_on(page, np.full((2, page.shape[1] - 70), 255, np.uint8), 40, row, 90)
    foot = typed(str(rng.choice(CAPTIONS)), rng, 16)
    print_on(page, foot, box[0] + 30, box[1] + box[3] + 12, 80)
    numbers = typed("123456789 0987 654321", rng, 24)
    print_on(page, numbers, 40, box[1] + box[3] + 60, 30)
    return placed(page, scan, box)


def form(scan: Gray, rng: np.random.Generator) -> Scene:
    """A part of a form: a table's lines and headings, the signature in a field."""
    page, box = with_room(scan, rng, (150, 70, 60, 60))
    lines = np.zeros(page.shape, np.uint8)
    for y in (box[1] - 14, box[1] + box[3] + 8):
        cv2.line(lines, (4, y), (page.shape[1] - 5, y), 255, 2)
    for x in (4, box[0] - 14, page.shape[1] - 5):
        cv2.line(lines, (x, box[1] - 50), (x, box[1] + box[3] + 50), 255, 2)
    print_on(page, lines, 0, 0, any_tone(rng))
    for text, x, y in (("Date", 14, box[1] + 20), ("Applicant signs", box[0] + 10, box[1] - 40)):
        print_on(page, typed(text, rng, 20), x, y, any_tone(rng))
    return placed(page, scan, box)


def punched(scan: Gray, rng: np.random.Generator) -> Scene:
    """Two punched holes at the left, dark on the scanner's lid."""
    page, box = with_room(scan, rng, (130, 60, 40, 60))
    for y in (24, page.shape[0] - 24):
        cv2.circle(page, (34, y), int(rng.integers(12, 20)), 45, -1, cv2.LINE_AA)
    return placed(page, scan, box)


def page_edge(scan: Gray, rng: np.random.Generator) -> Scene:
    """The paper's edge, a dark band along one side of the scan."""
    page, box = with_room(scan, rng, (60, 60, 60, 60))
    band = int(rng.integers(5, 16))
    x = np.arange(page.shape[0]) * rng.uniform(-0.02, 0.02)
    for row, shift in enumerate(x):
        page[row, : max(2, round(band + shift))] = 60
    return placed(page, scan, box)


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
