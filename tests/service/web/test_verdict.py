"""How the page shows a verdict: in a line, both signatures large, no figure that gainsays it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from tests.service.web.conftest import Page, Site

REFERENCES = 5  # As many as the fixture enrolls for each writer.
# A desk's usual screen, in CSS pixels.
SCREEN = {"width": 1280, "height": 800, "deviceScaleFactor": 1, "mobile": False}
LARGE_PX = 480

BOXES = """
    const box = (one) => {
      const { left, top, right, bottom } = one.getBoundingClientRect();
      return { left, top, right, bottom, width: right - left, height: bottom - top };
    };
    return {
      form: box(document.querySelector("#verify-form")),
      verdict: box(document.querySelector(".verdict")),
      words: [...document.querySelectorAll(".verdict h2, .verdict p")].map(box),
      pair: [...document.querySelectorAll(".pair figure")].map(box),
    };
"""
WORDS = """
    const [cases, done] = arguments;
    import(new URL("assets/js/words.js", document.baseURI)).then(
      ({ likelihoodWords }) => done(cases.map((one) => likelihoodWords(...one))));
"""


def decide(page: Page, site: Site, seed: int = 1, *, forged: bool = False) -> None:
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", site.scan(seed, 9, forged=forged))
    page.find("#verify-form [type=submit]").click()
    page.pictures_loaded("#verify-decision .pair img")


@pytest.mark.parametrize("seed", [1, 2], ids=["own", "a stranger's"])
def test_verdict_and_both_signatures_fit_one_screen(page: Page, site: Site, seed: int) -> None:
    page.browser.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", SCREEN)
    decide(page, site, seed)
    boxes: dict[str, Any] = page.run(BOXES)
    heading, *sentences = boxes["words"]
    assert all(abs(one["bottom"] - heading["bottom"]) < heading["height"] for one in sentences)
    query, reference = boxes["pair"]
    assert boxes["verdict"]["bottom"] <= query["top"]
    assert query["top"] == reference["top"]
    assert query["right"] <= reference["left"]
    for one in (query, reference):
        assert one["width"] >= LARGE_PX
        assert 0 <= one["top"] < one["bottom"] <= SCREEN["height"]
    assert page.run("return scrollY") == 0
    assert not page.run("return document.querySelector('.figures').open")
    # The question scrolls away with the answer, and covers none of it.
    page.run("scrollTo(0, 300)")
    boxes = page.run(BOXES)
    assert boxes["form"]["bottom"] <= boxes["verdict"]["top"]


def test_the_reference_shown_large_is_the_most_alike_or_the_one_picked(
    page: Page, site: Site
) -> None:
    decide(page, site)
    cards = page.all("#verify-decision .reference-grid li")
    ids = [card.get_attribute("data-reference") for card in cards]
    assert len(ids) == REFERENCES
    caption = "#verify-decision .pair-reference figcaption"
    assert page.find(caption).text == f"Reference {ids[0]}, the most alike"
    buttons = page.all("#verify-decision .reference-grid button")
    buttons[2].click()
    assert page.find(caption).text == f"Reference {ids[2]}"
    assert f"/{ids[2]}/" in page.find(".pair-reference img").get_attribute("src")
    assert [one.get_attribute("aria-pressed") for one in buttons].index("true") == 2


@pytest.mark.parametrize(
    ("verdict", "never"),
    [("non_match", "for the writer"), ("match", "against the writer"), ("inconclusive", "nobody")],
)
def test_no_figure_gainsays_the_verdict(page: Page, verdict: str, never: str) -> None:
    """Over the whole range of both figures; a verdict that says nothing lets both sides be said."""
    page.open()
    page.find("#verify-title")
    figures = [number / 4 for number in range(-28, 29)]
    cases = [(figure, 6, "a practised imitation", verdict) for figure in figures]
    said = page.browser.execute_async_script(WORDS, cases)
    assert len(said) == len(figures)
    assert all("likelihood ratio" in one for one in said)
    assert not [one for one in said if never in one]
    sides = {
        side for one in said for side in ("for the", "against the") if f"support {side}" in one
    }
    assert len(sides) == (2 if verdict == "inconclusive" else 1)
    # A figure as strong as can be is told for what it is all the same.
    assert "own hand than in a practised imitation" in said[-1]
    assert "in a practised imitation than in the writer" in said[0]


def test_a_printed_verdict_has_its_figures(page: Page, site: Site) -> None:
    decide(page, site)
    opened = "return document.querySelector('.figures').open"
    page.run("dispatchEvent(new Event('beforeprint'))")
    assert page.run(opened)
    page.run("dispatchEvent(new Event('afterprint'))")
    assert not page.run(opened)
