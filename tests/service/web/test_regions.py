"""Choosing a part of an image on the page, and seeing what was left out, done in Chromium."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import pytest
from PIL import Image
from selenium.webdriver.common.action_chains import ActionChains
from selenium.webdriver.common.keys import Keys

from benchmarks import documents

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from selenium.webdriver.remote.webelement import WebElement

    from tests.service.web.conftest import Page, Site

TWO_BELOW = "second signature below"
TWO_BESIDE = "second signature beside"
PRINT = "printed name below"
VERDICTS = {"Match", "Inconclusive", "No match"}


def scene_file(site: Site, kind: str, seed: int, ending: str = "png") -> Path:
    """A file of an invented writer's signature with something around it."""
    path = site.scans / f"{kind.replace(' ', '-')}-{seed}.{ending}"
    if not path.exists():
        picture, _ = documents.scene(kind, seed, 0)
        path.write_bytes(documents.encode(picture))
        if ending != "png":
            Image.open(path).save(path, format="TIFF")
    return path


def own_place(kind: str, seed: int) -> tuple[int, int, int, int]:
    """Where in a scene the writer's own signature is: left, top, width, height in pixels."""
    left, top, width, height = cv2.boundingRect(documents.scene(kind, seed, 0)[1])
    return left, top, width, height


def ask(page: Page, view: str, image: Path, writer: str = "C-1001") -> None:
    page.open(f"#/{view}?writer={writer}")
    if view == "verify":
        page.find("#verify-references")
    page.add_files(f"{view}-image", image)
    page.find(f"#{view}-form [type=submit]").click()


def choices(page: Page, inside: str) -> dict[str, WebElement]:
    """The boxes offered, by the names that a screen reader says."""
    page.find(f"{inside} .region-box")
    return {one.accessible_name: one for one in page.all(f"{inside} .region-box")}


def press(page: Page, *keys: str) -> None:
    ActionChains(page.browser).send_keys(*keys).perform()


def focused(page: Page) -> WebElement:
    return page.browser.switch_to.active_element


@pytest.mark.parametrize(
    ("kind", "places"), [(TWO_BELOW, "top bottom"), (TWO_BESIDE, "left right")]
)
def test_the_signature_that_is_meant_is_chosen(
    page: Page, site: Site, kind: str, places: str
) -> None:
    page.refusals_expected = 1
    ask(page, "verify", scene_file(site, kind, 1))
    offered = choices(page, "#verify-decision")
    first, second = places.split()
    assert list(offered) == [f"Signature 1 of 2, {first}", f"Signature 2 of 2, {second}"]
    assert focused(page).text == "More than one signature"
    assert "region=" not in page.find("#verify").text

    image = page.find(".region-stage img")
    shown = image.rect
    scale = shown["width"] / image.get_property("naturalWidth")
    left, top, width, height = own_place(kind, 1)
    for name, button in offered.items():
        box = button.rect
        over = (
            abs(box["x"] - shown["x"] - left * scale) < 12
            and abs(box["y"] - shown["y"] - top * scale) < 12
            and abs(box["width"] - width * scale) < 24
            and abs(box["height"] - height * scale) < 24
        )
        assert over == name.endswith(first)
    offered[f"Signature 1 of 2, {first}"].click()
    assert page.find("#verify-decision article h2").text == "Match"
    assert f"Signature 1 of 2, {first}" in page.find("#verify-decision .facts").text
    assert f"Signature 1 of 2, {first}" in page.find("#verify-form .region-note").text


