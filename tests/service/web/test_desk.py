"""One verification after another, by keyboard and paste, in Chromium against the real server."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

import pytest
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from encoder.synthesis import synthetic_writer
from index.registry.audit.stored import DecisionFilter

if TYPE_CHECKING:
    from pathlib import Path

    from tests.service.web.conftest import Page, Site

# Gives files to the page by a way that WebDriver has no hands for: "drop" or "paste".
GIVE = """
    const [way, target, files] = arguments;
    const carried = new DataTransfer();
    for (const [name, base64] of files) {
      const bytes = Uint8Array.from(atob(base64), (letter) => letter.charCodeAt(0));
      carried.items.add(new File([bytes], name, { type: "image/png" }));
    }
    const about = { bubbles: true, cancelable: true };
    document.querySelector(target).dispatchEvent(
      way === "drop"
        ? new DragEvent("drop", { ...about, dataTransfer: carried })
        : new ClipboardEvent("paste", { ...about, clipboardData: carried }));
"""


def give(page: Page, way: str, target: str, *paths: Path) -> None:
    files = [(path.name, base64.b64encode(path.read_bytes()).decode()) for path in paths]
    page.run(GIVE, way, target, files)


def press(page: Page, *keys: str) -> None:
    ActionChains(page.browser).send_keys(*keys).perform()


def focused_id(page: Page) -> str | None:
    return page.browser.switch_to.active_element.get_attribute("id")


def label(seed: int) -> str:
    return f"{synthetic_writer(seed).name} (C-{1000 + seed})"


def field_says(page: Page, words: str) -> None:
    """Wait until the writer's field holds these words."""
    box = page.find("#verify-writer-input")
    page.wait(lambda: box.get_attribute("value") == words, f"{words!r} is not in the field")


def wait_for_desk(page: Page) -> None:
    page.wait(lambda: focused_id(page) == "verify-writer-input", "the field has not the focus")


def images(page: Page) -> list[str]:
    return [one.text for one in page.all("#verify-image .preview-name")]


def decided(page: Page) -> str:
    """Whom the verdict that is shown is about."""
    page.find("#verify-decision article")
    return str(
        page.run(
            "const terms = [...document.querySelectorAll('#verify-decision .facts dt')];"
            "return terms.find((one) => one.textContent === 'Writer').nextSibling.textContent"
        )
    )


def decisions_of(site: Site) -> int:
    return len(site.services.registry.decisions.page(DecisionFilter(), None, 1000).decisions)


def test_id_paste_and_enter_verify_and_n_begins_the_next(page: Page, site: Site) -> None:
    """No other key is needed, each verdict is about the pair meant, and Back knows the writers."""
    page.open()
    for at, seed in enumerate((1, 2, 3)):
        if at:
            press(page, "n")
        wait_for_desk(page)
        assert images(page) == []
        assert not page.all("#verify-decision article")
        press(page, f"c-{1000 + seed}")
        give(page, "paste", "body", site.scan(seed, 9))
        press(page, Keys.ENTER)
        assert decided(page) == label(seed)
        assert images(page) == [site.scan(seed, 9).name]
        assert page.browser.current_url.endswith(f"#/verify?writer=C-{1000 + seed}")
    for seed in (2, 1):
        page.browser.back()
        field_says(page, label(seed))
        assert images(page) == []
    page.browser.forward()
    field_says(page, label(2))
    page.browser.refresh()
    field_says(page, label(2))


@pytest.mark.parametrize("how", ["typing", "the address", "the cross"])
def test_another_writer_empties_the_image_and_the_answer(page: Page, site: Site, how: str) -> None:
    page.open("#/verify?writer=C-1001")
    field_says(page, label(1))
    page.add_files("verify-image", site.scan(1, 9))
    press(page, Keys.ENTER)
    page.find("#verify-decision article")
    before = decisions_of(site)
    if how == "the address":
        page.run("location.hash = '#/verify?writer=C-1002'")
    else:
        if how == "the cross":
            page.find("#verify-writer .combobox-clear").click()
        page.find("#verify-writer-input").click()
        press(page, "C-1002", Keys.ENTER)
    field_says(page, label(2))
    assert images(page) == []
    assert not page.all("#verify-decision article")
    press(page, Keys.ENTER)
    assert "Add an image" in page.find("#verify-form [role=alert]").text
    assert decisions_of(site) == before


