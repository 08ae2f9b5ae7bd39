"""Enrolling and keeping writers on the page, done in Chromium against the real server."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.keys import Keys

from encoder.synthesis import synthetic_writer
from index.errors import UnknownWriter

if TYPE_CHECKING:
    from tests.service.web.conftest import Page, Site

REFERENCES = 5  # As many as the fixture enrolls for each writer.


def test_enroll_answers_for_each_image(page: Page, site: Site, tmp_path: Path) -> None:
    letter = tmp_path / "letter.png"
    letter.write_text("Dear clerk, this is not an image.")
    scans = [site.scan(11, n) for n in range(4)]
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("N-2001")
    page.find("#enroll-name").send_keys(synthetic_writer(11).name)
    page.add_files("enroll-images", *scans, letter)
    page.find(f"#enroll-queue button[aria-label='Remove {scans[3].name}']").click()
    page.find("#enroll-form [type=submit]").click()

    page.find("#enroll-outcome")
    assert page.pictures_loaded("#enroll-outcome .reference-grid img") == 3
    assert "letter.png" in page.find(".refusals").text
    assert "The file is text" in page.find(".refusals").text
    assert site.services.registry.writers.get("N-2001").reference_count == 3

    # The form now stands at the writer just made, for further images.
    page.add_files("enroll-images", scans[3])
    page.find("#enroll-form [type=submit]").click()
    page.wait(
        lambda: site.services.registry.writers.get("N-2001").reference_count == 4,
        "the fourth reference was not enrolled",
    )


@pytest.mark.parametrize("way", ["drop", "paste"])
def test_images_can_be_dropped_and_pasted(page: Page, site: Site, way: str) -> None:
    send = """
        const [way, name, base64] = arguments;
        const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
        const carried = new DataTransfer();
        carried.items.add(new File([bytes], name, { type: "image/png" }));
        const about = { bubbles: true, cancelable: true };
        const event = way === "drop"
          ? new DragEvent("drop", { ...about, dataTransfer: carried })
          : new ClipboardEvent("paste", { ...about, clipboardData: carried });
        const target = way === "drop" ? document.getElementById("enroll-images") : document;
        target.dispatchEvent(event);
    """
    page.open("#/enroll")
    page.find("#enroll-id")
    scans = [base64.b64encode(site.scan(14, n).read_bytes()).decode() for n in range(2)]
    for scan in scans:
        page.run(send, way, "image.png", scan)
    assert page.pictures_loaded("#enroll-queue img") == 2
    # Refusals name files, so two of one name are told apart.
    shown = [one.text for one in page.all("#enroll-queue .preview-name")]
    assert shown == ["image.png", "image (2).png"]


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
        site.services.registry.writers.get("N-2002")


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
    page.wait(lambda: registry.writers.get("E-3001").name == "Quite Another", "not renamed")
    page.wait(lambda: "Quite Another" in page.find("#writer-detail h2").text, "not shown")

    page.find("[aria-label^='Erase reference']").click()
    page.find("#erase-confirm").click()
    page.wait(
        lambda: registry.writers.get("E-3001").reference_count == REFERENCES - 1, "not erased"
    )
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
        registry.writers.get("E-3001")


def test_a_long_register_comes_in_pages(page: Page, site: Site) -> None:
    for number in range(40):
        site.services.registry.writers.create(f"P-40{number:02}", "")
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
    assert site.services.registry.writers.get("C-1004").reference_count == REFERENCES
