"""The report's page and the model's card hold what was measured, and nothing from elsewhere."""

import re
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest

from encoder.evaluation.evaluate import Effort, evaluate
from encoder.evaluation.protocols import unprotected_fold
from encoder.inference.encoder import load_encoder
from encoder.report import html_report, model_card
from encoder.report.plots import Axis, Series, cmc_plot, det_plot, plot, tippett_plot

VOID = {"meta"}


class Balanced(HTMLParser):
    """Checks that every element is closed; collects text and the addresses of anything loaded."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.text: list[str] = []
        self.loaded: list[str] = []
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)
        self.loaded += [value or "" for name, value in attrs if name in {"src", "href"}]
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.text.append(data)


@pytest.fixture(scope="module")
def answer(writers_folder: Path) -> dict[str, Any]:
    folds = unprotected_fold(writers_folder, load_encoder())
    effort = Effort(draws=2, replicates=20)
    measured = evaluate(writers_folder, folds, ("hog", "perturbations", "controls"), effort)
    return {"protocol": "all writers", "draws": 2, "replicates": 20, "sets": [measured]}


def parsed(page: str) -> Balanced:
    parser = Balanced()
    parser.feed(page)
    assert parser.open == []
    return parser


def test_the_page_is_whole_and_loads_nothing(answer: dict[str, Any]) -> None:
    page = parsed(html_report(answer))
    assert page.loaded == []
    assert not {"img", "script", "link", "iframe"} & set(page.tags)
    assert page.tags.count("figure") == 3
    text = " ".join(page.text)
    row = answer["sets"][0]["results"]["5"]
    assert f"{100 * row['eer_skilled']:.1f}" in text
    for words in ("baseline hog", "phone photo", "fmr_skilled=5%", "the paper around the ink"):
        assert words in text
    assert "complexity: intricate" in text
    assert "flatter" in text


def test_names_are_escaped(answer: dict[str, Any]) -> None:
    odd = {**answer["sets"][0], "folder": "<b>odd</b> & ends"}
    page = html_report({**answer, "sets": [odd]})
    assert "<b>odd" not in page
    assert "&lt;b&gt;odd&lt;/b&gt; &amp; ends" in page
    parsed(page)


def test_a_set_without_forgeries_or_extras_still_makes_a_page(answer: dict[str, Any]) -> None:
    def without_forgeries(part: dict[str, Any]) -> dict[str, Any]:
        return {k: v for k, v in part.items() if "skilled" not in k and not k.startswith("cllr")}

    one = answer["sets"][0]
    bare = {k: one[k] for k in ("folder", "writers", "failures_to_acquire", "models")}
    bare["results"] = {n: without_forgeries(row) for n, row in one["results"].items()}
    bare["curves"] = {n: {"det_random": c["det_random"]} for n, c in one["curves"].items()}
    page = parsed(html_report({**answer, "sets": [bare]}))
    assert page.tags.count("figure") == 2  # No likelihood ratios, so no Tippett plot.


def test_lines_lie_where_their_points_say() -> None:
    axes = (Axis("x", 0, 10, [(5, "5")]), Axis("y", 0, 1, []))
    drawn = plot("title", axes, [Series("one", [(0, 0), (10, 1), (20, 2)], "s1")])
    way = re.search(r'class="line s1" d="M([\d.]+) ([\d.]+)L([\d.]+) ([\d.]+)L([\d. ]+)"', drawn)
    assert way is not None
    left, foot, right, top = (float(way[n]) for n in range(1, 5))
    assert left < right
    assert top < foot  # SVG counts downwards.
    assert way[5] == f"{way[3]} {way[4]}"  # Beyond the axes' ends is drawn at the ends.


def test_plots_of_next_to_nothing() -> None:
    assert "<svg" in det_plot([("perfect", "s1", [[0.0, 0.0]])])
    assert "<svg" in cmc_plot([("one", "s1", [1.0, 1.0])])
    curves = {"log_lr": [-0.5, 0.5], "genuine": [1.0, 0.0], "skilled": [1.0, 0.0]}
    assert "<svg" in tippett_plot(curves)


def test_the_card_says_what_was_trained_on_and_measured(answer: dict[str, Any]) -> None:
    one = answer["sets"][0]
    card = model_card(answer)
    assert one["models"][0]["id"] in card
    for data in load_encoder().manifest["training"]["data"]:
        assert f"- {data['name']}: {data['terms']}" in card
    row = one["results"]["5"]
    low, high = row["intervals"]["eer_skilled"]
    stated = f"{100 * row['eer_skilled']:.1f} ({100 * low:.1f} to {100 * high:.1f})"
    assert f"| invented | 20 | 5 | {stated} |" in card
    assert "| invented, baseline hog | 20 | 5 |" in card
    assert "| invented | fmr_skilled=1% |" in card
    for words in ("## Use", "Not meant for", "## Limits"):
        assert words in card