def test_a_part_is_chosen_by_keyboard_alone(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    ask(page, "verify", scene_file(site, TWO_BELOW, 1))
    choices(page, "#verify-decision")
    press(page, Keys.TAB)
    assert focused(page).accessible_name == "Signature 1 of 2, top"
    press(page, Keys.TAB)
    assert focused(page).accessible_name == "Signature 2 of 2, bottom"
    press(page, Keys.ENTER)
    assert page.find("#verify-decision article h2").text in VERDICTS - {"Match"}
    assert focused(page).get_attribute("type") == "submit"


def test_a_part_of_ones_own_is_given_in_numbers(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    ask(page, "verify", scene_file(site, TWO_BELOW, 1))
    choices(page, "#verify-decision")
    press(page, *[Keys.TAB] * 3)
    left, top, width, height = own_place(TWO_BELOW, 1)
    for name, number in (
        ("Left (x)", left - 9),
        ("Top (y)", top - 9),
        ("Width", 9000),
        ("Height", height + 18),
    ):
        assert focused(page).accessible_name == name
        press(page, str(number), Keys.TAB)
    assert focused(page).accessible_name == "Look at this part"
    press(page, Keys.ENTER)
    assert "reaches out of the image at the right" in page.find(".region-own [role=alert]").text
    assert focused(page).accessible_name == "Width"
    press(page, *[Keys.BACKSPACE] * 4)
    press(page, str(width + 18), Keys.ENTER)
    assert page.find("#verify-decision article h2").text == "Match"
    assert f"{left - 9},{top - 9},{width + 18}" in page.find("#verify-decision .facts").text


@pytest.mark.parametrize("view", ["verify", "identify"])
def test_a_part_is_drawn_with_the_pointer(page: Page, site: Site, view: str) -> None:
    page.refusals_expected = 1
    ask(page, view, scene_file(site, TWO_BELOW, 1))
    choices(page, f"#{view}-decision")
    image = page.find(".region-stage img")
    scale = image.rect["width"] / image.get_property("naturalWidth")
    left, top, width, height = own_place(TWO_BELOW, 1)
    middle = (image.rect["width"] / 2, image.rect["height"] / 2)
    across, down = round((left - 5) * scale - middle[0]), round((top - 5) * scale - middle[1])
    pointer = ActionChains(page.browser).move_to_element_with_offset(image, across, down)
    pointer.click_and_hold().move_by_offset(round(width * scale / 2), 20)
    pointer.move_by_offset(round(width * scale / 2 + 10 * scale), round(height * scale) - 10)
    pointer.release().perform()
    drawn = {
        one.get_attribute("name"): int(one.get_property("value"))
        for one in page.all(".region-own input")
    }
    for side, expected in zip("xywh", (left - 5, top - 5, width + 10, height + 10), strict=True):
        assert drawn[side] == pytest.approx(expected, abs=4 / scale)
    assert page.find(".region-outline").rect["width"] == pytest.approx(drawn["w"] * scale, abs=2)
    assert page.all(".region-box")  # The question still stands.
    page.find(".region-own [type=submit]").click()
    said = page.find(f"#{view}-decision article h2").text
    assert said in {"Match", "Identified"}
    assert (
        ",".join(str(drawn[side]) for side in "xywh") in page.find(f"#{view}-decision .facts").text
    )


def test_drawing_over_a_box_does_not_choose_it(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    ask(page, "verify", scene_file(site, TWO_BELOW, 1))
    box = choices(page, "#verify-decision")["Signature 1 of 2, top"]
    pointer = ActionChains(page.browser).move_to_element_with_offset(box, -30, -15)
    pointer.click_and_hold().move_by_offset(20, 10).move_by_offset(30, 10).release().perform()
    assert int(page.find(".region-own [name=w]").get_property("value")) > 0
    assert not page.find("#verify-form [type=submit]").get_attribute("aria-busy")
    assert page.find("#verify-decision .region-question").is_displayed()
    assert not page.all("#verify-form .region-note:not([hidden])")


def test_an_image_that_the_browser_cannot_show_is_asked_about_in_words(
    page: Page, site: Site
) -> None:
    page.refusals_expected = 1
    ask(page, "verify", scene_file(site, TWO_BELOW, 1, "tif"))
    page.find(".region-words button")
    offered = {one.text: one for one in page.all(".region-words button")}
    assert list(offered) == ["Signature 1 of 2, top", "Signature 2 of 2, bottom"]
    assert not page.all(".region-stage:not([hidden])")
    assert "cannot show this image" in page.find(".region-own").text
    offered["Signature 1 of 2, top"].click()
    assert page.find("#verify-decision article h2").text == "Match"


def test_identify_hands_the_part_over_to_verify(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    ask(page, "identify", scene_file(site, TWO_BELOW, 1))
    choices(page, "#identify-decision")["Signature 1 of 2, top"].click()
    page.find("#identify-decision .candidates li button").click()
    assert "Signature 1 of 2, top" in page.find("#verify-form .region-note").text
    page.find("#verify-form [type=submit]").click()
    assert page.find("#verify-decision article h2").text == "Match"


def test_all_of_the_image_is_looked_at_again(page: Page, site: Site) -> None:
    page.refusals_expected = 2
    ask(page, "verify", scene_file(site, TWO_BELOW, 1))
    choices(page, "#verify-decision")["Signature 1 of 2, top"].click()
    page.find("#verify-decision article")
    page.find("#verify-form .region-note button").click()
    assert not page.all("#verify-decision article")
    page.find("#verify-form [type=submit]").click()
    assert len(choices(page, "#verify-decision")) == 2


def test_a_part_of_an_image_that_was_accepted_can_be_looked_at(page: Page, site: Site) -> None:
    ask(page, "verify", site.scan(1, 9))
    page.find("#verify-decision .plates")
    page.find("#verify-decision .decision-actions button").click()
    assert focused(page).text == "Which part of the image?"
    assert not page.all(".region-box")
    page.find(".region-stage")
    image = page.find(".region-stage img")
    sides = (0, 0, image.get_property("naturalWidth"), image.get_property("naturalHeight"))
    for field, number in zip(page.all(".region-own input"), sides, strict=True):
        field.send_keys(str(number))
    page.find(".region-own [type=submit]").click()
    assert page.find("#verify-decision article h2").text in VERDICTS
    assert "looked at: the part at 0,0," in page.find("#verify-decision .facts").text


@pytest.mark.parametrize("view", ["verify", "identify"])
def test_what_was_left_out_is_shown_beside_the_query(page: Page, site: Site, view: str) -> None:
    ask(page, view, scene_file(site, PRINT, 1))
    shown = {"verify": 2, "identify": 3}[view]  # A verification shows the cleaned one large.
    assert page.pictures_loaded(f"#{view}-decision .plates img") == shown
    last = page.all(f"#{view}-decision .plates figure")[-1]
    assert "Brown: left out" in last.text
    assert "left out, in brown" in last.find_element("css selector", "img").accessible_name
    ask(page, view, site.scan(1, 9))
    assert page.pictures_loaded(f"#{view}-decision .plates img") == shown - 1
    assert "left out" not in page.find(f"#{view}-decision .plates").text


def test_what_was_left_out_is_shown_of_each_reference(page: Page, site: Site) -> None:
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("L-1")
    page.add_files("enroll-images", scene_file(site, PRINT, 1), site.scan(1, 9))
    page.find("#enroll-form [type=submit]").click()
    page.find("#enroll-outcome .reference-grid")
    assert [
        len(card.find_elements("css selector", "img"))
        for card in page.all("#enroll-outcome .reference-grid > li")
    ] == [2, 1]
    assert "Brown: left out" in page.find("#enroll-outcome .ink-legend").text


def test_one_image_of_an_enrollment_is_chosen_from(page: Page, site: Site) -> None:
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("R-1")
    page.add_files("enroll-images", site.scan(1, 9), scene_file(site, TWO_BELOW, 1))
    page.find("#enroll-form [type=submit]").click()
    offered = choices(page, "#enroll-outcome")
    assert "1 reference put on file" in page.find("#enroll-outcome").text
    offered["Signature 1 of 2, top"].click()
    page.wait(lambda: not page.all(".region-box"), "the part chosen was not enrolled")
    assert "1 reference put on file" in page.find("#enroll-outcome").text
    assert not page.all("#enroll-queue li")
    stored = site.services.registry.references.of_writer("R-1")
    assert len(stored) == 2
    top = own_place(TWO_BELOW, 1)[1]
    assert abs(int(str(stored[1].quality["region"]["y"])) - top) < 12  # type: ignore[index]


def test_several_images_of_an_enrollment_each_have_their_part(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("R-2")
    below, beside = scene_file(site, TWO_BELOW, 1), scene_file(site, TWO_BESIDE, 5)
    page.add_files("enroll-images", below, beside)
    page.find("#enroll-form [type=submit]").click()
    choices(page, f"[data-image='{below.name}']")["Signature 1 of 2, top"].click()
    other = choices(page, f"[data-image='{beside.name}']")
    other["Signature 2 of 2, right"].click()
    other["Signature 1 of 2, left"].click()
    pressed = [one.accessible_name for one in page.all(".region-box[aria-pressed=true]")]
    assert pressed == ["Signature 1 of 2, top", "Signature 1 of 2, left"]
    page.find("#enroll-outcome .region-question > .button").click()
    page.wait(lambda: not page.all(".region-box"), "the parts chosen were not enrolled")
    assert "2 references put on file" in page.find("#enroll-outcome").text
    stored = site.services.registry.references.of_writer("R-2")
    for one, (kind, seed) in zip(stored, ((TWO_BELOW, 1), (TWO_BESIDE, 5)), strict=True):
        region = one.quality["region"]
        left, top, _, _ = own_place(kind, seed)
        assert abs(region["x"] - left) < 12  # type: ignore[index]
        assert abs(region["y"] - top) < 12  # type: ignore[index]


@pytest.mark.parametrize("view", ["verify", "enroll", "left-out", "left-out-enrolled"])
def test_nothing_overflows(page: Page, site: Site, view: str) -> None:
    if view == "verify":
        page.refusals_expected = 1
        ask(page, "verify", scene_file(site, TWO_BESIDE, 1))
        waited_for = ".region-stage img"
    elif view == "left-out":
        ask(page, "verify", scene_file(site, PRINT, 1))
        waited_for = "#verify-decision .pair img"
    else:
        kinds = (PRINT, "form") if view == "left-out-enrolled" else (TWO_BELOW, TWO_BESIDE)
        page.refusals_expected = 1 if view == "enroll" else 0
        page.open("#/enroll")
        page.find("#enroll-id").send_keys(f"O-{view}")
        page.add_files("enroll-images", *(scene_file(site, kind, 5) for kind in kinds))
        page.find("#enroll-form [type=submit]").click()
        waited_for = "#enroll-outcome img"
    page.find(waited_for)
    for width in (360, 390, 768, 1280):
        for scheme in ("light", "dark"):
            page.show_as(width, scheme)
            page.pictures_loaded(waited_for)
            page.photograph(f"region-{view}-{width}-{scheme}")
            assert page.overflow_px() <= 0, f"{width} px, {scheme}"


def test_every_control_has_a_name_and_can_be_hit(page: Page, site: Site) -> None:
    page.refusals_expected = 1
    page.show_as(390)
    ask(page, "verify", scene_file(site, TWO_BESIDE, 1))
    choices(page, "#verify-decision")
    for one in page.all("#verify-decision button, #verify-decision input, #verify-decision img"):
        assert one.accessible_name
        if one.tag_name != "img":
            assert min(one.rect["width"], one.rect["height"]) >= 24


def test_a_wide_image_stays_in_its_preview(page: Page, site: Site) -> None:
    page.open("#/verify?writer=C-1001")
    page.add_files("verify-image", scene_file(site, TWO_BESIDE, 1))
    page.pictures_loaded("#verify-image img")
    right = "return document.querySelector(arguments[0]).getBoundingClientRect().right"
    inside = page.run(right, "#verify-image")
    for selector in ("#verify-image img", "#verify-image .icon-button"):
        assert page.run(right, selector) <= inside, selector


def turned(picture: Image.Image, path: Path) -> None:
    """Save a picture on its side, with the note that says so."""
    exif = Image.Exif()
    exif[0x0112] = 6  # To be shown turned clockwise by 90 degrees.
    picture.transpose(Image.Transpose.ROTATE_90).save(path, exif=exif)


def plain(picture: Image.Image, path: Path) -> None:
    picture.save(path)


def uneven(picture: Image.Image, path: Path) -> None:
    """Save a picture at half as many dots per inch down as across."""
    picture.resize((picture.width, picture.height // 2)).save(path, dpi=(200, 100))


@pytest.mark.parametrize(
    ("ending", "save"),
    [("jpg", turned), ("png", turned), ("avif", turned), ("png", uneven), ("webp", plain)],
    ids=["jpeg", "png", "avif", "uneven", "webp"],
)
def test_boxes_lie_over_what_they_are_of(
    page: Page, site: Site, tmp_path: Path, ending: str, save: Callable[[Image.Image, Path], None]
) -> None:
    picture, ink = documents.scene(TWO_BELOW, 1, 0)
    path = tmp_path / f"two.{ending}"
    save(Image.fromarray(picture), path)
    page.refusals_expected = 1
    ask(page, "verify", path)
    box = choices(page, "#verify-decision")["Signature 1 of 2, top"]
    image = page.find(".region-stage img").rect
    left, top, width, height = cv2.boundingRect(ink)
    for side, start, size, length in (
        ("x", left, width, picture.shape[1]),
        ("y", top, height, picture.shape[0]),
    ):
        extent = {"x": "width", "y": "height"}[side]
        middle = (box.rect[side] + box.rect[extent] / 2 - image[side]) / image[extent]
        assert middle == pytest.approx((start + size / 2) / length, abs=0.03)
    box.click()
    assert page.find("#verify-decision article h2").text == "Match"


def test_an_image_that_chromium_shows_on_its_side_is_asked_about_in_words(
    page: Page, site: Site, tmp_path: Path
) -> None:
    path = tmp_path / "two.webp"
    turned(Image.fromarray(documents.scene(TWO_BELOW, 1, 0)[0]), path)
    page.refusals_expected = 1
    ask(page, "verify", path)
    page.find(".region-words button").click()
    assert page.find("#verify-decision article h2").text == "Match"


def test_all_of_a_reference_is_looked_at_again(page: Page, site: Site) -> None:
    page.refusals_expected = 3
    page.open("#/enroll")
    page.find("#enroll-id").send_keys("R-3")
    image = scene_file(site, TWO_BELOW, 1)
    page.add_files("enroll-images", image)
    page.find("#enroll-form [type=submit]").click()
    choices(page, "#enroll-outcome")
    for field, number in zip(page.all(".region-own input"), (0, 0, 3, 3), strict=True):
        field.send_keys(str(number))
    page.find(".region-own [type=submit]").click()  # Nothing can be seen there.
    page.find("#enroll-outcome .refusals")
    assert "looked at: the part at 0,0,3,3" in page.find("#enroll-queue").text.lower()
    page.find("#enroll-queue .region-note button").click()
    page.find("#enroll-form [type=submit]").click()
    choices(page, "#enroll-outcome")["Signature 1 of 2, top"].click()
    page.find("#enroll-outcome .reference-grid")
