"""What clerks do on the page, done in Chromium against the real server."""

from __future__ import annotations

import base64
import re
import sqlite3
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from encoder.calibration.familiarity import GalleryProfile, MeasuredGalleries
from encoder.scoring.calibrations import OwnGallery, RandomTail
from encoder.synthesis import synthetic_writer
from index.registry.gallery_calibrations import NewCalibration
from service.decisions.identify import identify
from service.decisions.verify import verify
from service.writers.uploads import Upload

if TYPE_CHECKING:
    from tests.service.web.conftest import Page, Site

LOOKED = "a look at the gallery"
REFERENCES = 5  # As many as the fixture enrolls for each writer.
WORDS = {"match": "Match", "inconclusive": "Inconclusive", "non_match": "No match"}


def name_of(seed: int) -> str:
    return synthetic_writer(seed).name


def as_shown(number: float) -> str:
    return f"{number:.3f}".replace("-", "\N{MINUS SIGN}")


def upload(scan: Path) -> Upload:
    return Upload(scan.name, scan.read_bytes())


def zone_under_the_dot(page: Page) -> str:
    """The zone of the gauge in which the middle of the score's dot is drawn."""
    return str(
        page.run("""
            const middle = (one) => {
              const { left, right } = one.getBoundingClientRect();
              return (left + right) / 2;
            };
            const at = middle(document.querySelector(".gauge-dot"));
            const zones = [...document.querySelectorAll(".gauge-zone")];
            const zone = zones.find((one) => at < one.getBoundingClientRect().right);
            return (zone ?? zones.at(-1)).className.replace(/.*gauge-/, "");
        """)
    )


@pytest.mark.parametrize("forged", [False, True], ids=["genuine", "forged"])
def test_verify_says_what_the_service_decides(page: Page, site: Site, forged: bool) -> None:
    scan = site.scan(1, 9, forged=forged)
    services = site.services
    answer = verify("C-1001", upload(scan), encoder=services.encoder, registry=services.registry)
    decided = answer.comparison

    page.open()
    page.choose_writer("verify-writer", name_of(1)[:5])
    assert page.pictures_loaded("#verify-references img") == REFERENCES
    page.add_files("verify-image", scan)
    page.find("#verify-form [type=submit]").click()

    assert page.find("#verify-decision h2").text == WORDS[answer.verdict]
    page.find("#verify-decision .figures summary").click()
    assert page.find(".gauge-label").text == f"Score {as_shown(decided.score)}"
    assert page.find(".gauge-tick-threshold").text == f"Threshold {as_shown(decided.threshold)}"
    zones = [zone.get_attribute("data-zone") for zone in page.all(".gauge-legend li")]
    assert zones[0] == "non_match"
    assert zones[-1] == "match"
    assert ("inconclusive" in zones) == (decided.non_match_threshold < decided.threshold)
    assert page.find(".gauge-legend .is-here").get_attribute("data-zone") == decided.verdict
    said = page.find(".gauge-track").get_attribute("aria-label")
    assert f"below {as_shown(decided.non_match_threshold)} it is no match" in said
    assert zone_under_the_dot(page) == decided.verdict
    assert page.pictures_loaded("#verify-decision .reference-grid img") == REFERENCES
    best = max(answer.references, key=lambda one: one.similarity)
    similarities = [
        bar.text.replace("\N{MINUS SIGN}", "-").split("\n")
        for bar in page.all("#verify-decision .likeness")
    ]
    assert len(similarities) == REFERENCES
    [label, similarity, strokes, local_similarity] = similarities[0]
    assert (label, strokes) == (f"Ref. {best.reference_id}", "Strokes")
    assert float(similarity) == pytest.approx(best.similarity, abs=0.0051)
    assert float(local_similarity) == pytest.approx(best.local_similarity, abs=0.0051)
    assert page.pictures_loaded("#verify-decision .pair img") == 2
    assert services.encoder.name in page.find("#verify-decision .facts").text
    assert len(page.find(".decision-id").text) == 32
    assert WORDS[decided.verdict] in page.run(
        "return document.getElementById('announcer').textContent"
    )


