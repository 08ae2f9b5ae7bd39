"""Signatures of a kind that nothing was calibrated on: is it told, and what do few forgeries do?

    python -m benchmarks.unknown_kinds ../shared/signatures/*/

Leaves out each data set that has forgeries: weights and thresholds are fitted on the others, and it
is looked at as an installation's gallery would be. Prints how far galleries of it lie from the
others; how often the thresholds for 5 % of skilled forgeries err on it, as shipped and as wide as
where a gallery is told to be unlike; and what becomes of the threshold by some forgeries of its
own, on its other writers: shares that pass, that do not match and of draws in which more than 7.5 %
pass, and by what factor the share that passes is usually off. The data sets without forgeries, and
25 invented writers, are only looked at. With `--model`, of a network that has not seen the set:

    python -m benchmarks.unknown_kinds ../shared/signatures/*/ \\
      --model runs/models/without-cedar --only cedar
"""

import argparse
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from encoder.calibration.familiarity import CAUTIOUS_DEVIATIONS, MeasuredGalleries, draw_profiles
from encoder.calibration.few_forgeries import LEAST_FORGED_WRITERS, shrunk_match
from encoder.calibration.fit_weights import fit_weights
from encoder.calibration.levels import (
    TARGETS,
    USUAL_DEVIATIONS,
    Levels,
    levels_of,
    match_threshold,
    points_for,
)
from encoder.datasets.folder import list_writers, read_folder
from encoder.datasets.synthetic import synthetic_data_set
from encoder.evaluation.embed import embed_data_set
from encoder.evaluation.trials import EmbeddedWriter, Trials, draw_claims
from encoder.inference.encoder import Encoder, load_encoder
from encoder.scoring.calibrations import OperatingPoint

POINT = "fmr_skilled=5%"
COUNTS = (1, 5)  # References.
FEW = (10, 25, 100)
FORGERIES_EACH = 5  # Of a writer, about.
LEAST_OTHERS = 3  # Writers that are not drawn, to see what becomes of them.
CLAIM_DRAWS, FORGERY_DRAWS = 3, 40
BROKEN = 0.075  # Share that passes, where 5 % were promised.
INVENTED, FIRST_SEED = 25, 5000
LEAST_RATE = 0.005  # Below it, a rate counts as this one: of so few no factor can be told.
HEADS = (
    "passed / not matched / called no match, as shipped",
    "the same, as wide as for unlike ones",
)
MOVED = ("own forgeries", "as shipped", "theirs alone", "part of the way")


@dataclass(frozen=True)
class LeftOut:
    """One data set, and what was fitted on the others for some number of references.

    `trials` are its own, scored by the others' weights; `levels` are the others'.
    """

    name: str
    references: int
    trials: Trials
    levels: Sequence[Levels]

    def point(self, deviations: float = USUAL_DEVIATIONS) -> OperatingPoint:
        """The thresholds for it, as shipped or wider."""
        return points_for(self.levels, deviations)[POINT]


