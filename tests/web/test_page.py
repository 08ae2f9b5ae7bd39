"""What clerks do on the page, done in Chromium against the real server."""

from __future__ import annotations

import base64
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from encoder.synthesis import synthetic_writer
from index.errors import UnknownWriter
from service.enroll import Upload
from service.identify import identify
from service.verify import verify

if TYPE_CHECKING:
    from tests.web.conftest import Page, Site

REFERENCES = 5  # As many as the fixture enrolls for each writer.
WORDS = {"match": "Match", "inconclusive": "Inconclusive", "non_match": "No match"}


def name_of(seed: int) -> str:
    return synthetic_writer(seed).name


def as_shown(number: float) -> str:
    return f"{number:.3f}".replace("-", "\N{MINUS SIGN}")


def upload(scan: Path) -> Upload:
    return Upload(scan.name, scan.read_bytes())


@pytest.mark.parametrize("forged", [False, True], ids=["genuine", "forged"])
def test_verify_says_what_the_service_decides(page: Page, site: Site, forged: bool) -> None:
    scan = site.scan(1, 9, forged=forged)
    services = site.services
    decided = verify("C-1001", upload(scan), encoder=services.encoder, registry=services.registry)

    page.open()
    page.choose_writer("verify-writer", name_of(1)[:5])
    assert page.pictures_loaded("#verify-references img") == REFERENCES
    page.add_files("verify-image", scan)
    page.find("#verify-form [type=submit]").click()

    assert page.find("#verify-decision h2").text == WORDS[decided.verdict]
    assert page.find(".gauge-label").text == f"Score {as_shown(decided.score)}"
    assert page.find(".gauge-tick-threshold").text == f"Threshold {as_shown(decided.threshold)}"
    assert page.pictures_loaded("#verify-decision .reference-grid img") == REFERENCES
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


def test_enroll_answers_for_each_image(page: Page, site: Site, tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear clerk, this is not an image.")
    scans = [site.scan(11, n) for n in range(4)]
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("N-2001")
    page.find("#enroll-name").send_keys(name_of(11))
    page.add_files("enroll-images", *scans, letter)
    page.find(f"#enroll-queue button[aria-label='Remove {scans[3].name}']").click()
    page.find("#enroll-form [type=submit]").click()

    page.find("#enroll-outcome")
    assert page.pictures_loaded("#enroll-outcome .reference-grid img") == 3
    assert "letter.png" in page.find(".refusals").text
    assert "not an image" in page.find(".refusals").text
    assert site.services.registry.get_writer("N-2001").reference_count == 3

    # The form now stands at the writer just made, for further images.
    page.add_files("enroll-images", scans[3])
    page.find("#enroll-form [type=submit]").click()
    page.wait(
        lambda: site.services.registry.get_writer("N-2001").reference_count == 4,
        "the fourth reference was not enrolled",
    )


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
    assert "not an image" in page.find("#verify-form [role=alert]").text

    page.open("#/enroll")
    page.find("#enroll-id").send_keys("C-1001")
    page.add_files("enroll-images", site.scan(12, 0))
    page.find("#enroll-form [type=submit]").click()
    assert "C-1001" in page.find("#enroll-form [role=alert]").text


def test_where_no_image_is_usable_each_has_a_reason(page: Page, site: Site, tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear clerk, this is not an image.")
    page.refusals_expected = 1
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("N-2002")
    page.add_files("enroll-images", letter)
    page.find("#enroll-form [type=submit]").click()
    assert "nothing was stored" in page.find("#enroll-form [role=alert]").text
    assert "letter.png" in page.find(".refusals").text
    with pytest.raises(UnknownWriter):
        site.services.registry.get_writer("N-2002")


def test_a_writer_is_found_renamed_and_erased_for_good(page: Page, site: Site) -> None:
    site.enroll(13, "E-3001")
    registry = site.services.registry
    page.open("#/writers")
    page.find("#writers-search").send_keys("e-3001")
    page.find("#writers-list a[data-writer='E-3001']")
    page.wait(lambda: len(page.all("#writers-list a")) == 1, "the list was not narrowed")
    page.find("#writers-list a").click()
    assert page.pictures_loaded("#writer-detail img") == REFERENCES

    page.find("#writer-detail [aria-expanded]").click()
    name = page.find("#writer-name")
    name.clear()
    name.send_keys("Quite Another", Keys.ENTER)
    page.wait(lambda: registry.get_writer("E-3001").name == "Quite Another", "not renamed")
    page.wait(lambda: "Quite Another" in page.find("#writer-detail h2").text, "not shown")

    page.find("[aria-label^='Erase reference']").click()
    page.find("#erase-confirm").click()
    page.wait(lambda: registry.get_writer("E-3001").reference_count == REFERENCES - 1, "not erased")
    page.wait(
        lambda: len(page.all("#writer-detail img")) == REFERENCES - 1, "the picture still stands"
    )

    page.find("#writer-detail .panel-head .button-danger").click()
    assert not page.find("#erase-confirm").is_enabled()
    page.find("#erase-typed").send_keys("E-300")
    assert not page.find("#erase-confirm").is_enabled()
    page.find("#erase-typed").send_keys("1", Keys.ENTER)
    page.wait(lambda: page.browser.current_url.endswith("#/writers"), "the writer stayed open")
    with pytest.raises(UnknownWriter):
        registry.get_writer("E-3001")


def test_a_long_register_comes_in_pages(page: Page, site: Site) -> None:
    for number in range(40):
        site.services.registry.create_writer(f"P-40{number:02}", "")
    page.open("#/writers")
    page.find("#writers-search").send_keys("P-40")
    found = "#writers-list a[data-writer^='P-40']"
    page.wait(lambda: len(page.all(found)) == 30, "the first page did not come")
    assert "The first 30" in page.find("#writers-note").text
    page.find("#writers-more").click()
    page.wait(lambda: len(page.all(found)) == 40, "the second page did not come")
    assert not page.all("#writers-more")[0].is_displayed()


def test_keeping_is_the_way_out_of_the_question(page: Page, site: Site) -> None:
    page.open("#/writers/C-1004")
    page.find("#writer-detail .panel-head .button-danger").click()
    page.find("#erase-typed").send_keys(Keys.ESCAPE)
    page.wait(lambda: not page.all("dialog[open]"), "Escape did not close the question")
    assert site.services.registry.get_writer("C-1004").reference_count == REFERENCES


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


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [360, 390, 1280])
def test_nothing_overflows(page: Page, site: Site, width: int, scheme: str) -> None:
    page.show_as(width, scheme)
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", site.scan(1, 9))
    page.find("#verify-form [type=submit]").click()
    page.pictures_loaded("#verify-decision img")
    page.photograph(f"verify-{width}-{scheme}")
    assert page.overflow_px() <= 0

    page.open("#/identify")
    page.add_files("identify-image", site.scan(1, 9))
    page.find("#identify-form [type=submit]").click()
    page.pictures_loaded(".candidates img")
    page.photograph(f"identify-{width}-{scheme}")
    assert page.overflow_px() <= 0

    page.open("#/enroll?writer=C-1001")
    page.add_files("enroll-images", *(site.scan(1, n) for n in range(6, 9)))
    page.pictures_loaded("#enroll-queue img")
    page.photograph(f"enroll-{width}-{scheme}")
    assert page.overflow_px() <= 0

    page.open("#/writers/C-1001")
    page.pictures_loaded("#writer-detail img")
    page.photograph(f"writer-{width}-{scheme}")
    assert page.overflow_px() <= 0
