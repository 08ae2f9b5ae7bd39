"""Composes a writer's action plan from a name and a style of hand."""

from dataclasses import dataclass, replace

import numpy as np

from encoder.synthesis.kinematics import arc_length
from encoder.synthesis.letterforms import Letter, Target, capital, small
from encoder.synthesis.plan import Plan, perform

_PARAPHS = ("none", "underline", "return", "zigzag", "encircle")
_MAX_HEIGHT_PX = 240
_X_HEIGHT_PX = (14, 60)


@dataclass(frozen=True)
class Style:
    """What stays the same in a hand; lengths are in x-heights, unless a name says otherwise."""

    slant: float  # x gained for each unit of height
    rise_rad: float  # angle of the baseline
    capital_scale: float
    ascender: float
    descender: float
    letter_width: float
    roundness: float  # scale of every stroke's turn
    decay: float  # height kept from one small letter to the next
    legible_letters: int  # small letters before the rest of a word becomes a line
    pace_s: float
    overlap: float
    log_spread: float
    taper_s: float
    width_px: float  # of the whole signature
    unsteadiness: float  # scale of the variability between two signatures


def draw_style(rng: np.random.Generator) -> Style:
    """Draws the style of a new hand."""
    scrawls = rng.random() < 0.45
    return Style(
        slant=float(np.clip(rng.normal(0.3, 0.25), -0.25, 0.85)),
        rise_rad=float(np.clip(rng.normal(0.06, 0.08), -0.08, 0.35)),
        capital_scale=float(rng.uniform(0.95, 2.1)),
        ascender=float(rng.uniform(0.7, 1.9)),
        descender=float(rng.uniform(0.7, 1.9)),
        letter_width=float(np.exp(rng.normal(0.1 if scrawls else 0.0, 0.25))),
        roundness=float(rng.uniform(0.6, 1.15)),
        decay=float(rng.uniform(0.76, 0.94) if scrawls else rng.uniform(0.96, 1.0)),
        legible_letters=int(rng.integers(1, 7)) if scrawls else 30,
        pace_s=float(rng.uniform(0.085, 0.13)),
        overlap=float(rng.uniform(0.38, 0.56) if scrawls else rng.uniform(0.34, 0.46)),
        log_spread=float(rng.uniform(0.15, 0.3)),
        taper_s=float(rng.uniform(0.015, 0.05)),
        width_px=float(rng.uniform(360, 640)),
        unsteadiness=float(np.exp(rng.normal(0.1, 0.3))),
    )


def compose(name: str, style: Style, rng: np.random.Generator) -> Plan:
    """The plan of a signature; the writer's own forms of the letters are drawn from `rng`."""
    body: list[Target] = []
    marks: list[Target] = []
    x, y = 0.0, 0.0
    for word in _words(name, rng):
        written, added, width = _word(word, style, rng)
        flows_on = bool(body) and rng.random() < 0.2
        written[0] = replace(written[0], lifted=not flows_on)
        body += _moved(written, x, y)
        marks += _moved(added, x, y)
        x += width + float(rng.uniform(-0.3, 1.1))
        y += float(rng.normal(0, 0.15))
    return _fitted(timed(body + _flourish(body, rng) + marks, style), style)


def _words(name: str, rng: np.random.Generator) -> list[str]:
    """What of the name is signed; a word of one letter is an initial."""
    given, family = name.split()
    choices = [[given, family], [given[0], family], [family], [given]]
    return choices[rng.choice(len(choices), p=[0.4, 0.34, 0.16, 0.1])]


def _moved(targets: list[Target], x: float, y: float) -> list[Target]:
    return [replace(t, x=t.x + x, y=t.y + y) for t in targets]


def _word(
    word: str, style: Style, rng: np.random.Generator
) -> tuple[list[Target], list[Target], float]:
    """Targets of a word from x = 0 on, of the marks added after it, and its width."""
    size = style.capital_scale
    first = capital(word[0], int(rng.integers(100)))
    written = _sized(_in_hand(first, style, rng), 0.0, size, size)
    marks: list[Target] = []
    x = first.advance * size
    joined = first.joins and rng.random() < 0.8
    height = 1.0
    for char in word[1 : 1 + style.legible_letters]:
        letter = small(char)
        width = style.letter_width * (0.5 + 0.5 * height)
        if not joined:
            written.append(Target(x - 0.1, float(rng.uniform(0.0, 0.4)), 0.0, True))
        own = [_stretched(t, style) for t in _in_hand(letter, style, rng)]
        written += _sized(own, x, width, height)
        marks += _marks(char, x + 0.45 * width, height, rng)
        x += letter.advance * width
        joined = rng.random() < 0.93
        height *= style.decay
    if len(word) > 1 + style.legible_letters:
        x += float(rng.uniform(0.8, 3.5))
        rest_y, turn = float(rng.uniform(-0.3, 0.7)), float(rng.normal(0, 25))
        written.append(Target(x, rest_y, turn, False))
    return written, marks, x