def main() -> None:
    """Print the tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folders", nargs="+", type=Path)
    parser.add_argument("--model", type=Path)
    parser.add_argument("--only", help="Leave out this data set alone.")
    options = parser.parse_args()
    encoder = load_encoder(options.model)
    folders = [one for one in options.folders if one.is_dir()]
    writers = [writer for folder in folders for writer in _embedded(folder, encoder)]
    forged = sorted({one.data_set for one in writers if len(one.forged)})
    able = [one for one in writers if one.data_set in forged]
    names = [one for one in forged if options.only in {None, one}]
    found = [one for count in COUNTS for one in _left_out(able, names, count, encoder)]
    _print_distances(writers, names, forged, encoder)
    print(f"\n| left out, references | {' | '.join(HEADS)} |\n|{'---|' * (len(HEADS) + 1)}")
    for one in found:
        print(_errors(one), flush=True)
    print(f"\n| left out, references | {' | '.join(MOVED)} |\n|{'---|' * (len(MOVED) + 1)}")
    for one in found:
        for line in _moved(one):
            print(line, flush=True)


def _embedded(folder: Path, encoder: Encoder) -> list[EmbeddedWriter]:
    """Without those whom the network was trained on, nor those kept for its test."""
    name = folder.resolve().name
    split = encoder.manifest["training"]["splits"].get(name)
    names = list_writers(folder) if split is None else split["development"]
    return embed_data_set(encoder.describe, read_folder(folder, encoder.canvas_size, names))


def _left_out(
    writers: Sequence[EmbeddedWriter], names: Sequence[str], references: int, encoder: Encoder
) -> Iterator[LeftOut]:
    scoring = encoder.rule.scoring
    sets = np.array([one.data_set for one in writers])
    claims = draw_claims(writers, references, scoring, CLAIM_DRAWS)
    for name in names:
        others = claims.only(sets != name)
        weights = fit_weights(others, sets, references, len(scoring.parts))
        levels = levels_of(others.scored(weights), sets)
        own = claims.only(sets == name).scored(weights)
        yield LeftOut(name, references, own, [*levels.values()])


def _print_distances(
    writers: Sequence[EmbeddedWriter], names: Sequence[str], forged: Sequence[str], encoder: Encoder
) -> None:
    """Of galleries drawn from each data set, to the others that are forged."""
    invented = synthetic_data_set(INVENTED, encoder.canvas_size, FIRST_SEED)
    everyone = [*writers, *embed_data_set(encoder.describe, invented)]
    others = sorted({one.data_set for one in everyone} - set(forged))
    scoring = encoder.rule.scoring
    print("| gallery of | distance to the nearest of the others | their limit | told unlike |")
    print("|---|---|---|---|")
    for name in [*names, *others]:
        known = [one for one in writers if one.data_set in forged and one.data_set != name]
        measured = MeasuredGalleries.of(known, scoring, {one: {} for one in forged if one != name})
        drawn = draw_profiles([one for one in everyone if one.data_set == name], scoring)
        told = [one for p in drawn if (one := measured.familiarity(p)) is not None]
        far = [one.distance for one in told]
        distance = f"{np.mean(far):.2f} ({min(far):.2f} to {max(far):.2f}), {told[0].nearest}"
        unlike = f"{sum(one.unlike for one in told)} of {len(told)}"
        print(f"| {name} | {distance} | {told[0].limit:.2f} | {unlike} |", flush=True)


def _errors(one: LeftOut) -> str:
    """How often the thresholds err on the set that was left out."""
    cells = []
    for point in (one.point(), one.point(CAUTIOUS_DEVIATIONS)):
        passed, missed = _rates(one.trials, point.match)
        refused = float(np.mean(one.trials.genuine < point.non_match))
        cells.append(f"{_percent(passed)} / {_percent(missed)} / {_percent(refused)}")
    return f"| {one.name}, {one.references} | {' | '.join(cells)} |"


def _moved(one: LeftOut) -> Iterator[str]:
    """What becomes of the threshold by so many forgeries of its own, on its other writers."""
    forged = np.unique(one.trials.skilled_writer)
    rng = np.random.default_rng(0)
    for few in FEW:
        count = few // FORGERIES_EACH
        if max(count, LEAST_FORGED_WRITERS) > len(forged) - LEAST_OTHERS:
            continue
        rows = [_one_draw(one, few, forged, rng) for _ in range(FORGERY_DRAWS)]
        cells = [_told([row[how] for row in rows]) for how in range(len(MOVED) - 1)]
        yield f"| {one.name}, {one.references} | {few} | {' | '.join(cells)} |"


def _one_draw(
    one: LeftOut, few: int, forged: NDArray[np.intp], rng: np.random.Generator
) -> list[tuple[float, float]]:
    """Rates on the writers who were not drawn, by each way to come to a threshold."""
    chosen = rng.choice(forged, max(few // FORGERIES_EACH, LEAST_FORGED_WRITERS), replace=False)
    own, count = _some_forgeries(one.trials, chosen, few, rng)
    partly = shrunk_match(POINT, own, count, one.levels)
    rest = one.trials.only(~np.isin(np.arange(_highest(one.trials) + 1), chosen))
    ways = [one.point().match, match_threshold(own.skilled, TARGETS[POINT])]
    if partly is not None:
        ways.append(partly.match)
    return [_rates(rest, threshold) for threshold in ways]


def _some_forgeries(
    trials: Trials, chosen: NDArray[np.intp], few: int, rng: np.random.Generator
) -> tuple[Trials, int]:
    """Some of the forgeries of each of the chosen writers, in all draws of references; how many."""
    kept: list[NDArray[np.intp]] = []
    count = 0
    for writer, share in zip(chosen, np.array_split(np.arange(few), len(chosen)), strict=True):
        by_draw = np.flatnonzero(trials.skilled_writer == writer).reshape(CLAIM_DRAWS, -1)
        of = rng.permutation(by_draw.shape[1])[: len(share)]
        kept.append(by_draw[:, of].ravel())
        count += len(of)
    places = np.concatenate(kept)
    return replace(
        trials, skilled=trials.skilled[places], skilled_writer=trials.skilled_writer[places]
    ), count


def _told(rates: Sequence[tuple[float, float]]) -> str:
    """What passed, what did not match, how often too much passed, and the factor."""
    passed, missed = np.array(rates).T
    logs = np.log(np.maximum(passed, LEAST_RATE) / TARGETS[POINT])
    factor = float(np.exp(np.sqrt(np.mean(np.square(logs)))))
    broken = float(np.mean(passed > BROKEN))
    shares = " / ".join(_percent(float(one)) for one in (passed.mean(), missed.mean(), broken))
    return f"{shares}; {factor:.1f}"


def _rates(trials: Trials, threshold: float) -> tuple[float, float]:
    """Shares of skilled forgeries that match and of genuine signatures that do not."""
    return float(np.mean(trials.skilled >= threshold)), float(np.mean(trials.genuine < threshold))


def _highest(trials: Trials) -> int:
    return int(
        max(
            of.max(initial=0)
            for of in (trials.genuine_writer, trials.skilled_writer, trials.random_writer)
        )
    )


def _percent(share: float) -> str:
    return f"{100 * share:.1f}"


if __name__ == "__main__":
    main()
