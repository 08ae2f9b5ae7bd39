"""Draws what cleaning finds in each scene: the scan, the ink found, and where it errs.

Black was found and is there, red was missed, blue is none. `python -m benchmarks.cleaning_sheet
docs/images/cleaning.png`.
"""

import argparse
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.scenes import SCENES, Mask, found_in, overlap

TILE_PX = (110, 300)  # height, width
CAPTION_PX, GAP_PX, COLUMNS = 22, 10, 2
MISSED, NONE = (40, 40, 220), (220, 120, 30)  # Blue, green, red.
Picture = NDArray[np.uint8]  # (h, w, 3)


def main() -> None:
    """Write the sheet."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("picture", type=Path, help="the PNG to write")
    parser.add_argument("--seed", type=int, default=7, help="whose signature to draw (7)")
    options = parser.parse_args()
    draw_sheet([_cell(name, options.seed) for name in SCENES], options.picture)


def draw_sheet(cells: list[Picture], picture: Path) -> None:
    """Write cells of one size as a sheet, a PNG of few colours."""
    cells += [np.full_like(cells[0], 255)] * (-len(cells) % COLUMNS)
    rows = [np.hstack(cells[start : start + COLUMNS]) for start in range(0, len(cells), COLUMNS)]
    sheet = Image.fromarray(np.vstack(rows)[:, :, ::-1])
    sheet.quantize(64, Image.Quantize.MAXCOVERAGE).save(picture, optimize=True)


def _cell(name: str, seed: int) -> Picture:
    """One scene, and the overlap in words."""
    scene, _ = SCENES[name]
    data, ink = scene(seed)
    found = found_in(data, ink.shape)
    scan = cv2.imdecode(np.frombuffer(data, np.uint8), cv2.IMREAD_COLOR)
    words = f"{name}: {100 * overlap(found, ink):.0f} % of the ink"
    return draw_cell(words, np.asarray(scan, np.uint8), found, ink)


def draw_cell(words: str, scan: Picture, found: Mask, ink: Mask) -> Picture:
    """A scan (blue, green, red), the ink found with its errors beside it, and words above."""
    pair = np.hstack([_tile(scan), _tile(_judged(found, ink))])
    caption = np.full((CAPTION_PX, pair.shape[1], 3), 255, np.uint8)
    cv2.putText(
        caption, words, (2, 16), cv2.FONT_HERSHEY_SIMPLEX, 0.45, (60, 60, 60), 1, cv2.LINE_AA
    )
    return np.pad(
        np.vstack([caption, pair]),
        ((0, GAP_PX), (0, 2 * GAP_PX), (0, 0)),
        constant_values=255,
    )


def _judged(found: Mask, ink: Mask) -> Picture:
    picture = np.full((*ink.shape, 3), 255, np.uint8)
    picture[(found > 0) & (ink > 0)] = 0
    picture[(found == 0) & (ink > 0)] = MISSED
    picture[(found > 0) & (ink == 0)] = NONE
    return picture


def _tile(picture: Picture) -> Picture:
    """The picture within a tile, its aspect ratio kept."""
    height, width = picture.shape[:2]
    scale = min(TILE_PX[0] / height, TILE_PX[1] / width)
    size = (round(width * scale), round(height * scale))
    small = cv2.resize(picture, size, interpolation=cv2.INTER_AREA)
    tile = np.full((*TILE_PX, 3), 245, np.uint8)
    top, left = (TILE_PX[0] - size[1]) // 2, (TILE_PX[1] - size[0]) // 2
    tile[top : top + size[1], left : left + size[0]] = small
    return tile


if __name__ == "__main__":
    main()
