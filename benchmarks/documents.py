"""Measures how much of signatures on documents is found: with print, lines, stamps, other hands.

That is the overlap of the ink kept and the ink that is there, by kind: `python -m
benchmarks.documents`; with `--sheet docs/images/finding.png` it also draws one of each.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np

from benchmarks.cleaning_sheet import draw_cell, draw_sheet
from benchmarks.document_drawing import Gray, Picture, ink_of, scan_of
from benchmarks.document_kinds import KINDS
from encoder.documents.told import Place, cautions
from encoder.errors import FailureToAcquire
from encoder.imaging.decode import decode
from encoder.imaging.ink import clean
from encoder.synthesis import encode_png

SHOWN_SEED = 8  # Whose signature the sheet shows.


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
