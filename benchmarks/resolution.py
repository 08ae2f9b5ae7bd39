"""Error rates of real queries by their resolution and by JPEG's quality, against clean references.

    python -m benchmarks.resolution ../shared/signatures/cedar ../shared/signatures/svc2004_task2

Takes writers whom the shipped model was not trained on: five references as they were scanned, five
genuine signatures, five forgeries and four of other writers as queries, each shrunk in steps and
compressed. Rates are at the model's default operating point, and equal error rates.
"""

import argparse
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from benchmarks.scan_kinds import Gray, compressed, ink_high, shrunk
from encoder.errors import ImageError
from encoder.evaluation.protocols import plan_folds
from encoder.imaging.canvas import canvas_scale
from encoder.imaging.decode import decode
from encoder.inference.encoder import Encoder, load_encoder
from encoder.metrics.error_rates import equal_error_rate
from encoder.scoring.templates import Signatures
from encoder.synthesis import encode_png

REFERENCES, QUERIES, OTHERS = 5, 5, 4
MOST_WRITERS = 20
SCALES = (0.4, 0.6, 0.8, 1.0, 1.25, 1.5, 2.0, 2.5, 3.0, 4.0, 5.0, 12.0)  # Canvas to ink pixels.
Floats = NDArray[np.float64]

SHRUNK: dict[str, Callable[[Gray], Gray]] = {
    "as scanned": lambda gray: gray,
    **{
        f"{px} px": partial(ink_high, height_px=px) for px in (160, 120, 90, 70, 55, 45, 36, 28, 22)
    },
    **{f"{scale}": partial(shrunk, scale=scale) for scale in (0.5, 0.33, 0.25)},
}
QUALITIES: dict[str, Callable[[Gray], Gray]] = {
    f"{where}quality {quality}": partial(compressed, quality=quality, scale=scale)
    for scale, where in ((1.0, ""), (0.5, "half size, "))
    for quality in (50, 30, 20, 10, 5, 3)
}


@dataclass(frozen=True)
class Query:
    """One query in one form: its kind (0 genuine, 1 skilled, 2 random), size and score."""

    kind: int
    form: str
    scale: float
    height_px: int
    score: float
    refused: bool = False


def queries(folder: Path, encoder: Encoder) -> tuple[list[Query], float]:
    """All queries of a data set in all forms, and the threshold of a match."""
    fold = plan_folds(folder, [encoder], "holdout")[0]
    rng = np.random.default_rng(0)
    writers = [one for one in fold.writer_ids if any((folder / one).glob("forged_*"))]
    writers = [writers[n] for n in rng.permutation(len(writers))[:MOST_WRITERS]]
    found: list[Query] = []
    for writer in writers:
        genuine = _grays(folder / writer, "genuine_*", REFERENCES + QUERIES, rng)
        forged = _grays(folder / writer, "forged_*", QUERIES, rng)
        others = [one for one in writers if one != writer]
        chosen = [others[n] for n in rng.permutation(len(others))[:OTHERS]]
        strangers = [gray for one in chosen for gray in _grays(folder / one, "genuine_*", 1, rng)]
        references = _described(genuine[:REFERENCES], encoder)
        for kind, grays in enumerate((genuine[REFERENCES:], forged, strangers)):
            found += [
                one for gray in grays for one in _in_all_forms(kind, gray, references, encoder)
            ]
    calibration = encoder.rule.calibration_for(REFERENCES)
    return found, calibration.points[encoder.rule.default_operating_point].match


def _in_all_forms(kind: int, gray: Gray, references: Signatures, encoder: Encoder) -> list[Query]:
    forms, canvases, found = {**SHRUNK, **QUALITIES}, [], []
    for name, change in forms.items():
        try:
            acquired = encoder.acquire(encode_png(change(gray)))
        except ImageError:
            found.append(Query(kind, name, 0.0, 0, 0.0, refused=True))
            continue
        canvases.append(acquired.canvas)
        scale = canvas_scale(acquired.ink, encoder.canvas_size)[0]
        found.append(Query(kind, name, scale, acquired.quality.ink_height_px, 0.0))
    claims = iter(encoder.rule.claims(encoder.describe(np.stack(canvases)), references))
    return [
        one if one.refused else Query(kind, one.form, one.scale, one.height_px, next(claims).score)
        for one in found
    ]


def _grays(folder: Path, pattern: str, count: int, rng: np.random.Generator) -> list[Gray]:
    paths = sorted(folder.glob(pattern))
    return [decode(paths[n].read_bytes()).gray for n in rng.permutation(len(paths))[:count]]


def _described(grays: Sequence[Gray], encoder: Encoder) -> Signatures:
    canvases = []
    for gray in grays:
        try:
            canvases.append(encoder.acquire(encode_png(gray)).canvas)
        except ImageError:
            continue  # References are those that can be enrolled.
    return encoder.describe(np.stack(canvases))


def _row(name: str, chosen: Sequence[Query], threshold: float) -> str:
    used = [one for one in chosen if not one.refused]
    genuine, skilled, random = (
        np.array([one.score for one in used if one.kind == kind]) for kind in range(3)
    )
    refused = 100 * (1 - len(used) / max(len(chosen), 1))
    numbers = [
        f"{np.median([one.height_px for one in used]):.0f}",
        f"{100 * np.mean(genuine < threshold):.0f}",
        f"{100 * np.mean(skilled >= threshold):.0f}",
        f"{100 * equal_error_rate(genuine, skilled):.1f}",
        f"{100 * equal_error_rate(genuine, random):.1f}",
        f"{refused:.0f}",
    ]
    return f"| {name} | {' | '.join(numbers)} |"


HEADING = (
    "| {} | ink, px high | FNMR | FMR skilled | EER skilled | EER random | refused, % |\n"
    "|---|---|---|---|---|---|---|"
)
LEAST = 8  # Genuine queries of a row.


def main() -> None:
    """Print a table by resolution and one by JPEG quality for each data set."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", metavar="FOLDER", type=Path, nargs="+")
    encoder = load_encoder()
    for folder in parser.parse_args().folders:
        found, threshold = queries(folder, encoder)
        print(f"\n{folder.name}\n\n{HEADING.format('canvas px to an ink px')}")
        small = [one for one in found if one.form in SHRUNK and not one.refused]
        for low, high in zip((0.0, *SCALES), SCALES, strict=False):
            chosen = [one for one in small if low < one.scale <= high]
            if sum(one.kind == 0 for one in chosen) >= LEAST:
                print(_row(f"{low} to {high}", chosen, threshold))
        print(f"\n{HEADING.format('JPEG')}")
        for name in QUALITIES:
            print(_row(name, [one for one in found if one.form == name], threshold))


if __name__ == "__main__":
    main()
