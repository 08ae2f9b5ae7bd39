"""How often marks that anyone can make match another person's: what a likelihood ratio may claim.

    python -m benchmarks.simple_marks

Each of 30 invented people makes a mark of one kind, five references and three queries, with a hand
of their own: its slant, its proportions and its pen. Everybody's queries are compared with the
references of everybody else. Real hands vary less evenly; what counts is how near strangers come.
None of these hands, words or pens is in the cohort that comes with a model.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from functools import partial

import cv2
import numpy as np
from numpy.typing import NDArray

from encoder.errors import ImageError
from encoder.imaging.acquire import Acquisition, acquire
from encoder.inference.encoder import Encoder, load_encoder
from encoder.inference.simple_marks import simple_marks
from encoder.scoring.copies import distinct
from encoder.synthesis import encode_png

Hand = np.random.Generator
Points = NDArray[np.float64]  # (k, 2), in shares of the mark's box
Strokes = Sequence[Points]

PEOPLE, REFERENCES, QUERIES = 30, 5, 3
HEIGHT_PX, MARGIN_PX = 220, 60
LEAST_CURVE = 10  # Points of it.
LETTER, GAP = 0.26, 0.37  # Width of a letter, and from one to the next, of the mark's width.
CURVE = np.linspace(0.15, 0.85, 12) * 2 * np.pi
LETTERS: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(0, 1), (0.5, 0), (1, 1)], [(0.2, 0.6), (0.8, 0.6)]],
    "C": [[(0.5 + 0.5 * np.cos(at), 0.5 + 0.5 * np.sin(at)) for at in CURVE]],
    "H": [[(0, 0), (0, 1)], [(1, 0), (1, 1)], [(0, 0.5), (1, 0.5)]],
    "J": [[(0.7, 0), (0.7, 0.8), (0.4, 1), (0, 0.8)]],
    "K": [[(0, 0), (0, 1)], [(0.9, 0), (0, 0.5), (1, 1)]],
    "L": [[(0, 0), (0, 1), (1, 1)]],
    "M": [[(0, 1), (0, 0), (0.5, 0.7), (1, 0), (1, 1)]],
    "S": [[(1, 0.1), (0.5, 0), (0, 0.25), (0.5, 0.5), (1, 0.75), (0.5, 1), (0, 0.9)]],
    "T": [[(0, 0), (1, 0)], [(0.5, 0), (0.5, 1)]],
}
WORDS = ("JMS", "ALC", "THK")


def _cross() -> Strokes:
    return [np.array([[0, 0], [1, 1]], float), np.array([[1, 0], [0, 1]], float)]


def _plus() -> Strokes:
    return [np.array([[0, 0.5], [1, 0.5]]), np.array([[0.5, 0], [0.5, 1]])]


def _stroke() -> Strokes:
    return [np.array([[0, 0.6], [0.5, 0.5], [1, 0.4]])]


def _tick() -> Strokes:
    return [np.array([[0, 0.5], [0.3, 1], [1, 0]])]


def _circle() -> Strokes:
    way = np.linspace(0, 2 * np.pi, 40)
    return [np.stack([0.5 + 0.5 * np.cos(way), 0.5 + 0.5 * np.sin(way)], axis=1)]


def _initials() -> Strokes:
    """A V and an L, of one stroke each."""
    return [
        np.array([[0, 0], [0.2, 1], [0.4, 0]], float),
        np.array([[0.6, 0], [0.6, 1], [1, 1]], float),
    ]


def _printed(text: str) -> Strokes:
    """Letters in print, apart from each other."""
    return [
        np.array([((number * GAP + LETTER * x), y) for x, y in points])
        for number, letter in enumerate(text)
        for points in LETTERS[letter]
    ]


MARKS: dict[str, Callable[[], Strokes]] = {
    "X": _cross,
    "plus": _plus,
    "stroke": _stroke,
    "tick": _tick,
    "circle": _circle,
    "two initials": _initials,
    **{f"letters {word}": partial(_printed, word) for word in WORDS},
}


def drawn(kind: str, person: int, number: int) -> NDArray[np.uint8]:
    """The n-th mark of a kind as a person makes it: a grey scan."""
    own, now = np.random.default_rng([person]), np.random.default_rng([person, number + 1])
    page = _strokes(MARKS[kind](), own, now)
    soft = cv2.GaussianBlur(page, (3, 3), 0).astype(np.float64) / 255
    noise = now.normal(0, 2, page.shape)
    return np.clip(235 - 175 * soft + noise, 0, 255).astype(np.uint8)


def _strokes(strokes: Strokes, own: Hand, now: Hand) -> NDArray[np.uint8]:
    wide = own.uniform(0.7, 2.2) * now.normal(1, 0.06)
    slant = own.normal(0, 0.2) + now.normal(0, 0.05)
    pen = int(own.integers(3, 8))
    drift = [own.normal(0, 0.06, points.shape) for points in strokes]
    page = np.zeros((HEIGHT_PX + 2 * MARGIN_PX, round(HEIGHT_PX * 3.4) + 2 * MARGIN_PX), np.uint8)
    for points, always in zip(strokes, drift, strict=True):
        once = now.normal(0, 0.03, points.shape)
        few = len(points) < LEAST_CURVE  # A curve is moved as one: it has no corners.
        moved = points + (always + once if few else always.mean(axis=0) + once.mean(axis=0))
        x = HEIGHT_PX * (wide * moved[:, 0] + slant * (1 - moved[:, 1])) + 1.5 * MARGIN_PX
        line = np.stack([x, HEIGHT_PX * moved[:, 1] + MARGIN_PX], axis=1)
        cv2.polylines(page, [line.round().astype(np.int32)], False, 255, pen, cv2.LINE_AA)
    return page


def measure(kind: str, encoder: Encoder) -> dict[str, float]:
    """Share of strangers' marks of a kind that match, of one's own, and of those warned of.

    Shares of marks warned of, by their ink alone and in all, are of those not refused.
    """
    people, by_ink, warned = [], [], []
    made = PEOPLE * (REFERENCES + QUERIES)
    for person in range(PEOPLE):
        marks = _accepted(kind, person)
        if not marks:
            continue
        described = encoder.describe(np.stack([one.canvas for one in marks]))
        ink = ["too-simple" in {w.code for w in one.quality.warnings} for one in marks]
        alone = simple_marks(marks, described, encoder)
        by_ink += ink
        warned += [says or bool(more) for says, more in zip(ink, alone, strict=True)]
        if len(marks) > REFERENCES:
            people.append(described)
    threshold = encoder.rule.calibration_for(REFERENCES).points[
        encoder.rule.default_operating_point
    ]
    own, others = [], []
    for number, one in enumerate(people):
        references = one[:REFERENCES]
        which = distinct(references)
        own += [claim.score for claim in encoder.rule.claims(one[REFERENCES:], references, which)]
        for stranger, other in enumerate(people):
            if stranger != number:
                probe = other[REFERENCES : REFERENCES + 1]
                others.append(encoder.rule.claims(probe, references, which)[0].score)
    return {
        "own": _share(own, threshold.match),
        "strangers": _share(others, threshold.match),
        "by_ink": float(np.mean(by_ink)),
        "warned": float(np.mean(warned)),
        "refused": 1 - len(warned) / made,
    }


def _share(scores: Sequence[float], threshold: float) -> float:
    return float(np.mean(np.array(scores) >= threshold)) if scores else 0.0


def _accepted(kind: str, person: int) -> list[Acquisition]:
    marks = []
    for number in range(REFERENCES + QUERIES):
        try:
            marks.append(acquire(encode_png(drawn(kind, person, number))))
        except ImageError:
            continue  # Counted: fewer come back than were made.
    return marks


def main() -> None:
    """Print a table of kinds, or JSON."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--json", action="store_true", help="print JSON instead of a table")
    as_json = parser.parse_args().json
    encoder = load_encoder()
    found = {kind: measure(kind, encoder) for kind in MARKS}
    if as_json:
        print(json.dumps(found, indent=1))
        return
    print(
        "| mark | own that match, % | strangers' that match, % | warned of by the ink, % | "
        "warned of, % | refused, % |"
    )
    print("|---|---|---|---|---|---|")
    for kind, row in found.items():
        numbers = " | ".join(
            f"{100 * row[name]:.0f}" for name in ("own", "strangers", "by_ink", "warned", "refused")
        )
        print(f"| {kind} | {numbers} |")


if __name__ == "__main__":
    main()
