"""Marks that anyone can make, by invented hands: a cross, a circle, a tick, letters in print."""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from encoder.synthesis.composition import draw_style, timed
from encoder.synthesis.ink import draw_pen, draw_scan, scan, worn
from encoder.synthesis.letterforms import Target, targets_of
from encoder.synthesis.plan import perform
from encoder.synthesis.variation import repeat

# The width, and virtual targets as in `letterforms`, where the height of a letter is 1.
_PRINTED = {
    "A": ".9: 0,0 .45,1 .9,0 ^.2,.4 .7,.4",
    "B": ".6: 0,0 0,1 0,.52,-180 0,0,-180",
    "C": ".8: .8,.85 .1,.5,120 .8,.15,120",
    "D": ".6: 0,0 0,1 0,0,-180",
    "E": ".7: .7,1 0,1 0,0 .7,0 ^0,.5 .6,.5",
    "F": ".7: 0,0 0,1 .7,1 ^0,.5 .6,.5",
    "G": ".8: .8,.85 .1,.5,120 .8,.2,130 .8,.45 .45,.45",
    "H": ".8: 0,1 0,0 ^.8,1 .8,0 ^0,.5 .8,.5",
    "I": ".1: 0,1 0,0",
    "J": ".6: .6,1 .6,.25 0,.25,-170",
    "K": ".8: 0,1 0,0 ^.7,1 0,.45 .8,0",
    "L": ".7: 0,1 0,0 .7,0",
    "M": "1: 0,0 0,1 .5,.3 1,1 1,0",
    "N": ".8: 0,0 0,1 .8,0 .8,1",
    "O": ".9: .45,1 .45,0,180 .45,1,180",
    "P": ".6: 0,0 0,1 0,.5,-180",
    "Q": ".9: .45,1 .45,0,180 .45,1,180 ^.55,.3 .95,-.1",
    "R": ".7: 0,0 0,1 0,.5,-180 .7,0",
    "S": ".7: .7,.85 .35,.5,190 0,.15,-190",
    "T": ".9: 0,1 .9,1 ^.45,1 .45,0",
    "U": ".8: 0,1 0,.35 .8,.35,170 .8,1",
    "V": ".8: 0,1 .4,0 .8,1",
    "W": "1.1: 0,1 .3,0 .55,.8 .8,0 1.1,1",
    "X": ".8: 0,1 .8,0 ^.8,1 0,0",
    "Y": ".8: 0,1 .4,.5 ^.8,1 .4,.5 .4,0",
    "Z": ".8: 0,1 .8,1 0,0 .8,0",
}
_DRAWN = {
    "cross": "0,1 1,0 ^1,1 0,0",
    "plus": "0,.5 1,.5 ^.5,1 .5,0",
    "stroke": "0,.4 1,.6",
    "tick": "0,.5 .3,0 1,1",
    "circle": ".5,1 .5,0,180 .5,1,180",
}
# Letters of a mark in print.
_LETTERS = {"initials": 2, "letters": 3}
KINDS = (*_DRAWN, "zigzag", *_LETTERS)
# Streams of randomness: a hand's own, and one for each of its marks.
_HAND, _MARK = range(2)


def simple_mark(kind: str, hand: int, number: int) -> NDArray[np.uint8]:
    """The n-th mark of a kind as a hand makes it: a grey scan `(h, w)` at about 300 dpi.

    `hand` and `number` are 0 or more. Letters and zigzags are others for each number.

    Raises:
        ValueError: the kind is not one of KINDS.
    """
    if kind not in KINDS:
        raise ValueError(f"{kind!r} is no kind of mark; expected one of {', '.join(KINDS)}.")
    own = np.random.default_rng(np.random.SeedSequence((hand, _HAND)))
    style = replace(
        draw_style(own),
        slant=float(own.normal(0.08, 0.15)),
        overlap=float(own.uniform(0.22, 0.34)),  # Print has corners.
    )
    pen = draw_pen(own)
    now = np.random.default_rng(np.random.SeedSequence((hand, _MARK, KINDS.index(kind), number)))
    wide = float(np.exp(now.normal(0, 0.35)))
    targets = [
        replace(one, x=one.x * wide + float(dx), y=one.y + float(dy), turn=one.turn + float(bend))
        for one in _targets(kind, now)
        for dx, dy, bend in [now.normal(0, (0.06, 0.06, 8))]
    ]
    plan = timed(targets, style)
    height_px = float(now.uniform(90, 240))
    plan = replace(plan, targets=plan.targets * height_px, x_height_px=height_px / 2)
    path = perform(repeat(plan, style.unsteadiness / 2, now))
    return scan(path, worn(pen, now), draw_scan(now), now)


def _targets(kind: str, rng: np.random.Generator) -> list[Target]:
    if kind in _DRAWN:
        return list(targets_of(_DRAWN[kind]))
    if kind == "zigzag":
        strokes, upward = int(rng.integers(3, 8)), int(rng.integers(2))
        step = float(rng.uniform(0.15, 0.5))
        return [Target(n * step, float((n + upward) % 2), 0.0, False) for n in range(strokes + 1)]
    letters = rng.choice(sorted(_PRINTED), _LETTERS[kind]).tolist()
    return _written(letters, float(rng.uniform(0.15, 0.5)))


def _written(letters: Sequence[str], gap: float) -> list[Target]:
    """Targets of letters in print, one beside the other."""
    written: list[Target] = []
    x = 0.0
    for letter in letters:
        width, _, body = _PRINTED[letter].partition(":")
        first, *rest = targets_of(body)
        written += [replace(one, x=one.x + x) for one in (replace(first, lifted=True), *rest)]
        x += float(width) + gap
    return written