def test_the_operating_point_is_the_readers_choice(page: Page, site: Site) -> None:
    scan = site.scan(2, 8)
    rule = site.services.encoder.rule
    page.open("#/verify?writer=C-1002")
    page.add_files("verify-image", scan)
    usual = page.wait(
        lambda: page.all("#verify-point option:checked"), "no operating points are offered"
    )
    assert usual[0].get_attribute("value") == rule.default_operating_point
    for point in rule.operating_points:
        page.find(f"#verify-point option[value='{point}']").click()
        page.find("#verify-form [type=submit]").click()
        assert point in page.find("#verify-decision .facts").text


def test_a_verdict_does_not_outlive_its_question(page: Page, site: Site) -> None:
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", site.scan(1, 9))
    page.find("#verify-form [type=submit]").click()
    page.find("#verify-decision article")
    page.add_files("verify-image", site.scan(2, 9))
    assert not page.all("#verify-decision article")
    page.find("#verify-references")


def test_verify_by_keyboard_alone(page: Page, site: Site) -> None:
    page.open()

    def press(*keys: str) -> None:
        ActionChains(page.browser).send_keys(*keys).perform()

    def focused(attribute: str) -> str | None:
        return page.browser.switch_to.active_element.get_attribute(attribute)

    def tab_to(element_id: str) -> None:
        for _ in range(20):
            if focused("id") == element_id:
                return
            press(Keys.TAB)
        pytest.fail(f"{element_id} cannot be reached with the Tab key")

    tab_to("verify-writer-input")
    press("C-100")
    page.find("#verify-writer [role=option][aria-selected=true]")
    press(Keys.ARROW_DOWN, Keys.ARROW_DOWN, Keys.ARROW_UP, Keys.ENTER)
    assert focused("value") == f"{name_of(2)} (C-1002)"
    assert focused("aria-expanded") == "false"
    tab_to("verify-image-input")
    # The system's file dialog is beyond WebDriver; this puts the path into it.
    page.add_files("verify-image", site.scan(2, 9))
    tab_to("verify-point")
    press(Keys.TAB)
    assert focused("type") == "submit"
    press(Keys.ENTER)
    assert page.find("#verify-decision h2").text in WORDS.values()
    assert focused("type") == "submit"


def test_the_skip_link_stays_in_the_view(page: Page) -> None:
    page.open("#/writers")
    page.find("#writers-list a")
    page.run("document.querySelector('.skip-link').focus()")
    ActionChains(page.browser).send_keys(Keys.ENTER).perform()
    assert page.browser.switch_to.active_element.get_attribute("id") == "main"
    assert page.find("#writers-title").is_displayed()
    assert not page.all("#verify:not([hidden])")


def test_a_mistyped_address_leaves_the_page_working(page: Page) -> None:
    page.open("#/constructor")
    page.find("#verify-title")
    page.refusals_expected = 2  # Of the writer "%", and of their references.
    page.open("#/writers/%")
    assert "writer_id" in page.find("#writer-detail [role=alert]").text


def test_escape_closes_the_list_and_then_clears_the_writer(page: Page) -> None:
    page.open()
    box = page.find("#verify-writer-input")
    box.send_keys("nobody by that name")
    assert "nobody by that name" in page.find("#verify-writer .combobox-note").text
    box.send_keys(Keys.ESCAPE)
    assert box.get_attribute("aria-expanded") == "false"
    box.send_keys(Keys.ESCAPE)
    assert box.get_attribute("value") == ""


def test_identify_names_candidates_and_hands_over_to_verify(page: Page, site: Site) -> None:
    scan = site.scan(3, 9)
    services = site.services
    decided = identify(
        upload(scan),
        encoder=services.encoder,
        registry=services.registry,
        gallery=services.gallery,
    )
    page.open("#/identify")
    page.add_files("identify-image", scan)
    page.find("#identify-form [type=submit]").click()
    title = {"identified": "Identified", "not_enrolled": "Not enrolled"}[decided.verdict]
    assert page.find("#identify-decision h2").text == title
    assert "not that it is authentic" in page.find("#identify-decision .note").text
    shown = [row.get_attribute("data-writer") for row in page.all(".candidates li")]
    assert shown == [candidate.writer_id for candidate in decided.candidates]
    assert page.pictures_loaded(".candidates img") == len(shown)

    page.find(".candidates li button").click()
    best = decided.candidates[0]
    assert best.writer_id in page.find("#verify-writer-input").get_attribute("value")
    assert page.find("#verify-image .preview-name").text == scan.name
    page.find("#verify-form [type=submit]").click()
    page.find("#verify-decision article")


