"""Error rates over HTTP, on writers that no model was trained on; the figures in docs/accuracy.md.

Enrolls 20 such CEDAR writers with 5 references each into a running server, verifies their other
genuine signatures, their skilled forgeries and other writers' signatures, and identifies every
genuine one; for the shipped model and others named. Where fewer were held out for
test, development writers make up the number: no network was fitted to them, and no rate below uses
a threshold that was set on them. Images in which no signature is found are counted as failures to
acquire, and have no part in the rates. Wants the real signatures:
`python -m benchmarks.accuracy ../shared/signatures/cedar`.
"""

import argparse
import json
import sys
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from rich.progress import track

from benchmarks.running import Refused, Server, running_server
from encoder.inference.artifact import SHIPPED, read_artifact
from encoder.metrics.error_rates import equal_error_rate, fnmr_at_fmr

REFERENCES = 5
WRITERS = 20
SIGNATURES = Path(__file__).parents[2] / "shared" / "signatures" / "cedar"


def main() -> None:
    """Print the table, or its numbers as JSON."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n", maxsplit=1)[0])
    parser.add_argument("folder", type=Path, nargs="?", default=SIGNATURES)
    parser.add_argument("--model", type=Path, action="append", default=[], help="measure this too")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    if not options.folder.is_dir():
        sys.exit(f"There are no signatures in {options.folder}; name the folder with them.")
    models = {"shipped": SHIPPED} | {folder.name: folder for folder in options.model}
    rows = {name: measure(folder, options.folder) for name, folder in models.items()}
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print("| model | writers | skilled EER | random EER | FNMR at FMR 1% skilled | rank-1 |")
    print("|---|---|---|---|---|---|")
    for name, row in rows.items():
        rates = " | ".join(
            f"{100 * row[key]:.1f} %"
            for key in ("eer_skilled", "eer_random", "fnmr_at_fmr_1%", "rank_1")
        )
        print(f"| {name} | {row['writers']:.0f} | {rates} |")


def measure(model: Path, folder: Path) -> dict[str, float]:
    """Error rates of one model over HTTP on the folder's writers held out from its training."""
    writers = _held_out(model, folder)
    with running_server(model) as server:
        for writer in track(writers, "Enrolling", transient=True):
            server.create_writer(writer.name)
            images = [("images", p.name, p.read_bytes()) for p in _genuine(writer)[:REFERENCES]]
            server.post(f"/v1/writers/{writer.name}/references", images)
        genuine, skilled, random = [], [], []
        hits: list[bool] = []
        attempts = 0
        for number, writer in enumerate(track(writers, "Comparing", transient=True)):
            probes = _genuine(writer)[REFERENCES:]
            forged, others = sorted(writer.glob("forged_*")), list(_others(writers, number))
            attempts += len(probes) + len(forged) + len(others)
            genuine += _scores(server, writer.name, probes)
            skilled += _scores(server, writer.name, forged)
            random += _scores(server, writer.name, others)
            hits += [name == writer.name for name in _first_candidates(server, probes)]
    return {
        "writers": len(writers),
        "genuine": len(genuine),
        "skilled": len(skilled),
        "random": len(random),
        "failures_to_acquire": attempts - len(genuine) - len(skilled) - len(random),
        "eer_skilled": equal_error_rate(genuine, skilled),
        "eer_random": equal_error_rate(genuine, random),
        "fnmr_at_fmr_1%": fnmr_at_fmr(genuine, skilled, 0.01),
        "rank_1": float(np.mean(hits)),
    }


def _held_out(model: Path, folder: Path) -> list[Path]:
    splits = read_artifact(model).manifest["training"]["splits"]
    split = splits[folder.resolve().name]
    return [folder / name for name in [*split["test"], *split["development"]]][:WRITERS]


def _genuine(writer: Path) -> list[Path]:
    return sorted(writer.glob("genuine_*"))


def _others(writers: Sequence[Path], number: int) -> Iterator[Path]:
    """One signature of every other writer, not among its references."""
    for other, writer in enumerate(writers):
        if other != number:
            probes = _genuine(writer)[REFERENCES:]
            yield probes[number % len(probes)]


def _scores(server: Server, writer_id: str, probes: Iterable[Path]) -> list[float]:
    answers = _answers(server, f"/v1/writers/{writer_id}/verify", probes)
    return [float(answer["score"]) for answer in answers]


def _first_candidates(server: Server, probes: Iterable[Path]) -> list[str]:
    answers = _answers(server, "/v1/identify", probes)
    return [str(answer["candidates"][0]["writer_id"]) for answer in answers]


def _answers(server: Server, path: str, probes: Iterable[Path]) -> Iterator[dict[str, Any]]:
    """Answers to those of the probes in which a signature is found."""
    for probe in probes:
        try:
            yield server.post(path, [("image", probe.name, probe.read_bytes())])
        except Refused as error:
            if error.status != 422:
                raise


if __name__ == "__main__":
    main()
