"""/docs in a browser: a quickstart on top, all operations below, to be read by day and by night."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.service.web.conftest import Page

READABLE = 4.5  # WCAG 2.2, success criterion 1.4.3, for text of usual size.
LEGIBLE = 3.0  # The least of it; Swagger UI's own badges and numbers do not come to more.
# The ratio of contrast of every piece of text that is shown, against what lies behind it.
CONTRASTS = """
const channel = (x) => (x /= 255) <= 0.04045 ? x / 12.92 : ((x + 0.055) / 1.055) ** 2.4;
const light = ([r, g, b]) => 0.2126 * channel(r) + 0.7152 * channel(g) + 0.0722 * channel(b);
const parts = (text) => {
  const found = text.match(/[\\d.]+/g).map(Number);
  return found.length < 4 ? [...found, 1] : found;
};
const over = ([r, g, b, part], back) =>
  [r, g, b].map((x, i) => x * part + back[i] * (1 - part));
function behind(element) {
  const layers = [];
  for (let one = element; one; one = one.parentElement) {
    layers.push(parts(getComputedStyle(one).backgroundColor));
  }
  return layers.reverse().reduce((back, front) => over(front, back), [255, 255, 255]);
}
const found = [];
for (const element of document.querySelectorAll("body *")) {
  const own = [...element.childNodes].some((one) => one.nodeType === 3 && one.data.trim());
  const shown = { opacityProperty: true, visibilityProperty: true };
  if (!own || !element.checkVisibility(shown)) continue;
  if (element.closest("svg, script, style, option, :disabled")) continue;
  const back = behind(element);
  const ink = light(over(parts(getComputedStyle(element).color), back));
  const paper = light(back);
  const ratio = (Math.max(ink, paper) + 0.05) / (Math.min(ink, paper) + 0.05);
  const ours = Boolean(element.closest(".quickstart"));
  found.push([ratio, ours, element.className, element.textContent.slice(0, 40)]);
}
return found;
"""


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_the_docs_can_be_read_by_day_and_by_night(page: Page, scheme: str) -> None:
    page.show_as(1280, scheme)
    page.open("docs")
    page.find("#docs .opblock")
    page.find("#operations-Decisions-verify_signature .opblock-summary-control").click()
    page.find(".opblock-body .responses-table")
    page.photograph(f"docs-{scheme}")
    paper = page.run("return getComputedStyle(document.body).backgroundColor")
    assert (paper == "rgb(255, 255, 255)") == (scheme == "light")
    texts = page.run(CONTRASTS)
    assert len(texts) > 100
    assert [one for one in texts if one[1] and one[0] < READABLE] == []
    # By day, it is Swagger UI as everybody knows it.
    assert scheme == "light" or [one for one in texts if one[0] < LEGIBLE] == []


def test_the_quickstart_stands_above_all_operations(page: Page) -> None:
    page.open("docs")
    operations = page.find("#docs .opblock")
    quickstart = page.find(".quickstart")
    assert quickstart.location["y"] < operations.location["y"]
    assert "Authorization: Bearer" in quickstart.text
    assert f"curl {page.site.address}v1/writers/C-1001/verify" in quickstart.text
    assert page.overflow_px() == 0


def test_the_quickstart_fits_a_narrow_window(page: Page) -> None:
    page.show_as(400)
    page.open("docs")
    page.find("#docs .opblock")
    assert page.find(".quickstart").size["width"] <= 400
