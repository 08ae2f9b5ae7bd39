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
