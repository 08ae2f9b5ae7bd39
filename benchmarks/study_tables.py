"""The README's tables of error rates, from the results of `make study`.

`python -m benchmarks.study_tables [docs/evaluation]` prints them as Markdown.
"""

import json
import sys
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

NAMES = {"cedar": "CEDAR", "bhsig260_bengali": "Bengali", "crossmedia_chinese": "cross-media"}
POINT = "fmr_skilled=5%"
DASH = "\N{EN DASH}"
EER_AT = ("1", "5", "10")

Row = Mapping[str, Any]


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/evaluation")
    read = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")
    }
    print("Data sets never seen\n")
    print(
        _table((*_heads(), f"at `{POINT}`: forgeries pass / genuine not matched, 5"), _unseen(read))
    )
    print("\nFive-fold cross-validation\n")
    print(_table((*_heads(), "rank-1, 5"), _crossval(read)))
    print("\nBeside the notebook, on the writers held out\n")
    print(_table(("", *_heads(), "rank-1, 5"), _beside(read)))
    print("\nPerturbed query signatures: genuine not matched / forgeries matched, percent\n")
    print(_table(("", *_names(read["shipped"])), _perturbed(read["shipped"]["sets"])))
    print("\nOne by one\n")
    sys.stdout.writelines(f"{fact}\n" for fact in _facts(read))


def _heads() -> tuple[str, ...]:
    skilled = ["skilled EER, 1 reference", *(f"{r} references" for r in EER_AT[1:])]
    return ("", "writers", *skilled, "random EER, 5", "FNMR at FMR 1 % skilled, 5")


def _unseen(read: Row) -> Iterator[tuple[str, ...]]:
    adapted = {one["folder"]: one for one in read["adapted"]["sets"]}
    for one in read["zeroshot"]["sets"]:
        if "5" in one["results"]:
            yield (f"**{_name(one)}**", *_rates(one), _passing(one))
            yield (
                f"{DASH} adapted to its writers",
                *_rates(adapted[one["folder"]]),
                _passing(adapted[one["folder"]]),
            )
            yield (
                f"{DASH} HOG, nothing learned",
                *_rates(one["baselines"]["hog"], one["writers"]),
                "",
            )


def _crossval(read: Row) -> Iterator[tuple[str, ...]]:
    for one in read["crossval"]["sets"]:
        hog = one["baselines"]["hog"]
        yield (_name(one), *_rates(one), _first(one))
        yield (
            f"{DASH} HOG of the same canvas, nothing learned",
            *_rates(hog, one["writers"]),
            _first(hog),
        )


def _beside(read: Row) -> Iterator[tuple[str, ...]]:
    epochs = read["original-notebook"]["epochs"]
    for title, name in (
        ("shipped model", "shipped"),
        ("notebook, faults mended", "notebook"),
        (f"notebook as it was, {epochs} of its epochs", "original-notebook"),
    ):
        for one in read[name]["sets"]:
            yield (title, _name(one), *_rates(one), _first(one))


def _perturbed(sets: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    tables = [one["perturbations"]["rows"] for one in sets]
    for name in tables[0]:
        points = [table[name]["shipped"][POINT] for table in tables]
        yield (
            name,
            *(f"{_percent(p['fnmr'], 0)} / {_percent(p['fmr_skilled'], 0)}" for p in points),
        )


def _facts(read: Row) -> Iterator[str]:
    for name in ("crossval", "zeroshot", "adapted"):
        for one in read[name]["sets"]:
            for references, row in one["results"].items():
                point, where = row["shipped"][POINT], f"{name}, {_name(one)}, R = {references}"
                skilled = (
                    f"forgeries pass {_percent(point['fmr_skilled'])}, Cllr - min "
                    f"{row['cllr_skilled'] - row['cllr_min_skilled']:.3f}, "
                    f"FNMR at FMR 1 % {_percent(row['fnmr_at_fmr_1%_skilled'])}, "
                    if row["skilled"]
                    else ""
                )
                yield (
                    f"{where}: {skilled}genuine not matched {_percent(point['fnmr'])}, random EER "
                    f"{_percent(row['eer_random'])}, rank-1 {_percent(row['rank_1'])}, FPIR "
                    f"{_percent(row['fpir'])}, FNIR {_percent(row['fnir'])}"
                )


def _rates(one: Row, writers: int | None = None) -> tuple[str, ...]:
    results = one["results"]
    skilled = [_with_interval(results[r], "eer_skilled") for r in EER_AT]
    five = (_with_interval(results["5"], n) for n in ("eer_random", "fnmr_at_fmr_1%_skilled"))
    return (str(writers or one["writers"]), *skilled, *five)


def _with_interval(row: Row, name: str) -> str:
    low, high = row["intervals"][name]
    return f"{_percent(row[name])} ({_percent(low)} {DASH} {_percent(high)})"


def _passing(one: Row) -> str:
    point = one["results"]["5"]["shipped"][POINT]
    return f"{_percent(point['fmr_skilled'], 0)} / {_percent(point['fnmr'], 0)}"


def _first(one: Row) -> str:
    return _percent(one["results"]["5"]["rank_1"])


def _percent(rate: float, digits: int = 1) -> str:
    return f"{100 * rate:.{digits}f}"


def _names(result: Row) -> list[str]:
    return [_name(one) for one in result["sets"]]


def _name(one: Row) -> str:
    folder = str(one["folder"])
    return NAMES.get(folder, folder)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first = list(heads)
    lines = [first, ["---"] * len(first), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


if __name__ == "__main__":
    main()