def test_a_verdict_on_its_way_is_not_shown_for_the_next(page: Page, site: Site) -> None:
    page.open("#/verify?writer=C-1001")
    field_says(page, label(1))
    page.add_files("verify-image", site.scan(1, 9))
    page.run(
        "document.querySelector('#verify-form').requestSubmit();"
        "document.querySelector('#verify-next').click()"
    )
    page.wait(lambda: not page.all("#verify-form [aria-busy=true]"), "the verification did not end")
    assert not page.all("#verify-decision article")
    assert focused_id(page) == "verify-writer-input"


def test_tab_takes_the_first_hit_and_typing_after_a_verdict_begins_anew(
    page: Page, site: Site
) -> None:
    page.open()
    wait_for_desk(page)
    press(page, "C-100", Keys.TAB)
    field_says(page, label(1))
    page.add_files("verify-image", site.scan(1, 9))
    page.find("#verify-writer-input").click()
    press(page, Keys.ENTER)
    page.find("#verify-decision article")
    press(page, "C-1004")
    field_says(page, "C-1004")
    assert images(page) == []
    assert not page.all("#verify-decision article")


def test_enter_on_a_name_takes_the_writer_but_decides_nothing(page: Page, site: Site) -> None:
    """A part of a name may be anybody's: whoever reads it presses Enter again."""
    page.open()
    wait_for_desk(page)
    give(page, "paste", "body", site.scan(4, 9))
    press(page, synthetic_writer(4).name[:6].lower(), Keys.ENTER)
    field_says(page, label(4))
    page.find("#verify-references")
    assert images(page) == [site.scan(4, 9).name]
    press(page, Keys.ENTER)
    assert decided(page) == label(4)


def test_an_unknown_writer_is_told_and_nothing_is_decided(page: Page, site: Site) -> None:
    before = decisions_of(site)
    page.open()
    wait_for_desk(page)
    give(page, "paste", "body", site.scan(4, 9))
    press(page, "Nobody Such", Keys.ENTER)
    assert "Nobody Such" in page.find("#verify-writer .combobox-note").text
    page.find("#verify-form [type=submit]").click()
    assert "Choose the writer" in page.find("#verify-form [role=alert]").text
    assert decisions_of(site) == before


@pytest.mark.parametrize("view", ["verify", "identify"])
def test_a_drop_anywhere_is_taken_and_several_wait_their_turn(
    page: Page, site: Site, view: str
) -> None:
    scans = [site.scan(1, n) for n in (7, 8, 9)]
    shown = f"#{view}-image .preview-name"
    page.open(f"#/{view}")
    page.find(f"#{view}-title")
    give(page, "drop", ".masthead", *scans)
    assert page.find(shown).text == scans[0].name
    note = f"#{view}-form .dropzone-note"
    assert f"2 images wait: {scans[1].name}, {scans[2].name}" in page.find(note).text
    for n, waiting in ((1, "Another image waits"), (2, "")):
        page.find(f"#{view}-next").click()
        assert page.find(shown).text == scans[n].name
        assert waiting in page.all(note)[0].text
        page.run("document.activeElement.blur()")
    press(page, "n")
    page.wait(lambda: not page.all(shown), "the last image stayed")


def test_what_waits_can_be_left_out(page: Page, site: Site) -> None:
    page.open()
    wait_for_desk(page)
    give(page, "drop", "body", site.scan(1, 7), site.scan(1, 8))
    page.find("#verify-form .dropzone-note button").click()
    assert page.all("#verify-form .dropzone-note")[0].text == ""
    assert images(page) == [site.scan(1, 7).name]
    page.find("#verify-next").click()
    assert images(page) == []


def test_a_drop_without_a_file_is_told(page: Page) -> None:
    page.open()
    wait_for_desk(page)
    give(page, "drop", "body")
    assert "That was no file" in page.find("#verify-form .dropzone-note").text
