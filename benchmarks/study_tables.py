"""The tables of docs/accuracy.md, from the results of `make study` and `make notebook-study`.

`python -m benchmarks.study_tables [docs/evaluation]` prints them as Markdown.
"""

import json
import sys
from collections.abc import Callable, Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

NAMES = {
    "cedar": "CEDAR",
    "bhsig260_bengali": "Bengali",
    "crossmedia_chinese": "cross-media",
    "sigcomp2009_nfi": "NFI",
    "svc2004_task2": "SVC2004",
    "arabic_phone_10": "Arabic",
}
POINT = "fmr_skilled=5%"
DASH = "\N{EN DASH}"
EER_AT = ("1", "5", "10")
MODELS = {
    "crossval": "cross-validation",
    "shipped": "shipped model",
    "zeroshot": "never seen",
}

Row = Mapping[str, Any]
Measured = tuple[str, int, Row]  # What was measured, on how many writers, and its results.


def main() -> None:
    """Print the tables."""
    folder = Path(sys.argv[1] if len(sys.argv) > 1 else "docs/evaluation")
    read = {
        path.stem: json.loads(path.read_text(encoding="utf-8")) for path in folder.glob("*.json")
    }
    passing = f"at `{POINT}`: forgeries passed / genuine not matched"
    _print("Data sets never seen", _unseen(read), passing, _passing)
    _print("Five-fold cross-validation", _crossval(read), "rank-1", _first)
    _print("Beside the notebook, on the writers held out", _beside(read), "rank-1", _first)
    print(f"\nPromises kept on data sets never seen, at `{POINT}` and in identification\n")
    counts = ("1", "3", "5", "10")
    heads = ("forgeries passed / genuine not matched", *map(_counted, counts))
    print(_table(heads, _promises(read, counts)))
    print("\nIdentification, with 5 references\n")
    heads = ("", "writers in a gallery", "strangers named", "enrolled missed", "rank-1")
    print(_table(heads, _identified(read)))
    print("\nPerturbed query signatures: genuine not matched / forgeries matched, percent\n")
    print(_table(("", *_names(read["shipped"])), _perturbed(read["shipped"]["sets"])))
    print("\nOne by one\n")
    sys.stdout.writelines(f"{fact}\n" for fact in _facts(read))


def _print(
    title: str, measured: Iterable[Measured], last: str, last_of: Callable[[Row], str]
) -> None:
    """Print one table of skilled errors by number of references, and one of all else with five."""
    rows = list(measured)
    print(f"\n{title}\n")
    heads = ("skilled EER", "writers", *map(_counted, EER_AT))
    print(_table(heads, (_skilled(*row) for row in rows)))
    print()
    heads = ("with 5 references", "random EER", "FNMR at FMR 1 % skilled", last)
    print(_table(heads, ((*_at_five(*row), last_of(row[2])) for row in rows)))


def _unseen(read: Row) -> Iterator[Measured]:
    for one in read["zeroshot"]["sets"]:
        if "5" in one["results"]:
            yield (f"**{_name(one)}**", one["writers"], one["results"])
            yield (
                f"{DASH} HOG, nothing learned",
                one["writers"],
                one["baselines"]["hog"]["results"],
            )


def _crossval(read: Row) -> Iterator[Measured]:
    for one in read["crossval"]["sets"]:
        yield (f"**{_name(one)}**", one["writers"], one["results"])
        yield (f"{DASH} HOG, nothing learned", one["writers"], one["baselines"]["hog"]["results"])


def _beside(read: Row) -> Iterator[Measured]:
    original, mended = read["original-notebook"], read["notebook"]["sets"][0]["models"][0]
    for title, name in (
        ("shipped model", "shipped"),
        (f"notebook, faults corrected, {_epochs(mended)}", "notebook"),
        (f"notebook as it was, {_epochs(original)}", "original-notebook"),
    ):
        for one in read[name]["sets"]:
            yield (f"{title}: {_name(one)}", one["writers"], one["results"])


def _epochs(of: Row) -> str:
    """How long something was trained, and which epoch's network was kept if not the last one's."""
    said = f"{of['epochs']} epoch{'s' * (of['epochs'] != 1)}"
    return said if of["best_epoch"] == of["epochs"] else f"{said}, best {of['best_epoch']}"


def _identified(read: Row) -> Iterator[tuple[str, ...]]:
    for name, title in MODELS.items():
        for one in read[name]["sets"]:
            if "5" in one["results"]:
                row = one["results"]["5"]
                sizes = ", ".join(str(size) for size in row["gallery_sizes"])
                rates = (_with_interval(row, "fpir"), _with_interval(row, "fnir"))
                yield (f"{title}: {_name(one)}", sizes, *rates, _first(one["results"]))


def _promises(read: Row, counts: Iterable[str]) -> Iterator[tuple[str, ...]]:
    for one in read["zeroshot"]["sets"]:
        if any(row["skilled"] for row in one["results"].values()):
            cells = (_passing_at(one["results"].get(count)) for count in counts)
            yield (_name(one), *cells)


def _passing_at(row: Row | None) -> str:
    if not row or not row["skilled"]:
        return ""
    point = row["shipped"][POINT]
    return f"{_percent(point['fmr_skilled'])} / {_percent(point['fnmr'], 0)}"


def _perturbed(sets: Iterable[Row]) -> Iterator[tuple[str, ...]]:
    tables = [one["perturbations"]["rows"] for one in sets]
    for name in tables[0]:
        points = [table[name]["shipped"][POINT] for table in tables]
        yield (
            name,
            *(f"{_percent(p['fnmr'], 0)} / {_percent(p['fmr_skilled'], 0)}" for p in points),
        )


def _facts(read: Row) -> Iterator[str]:
    for name in ("crossval", "zeroshot"):
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


def _skilled(title: str, writers: int, results: Row) -> tuple[str, ...]:
    rows = (results.get(references, {}) for references in EER_AT)
    return (title, str(writers), *(_with_interval(row, "eer_skilled") for row in rows))


def _at_five(title: str, _: int, results: Row) -> tuple[str, ...]:
    names = ("eer_random", "fnmr_at_fmr_1%_skilled")
    return (title, *(_with_interval(results["5"], name) for name in names))


def _with_interval(row: Row, name: str) -> str:
    if name not in row:  # Too few signatures for so many references.
        return ""
    low, high = row["intervals"][name]
    return f"{_percent(row[name])} ({_percent(low)} {DASH} {_percent(high)})"


def _passing(results: Row) -> str:
    point = results["5"]["shipped"].get(POINT)  # A baseline has no thresholds.
    if point is None:
        return ""
    return f"{_percent(point['fmr_skilled'], 0)} / {_percent(point['fnmr'], 0)}"


def _first(results: Row) -> str:
    return _percent(results["5"]["rank_1"])


def _counted(references: str) -> str:
    return f"{references} reference{'s' * (references != '1')}"


def _percent(rate: float, digits: int = 1) -> str:
    return f"{100 * rate:.{digits}f}"


def _names(result: Row) -> list[str]:
    return [_name(one) for one in result["sets"]]


def _name(one: Row) -> str:
    folder = str(one["folder"])
    return NAMES.get(folder, folder)


def _table(heads: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    first = list(heads)
    body = "".join(f"\n| {' | '.join(row)} |" for row in rows)
    return f"| {' | '.join(first)} |\n|{'---|' * len(first)}{body}"


if __name__ == "__main__":
    main()