def test_what_is_missing_is_asked_for(page: Page) -> None:
    page.open()
    page.find("#verify-form [type=submit]").click()
    assert "Choose the writer" in page.find("#verify-form [role=alert]").text
    assert page.browser.switch_to.active_element.get_attribute("id") == "verify-writer-input"
    page.open("#/enroll")
    page.find("#enroll-form [type=submit]").click()
    assert "id" in page.find("#enroll-form [role=alert]").text
    assert page.browser.switch_to.active_element.get_attribute("id") == "enroll-id"


def test_a_refusal_is_said_beside_the_form(page: Page, site: Site, tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear clerk, this is not an image.")
    page.refusals_expected = 2
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", letter)
    page.find("#verify-form [type=submit]").click()
    assert "The file is text" in page.find("#verify-form [role=alert]").text

    page.open("#/enroll")
    page.find("#enroll-id").send_keys("C-1001")
    page.add_files("enroll-images", site.scan(12, 0))
    page.find("#enroll-form [type=submit]").click()
    assert "C-1001" in page.find("#enroll-form [role=alert]").text


def test_a_server_out_of_reach_is_said_in_words(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", site.scan(1, 9))
    page.find("#verify-references")
    page.browser.execute_cdp_cmd("Network.enable", {})
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": ["*/verify"]})
    page.find("#verify-form [type=submit]").click()
    said = page.find("#verify-form [role=alert]").text
    page.browser.execute_cdp_cmd("Network.setBlockedURLs", {"urls": []})
    assert "could not be reached" in said
    assert page.find("#verify-form [type=submit]").get_attribute("aria-disabled") is None


def test_the_theme_follows_the_system_until_chosen(page: Page) -> None:
    def is_dark() -> bool:
        return bool(page.run("return document.documentElement.dataset.shade === 'dark'"))

    page.show_as(1280, "dark")
    page.open()
    assert is_dark()
    page.find("#theme-toggle").click()
    assert not is_dark()
    page.open()
    assert not is_dark()


def test_a_decision_prints_on_one_sheet(page: Page, site: Site) -> None:
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", site.scan(1, 9))
    page.find("#verify-form [type=submit]").click()
    page.pictures_loaded("#verify-decision img")
    pdf = base64.b64decode(page.browser.execute_cdp_cmd("Page.printToPDF", {})["data"])
    assert len(re.findall(rb"/Type\s*/Page\b", pdf)) == 1


@pytest.mark.parametrize("view", ["verify", "identify", "enroll", "writers"])
def test_nothing_overflows(page: Page, site: Site, view: str) -> None:
    if view == "writers":
        page.open("#/writers/C-1001")
        waited_for = "#writer-detail img"
    elif view == "enroll":
        page.open("#/enroll?writer=C-1001")
        page.add_files("enroll-images", *(site.scan(1, n) for n in range(6, 9)))
        waited_for = "#enroll-queue img"
    else:
        page.open(f"#/{view}?writer=C-1001")
        page.add_files(f"{view}-image", site.scan(1, 9))
        page.find(f"#{view}-form [type=submit]").click()
        waited_for = f"#{view}-decision article img"
    for width in (360, 390, 768, 1280):
        for scheme in ("light", "dark"):
            page.show_as(width, scheme)
            page.pictures_loaded(waited_for)
            page.photograph(f"{view}-{width}-{scheme}")
            assert page.overflow_px() <= 0, f"{width} px, {scheme}"


def test_the_foot_of_the_page_says_by_whose_signatures_it_decides_and_approves_a_proposal(
    page: Page, site: Site
) -> None:
    """The numbers are the proposal's; the button puts it to use on the server."""
    services = site.services

    def foot_says(words: str) -> None:
        page.wait(lambda: words in page.find("#calibration").text, f"no {words!r} at the foot")

    page.open()
    foot_says("Not calibrated on this installation")
    own = services.encoder.rule
    gallery = OwnGallery(RandomTail(-2.0, 0.1, 0.3, 0.01, 5), ())
    rate, miss = {"low": 0.0, "high": 0.03}, {"value": 0.25, "low": 0.1, "high": 0.4}
    naming = {"threshold": -1.0, "fpir": {"value": 0.012, **rate}, "fnir": miss}
    measured = {"naming": naming, "claiming": []}
    before = {"naming": naming | {"fpir": {"value": 0.345, **rate}}, "claiming": []}
    kept = services.registry.calibrations.add(
        NewCalibration(
            services.encoder.model_id,
            own.rule_id,
            replace(own, gallery=gallery).rule_id,
            {"gallery": gallery.as_dict(), "before": before, "after": measured, "probes": 30},
            25,
            125,
            "test",
        )
    )
    try:
        page.open()
        foot_says("from 25 writers is proposed")
        foot_says("1.2 % of strangers (now 34.5 %)")
        page.find("#calibration button").click()
        foot_says("from 25 writers with 125 references")
        assert not page.all("#calibration button")
        assert services.registry.calibrations.active(services.encoder.model_id) is not None
        assert services.registry.calibrations.get(kept.calibration_id).state == "active"
    finally:
        services.registry.calibrations.undo(services.encoder.model_id, "test")


def test_the_page_says_whether_the_gallery_is_like_what_was_measured(
    page: Page, site: Site
) -> None:
    """At the foot, and at a verdict where it is unlike: nobody need ask for it."""
    services, scan = site.services, site.scan(1, 8)
    measured = MeasuredGalleries.from_manifest(services.encoder.manifest)
    assert measured is not None
    cedar = measured.profiles["cedar"]
    strange = replace(cedar, means={name: mean + 9 for name, mean in cedar.means.items()})
    rate = {"value": 0.01, "low": 0.0, "high": 0.03}
    rates = {"naming": {"threshold": -1.0, "fpir": rate, "fnir": rate}, "claiming": []}

    def told(profile: GalleryProfile) -> None:
        rule = services.encoder.rule.rule_id
        parameters = {"before": rates, "after": rates, "probes": 30, "profile": profile.as_dict()}
        new = NewCalibration(services.encoder.model_id, rule, rule, parameters, 25, 125, LOOKED)
        services.registry.calibrations.add(new)

    def foot_says(words: str) -> None:
        page.open()
        page.wait(lambda: words in page.find("#calibration").text, f"no {words!r} at the foot")

    def decided(use: str) -> str:
        page.open(f"#/{use}")
        page.add_files(f"{use.split('?', maxsplit=1)[0]}-image", scan)
        page.find(f"#{use.split('?', maxsplit=1)[0]}-form [type=submit]").click()
        return page.find(".decision").text

    verify_hers = "verify?writer=C-1001"
    try:
        told(cedar)
        foot_says("They are like what the model was calibrated on")
        for use in (verify_hers, "identify"):
            assert "unlike" not in decided(use)
        told(strange)
        foot_says("The signatures of these 25 writers are unlike anything")
        for use in (verify_hers, "identify"):
            assert "are unlike anything that this was measured on" in decided(use)
        page.open(f"#/{verify_hers}")
        hint = page.find("#verify-point-hint")
        page.wait(lambda: "was not measured" in hint.text, "errors are promised all the same")
        decided(verify_hers)
        assert "Not known" in page.find(".decision .facts").text
        for width in (360, 1280):
            page.show_as(width)
            assert page.overflow_px() <= 0
    finally:
        with closing(sqlite3.connect(site.scans / "data" / "registry.db")) as registry, registry:
            registry.execute("DELETE FROM gallery_calibrations WHERE caller = ?", [LOOKED])
