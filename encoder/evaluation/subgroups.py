"""Error rates of some writers apart: whose signatures are short or long, simple or intricate."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from encoder.datasets.folder import DataSet
from encoder.evaluation.pooling import Pool
from encoder.evaluation.rates import as_row, comparison_rates
from encoder.imaging.pixels import HALF_INK
from encoder.imaging.skeleton import ends_and_junctions, length_px, thin
from encoder.metrics.error_rates import equal_error_rate

LENGTH_NAMES = ("short", "middling", "long")
COMPLEXITY_NAMES = ("simple", "middling", "intricate")


def slice_rates(
    pool: Pool, sets: Sequence[DataSet], weights: NDArray[np.float64]
) -> dict[str, dict[str, dict[str, object]]]:
    """Rates by thirds of writers, by `length` and `complexity` of their genuine signatures.

    Length is that of the thinned strokes on the canvas, so in parts of the signature's own size;
    complexity counts where thinned strokes end or meet.
    """
    measured = np.array([_measures(writer.genuine) for data in sets for writer in data.writers])
    found: dict[str, dict[str, dict[str, object]]] = {}
    for column, (what, names) in enumerate(
        (("length", LENGTH_NAMES), ("complexity", COMPLEXITY_NAMES))
    ):
        limits = np.nanquantile(measured[:, column], (1 / 3, 2 / 3))
        third = np.searchsorted(limits, measured[:, column])
        found[what] = {}
        for number, name in enumerate(names):
            part = pool.only(third == number)
            if np.isnan(equal_error_rate(part.scores("genuine"), part.scores("random"))):
                continue
            facts: dict[str, object] = {
                "writers": int(np.count_nonzero(third == number)),
                "mean": round(float(np.mean(measured[third == number, column])), 1),
            }
            found[what][name] = facts | as_row(comparison_rates(part, weights))
    return found


def _measures(canvases: NDArray[np.uint8]) -> tuple[float, float]:
    """Mean length, px, and mean number of ends and junctions of canvases' strokes."""
    skeletons = [
        thin(((canvas > HALF_INK) * np.uint8(255)).astype(np.uint8)) for canvas in canvases
    ]
    if not skeletons:
        return float("nan"), float("nan")
    lengths = [length_px(skeleton) for skeleton in skeletons]
    return float(np.mean(lengths)), float(np.mean([ends_and_junctions(s) for s in skeletons]))
