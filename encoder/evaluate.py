"""Measures a model on folders of writers after the protocol in `protocol`; training is not here."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from encoder.embedding import embed_data_set
from encoder.errors import TrainingDataError
from encoder.metrics import equal_error_rate, fnmr_at_fmr
from encoder.model import Encoder
from encoder.protocol import EmbeddedWriter, rank_one_rate, run_trials
from encoder.score import Spread
from encoder.writers_folder import list_writers, read_folder

REFERENCE_COUNTS = (1, 5, 10)


def evaluate(encoder: Encoder, folder: Path, *, all_writers: bool = False) -> dict[str, Any]:
    """Error rates of a model on a folder of writers, ready for JSON.

    Where the model was trained on a data set of the folder's name, only the writers held out from
    training are used, unless `all_writers` is set.

    Raises:
        TrainingDataError: the folder cannot be used.
    """
    splits = encoder.manifest.get("training", {}).get("splits", {})
    held_out = splits.get(folder.resolve().name, {}).get("test")
    present = set(list_writers(folder))
    names = sorted(present) if all_writers or not held_out else sorted(present & set(held_out))
    if len(names) < 2:
        raise TrainingDataError(
            f"{folder} holds {len(present)} writers, of whom {len(names)} can be measured on; two "
            "or more are needed. Writers that the model was trained on are left out."
        )
    data = read_folder(folder, encoder.canvas_size, names)
    writers = embed_data_set(encoder.embed, data)
    return {
        "folder": folder.name,
        "model": {"name": encoder.name, "id": encoder.model_id},
        "writers": len(writers),
        "held_out_from_training": bool(held_out) and not all_writers,
        "failures_to_acquire": data.refused,
        "results": evaluate_writers(writers, encoder.rule.spread),
    }


def evaluate_writers(
    writers: Sequence[EmbeddedWriter], spread: Spread, draws: int = 10
) -> dict[str, dict[str, float | int]]:
    """Error rates by number of references, `"1"`, `"5"`, `"10"`; counts are of comparisons.

    A number of references that no writer has one more signature than is left out.
    """
    results: dict[str, dict[str, float | int]] = {}
    for references in REFERENCE_COUNTS:
        trials = run_trials(writers, references, spread, draws)
        if not trials.genuine.size:
            continue
        row: dict[str, float | int] = {
            "writers": len(set(trials.genuine_writer.tolist())),
            "genuine": trials.genuine.size,
            "skilled": trials.skilled.size,
            "random": trials.random.size,
            "rank_1": _rounded(rank_one_rate(writers, references, spread)),
        }
        for kind, scores in (("skilled", trials.skilled), ("random", trials.random)):
            if scores.size:
                row[f"eer_{kind}"] = _rounded(equal_error_rate(trials.genuine, scores))
                row[f"fnmr_at_fmr_1%_{kind}"] = _rounded(fnmr_at_fmr(trials.genuine, scores, 0.01))
        results[str(references)] = row
    return results


def _rounded(rate: float) -> float:
    return round(rate, 5)