def _in_hand(letter: Letter, style: Style, rng: np.random.Generator) -> list[Target]:
    """A letter's targets in the writer's own form."""
    own = rng.normal(0, (0.07, 0.07, 10), (len(letter.targets), 3))
    return [
        replace(t, x=t.x + dx, y=t.y + dy, turn=t.turn * style.roundness + bend)
        for t, (dx, dy, bend) in zip(letter.targets, own.tolist(), strict=True)
    ]


def _sized(targets: list[Target], x: float, width: float, height: float) -> list[Target]:
    return [replace(t, x=x + t.x * width, y=t.y * height) for t in targets]


def _stretched(target: Target, style: Style) -> Target:
    """A small letter's target with the writer's own ascenders and descenders."""
    if target.y > 1.3:
        return replace(target, y=1 + (target.y - 1) * style.ascender)
    return replace(target, y=target.y * style.descender) if target.y < -0.3 else target


def _marks(char: str, x: float, height: float, rng: np.random.Generator) -> list[Target]:
    """The dot or the bar that is added to a letter once its word is written."""
    if char in "ij" and rng.random() < 0.8:
        y = height + 0.75
        return [Target(x, y, 0, True, True), Target(x + 0.15, y - 0.12, 0, False, True)]
    if char in "tf":
        y = 1.15 * height
        reach = float(rng.uniform(0.3, 1.0))
        end = Target(x + reach, y + 0.1, float(rng.normal(-10, 10)), False, True)
        return [Target(x - 0.6 * reach, y, 0, True, True), end]
    return []


def _flourish(body: list[Target], rng: np.random.Generator) -> list[Target]:
    """The paraph, or nothing."""
    left, right = min(t.x for t in body), max(t.x for t in body)
    span = right - left
    kind = rng.choice(_PARAPHS, p=[0.5, 0.2, 0.14, 0.08, 0.08])
    y = -float(rng.uniform(0.7, 1.4))
    start = left + span * float(rng.uniform(0.0, 0.35))
    end = right + span * float(rng.uniform(-0.15, 0.1))
    bow = float(rng.normal(0, 12))
    if kind == "underline":
        return [Target(start, y, 0, True), Target(end, y + 0.3, bow, False)]
    if kind == "return":
        turn = float(rng.uniform(-170, -50))
        return [Target(start, y, turn, False), Target(end, y + 0.2, 40 + 2 * bow, False)]
    if kind == "zigzag":
        low = y - 0.5
        return [
            Target(start, y, 0, True),
            Target(end, y + 0.2, bow, False),
            Target(start + 0.3 * span, low, -40, False),
            Target(end - 0.1 * span, low + 0.2, 30, False),
        ]
    if kind == "encircle":
        return [
            Target((start + end) / 2, y - 0.4, -120, False),
            Target(start, 1.0, -120, False),
            Target(end, 2.2, -60, False),
        ]
    return []


def timed(strokes: list[Target], style: Style) -> Plan:
    """Leans and times the targets, in x-heights; the pen comes down at the first of them."""
    x = np.array([t.x for t in strokes])
    y = np.array([t.y for t in strokes])
    targets = ((x + style.slant * y) + 1j * y) * np.exp(1j * style.rise_rad)
    turn = np.radians([t.turn for t in strokes[1:]])
    lifted = np.array([t.lifted for t in strokes[1:]])
    length = arc_length(np.diff(targets), turn)
    # Isochrony: a stroke twice as long takes far less than twice the time.
    pace = style.pace_s * np.clip(length, 0.3, 20) ** 0.3
    return Plan(
        targets=targets,
        turn=turn,
        lifted=lifted,
        optional=np.array([t.optional for t in strokes[1:]]),
        pace_s=np.where(lifted, np.maximum(1.5 * pace, 0.12), pace),
        overlap=style.overlap,
        log_spread=style.log_spread,
        taper_s=style.taper_s,
        x_height_px=1.0,
    )


def _fitted(plan: Plan, style: Style) -> Plan:
    """The plan at the size in which the writer signs."""
    path = perform(plan)
    written = path.points[path.pressure > 0]
    fit = min(style.width_px / np.ptp(written.real), _MAX_HEIGHT_PX / np.ptp(written.imag))
    x_height_px = float(np.clip(fit, *_X_HEIGHT_PX))
    return replace(plan, targets=plan.targets * x_height_px, x_height_px=x_height_px)
