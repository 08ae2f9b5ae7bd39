"""Writes a contact sheet of synthetic writers: `python -m encoder.synthesis --sheet sheet.png`."""

import argparse
from collections.abc import Sequence
from pathlib import Path

import cv2
import numpy as np

from encoder.synthesis.ink import Gray
from encoder.synthesis.writer import encode_png, synthetic_writer

_CELL = (180, 400)


def main(arguments: Sequence[str] | None = None) -> None:
    """Parses the command line and writes the sheet."""
    parser = argparse.ArgumentParser(
        prog="python -m encoder.synthesis",
        description="Write a contact sheet: a row for each synthetic writer, genuine signatures "
        "first, then skilled forgeries.",
    )
    parser.add_argument("--sheet", type=Path, required=True, help="PNG file to write")
    parser.add_argument("--writers", type=int, default=10, help="rows (default: 10)")
    parser.add_argument("--first-seed", type=int, default=0, help="first writer (default: 0)")
    parser.add_argument("--genuine", type=int, default=4, help="genuine a row (default: 4)")
    parser.add_argument("--forged", type=int, default=2, help="forgeries a row (default: 2)")
    chosen = parser.parse_args(arguments)
    seeds = range(chosen.first_seed, chosen.first_seed + chosen.writers)
    rows = [_row(seed, chosen.genuine, chosen.forged) for seed in seeds]
    chosen.sheet.write_bytes(encode_png(np.vstack(rows)))


def _row(seed: int, genuine: int, forged: int) -> Gray:
    writer = synthetic_writer(seed)
    samples = [writer.genuine(n) for n in range(genuine)]
    samples += [writer.forgery(n) for n in range(forged)]
    return np.hstack([_cell(sample) for sample in samples])


def _cell(gray: Gray) -> Gray:
    """The sample, scaled to fit a cell of the sheet."""
    scale = min(_CELL[0] / gray.shape[0], _CELL[1] / gray.shape[1], 1.0)
    small = cv2.resize(gray, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    cell = np.full(_CELL, 255, np.uint8)
    top, left = (_CELL[0] - small.shape[0]) // 2, (_CELL[1] - small.shape[1]) // 2
    cell[top : top + small.shape[0], left : left + small.shape[1]] = small
    return cell


if __name__ == "__main__":
    main()
