"""The tables of docs/accuracy.md are the ones that the results in docs/evaluation give."""

import sys
from pathlib import Path

import pytest

from benchmarks import study_tables

DOCS = Path(__file__).parents[2] / "docs"


def test_the_accuracy_page_holds_the_measured_tables(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["study_tables", str(DOCS / "evaluation")])
    study_tables.main()
    rows = [x for x in capsys.readouterr().out.splitlines() if x.startswith("|")]
    page = (DOCS / "accuracy.md").read_text(encoding="utf-8").splitlines()
    assert len(rows) > 50
    assert [row for row in rows if row not in page] == []


@pytest.mark.parametrize(
    ("epochs", "best", "said"),
    [(1, 1, "1 epoch"), (20, 20, "20 epochs"), (12, 7, "12 epochs, best 7")],
)
def test_the_tables_say_how_long_the_notebook_was_trained(
    epochs: int, best: int, said: str
) -> None:
    assert study_tables._epochs({"epochs": epochs, "best_epoch": best}) == said


def measured(folder: str, *counts: str, skilled: int = 9) -> dict[str, object]:
    """Results of a data set as `countersign evaluate --json` gives them, cut down."""
    rates = {"eer_random": 0.01, "rank_1": 0.99, "fpir": 0.02, "fnir": 0.03}
    point = {"fnmr": 0.21}
    if skilled:
        rates |= {"eer_skilled": 0.05, "fnmr_at_fmr_1%_skilled": 0.2}
        rates |= {"cllr_skilled": 0.3, "cllr_min_skilled": 0.2}
        point["fmr_skilled"] = 0.034
    row = {
        **rates,
        "skilled": skilled,
        "gallery_sizes": [40],
        "intervals": {name: [rate / 2, rate * 2] for name, rate in rates.items()},
        "shipped": {study_tables.POINT: point},
    }
    results = dict.fromkeys(counts, row)
    return {
        "folder": folder,
        "writers": 40,
        "results": results,
        "baselines": {"hog": {"results": results}},
    }


def test_every_data_set_left_out_has_its_rows_whatever_it_lacks() -> None:
    """NFI has few signatures of each writer, and nobody forged the cross-media set."""
    sets = [
        measured("svc2004_task2", "1", "3", "5", "10"),
        measured("sigcomp2009_nfi", "1", "3", "5"),
        measured("crossmedia_chinese", "1", "3", skilled=0),
    ]
    read = {"zeroshot": {"sets": sets}}
    svc, _, nfi, _ = (study_tables._skilled(*row) for row in study_tables._unseen(read))
    assert svc == ("**SVC2004**", "40", *["5.0 (2.5 \N{EN DASH} 10.0)"] * 3)
    assert nfi == ("**NFI**", "40", *["5.0 (2.5 \N{EN DASH} 10.0)"] * 2, "")
    assert list(study_tables._promises(read, ("1", "5", "10"))) == [
        ("SVC2004", "3.4 / 21", "3.4 / 21", "3.4 / 21"),
        ("NFI", "3.4 / 21", "3.4 / 21", ""),
    ]
    read |= {"crossval": {"sets": []}, "shipped": {"sets": []}}
    facts = list(study_tables._facts(read))
    assert len(facts) == 4 + 3 + 2
    assert not any("forgeries pass" in fact for fact in facts if "cross-media" in fact)
    assert [row[0] for row in study_tables._identified(read)] == [
        "never seen: SVC2004",
        "never seen: NFI",
    ]
